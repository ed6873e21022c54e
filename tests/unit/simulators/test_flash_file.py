"""The flash chip that an image is put into."""

import struct
from pathlib import Path

import pytest

from benchline.emulator import exits
from controlplane.simulators import unicorn
from controlplane.simulators.canary import CANARY_TEXT, esp32c3_canary, stm32_canary
from controlplane.simulators.flash_file import flash_contents
from controlplane.simulators.protocol import UnloadableImageError


def elf(*segments: tuple[int, bytes]) -> bytes:
    """A 32-bit little-endian ELF file with segments at physical addresses."""
    count, offset = len(segments), 52 + 32 * len(segments)
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    head = struct.pack("<16sHHIIIIIHHHHHH", ident, 2, 243, 1, 0, 52, 0, 0, 52, 32, count, 0, 0, 0)
    rows, body = b"", b""
    for address, data in segments:
        size = len(data)
        at = offset + len(body)
        rows += struct.pack("<8I", 1, at, 0x42000000 + address, address, size, size, 5, 4)
        body += data
    return head + rows + body


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "firmware.elf"


def test_segments_lie_at_their_offsets_in_erased_flash(image: Path) -> None:
    image.write_bytes(elf((0, b"code"), (0x1000, b"data")))
    flash = flash_contents(image, 4 << 20, b"table", 0x1F0000)

    assert len(flash) == 4 << 20
    assert flash[:6] == b"code\xff\xff"
    assert flash[0x1000:0x1005] == b"data\xff"
    assert flash[0x1F0000:0x1F0006] == b"table\xff"


def test_a_chip_of_another_size_is_the_next_larger_one(image: Path) -> None:
    image.write_bytes(elf((0, b"code")))

    assert len(flash_contents(image, 3 << 20)) == 4 << 20
    assert len(flash_contents(image, 64 << 20)) == 16 << 20


def test_a_raw_image_starts_at_the_start(image: Path) -> None:
    image.write_bytes(b"raw")

    assert flash_contents(image, 2 << 20)[:4] == b"raw\xff"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF\x01\x01\x01 no", elf((2 << 20, b"x")), bytes((2 << 20) + 1)],
    ids=["empty", "cut", "beyond", "too-long"],
)
def test_what_does_not_fit_is_no_image(image: Path, data: bytes) -> None:
    image.write_bytes(data)

    with pytest.raises(UnloadableImageError):
        flash_contents(image, 2 << 20)


def test_the_canaries_end_with_their_text() -> None:
    assert esp32c3_canary().endswith(CANARY_TEXT + b"\0")
    assert esp32c3_canary()[:8] == 2 * struct.pack("<I", 0xAEDB041D)
    assert stm32_canary(5).endswith(struct.pack("<I", 0x40011404) + CANARY_TEXT + b"\0")


def test_exit_codes_mean_the_same_on_both_sides() -> None:
    """The emulator is a program: its parent repeats the codes that it acts upon."""
    told = (unicorn._LOCKUP, unicorn._DEVICE_LIMIT, unicorn._UNICORN_MISSING)

    assert told == (exits.Exit.LOCKUP, exits.Exit.DEVICE_LIMIT, exits.Exit.UNICORN_MISSING)
