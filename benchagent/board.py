"""A board as an agent sees it, and the pure parts of finding one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchline.names import BOARD_ID

HEALTHY = "ok"
ABILITIES = {
    "esptool": ("reset", "bootloader", "identify"),
    "pyocd": ("reset", "identify"),
}
"""What can be asked of a board by what writes its flash; `power` follows from its switch."""
_MAX_WORD = 200
_MAX_WORDS = 16
# esptool 5.6.0, esp_pylib/constants.py: ESPRESSIF_VID, USB_JTAG_SERIAL_PID.
_USB_JTAG = (0x303A, 0x1001)


class BoardKind(StrEnum):
    """What kind of thing a board is."""

    VIRTUAL = "VIRTUAL"
    PHYSICAL = "PHYSICAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbDevice:
    """A device on USB; `location` is bus and hub ports, e.g. "1-2.3"."""

    vendor_id: int
    product_id: int
    serial_number: str = ""
    location: str = ""
    product: str = ""
    manufacturer: str = ""
    known_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A chip as it described itself to the flash tool; `identity` is its MAC or unique id."""

    name: str
    revision: str = ""
    identity: str = ""
    flash_bytes: int = 0
    features: tuple[str, ...] = ()
    protections: tuple[str, ...] = ()
    read_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One thing that can be flashed, as it is now."""

    board_id: str
    kind: BoardKind
    model: str = ""
    part: str = ""
    probe_id: str = ""
    identity: str = ""
    port: Path | None = None
    port_owner: int | None = None
    """The process that holds the port open, for a pseudo-terminal."""
    health: str = HEALTHY
    experimental: bool = False
    proven_image_sha256: str = ""
    console_epoch: int = 1
    family: str = ""
    """Family of the part: `stm32` or `esp32`."""
    flash_tool: str = ""
    """What writes its flash: `pyocd` or `esptool`; empty when nothing here can."""
    control: Path | None = None
    """Socket of a virtual board that takes resets and power."""
    usb: UsbDevice | None = None
    chip: Chip | None = None
    abilities: tuple[str, ...] = ()
    """What can be asked of it besides flashing: `reset`, `bootloader`, `power`, `identify`."""
    personality: tuple[str, ...] = ()
    reads_port: bool = True
    """Whether the agent opens its port: not before it is certain that this is a board."""
    clears_lines: bool = False
    """Whether DTR and RTS are released after its port was opened."""

    @property
    def has_native_usb(self) -> bool:
        """Whether its port is the chip's own USB-Serial-JTAG (303a:1001), not a bridge."""
        return self.usb is not None and (self.usb.vendor_id, self.usb.product_id) == _USB_JTAG

    @property
    def is_usable(self) -> bool:
        """Whether commands for it make sense."""
        return self.health == HEALTHY

    @property
    def is_away(self) -> bool:
        """Whether it is a virtual board whose process does not run, maybe for a moment only."""
        return self.kind is BoardKind.VIRTUAL and self.port_owner is None


def virtual_board(folder: Path, entry: dict[str, Any], *, alive: bool) -> Board | None:
    """A board of the virtual bench from its registry entry; None when the entry is not usable."""
    board_id = folder.name
    if not BOARD_ID.fullmatch(board_id) or entry.get("name") != board_id:
        return None
    fault = entry.get("fault")
    if not alive:
        health = "its process is not running; `benchline up` starts it again"
    elif fault:
        health = _fault_text(fault)
    else:
        health = HEALTHY
    port = Path(_word(entry, "tty") or folder / "console")
    return Board(
        board_id=board_id,
        kind=BoardKind.VIRTUAL,
        model=_word(entry, "board_model"),
        part=_word(entry, "part"),
        probe_id=_word(entry, "probe"),
        identity=_word(entry, "probe_uid"),
        port=port if alive else None,
        port_owner=_pid(entry, "tty_pid") or entry["pid"] if alive else None,
        health=health,
        family=_word(entry, "family"),
        flash_tool=_word(entry, "flash_tool") or "pyocd",
        control=Path(control) if (control := _word(entry, "control")) and alive else None,
        abilities=ABILITIES.get(_word(entry, "flash_tool") or "pyocd", ()),
        personality=_words(entry, "personality"),
    )


def _fault_text(fault: object) -> str:
    if isinstance(fault, dict):
        words = [_word(fault, key) for key in ("tool", "reason", "package")]
        tool, reason, package = words
        text = f"{tool}: {reason}" if tool else reason
        return f"{text} (apt package {package})" if package else text or "it reports a fault"
    return str(fault)[:_MAX_WORD]


def _word(entry: dict[str, Any], key: str) -> str:
    found = entry.get(key)
    return found[:_MAX_WORD] if isinstance(found, str) else ""


def _pid(entry: dict[str, Any], key: str) -> int | None:
    found = entry.get(key)
    return found if isinstance(found, int) and found > 0 else None


def _words(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    found = entry.get(key)
    words = found[:_MAX_WORDS] if isinstance(found, list) else []
    return tuple(word[:_MAX_WORD] for word in words if isinstance(word, str))
