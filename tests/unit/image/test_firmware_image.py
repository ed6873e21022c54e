"""Finished firmware of several files: read whole and right, for the right part, or refused."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.firmware_image import (
    FirmwareContent,
    ImageFile,
    family_of,
    is_test_build,
    read_firmware,
)
from controlplane.domain.image import ImageError, ImageSegment
from tests.unit.image.test_image import elf

STM32_VECTORS = struct.pack("<II", 0x2002_0000, 0x0800_0189) + bytes(64)


def esp_image(chip: int, size: int = 64) -> bytes:
    header = bytearray(24)
    header[0], header[1] = 0xE9, 3
    header[12:14] = chip.to_bytes(2, "little")
    return bytes(header) + bytes(size)


def file(name: str, address: int | None = None) -> ImageFile:
    return ImageFile(sha256="0" * 64, filename=name, address=address)


def with_machine(machine: int, *segments: tuple[int, bytes]) -> bytes:
    data = bytearray(elf(*segments))
    data[18:20] = machine.to_bytes(2, "little")
    return bytes(data)


def test_a_manifest_of_three_files_is_one_firmware_for_the_chip_of_its_bootloader() -> None:
    content = read_firmware(
        [
            (file("app.bin", 0x10000), esp_image(5, 1000)),
            (file("boot.bin", 0), esp_image(5)),
            (file("table.bin", 0x8000), b"\xaa\x50" * 16),
        ]
    )
    assert [segment.address for segment in content.segments] == [0, 0x8000, 0x10000]
    assert content.target.part == "esp32c3"
    assert content.size_bytes == 88 + 32 + 1024


def test_the_digest_is_that_of_all_bytes_in_address_order() -> None:
    content = read_firmware(
        [(file("b.bin", 0x100), b"second"), (file("a.bin", 0), b"first")], part="esp32c3"
    )
    assert content.sha256 == hashlib.sha256(b"firstsecond").hexdigest()


def test_a_file_that_is_called_elf_and_is_none_is_refused() -> None:
    with pytest.raises(ImageError, match=r"x\.elf is no ELF file"):
        read_firmware([(file("x.elf", 0x0800_0000), STM32_VECTORS)], part="stm32f405rg")


def test_touching_pieces_are_written_as_one() -> None:
    content = read_firmware(
        [(file("b.bin", 0x10), b"b" * 16), (file("a.bin", 0), b"a" * 16)], part="esp32"
    )
    assert content.segments == (ImageSegment(0, b"a" * 16 + b"b" * 16),)


@pytest.mark.parametrize(
    ("machine", "fits", "fits_not"),
    [
        (40, ("stm32f405rg", "stm32f411ce"), ("esp32c3",)),
        (243, ("esp32c3", "esp32c6"), ("esp32", "esp32s3", "stm32f405rg")),
        (94, ("esp32", "esp32s3"), ("esp32c3",)),
    ],
)
def test_an_elf_is_for_the_parts_of_its_machine(
    machine: int, fits: tuple[str, ...], fits_not: tuple[str, ...]
) -> None:
    base = 0x0800_0000 if machine == 40 else 0
    content = read_firmware([(file("x.elf"), with_machine(machine, (base, b"code")))])
    assert all(content.target.fits(part) for part in fits)
    assert not any(content.target.fits(part) for part in fits_not)


def test_an_stm32_binary_is_told_by_its_vectors_and_goes_to_the_beginning_of_flash() -> None:
    content = read_firmware([(file("x.bin"), STM32_VECTORS)])
    assert content.target.family == "stm32"
    assert content.segments[0].address == 0x0800_0000


@pytest.mark.parametrize(
    ("files", "part", "words"),
    [
        ([(file("x.elf"), with_machine(8, (0, b"x")))], "", "machine 8"),
        ([(file("x.bin"), b"anything")], "", "name its board or part"),
        ([(file("app.bin"), esp_image(5))], "", "give its address"),
        ([(file("b.bin", 0), esp_image(9))], "esp32c3", "is for esp32s3, not for esp32c3"),
        (
            [(file("b.bin", 0), esp_image(5)), (file("a.bin", 0x10000), esp_image(0))],
            "",
            "a.bin is for esp32, not for esp32c3",
        ),
        ([(file("x.elf"), with_machine(40, (0x0800_0000, b"x")))], "esp32", "not for esp32"),
        (
            [(file("idf.elf"), with_machine(243, (0x4200_0020, b"code")))],
            "",
            "flasher_args.json",
        ),
        ([(file("x.elf", 16), with_machine(40, (0x0800_0000, b"x")))], "", "no address"),
        ([(file("a.bin", 0), b"aaaa"), (file("b.bin", 2), b"bb")], "esp32c3", "overlap"),
        ([(file("a.bin", 0xFFFFFE), b"aaaa")], "esp32c3", "outside of the flash"),
        ([(file("a.bin", 1 << 33), b"aaaa")], "esp32c3", "32-bit"),
        ([(file("a.bin", 0), b"")], "esp32c3", "is empty"),
        ([(file("a.bin", 0), b"x")], "z80", "not a part that can be flashed"),
        ([], "esp32c3", "1 to 16 files"),
        ([(file(f"{n}.bin", n * 16), b"x") for n in range(17)], "esp32c3", "1 to 16 files"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    files: list[tuple[ImageFile, bytes]], part: str, words: str
) -> None:
    with pytest.raises(ImageError, match=words):
        read_firmware(files, part=part)


@given(st.binary(max_size=400), st.sampled_from(["x.elf", "x.hex", "x.bin", "x"]), st.booleans())
def test_hostile_bytes_are_read_or_refused_and_nothing_else(
    data: bytes, name: str, placed: bool
) -> None:
    for head in (b"", b"\x7fELF\x01\x01", b"\xe9\x03"):
        try:
            content = read_firmware([(file(name, 0x1000 if placed else None), head + data)])
        except ImageError:
            continue
        assert isinstance(content, FirmwareContent)
        assert family_of(content.target.part or content.target.family) == content.target.family


def test_a_test_build_is_told_by_the_words_of_its_records() -> None:
    words = b"BL \0BOOT\0nonce\0sources\0"
    assert is_test_build([ImageSegment(0, b"code" + words)])
    assert not is_test_build([ImageSegment(0, words[:-3])])
