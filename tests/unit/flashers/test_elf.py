"""Images from files that nobody vouches for."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchagent.flashers.elf import (
    ImageError,
    bin_segments,
    elf_segments,
    hex_segments,
    segments_of,
)


def elf(*segments: tuple[int, bytes], machine: int = 40, kind: int = 2) -> bytes:
    """A minimal executable with these load segments (load address, bytes)."""
    table = 52
    body = b""
    headers = b""
    start = table + 32 * len(segments)
    for address, data in segments:
        offset = start + len(body)
        size = len(data)
        headers += struct.pack("<8I", 1, offset, 0x2000_0000, address, size, size, 5, 4)
        body += data
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    count = len(segments)
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", ident, kind, machine, 1, 0, table, 0, 0, 52, 32, count, 0, 0, 0
    )
    return header + headers + body


def record(kind: int, offset: int, data: bytes) -> bytes:
    raw = bytes([len(data)]) + offset.to_bytes(2, "big") + bytes([kind]) + data
    return b":" + (raw + bytes([-sum(raw) & 0xFF])).hex().upper().encode() + b"\r\n"


END = record(1, 0, b"")


def contents(segments: object) -> list[tuple[int, bytes | None]]:
    return [(segment.address, segment.data) for segment in segments]


def test_an_elf_gives_its_load_addresses_in_order() -> None:
    image = elf((0x0801_0000, b"code"), (0x0800_0000, b"vect"), (0x2000_0000, b""))
    found = elf_segments(image)
    assert contents(found) == [(0x0800_0000, b"vect"), (0x0801_0000, b"code")]


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (b"", "no ELF"),
        (b"\x7fELF\x02" + bytes(60), "32-bit"),
        (elf((0, b"a"), machine=62), "for ARM"),
        (elf((0, b"a"), kind=1), "executable"),
        (elf(), "program header"),
        (elf((0, b"abcd"))[:-1], "leaves the file"),
        (elf((0x1000, b"abcd"), (0x1003, b"e")), "overlap"),
        (elf((0xFFFF_FFFE, b"abcd")), "address space"),
        (elf((0, b"a")).replace(struct.pack("<I", 52), struct.pack("<I", 1 << 30), 1), "leaves"),
    ],
)
def test_a_bad_elf_is_refused_with_its_fault(image: bytes, complaint: str) -> None:
    with pytest.raises(ImageError, match=complaint):
        elf_segments(image)


def test_neighbouring_hex_records_are_joined() -> None:
    text = (
        record(4, 0, b"\x08\x00")
        + record(0, 0x0000, b"abcd")
        + record(0, 0x0004, b"efgh")
        + record(5, 0, b"\x08\x01\x00\x01")
        + record(4, 0, b"\x08\x01")
        + record(0, 0x0010, b"code")
        + END
    )
    assert contents(hex_segments(text)) == [(0x0800_0000, b"abcdefgh"), (0x0801_0010, b"code")]


def test_a_segment_address_record_shifts_by_four() -> None:
    text = record(2, 0, b"\x10\x00") + record(0, 2, b"x") + END
    assert contents(hex_segments(text)) == [(0x1_0002, b"x")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (record(0, 0, b"a"), "no end record"),
        (END + record(0, 0, b"a"), "after the end"),
        (END, "no bytes"),
        (b":00000001FE\n", "checksum"),
        (b":0100000041BE", "no end record"),
        (b"hello\n", "colon"),
        (b":zz\n", "hex digits"),
        (b":02000000FF\n", "wrong length"),
        (record(9, 0, b"") + END, "unknown record type"),
        (record(4, 0, b"\x08") + END, "two bytes"),
        (record(0, 0xFFFF, b"ab") + END, "wraps"),
        (record(0, 0, b"ab") + record(0, 1, b"c") + END, "overlap"),
    ],
)
def test_a_bad_hex_file_is_refused_with_its_fault(text: bytes, complaint: str) -> None:
    with pytest.raises(ImageError, match=complaint):
        hex_segments(text)


def test_the_kind_is_told_by_the_first_bytes() -> None:
    assert contents(segments_of(elf((8, b"e")), base_address=1)) == [(8, b"e")]
    assert contents(segments_of(record(0, 4, b"h") + END, base_address=1)) == [(4, b"h")]
    assert contents(segments_of(b"plain", base_address=1)) == [(1, b"plain")]
    with pytest.raises(ImageError, match="no bytes"):
        bin_segments(b"", base_address=0)


@given(st.binary(max_size=400))
def test_random_bytes_give_segments_or_a_complaint(junk: bytes) -> None:
    for image in (junk, b"\x7fELF\x01\x01" + junk, b":" + junk):
        try:
            segments = segments_of(image, base_address=0x0800_0000)
        except ImageError:
            continue
        assert all(segment.data for segment in segments)


@given(st.integers(0, 83), st.integers(0, 255))
def test_a_damaged_elf_header_never_reads_outside_the_file(at: int, value: int) -> None:
    image = bytearray(elf((0x0800_0000, b"abcd")))
    image[at] = value
    try:
        segments = elf_segments(bytes(image))
    except ImageError:
        return
    assert all(segment.data is not None and len(segment.data) <= len(image) for segment in segments)
