"""What ids on USB mean: the rows of usb_devices.toml. An id never tells which chip a board has."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from benchagent.discovery.sysfs import SysfsDevice

FILE = "usb_devices.toml"


class InterfaceKind(StrEnum):
    """How a device on USB leads to a chip."""

    USB_JTAG = "usb-jtag"
    USB_OTG = "usb-otg"
    BRIDGE = "bridge"
    PROBE = "probe"
    FIRMWARE = "firmware"
    BOOTLOADER = "bootloader"


class Confidence(StrEnum):
    """How sure the family candidates are."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class PortChoice(StrEnum):
    """Which serial port of a device is a board's console."""

    FIRST = "first"
    SECOND = "second"
    EACH = "each"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """A vendor id and a range of product ids."""

    vendor_id: int
    first_product: int
    last_product: int

    @classmethod
    def parse(cls, text: str) -> "Ids":
        """`303a:1001`, `1366:0101-1061` or `303a:*`. Raises ValueError."""
        vendor, _, product = text.partition(":")
        if product == "*":
            return cls(vendor_id=int(vendor, 16), first_product=0, last_product=0xFFFF)
        first, _, last = product.partition("-")
        return cls(
            vendor_id=int(vendor, 16),
            first_product=int(first, 16),
            last_product=int(last or first, 16),
        )

    def has(self, device: SysfsDevice) -> bool:
        """Whether the ids of a device are among these."""
        known = self.first_product <= device.product_id <= self.last_product
        return device.vendor_id == self.vendor_id and known

    @property
    def told(self) -> str:
        """As it is written in documents."""
        if (self.first_product, self.last_product) == (0, 0xFFFF):
            return f"{self.vendor_id:04x}:other"
        tail = "" if self.first_product == self.last_product else f"-{self.last_product:04x}"
        return f"{self.vendor_id:04x}:{self.first_product:04x}{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row; its fields are explained in usb_devices.toml."""

    row_id: str
    ids: tuple[Ids, ...]
    product: str
    known_as: str
    interface: InterfaceKind
    families: tuple[str, ...]
    found_on: str
    confidence: Confidence
    prefix: str
    flash_tool: str
    port: PortChoice
    opened_at_sight: bool
    clears_lines: bool
    has_chip_serial: bool
    pid_is_chip_id: bool
    usable: bool
    reason: str
    fix: str
    source: str

    @property
    def is_probe(self) -> bool:
        """Whether a flash tool reaches it through the USB device, not through a serial port."""
        return self.interface is InterfaceKind.PROBE and self.usable

    def matches(self, device: SysfsDevice) -> bool:
        """Whether this row is about a device."""
        if self.product:
            return self.product.lower() in device.product.lower()
        return any(ids.has(device) for ids in self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All rows, in order, and what goes with them."""

    rows: tuple[Row, ...]
    placeholder_serials: frozenset[str]
    chip_names: dict[int, str]

    def row_of(self, device: SysfsDevice) -> Row | None:
        """The first row that matches; None for a device that is no board's."""
        return next((row for row in self.rows if row.matches(device)), None)


@cache
def usb_table() -> Table:
    """The table of this program."""
    text = resources.files("benchagent.discovery").joinpath(FILE).read_text(encoding="utf-8")
    return parse_table(text)


def parse_table(text: str) -> Table:
    """A table from TOML. Raises KeyError, TypeError or ValueError for a faulty one."""
    found: dict[str, Any] = tomllib.loads(text)
    return Table(
        rows=tuple(_row(entry) for entry in found["device"]),
        placeholder_serials=frozenset(found["placeholder_serials"]),
        chip_names={int(number): name for number, name in found["chip_ids"].items()},
    )


def _row(entry: dict[str, Any]) -> Row:
    usable = entry.get("usable", True)
    if not entry["source"] or (not usable and not (entry.get("reason") and entry.get("fix"))):
        raise ValueError(f"{entry['id']}: a source, and for what is not usable reason and fix")
    return Row(
        row_id=entry["id"],
        ids=tuple(Ids.parse(text) for text in entry["match"]),
        product=entry.get("product", ""),
        known_as=entry["known_as"],
        interface=InterfaceKind(entry["interface"]),
        families=tuple(entry["families"]),
        found_on=entry["found_on"],
        confidence=Confidence(entry["confidence"]),
        prefix=entry["prefix"],
        flash_tool=entry["flash_tool"],
        port=PortChoice(entry["port"]),
        opened_at_sight=_one_of(entry["open"], ("at-sight", "enrolled")) == "at-sight",
        clears_lines=_one_of(entry["lines"], ("clear", "keep")) == "clear",
        has_chip_serial=entry.get("chip_serial", False),
        pid_is_chip_id=entry.get("pid_is_chip_id", False),
        usable=usable,
        reason=entry.get("reason", ""),
        fix=entry.get("fix", ""),
        source=entry["source"],
    )


def _one_of(word: str, words: Sequence[str]) -> str:
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
    return word
