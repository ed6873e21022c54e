"""Turns ELF, Intel HEX and plain binary files into flash segments; no file is trusted."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from benchagent.flashers.protocol import FlashSegment

MAX_FILE = 32 * 1024 * 1024
MAX_IMAGE = 4 * 1024 * 1024
"""The most bytes that all segments of one file may have together."""
MAX_SEGMENTS = 64
_ADDRESS_END = 1 << 32


class ImageError(ValueError):
    """The file is not an image that can be flashed; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    address: int
    data: bytes


def segments_of(contents: bytes, *, base_address: int) -> tuple[FlashSegment, ...]:
    """Segments of a file whose kind is told by its first bytes.

    `base_address` is where a plain binary goes; ELF and HEX files say it themselves. Raises
    ImageError.
    """
    if contents.startswith(b"\x7fELF"):
        return elf_segments(contents)
    if contents.startswith(b":"):
        return hex_segments(contents)
    return bin_segments(contents, base_address=base_address)


def bin_segments(contents: bytes, *, base_address: int) -> tuple[FlashSegment, ...]:
    """One segment of the whole file. Raises ImageError."""
    return _checked([_Piece(address=base_address, data=contents)])


# ELF-32 little endian (System V ABI, gABI 4.1 chapters 4 and 5).
_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<8I")
_PT_LOAD = 1
_EM_ARM = 40


def elf_segments(contents: bytes) -> tuple[FlashSegment, ...]:
    """The loadable bytes of a 32-bit ARM executable at their load addresses. Raises ImageError."""
    if len(contents) > MAX_FILE:
        raise ImageError(f"the ELF file has more than {MAX_FILE} bytes")
    if len(contents) < _HEADER.size or contents[:4] != b"\x7fELF":
        raise ImageError("this is no ELF file")
    if contents[4] != 1 or contents[5] != 1:
        raise ImageError("the ELF file is not 32-bit little endian")
    fields = _HEADER.unpack_from(contents)
    kind, machine, table, entry_size, entries = fields[1], fields[2], fields[5], *fields[9:11]
    if kind != 2 or machine != _EM_ARM:
        raise ImageError("the ELF file is not an executable for ARM")
    if entry_size != _PROGRAM_HEADER.size or not 0 < entries <= MAX_SEGMENTS:
        raise ImageError("the ELF file has no usable program header table")
    if table + entries * entry_size > len(contents):
        raise ImageError("the ELF program header table leaves the file")
    pieces: list[_Piece] = []
    for index in range(entries):
        header = _PROGRAM_HEADER.unpack_from(contents, table + index * entry_size)
        segment_kind, offset, _, load_address, size = header[:5]
        if segment_kind != _PT_LOAD or size == 0:
            continue
        if offset + size > len(contents):
            raise ImageError(f"ELF segment {index} leaves the file")
        pieces.append(_Piece(address=load_address, data=contents[offset : offset + size]))
    return _checked(pieces)


def hex_segments(contents: bytes) -> tuple[FlashSegment, ...]:
    """The data of an Intel HEX file, neighbouring records joined.

    Source: Intel Hexadecimal Object File Format Specification, revision A, 1988. Raises
    ImageError.
    """
    if len(contents) > MAX_FILE:
        raise ImageError(f"the HEX file has more than {MAX_FILE} bytes")
    joined: list[tuple[int, bytearray]] = []
    base = 0
    ended = False
    for number, line in enumerate(contents.split(b"\n"), start=1):
        record = line.strip()
        if not record:
            continue
        if ended:
            raise ImageError(f"line {number}: a record after the end record")
        kind, offset, data = _hex_record(record, number)
        if kind == 0:
            _join(joined, base, offset, data, number)
        elif kind == 1:
            ended = True
        elif kind in (2, 4):
            if len(data) != 2:
                raise ImageError(f"line {number}: an address record has two bytes")
            base = int.from_bytes(data, "big") << (4 if kind == 2 else 16)
        elif kind not in (3, 5):
            raise ImageError(f"line {number}: unknown record type {kind}")
    if not ended:
        raise ImageError("the HEX file has no end record")
    return _checked(_Piece(address=at, data=bytes(data)) for at, data in joined)


def _join(
    joined: list[tuple[int, bytearray]], base: int, offset: int, data: bytes, number: int
) -> None:
    if offset + len(data) > 0x1_0000:
        raise ImageError(f"line {number}: a record wraps around its 64 KiB segment")
    address = base + offset
    if joined and joined[-1][0] + len(joined[-1][1]) == address:
        joined[-1][1].extend(data)
    elif len(joined) < MAX_SEGMENTS:
        joined.append((address, bytearray(data)))
    else:
        raise ImageError(f"the HEX file has more than {MAX_SEGMENTS} separate segments")


def _hex_record(record: bytes, number: int) -> tuple[int, int, bytes]:
    if not record.startswith(b":"):
        raise ImageError(f"line {number}: a record starts with a colon")
    try:
        raw = bytes.fromhex(record[1:].decode("ascii"))
    except ValueError as error:
        raise ImageError(f"line {number}: a record has pairs of hex digits") from error
    if len(raw) < 5 or len(raw) != raw[0] + 5:
        raise ImageError(f"line {number}: a record of the wrong length")
    if sum(raw) & 0xFF:
        raise ImageError(f"line {number}: the checksum is wrong")
    return raw[3], int.from_bytes(raw[1:3], "big"), raw[4:-1]


def _checked(pieces: Iterable[_Piece]) -> tuple[FlashSegment, ...]:
    ordered = sorted((piece for piece in pieces if piece.data), key=lambda piece: piece.address)
    if not ordered:
        raise ImageError("the file has no bytes to flash")
    if sum(len(piece.data) for piece in ordered) > MAX_IMAGE:
        raise ImageError(f"the image has more than {MAX_IMAGE} bytes")
    end = 0
    for piece in ordered:
        if piece.address < end:
            raise ImageError(f"two segments overlap at {piece.address:#010x}")
        end = piece.address + len(piece.data)
        if end > _ADDRESS_END:
            raise ImageError("a segment leaves the 32-bit address space")
    return tuple(FlashSegment.of(piece.address, piece.data) for piece in ordered)
