"""Finds boards: the virtual bench by its registry folder, physical ones by their probes on USB."""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchagent.board import Board, Probe, physical_board, virtual_board
from benchagent.flashers.protocol import Flasher, FlasherError

log = logging.getLogger(__name__)

# A scan reads a few small files: 0.2 ms for a bench of eight boards.
SCAN_S = 0.25
BOARD_FILE = "board.json"
USB_DIR = Path("/sys/bus/usb/devices")
_MAX_ENTRY_BYTES = 64 * 1024
_MAX_ENTRIES = 256
_START_SLACK_S = 2.0

Found = Callable[[Sequence[Board]], Awaitable[None]]


def scan_virtual(folder: Path) -> list[Board]:
    """The boards that the registry folder names, by name; also those whose process died."""
    boards: list[Board] = []
    try:
        places = sorted(folder.iterdir())[:_MAX_ENTRIES]
    except OSError:
        return boards
    for place in places:
        entry = _entry(place / BOARD_FILE)
        if entry is None:
            continue
        alive = is_running(entry.get("pid"), entry.get("boot_time"))
        board = virtual_board(place, entry, alive=alive)
        if board is not None:
            boards.append(board)
    return boards


def is_running(pid: object, since: object) -> bool:
    """Whether the process that wrote an entry lives: the pid does, and is not a later one's."""
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    if fields[0] in "ZX":
        return False
    try:
        started = _boot_time_s() + int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return started <= datetime.fromisoformat(str(since)).timestamp() + _START_SLACK_S
    except ValueError:
        return True


def usb_devices(folder: Path = USB_DIR) -> frozenset[tuple[str, int]]:
    """What is on USB right now: changes whenever something is plugged or unplugged."""
    found: set[tuple[str, int]] = set()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if ":" not in entry.name and not entry.name.startswith("usb"):
                    found.add((entry.name, entry.stat().st_ino))
    return frozenset(found)


@dataclass(slots=True)
class Discovery:
    """Looks for boards and tells `on_change` about all of them whenever one changed."""

    virtual_dir: Path | None
    flasher: Flasher
    on_change: Found
    scan_s: float = SCAN_S

    async def run(self) -> None:
        """Look for ever; end it by cancelling. The first look is told even if it finds none."""
        usb: frozenset[tuple[str, int]] = frozenset()
        physical: list[Board] = []
        told: list[Board] | None = None
        while True:
            boards = scan_virtual(self.virtual_dir) if self.virtual_dir is not None else []
            if told is None:
                told = boards
                await self.on_change(boards)
            devices = usb_devices()
            if devices != usb:
                usb = devices
                physical = await self._physical()
            taken = {board.board_id for board in boards}
            boards += [board for board in physical if board.board_id not in taken]
            if boards != told:
                told = boards
                log.info("boards changed", extra={"boards": [board.board_id for board in boards]})
                await self.on_change(boards)
            await asyncio.sleep(self.scan_s)

    async def _physical(self) -> list[Board]:
        try:
            visible = await self.flasher.probes()
        except FlasherError as error:
            log.warning("probes not listed", extra={"why": str(error)})
            return []
        ports = serial_ports() if visible else {}
        return [
            physical_board(
                Probe(
                    probe_id=probe.uid,
                    product=f"{probe.vendor} {probe.product}".strip(),
                    port=ports.get(probe.uid.upper()),
                )
            )
            for probe in visible
        ]


def serial_ports() -> dict[str, Path]:
    """Serial ports of USB devices by the serial number of the device, in upper case.

    A number that two ports share pairs with neither of them.
    """
    from serial.tools import list_ports

    found: dict[str, Path] = {}
    shared: set[str] = set()
    for port in list_ports.comports():
        number = (port.serial_number or "").upper()
        if not number:
            continue
        if number in found:
            shared.add(number)
        found[number] = Path(port.device)
    return {number: path for number, path in found.items() if number not in shared}


def _entry(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(_MAX_ENTRY_BYTES))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _boot_time_s() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
