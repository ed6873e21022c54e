"""Where the files of an ESP firmware go in flash. Pure; what a build made is read, never trusted.

Sources: ESP-IDF, "Partition Tables" (entries of 32 bytes that begin with AA 50; the table is at
0x8000 unless configured otherwise) and "Bootloader" (offset 0x1000 on ESP32, 0 on ESP32-C3 and
ESP32-S3), from the documentation, not checked against it.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

PARTITION_TABLE_AT = 0x8000
PARTITION_TABLE_BYTES = 0xC00
_ENTRY = struct.Struct("<2sBBII16sI")
_MAGIC = b"\xaa\x50"
_APP, _DATA, _OTA_DATA = 0, 1, 0
_FACTORY, _FIRST_OTA = 0x00, 0x10
_BOOTLOADER_AT = {"esp32": 0x1000}
_MOST_FILES = 16
_MOST_FLASH = 16 << 20


class LayoutError(ValueError):
    """The files are not those of an ESP firmware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One entry of a partition table; addresses and sizes in bytes."""

    kind: int
    subtype: int
    offset: int
    size: int
    label: str


def bootloader_offset(part: str) -> int:
    """Where the second-stage boot loader of a part begins."""
    return _BOOTLOADER_AT.get(part, 0)


def partitions(table: bytes) -> tuple[Partition, ...]:
    """The entries of a partition table.

    Raises:
        LayoutError: it is none.
    """
    found = []
    for start in range(0, min(len(table), PARTITION_TABLE_BYTES), _ENTRY.size):
        row = table[start : start + _ENTRY.size]
        if len(row) < _ENTRY.size or row[:2] != _MAGIC:
            break
        _, kind, subtype, offset, size, label, _ = _ENTRY.unpack(row)
        if offset + size > _MOST_FLASH:
            raise LayoutError(f"a partition ends at {offset + size:#x}, behind 16 MiB of flash")
        name = label.split(b"\0", 1)[0].decode("ascii", "replace")
        found.append(Partition(kind=kind, subtype=subtype, offset=offset, size=size, label=name))
    if not found:
        raise LayoutError("the partition table has no entries")
    return tuple(found)


def app_partition(table: tuple[Partition, ...]) -> Partition:
    """The partition that the boot loader starts on a board without update data.

    Raises:
        LayoutError: there is none.
    """
    apps = [entry for entry in table if entry.kind == _APP]
    for subtype in (_FACTORY, _FIRST_OTA):
        for entry in apps:
            if entry.subtype == subtype:
                return entry
    raise LayoutError("the partition table has no application")


def arduino_segments(
    part: str, bootloader: bytes, table: bytes, app: bytes
) -> tuple[dict[int, bytes], int]:
    """Bytes by flash offset, and the room for the application.

    The region that says which of two applications runs is erased, so that it is this one.

    Raises:
        LayoutError: the files do not fit together.
    """
    entries = partitions(table)
    home = app_partition(entries)
    if len(app) > home.size:
        raise LayoutError(f"the application has {len(app)} bytes; its partition has {home.size}")
    pieces = {bootloader_offset(part): bootloader, PARTITION_TABLE_AT: table, home.offset: app}
    for entry in entries:
        if (entry.kind, entry.subtype) == (_DATA, _OTA_DATA):
            pieces[entry.offset] = b"\xff" * entry.size
    return pieces, home.size


def flasher_files(text: str) -> Mapping[int, PurePosixPath]:
    """The files that a `flasher_args.json` names, by flash offset, relative to its folder.

    Raises:
        LayoutError: it is none, or a path leaves the folder.
    """
    try:
        rows = json.loads(text)["flash_files"]
        found = {int(offset, 16): PurePosixPath(path) for offset, path in rows.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LayoutError(f"flasher_args.json cannot be read: {error!r}") from error
    if not 0 < len(found) <= _MOST_FILES:
        raise LayoutError(f"flasher_args.json names {len(found)} files")
    for offset, path in found.items():
        if path.is_absolute() or ".." in path.parts:
            raise LayoutError(f"flasher_args.json names {path}, outside of its folder")
        if not 0 <= offset < _MOST_FLASH:
            raise LayoutError(f"flasher_args.json puts {path} at {offset:#x}")
    return found
