"""From what is plugged in to boards: what is told of them, and whether they can be used. Pure but
for the permissions of device nodes, which are looked up through `Nodes`."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchagent.board import ABILITIES, HEALTHY, Board, BoardKind, UsbDevice
from benchagent.discovery.find import Find
from benchagent.discovery.record import Seen
from benchagent.discovery.table import Confidence, InterfaceKind

_ENROL = "`benchline agent boards enrol {board}` asks its chip, which may reset it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The device nodes of this PC."""

    dev: Path = Path("/dev")

    def tty(self, name: str) -> Path:
        """The node of a serial port."""
        return self.dev / name

    def usb_fault(self, find: Find) -> str:
        """Why a debug probe cannot be reached; empty when it can. Nodes that are not there, as in
        a container without them, are the flash tool's to complain about."""
        node = self.dev / "bus" / "usb" / f"{find.device.bus:03}" / f"{find.device.device:03}"
        if not node.exists() or os.access(node, os.R_OK | os.W_OK):
            return ""
        return (
            f"{node} may not be opened: install the udev rules of "
            "`benchline agent doctor --udev-rules`, then plug it in again"
        )

    def tty_fault(self, name: str) -> str:
        """Why a serial port cannot be opened; empty when it can."""
        node = self.tty(name)
        if not node.exists():
            return f"{node} is not there; wait a moment, or plug the board in again"
        if not os.access(node, os.R_OK | os.W_OK):
            return f"{node} may not be opened: sudo usermod -aG dialout $USER, then log in again"
        return ""


def physical_board(seen: Seen, nodes: Nodes) -> Board:
    """A board on USB. Not tried on hardware by this project, and marked so."""
    record, find = seen.record, seen.finds[0]
    row = find.row
    tty = next((one.tty for one in seen.finds if one.tty), "")
    is_probe = row.interface is InterfaceKind.PROBE
    port = nodes.tty(tty) if tty else None
    # Through a bridge alone only an ESP32 can be flashed: of an STM32 it is the console.
    tool = row.flash_tool if is_probe or record.family != "stm32" else ""
    chip_identity = find.chip_identity or (record.chip.identity if record.chip else "")
    return Board(
        board_id=record.board_id,
        kind=BoardKind.PHYSICAL,
        model=record.model,
        part=record.part,
        probe_id=find.serial_number if is_probe else str(port or ""),
        identity=find.serial_number if is_probe else chip_identity,
        port=port,
        reads_port=row.usable and (row.opened_at_sight or record.is_enrolled),
        clears_lines=row.clears_lines,
        health=_health(seen, tty, nodes),
        experimental=True,
        family=record.family or (row.families[0] if _is_certain(find) else ""),
        flash_tool=tool,
        usb=_usb(find),
        chip=record.chip,
        abilities=ABILITIES.get(tool, ()),
    )


def _is_certain(find: Find) -> bool:
    return len(find.row.families) == 1 and find.row.confidence is Confidence.HIGH


def _health(seen: Seen, tty: str, nodes: Nodes) -> str:
    record, find = seen.record, seen.finds[0]
    row = find.row
    if not row.usable:
        return f"{row.known_as}: {row.reason}; {row.fix}"
    if row.interface is InterfaceKind.PROBE:
        if not find.serial_number:
            return "the probe has no serial number, so no tool can choose it: update its firmware"
        if seen.has_double:
            return (
                f"another probe here says that it is {find.serial_number} too, so no tool can "
                "choose one: unplug one of them, or update its firmware"
            )
        fault = nodes.usb_fault(find)
    elif not tty:
        fault = "it has no serial port: `benchline agent doctor` tells what may hold it back"
    elif record.is_enrolled or row.opened_at_sight:
        fault = ""  # the console says what is wrong with its port
    else:
        fault = nodes.tty_fault(tty)
    if fault or record.is_enrolled:
        return fault or HEALTHY
    return f"{_guess(find)}; {_ENROL.format(board=record.board_id)}"


def _guess(find: Find) -> str:
    """What it may be, and how sure that is."""
    row = find.row
    if find.chip_name:
        return f"not enrolled: {find.chip_name}, says its product id"
    if not row.families:
        return f"not enrolled: {row.known_as}, {row.found_on}"
    families = " or ".join(row.families)
    if row.confidence is Confidence.HIGH:
        return f"not enrolled: {families}, the chip is not known yet"
    sure = "likely" if row.confidence is Confidence.MEDIUM else "maybe"
    return f"not enrolled: {sure} {families}, or no board at all ({row.known_as})"


def _usb(find: Find) -> UsbDevice:
    return UsbDevice(
        vendor_id=find.device.vendor_id,
        product_id=find.device.product_id,
        serial_number=find.device.serial_number,
        location=find.location,
        product=find.device.product,
        manufacturer=find.device.manufacturer,
        known_as=find.row.known_as,
    )
