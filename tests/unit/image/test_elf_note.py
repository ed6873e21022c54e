"""The part that our own ELF files name, and what vectors and program headers ask of a part."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.catalog.loader import load_catalogue
from controlplane.domain.elf_note import noted_part
from controlplane.domain.firmware_image import FirmwareContent, ImageFile, read_firmware
from controlplane.domain.image import ImageError
from controlplane.domain.image_memory import lacking
from tests.unit.image.test_image import elf, intel_hex

FLASH = 0x0800_0000
VECTORS = struct.pack("<II", 0x2002_0000, FLASH + 0x189) + bytes(64)


def note(owner: bytes, kind: int, text: bytes) -> bytes:
    pad = [part + bytes(-len(part) % 4) for part in (owner, text)]
    return struct.pack("<III", len(owner), len(text), kind) + b"".join(pad)


def with_notes(data: bytes, *notes: bytes) -> bytes:
    """The ELF file with one section of notes that is not loaded."""
    body = b"".join(notes)
    whole = bytearray(data + body)
    whole += struct.pack("<IIIIIIIIII", 0, 7, 0, 0, len(data), len(body), 0, 0, 4, 0)
    struct.pack_into("<I", whole, 32, len(data) + len(body))
    struct.pack_into("<HHH", whole, 46, 40, 1, 0)
    return bytes(whole)


def read(data: bytes, name: str = "app.elf", part: str = "") -> FirmwareContent:
    return read_firmware([(ImageFile(sha256="0" * 64, filename=name), data)], part=part)


def built_for(part: str) -> bytes:
    mine = note(b"Benchline\0", 1, part.encode() + b"\0")
    return with_notes(elf((FLASH, VECTORS)), note(b"GNU\0", 3, b"\x12" * 20), mine)


def test_a_file_of_ours_is_for_its_part_alone() -> None:
    target = read(built_for("stm32f446re")).target

    assert target.part == "stm32f446re"
    assert not target.fits("stm32f405rg")


def test_the_note_changes_no_byte_of_flash() -> None:
    assert read(built_for("stm32f446re")).segments == read(elf((FLASH, VECTORS))).segments


def test_a_file_of_others_is_for_the_family() -> None:
    assert read(with_notes(elf((FLASH, VECTORS)), note(b"GNU\0", 3, b"\x12" * 20))).target.fits(
        "stm32f405rg"
    )
    assert noted_part(elf((FLASH, VECTORS))) == ""


@pytest.mark.parametrize("part", ["esp32c3", "stm32f405rg"])
def test_a_note_that_others_contradict_is_refused(part: str) -> None:
    data = built_for("stm32f446re")
    with pytest.raises(ImageError, match="is for stm32f446re, not for"):
        read(data, part=part)


def test_a_note_for_another_machine_is_refused() -> None:
    with pytest.raises(ImageError, match="is for esp32c3, not for stm32"):
        read(built_for("esp32c3"))


@pytest.mark.parametrize("text", [b"\x1b[2J\0", b"\0", b"a" * 33])
def test_a_note_that_names_no_part_is_refused(text: bytes) -> None:
    with pytest.raises(ImageError, match="names no part"):
        noted_part(with_notes(elf((FLASH, VECTORS)), note(b"Benchline\0", 1, text)))


@given(at=st.integers(0, 300), with_what=st.binary(min_size=1, max_size=16))
def test_damage_is_refused_or_read_but_never_crashes(at: int, with_what: bytes) -> None:
    data = bytearray(built_for("stm32f446re"))
    data[at : at + len(with_what)] = with_what
    with contextlib.suppress(ImageError):
        noted_part(bytes(data))


def lacks(data: bytes, part: str, name: str = "app.elf") -> str:
    return lacking(read(data, name).memory, load_catalogue().parts[part].memory)


@pytest.mark.parametrize("name", ["app.elf", "app.bin", "app.hex"])
def test_a_stack_beyond_the_ram_of_the_part_is_told(name: str) -> None:
    data = {"app.bin": VECTORS, "app.hex": intel_hex(FLASH, VECTORS)}.get(
        name, elf((FLASH, VECTORS))
    )

    assert "its first stack" in lacks(data, "stm32f401re", name)
    assert lacks(data, "stm32f405rg", name) == ""


def test_a_start_beyond_the_flash_of_the_part_is_told() -> None:
    vectors = struct.pack("<II", 0x2001_0000, FLASH + 0x9_0001) + bytes(64)

    assert "its start" in lacks(elf((FLASH, vectors)), "stm32f401re")
    assert lacks(elf((FLASH, vectors)), "stm32f405rg") == ""


def test_data_beyond_the_ram_of_the_part_is_told() -> None:
    data = bytearray(elf((FLASH, VECTORS[8:]), (FLASH + 0x1000, b"data")))
    struct.pack_into("<I", data, 52 + 32 + 8, 0x2000_0000)
    struct.pack_into("<I", data, 52 + 32 + 20, 0x1_9000)

    assert "its data" in lacks(bytes(data), "stm32f401re")
    assert lacks(bytes(data), "stm32f405rg") == ""
