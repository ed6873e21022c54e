"""Images as files: HEX rows, joined segments, damaged input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.toolchains.elf import ElfError, Segment, intel_hex, sections, segments


def read_hex(text: str) -> dict[int, int]:
    """A reader of our own: address -> byte."""
    upper, found = 0, {}
    for line in text.splitlines():
        row = bytes.fromhex(line[1:])
        assert sum(row) & 0xFF == 0
        count, address, kind, data = row[0], int.from_bytes(row[1:3], "big"), row[3], row[4:-1]
        assert count == len(data)
        if kind == 4:
            upper = int.from_bytes(data, "big") << 16
        elif kind == 0:
            found |= {upper + address + i: byte for i, byte in enumerate(data)}
    return found


@given(st.integers(0, 0xFFFF_0000), st.binary(min_size=1, max_size=300))
def test_hex_holds_every_byte_at_its_address(address: int, data: bytes) -> None:
    found = read_hex(intel_hex([Segment(address=address, data=data)]))

    assert found == {address + i: byte for i, byte in enumerate(data)}


@given(st.binary(max_size=200))
def test_damaged_images_are_refused(data: bytes) -> None:
    for read in (segments, sections):
        with pytest.raises(ElfError):
            read(b"\x7fELF\x01\x01"[: len(data)] + data[:40])
