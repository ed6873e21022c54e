"""Reads the USB devices and their serial ports from a sysfs tree. Nothing is opened or sent.

Layout (Linux, Documentation/ABI/testing/sysfs-bus-usb): `bus/usb/devices/1-2` is a device in socket
`1-2`, `1-2:1.0` its first interface. A serial port is `1-2:1.0/tty/ttyACM0` for CDC-ACM and
`1-2:1.0/ttyUSB0/tty/ttyUSB0` for adapters. What devices call themselves is hostile and bounded.
"""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

DEVICES = Path("bus/usb/devices")
_MAX_DEVICES = 512
_MAX_BYTES = 256
_MAX_TEXT = 120
_LOCATION = re.compile(r"[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}")
_HUB_CLASS = "09"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface of a device and the serial ports that the kernel made of it."""

    number: int
    usb_class: str
    name: str = ""
    ttys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SysfsDevice:
    """One device on USB."""

    location: str
    """Socket: bus and chain of hub ports."""
    vendor_id: int
    product_id: int
    serial_number: str = ""
    """As it may be shown; empty when there is none."""
    raw_serial: str = ""
    """As the device gave it: some old probes put bytes there that are no text."""
    product: str = ""
    manufacturer: str = ""
    bus: int = 0
    device: int = 0
    interfaces: tuple[Interface, ...] = ()

    @property
    def usb_id(self) -> str:
        """`vvvv:pppp`."""
        return f"{self.vendor_id:04x}:{self.product_id:04x}"

    @property
    def ttys(self) -> tuple[tuple[int, str], ...]:
        """Interface number and name of each serial port, in order of the interfaces."""
        return tuple((face.number, tty) for face in self.interfaces for tty in face.ttys)


def read_devices(sysfs: Path) -> tuple[SysfsDevice, ...]:
    """All devices but hubs, by location. What vanishes meanwhile is left out."""
    found: list[SysfsDevice] = []
    for name in device_names(sysfs):
        with contextlib.suppress(OSError, ValueError):
            device = _device(sysfs / DEVICES / name, name)
            if device is not None:
                found.append(device)
    return tuple(found)


def device_names(sysfs: Path) -> list[str]:
    """Sockets with something in them: the cheapest look that there is."""
    with contextlib.suppress(OSError):
        names = [entry.name for entry in (sysfs / DEVICES).iterdir()]
        return sorted(name for name in names if _LOCATION.fullmatch(name))[:_MAX_DEVICES]
    return []


def _device(folder: Path, location: str) -> SysfsDevice | None:
    if _word(folder / "bDeviceClass") == _HUB_CLASS:
        return None
    raw_serial = _raw(folder / "serial")
    return SysfsDevice(
        location=location,
        vendor_id=int((folder / "idVendor").read_text(), 16),
        product_id=int((folder / "idProduct").read_text(), 16),
        serial_number=printable(raw_serial),
        raw_serial=raw_serial,
        product=_word(folder / "product"),
        manufacturer=_word(folder / "manufacturer"),
        bus=_number(folder / "busnum"),
        device=_number(folder / "devnum"),
        interfaces=_interfaces(folder, location),
    )


def _interfaces(folder: Path, location: str) -> tuple[Interface, ...]:
    found = [
        Interface(
            number=int(_word(place / "bInterfaceNumber") or "0", 16),
            usb_class=_word(place / "bInterfaceClass"),
            name=_word(place / "interface"),
            ttys=_ttys(place),
        )
        for place in sorted(folder.glob(f"{location}:*"))[:32]
    ]
    return tuple(sorted(found, key=lambda face: face.number))


def _ttys(interface: Path) -> tuple[str, ...]:
    places = [*interface.glob("tty/tty*"), *interface.glob("tty*/tty/tty*")]
    return tuple(sorted({place.name for place in places}))[:8]


def _raw(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES)
    except OSError:
        return ""
    return data.removesuffix(b"\n").decode("utf-8", errors="replace")


def printable(text: str) -> str:
    """Text of a device as it may be shown, stored and compared."""
    shown = "".join(char for char in text if char.isprintable() and char != "\ufffd")
    return " ".join(shown.split())[:_MAX_TEXT]


def _word(path: Path) -> str:
    return printable(_raw(path))


def _number(path: Path) -> int:
    word = _word(path)
    return int(word) if word.isdecimal() else 0
