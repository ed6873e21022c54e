"""What the ESP32-C3's boot ROM does with a flash image. Pure.

Sources: ESP32-C3 direct boot (Espressif's direct-boot example: the magic word twice, then code at
offset 8, flash mapped at 0x42000000 and 0x3C000000); the image format of esptool's `elf2image`
(header of 24 bytes, then segments of address, length, data).
"""

import struct
from dataclasses import dataclass

FLASH_SIZES = tuple(n << 20 for n in (2, 4, 8, 16))
DIRECT_BOOT_MAGIC = 0xAEDB041D
DIRECT_BOOT_ENTRY = 0x4200_0008
ROM_MAGIC = 0xE9
_HEADER = struct.Struct("<BBBBI16x")
_SEGMENT = struct.Struct("<II")
MAX_SEGMENTS = 16


class ImageError(Exception):
    """The flash holds nothing that the ROM would start; the message is what the ROM prints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """Where to start, what to copy into memory first, and whether flash is mapped."""

    entry: int
    segments: tuple[tuple[int, bytes], ...] = ()
    flash_mapped: bool = False


def lay_over(flash: bytes, offset: int, data: bytes) -> bytes:
    """The flash with `data` at `offset`.

    Raises:
        ImageError: it does not fit.
    """
    if offset + len(data) > len(flash):
        raise ImageError(f"{len(data)} bytes at {offset:#x} do not fit into {len(flash)} of flash")
    return flash[:offset] + data + flash[offset + len(data) :]


def read_boot(flash: bytes) -> Boot:
    """What the ROM makes of the flash.

    Raises:
        ImageError: it starts with neither a direct-boot nor a loadable image.
    """
    first, second = struct.unpack_from("<II", flash)
    if first == second == DIRECT_BOOT_MAGIC:
        return Boot(entry=DIRECT_BOOT_ENTRY, flash_mapped=True)
    if flash[0] != ROM_MAGIC:
        raise ImageError(f"invalid header: 0x{first:08x}")
    _, count, _, _, entry = _HEADER.unpack_from(flash)
    if not 0 < count <= MAX_SEGMENTS:
        raise ImageError(f"invalid segment count: {count}")
    segments, position = [], _HEADER.size
    for _ in range(count):
        if position + _SEGMENT.size > len(flash):
            raise ImageError("the segments run past the end of flash")
        address, length = _SEGMENT.unpack_from(flash, position)
        position += _SEGMENT.size
        if position + length > len(flash):
            raise ImageError(f"invalid segment length {length:#x}")
        segments.append((address, flash[position : position + length]))
        position += length
    return Boot(entry=entry, segments=tuple(segments))
