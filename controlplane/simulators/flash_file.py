"""The flash chip of an ESP part as a file: an image's segments at their flash offsets."""

from pathlib import Path

from controlplane.domain.image import ImageError, read_image
from controlplane.simulators.protocol import UnloadableImageError

ERASED = b"\xff"
SIZES = tuple(n << 20 for n in (2, 4, 8, 16))
"""What Espressif's QEMU and the emulator accept."""


def flash_contents(
    image: Path, flash_bytes: int, table: bytes | None = None, table_offset: int = 0
) -> bytes:
    """Read an ELF (physical addresses are flash offsets) or a raw image; lay the table over it.

    Raises:
        UnloadableImageError: it is no image, or does not fit.
    """
    size = next((size for size in SIZES if size >= flash_bytes), SIZES[-1])
    data = image.read_bytes()
    try:
        name = image.name if data[:4] == b"\x7fELF" else f"{image.name}.bin"
        segments = read_image(data, name, base=0)
    except ImageError as error:
        raise UnloadableImageError(str(error)) from error
    flash = bytearray(ERASED) * size
    for segment in segments:
        if segment.end > size:
            what = f"{len(segment.data)} bytes at {segment.address:#x}"
            raise UnloadableImageError(f"{what} do not fit into {size >> 20} MiB of flash")
        flash[segment.address : segment.end] = segment.data
    if table is not None:
        flash[table_offset : table_offset + len(table)] = table
    return bytes(flash)
