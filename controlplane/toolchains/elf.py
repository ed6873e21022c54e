"""Reading linked images: sections, flash segments, Intel HEX. Pure; 32-bit little endian ELF."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM = struct.Struct("<IIIIIIII")
_SECTION = struct.Struct("<IIIIIIIIII")
_PT_LOAD = 1
_SHT_NOBITS = 8
_SHF_ALLOC = 2
JOIN_GAP_BYTES = 256
HEX_ROW_BYTES = 16


class ElfError(ValueError):
    """The bytes are not an image that a linker of ours makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One allocated section; `stored` says whether it has bytes in the file."""

    name: str
    address: int
    size: int
    stored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Contiguous bytes at their load address."""

    address: int
    data: bytes


def sections(elf: bytes) -> tuple[Section, ...]:
    """The allocated sections in file order.

    Raises:
        ElfError: not a complete 32-bit little-endian ELF file.
    """
    head = _header(elf)
    start, width, count, names_index = head[6], head[11], head[12], head[13]
    try:
        rows = [_SECTION.unpack_from(elf, start + i * width) for i in range(count)]
        names = elf[rows[names_index][4] :][: rows[names_index][5]]
    except (struct.error, IndexError) as error:
        raise ElfError("the section table is damaged") from error
    return tuple(
        Section(
            name=names[row[0] : names.find(b"\0", row[0])].decode("ascii", "replace"),
            address=row[3],
            size=row[5],
            stored=row[1] != _SHT_NOBITS,
        )
        for row in rows
        if row[2] & _SHF_ALLOC and row[5]
    )


def segments(elf: bytes) -> tuple[Segment, ...]:
    """What goes into flash, sorted by address; pieces up to 256 bytes apart are joined with 0xFF.

    Raises:
        ElfError: not a complete 32-bit little-endian ELF file, or overlapping segments.
    """
    head = _header(elf)
    start, width, count = head[5], head[9], head[10]
    try:
        rows = [_PROGRAM.unpack_from(elf, start + i * width) for i in range(count)]
    except struct.error as error:
        raise ElfError("the program table is damaged") from error
    pieces = []
    for row in rows:
        kind, offset, _, address, size = row[:5]
        if kind == _PT_LOAD and size:
            data = elf[offset : offset + size]
            if len(data) != size:
                raise ElfError("a segment is cut off")
            pieces.append(Segment(address=address, data=data))
    return _joined(sorted(pieces, key=lambda piece: piece.address))


def _joined(pieces: Sequence[Segment]) -> tuple[Segment, ...]:
    joined: list[Segment] = []
    for piece in pieces:
        if joined:
            last = joined[-1]
            gap = piece.address - last.address - len(last.data)
            if gap < 0:
                raise ElfError("segments overlap")
            if gap <= JOIN_GAP_BYTES:
                data = last.data + b"\xff" * gap + piece.data
                joined[-1] = Segment(address=last.address, data=data)
                continue
        joined.append(piece)
    return tuple(joined)


def intel_hex(pieces: Sequence[Segment]) -> str:
    """The segments as Intel HEX with extended linear addresses."""
    lines = []
    upper = -1
    for piece in pieces:
        offset = 0
        while offset < len(piece.data):
            address = piece.address + offset
            if address >> 16 != upper:
                upper = address >> 16
                lines.append(_hex_line(0, 4, upper.to_bytes(2, "big")))
            room = min(HEX_ROW_BYTES, 0x10000 - (address & 0xFFFF))
            row = piece.data[offset : offset + room]
            lines.append(_hex_line(address & 0xFFFF, 0, row))
            offset += len(row)
    lines.append(_hex_line(0, 1, b""))
    return "".join(lines)


def _hex_line(address: int, kind: int, data: bytes) -> str:
    row = bytes((len(data), address >> 8, address & 0xFF, kind)) + data
    return f":{row.hex().upper()}{-sum(row) & 0xFF:02X}\n"


def _header(elf: bytes) -> tuple[int, ...]:
    if len(elf) < _HEADER.size or elf[:6] != b"\x7fELF\x01\x01":
        raise ElfError("not a 32-bit little-endian ELF file")
    return _HEADER.unpack_from(elf)
