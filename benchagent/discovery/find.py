"""From devices on USB to things that may be boards: pure, by the table."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchagent.discovery.sysfs import SysfsDevice
from benchagent.discovery.table import InterfaceKind, PortChoice, Row, Table

_ST_VENDOR = 0x0483


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Something on USB that leads to one board, as it is plugged in right now."""

    device: SysfsDevice
    row: Row
    serial_number: str
    """The serial number; empty when there is none that tells devices apart."""
    port_number: int | None = None
    """Interface of the port, where each port of the device is a board of its own."""
    tty: str = ""
    """Kernel name of the console's port; empty when it has none, or none yet."""
    chip_name: str = ""
    """What the product id says the chip is, by the rule of the ROM loader."""

    @property
    def location(self) -> str:
        """Socket, and the port where the device has several boards behind it."""
        number = self.port_number
        return self.device.location if number is None else f"{self.device.location}:{number}"

    @property
    def chip_identity(self) -> str:
        """Identity of the chip where USB tells it without asking the chip: its MAC."""
        return self.serial_number.lower() if self.row.has_chip_serial else ""


def find_all(devices: Sequence[SysfsDevice], table: Table) -> list[Find]:
    """All finds, by location."""
    found: list[Find] = []
    for device in devices:
        row = table.row_of(device)
        if row is not None:
            found += _finds(device, row, table)
    return found


def _finds(device: SysfsDevice, row: Row, table: Table) -> list[Find]:
    serial = _serial(device, row, table)
    chip = table.chip_names.get(device.product_id, "") if row.pid_is_chip_id else ""
    ttys = device.ttys
    if row.port is PortChoice.EACH:
        # A device of which no port is there yet shows nothing: its ports come in a moment.
        return [
            Find(device=device, row=row, serial_number=serial, port_number=number, tty=tty)
            for number, tty in ttys
        ]
    return [
        Find(
            device=device,
            row=row,
            serial_number=serial,
            tty=_console(ttys, row.port),
            chip_name=chip,
        )
    ]


def _console(ttys: Sequence[tuple[int, str]], choice: PortChoice) -> str:
    if choice is PortChoice.NONE or not ttys:
        return ""
    if choice is PortChoice.FIRST:
        return ttys[0][1]
    # The second interface of a dual adapter; where a debugger took the first one away from the
    # kernel's serial driver it is the only port that is left.
    late = [tty for number, tty in ttys if number >= 1]
    return late[0] if late else ""


def _serial(device: SysfsDevice, row: Row, table: Table) -> str:
    raw = device.raw_serial
    if row.interface is InterfaceKind.PROBE and device.vendor_id == _ST_VENDOR and len(raw) == 12:
        # Old ST-Link/V2 firmware puts 12 bytes there that are no text. This is how pyOCD 0.46
        # writes them (probe/stlink/usb.py), and it finds the probe by this number only.
        return raw.encode("utf-16-le", errors="replace")[::2].hex().upper()
    if device.serial_number in table.placeholder_serials:
        return ""
    return device.serial_number
