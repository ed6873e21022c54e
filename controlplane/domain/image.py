"""Firmware images as address ranges: ELF, Intel HEX and raw binaries. Every input is hostile."""

import struct
from dataclasses import dataclass
from itertools import pairwise

MAX_IMAGE_BYTES = 16 * 1024 * 1024
_MAX_SEGMENTS = 64
_PT_LOAD = 1
ELF32_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_ELF32_PROGRAM_HEADER = struct.Struct("<IIIIIIII")


class ImageError(ValueError):
    """The bytes are not an image of the format that the file name tells."""


@dataclass(frozen=True, slots=True)
class ImageSegment:
    """Bytes at one address; `address` is where they are stored in flash."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        """One past the last address."""
        return self.address + len(self.data)


def read_image(data: bytes, filename: str, *, base: int) -> tuple[ImageSegment, ...]:
    """Read an image into segments sorted by address, without overlaps.

    `base` is the address of a raw binary (`.bin`). The format is told by the first bytes (ELF, HEX)
    or else by the file name.

    Raises:
        ImageError: truncated, overlapping, empty, too large, or of an unknown format.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"{filename} has {len(data)} bytes; at most {MAX_IMAGE_BYTES} are taken")
    if is_elf(data):
        segments = _read_elf(data)
    elif is_hex(filename):
        segments = _read_intel_hex(data)
    elif filename.lower().endswith(".bin"):
        segments = [ImageSegment(base, data)]
    else:
        raise ImageError(f"{filename} is neither ELF, .hex nor .bin")
    return _in_order(segments, filename)


def is_elf(data: bytes) -> bool:
    """Whether the first bytes are those of an ELF file."""
    return data[:4] == b"\x7fELF"


def is_hex(filename: str) -> bool:
    """Whether the name is that of an Intel HEX file."""
    return filename.lower().endswith((".hex", ".ihex"))


def compose_elf(segments: tuple[ImageSegment, ...], machine: int) -> bytes:
    """A 32-bit ELF file that holds these segments and nothing else."""
    table = ELF32_HEADER.size
    offset = table + len(segments) * _ELF32_PROGRAM_HEADER.size
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    sizes = (ELF32_HEADER.size, _ELF32_PROGRAM_HEADER.size, len(segments), 0, 0, 0)
    headers = [ELF32_HEADER.pack(ident, 2, machine, 1, segments[0].address, table, 0, 0, *sizes)]
    for segment in segments:
        at, size = segment.address, len(segment.data)
        headers.append(_ELF32_PROGRAM_HEADER.pack(_PT_LOAD, offset, at, at, size, size, 5, 4))
        offset += size
    return b"".join([*headers, *(segment.data for segment in segments)])


def elf_machine(data: bytes) -> int:
    """`e_machine` of an ELF file.

    Raises:
        ImageError: truncated, or not a 32-bit little-endian ELF file.
    """
    if len(data) < ELF32_HEADER.size or data[4:6] != b"\x01\x01":
        raise ImageError("not a 32-bit little-endian ELF file")
    return int(ELF32_HEADER.unpack_from(data)[2])


def elf_memory(data: bytes) -> tuple[range, ...]:
    """The addresses that an ELF file's program takes while it runs, zeroed memory included.

    Raises:
        ImageError: as :func:`read_image`.
    """
    return tuple(range(at, at + size) for _, _, at, _, _, size, _, _ in _loaded(data) if size)


def leave_out(segments: tuple[ImageSegment, ...], start: int, end: int) -> tuple[ImageSegment, ...]:
    """The segments without an address range, which must be erased (0xFF) where they cover it.

    Raises:
        ImageError: other bytes lie in the range.
    """
    kept: list[ImageSegment] = []
    for one in segments:
        low, high = max(one.address, start), min(one.end, end)
        if low >= high:
            kept.append(one)
            continue
        covered = one.data[low - one.address : high - one.address]
        if covered.strip(b"\xff"):
            raise ImageError(
                f"the image holds bytes of its own between {low:#x} and {high:#x}, where the "
                "stimulus table goes"
            )
        before, after = one.data[: low - one.address], one.data[high - one.address :]
        kept += [ImageSegment(one.address, before)] if before else []
        kept += [ImageSegment(high, after)] if after else []
    return tuple(kept)


def flat_image(segments: tuple[ImageSegment, ...]) -> bytes:
    """The bytes from the first to the last address, gaps filled as erased flash reads (0xFF)."""
    start = segments[0].address
    flat = bytearray(b"\xff" * (segments[-1].end - start))
    for segment in segments:
        flat[segment.address - start : segment.end - start] = segment.data
    return bytes(flat)


def _in_order(segments: list[ImageSegment], filename: str) -> tuple[ImageSegment, ...]:
    kept = sorted((s for s in segments if s.data), key=lambda s: s.address)
    if not kept:
        raise ImageError(f"{filename} holds no bytes for flash")
    if len(kept) > _MAX_SEGMENTS:
        raise ImageError(f"{filename} has {len(kept)} segments; at most {_MAX_SEGMENTS} are taken")
    for first, second in pairwise(kept):
        if second.address < first.end:
            raise ImageError(f"{filename} has two segments at 0x{second.address:08x}")
    if kept[-1].end - kept[0].address > MAX_IMAGE_BYTES:
        raise ImageError(f"{filename} spans more than {MAX_IMAGE_BYTES} bytes")
    return tuple(kept)


def _read_elf(data: bytes) -> list[ImageSegment]:
    segments = []
    for _, offset, _, stored_at, size, _, _, _ in _loaded(data):
        if size == 0:
            continue
        if offset + size > len(data):
            raise ImageError("the ELF file is truncated")
        segments.append(ImageSegment(stored_at, data[offset : offset + size]))
    return segments


def _loaded(data: bytes) -> list[tuple[int, ...]]:
    """The program headers of what is loaded."""
    elf_machine(data)
    fields = ELF32_HEADER.unpack_from(data)
    table, entry_size, count = fields[5], fields[9], fields[10]
    if entry_size != _ELF32_PROGRAM_HEADER.size or count > _MAX_SEGMENTS:
        raise ImageError("the ELF program header table is not one of a firmware")
    if table + entry_size * count > len(data):
        raise ImageError("the ELF file is truncated")
    places = range(table, table + entry_size * count, entry_size)
    rows = [_ELF32_PROGRAM_HEADER.unpack_from(data, at) for at in places]
    return [row for row in rows if row[0] == _PT_LOAD]


def _read_intel_hex(data: bytes) -> list[ImageSegment]:
    upper, runs = 0, list[tuple[int, bytearray]]()
    whole = False
    for number, line in enumerate(data.split(), start=1):
        address, kind, payload = _hex_record(line, number)
        if kind == 1:
            whole = True
            break
        if kind == 0:
            at = upper + address
            if runs and runs[-1][0] + len(runs[-1][1]) == at:
                runs[-1][1].extend(payload)
            else:
                runs.append((at, bytearray(payload)))
        elif kind in (2, 4) and len(payload) == 2:
            upper = int.from_bytes(payload, "big") << (4 if kind == 2 else 16)
        elif kind not in (3, 5):
            raise ImageError(f"line {number} of the HEX file has unknown type {kind}")
    if not whole:
        raise ImageError("the HEX file is truncated: its last record is missing")
    return [ImageSegment(address, bytes(run)) for address, run in runs]


def _hex_record(line: bytes, number: int) -> tuple[int, int, bytes]:
    try:
        record = bytes.fromhex(line[1:].decode("ascii"))
    except ValueError:
        record = b""
    if line[:1] != b":" or len(record) < 5 or len(record) != record[0] + 5 or sum(record) & 0xFF:
        raise ImageError(f"line {number} of the HEX file is damaged")
    return int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
