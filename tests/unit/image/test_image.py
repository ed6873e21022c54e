"""Images are hostile: read whole and right, or refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.image import (
    ImageError,
    ImageSegment,
    flat_image,
    leave_out,
    read_image,
)

BASE = 0x0800_0000


def elf(*segments: tuple[int, bytes]) -> bytes:
    """A minimal 32-bit ARM ELF with one program header a segment."""
    table = 52
    offset = table + 32 * len(segments)
    headers, body = b"", b""
    for address, data in segments:
        headers += struct.pack(
            "<IIIIIIII", 1, offset + len(body), address, address, len(data), len(data), 5, 4
        )
        body += data
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    head = struct.pack(
        "<16sHHIIIIIHHHHHH", ident, 2, 40, 1, 0, table, 0, 0, 52, 32, len(segments), 0, 0, 0
    )
    return head + headers + body


def intel_hex(address: int, data: bytes) -> bytes:
    def record(at: int, kind: int, payload: bytes) -> str:
        raw = bytes([len(payload)]) + at.to_bytes(2, "big") + bytes([kind]) + payload
        return f":{raw.hex()}{-sum(raw) & 0xFF:02x}"

    lines = [record(0, 4, (address >> 16).to_bytes(2, "big"))]
    lines += [
        record((address & 0xFFFF) + start, 0, data[start : start + 16])
        for start in range(0, len(data), 16)
    ]
    lines.append(record(0, 1, b""))
    return "\n".join(lines).encode()


def test_a_hex_file_that_lost_its_end_is_refused() -> None:
    whole = intel_hex(BASE, bytes(range(64)))
    for lines in range(1, whole.count(b"\n") + 1):
        with pytest.raises(ImageError, match="truncated"):
            read_image(b"\n".join(whole.split(b"\n")[:lines]), "a.hex", base=0)


def test_an_elf_is_read_at_its_load_addresses_in_order() -> None:
    image = elf((BASE + 0x10000, b"code"), (BASE, b"vectors!"))

    assert read_image(image, "x.elf", base=0) == (
        ImageSegment(BASE, b"vectors!"),
        ImageSegment(BASE + 0x10000, b"code"),
    )


def test_the_same_bytes_come_out_of_elf_hex_and_bin() -> None:
    data = bytes(range(200))
    expected = (ImageSegment(BASE, data),)

    assert read_image(elf((BASE, data)), "a", base=0) == expected
    assert read_image(intel_hex(BASE, data), "a.hex", base=0) == expected
    assert read_image(data, "a.bin", base=BASE) == expected


def test_gaps_are_filled_as_erased_flash_reads() -> None:
    segments = read_image(elf((BASE, b"ab"), (BASE + 4, b"c")), "x", base=0)

    assert flat_image(segments) == b"ab\xff\xffc"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (b"", "x.bin"),
        (b"\x7fELF", "x.elf"),
        (elf((BASE, b"abcd"))[:-1], "x.elf"),
        (elf((BASE, b"abcd"), (BASE + 2, b"efgh")), "x.elf"),
        (b"\x7fELF\x02\x01" + bytes(60), "x.elf"),
        (b":0000000000", "x.hex"),
        (b":020000040800f3", "x.hex"),
        (b"hello", "x.txt"),
        (b"\x00" * (16 * 1024 * 1024 + 1), "x.bin"),
    ],
)
def test_what_is_not_an_image_is_refused(image: bytes, name: str) -> None:
    with pytest.raises(ImageError):
        read_image(image, name, base=BASE)


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_throw_anything_else(data: bytes) -> None:
    for name in ("x.hex", "x.bin", "x"):
        for image in (data, b"\x7fELF\x01\x01" + data):
            try:
                read_image(image, name, base=BASE)
            except ImageError:
                continue


def test_a_raw_binary_gives_up_the_erased_table() -> None:
    whole = read_image(b"code" + b"\xff" * 8 + b"more", "a.bin", base=BASE)

    assert leave_out(whole, BASE + 4, BASE + 12) == (
        ImageSegment(BASE, b"code"),
        ImageSegment(BASE + 12, b"more"),
    )
    assert leave_out(whole, BASE + 100, BASE + 200) == whole


def test_an_image_with_code_in_the_table_is_refused() -> None:
    whole = read_image(b"code" * 4, "a.bin", base=BASE)

    with pytest.raises(ImageError, match="where the stimulus table goes"):
        leave_out(whole, BASE + 4, BASE + 12)
