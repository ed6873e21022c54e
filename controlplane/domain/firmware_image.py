"""Finished firmware of one or several files: what goes where in flash, and what it is for.

Every byte is hostile: files, names and addresses come from whoever uploads.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from controlplane.domain.elf_note import noted_part
from controlplane.domain.image import (
    MAX_IMAGE_BYTES,
    ImageError,
    ImageSegment,
    compose_elf,
    elf_machine,
    elf_memory,
    is_elf,
    is_hex,
    read_image,
)
from controlplane.domain.image_memory import STM32_FLASH, STM32_SRAM, MemoryUse, memory_of

MAX_FILES = 16
MAX_SEGMENTS = 16  # of one write; what an agent takes
# The address space of the flash of each family. ESP parts: offsets into their flash as esptool
# counts them, at most 16 MiB.
_WINDOWS = {"stm32": STM32_FLASH, "esp32": range(0x0100_0000)}
# `chip_id` of the extended header of an ESP image, two bytes at offset 12 after magic 0xE9:
# esptool 5.6, `targets/*.py` (IMAGE_CHIP_ID) and `bin_image.py` (ESP32FirmwareImage).
_ESP_MAGIC = 0xE9
_ESP_CHIP_ID_AT = 12
_ESP_HEADER_BYTES = 24
_ESP_MOST_SEGMENTS = 16
_ESP_CHIPS = {
    0: "esp32",
    2: "esp32s2",
    5: "esp32c3",
    9: "esp32s3",
    12: "esp32c2",
    13: "esp32c6",
    16: "esp32h2",
    18: "esp32p4",
    20: "esp32c61",
    23: "esp32c5",
}
# e_machine of the ELF header: ARM 40, Xtensa 94, RISC-V 243 (System V ABI, e_machine registry).
ELF_ARM, _ELF_XTENSA, ELF_RISCV = 40, 94, 243
_XTENSA_PARTS = frozenset({"esp32", "esp32s2", "esp32s3"})
_RISCV_PARTS = frozenset(_ESP_CHIPS.values()) - _XTENSA_PARTS
# RAM in which an STM32F4's first stack can lie: SRAM, or CCM at 0x1000_0000 (ST RM0090 section
# 2.3, from the manual, not checked against it).
_STM32_STACKS = (range(0x1000_0000, 0x1001_0001), STM32_SRAM)

_RECORD_WORDS = (b"BL \0", b"BOOT\0", b"nonce\0", b"sources\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """One file of a firmware; `address` is None where the file tells it."""

    sha256: str
    filename: str
    address: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareImage:
    """A finished firmware; part and family are "" where nothing tells them."""

    title: str
    files: tuple[ImageFile, ...]
    part: str = ""
    family: str = ""
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTarget:
    """What an image is for: a part, or some parts, or any part of a family."""

    family: str
    parts: frozenset[str] = frozenset()

    @property
    def part(self) -> str:
        """The only part it is for, or ""."""
        return next(iter(self.parts)) if len(self.parts) == 1 else ""

    def fits(self, part: str) -> bool:
        """Whether a board with this part can run it."""
        return part in self.parts if self.parts else family_of(part) == self.family

    def __str__(self) -> str:
        """The word for people: a part or a family."""
        return self.part or self.family


_ELF_TARGETS = {
    ELF_ARM: ImageTarget(family="stm32"),
    _ELF_XTENSA: ImageTarget(family="esp32", parts=_XTENSA_PARTS),
    ELF_RISCV: ImageTarget(family="esp32", parts=_RISCV_PARTS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareContent:
    """The bytes of a firmware, in address order, what it is for, and what it asks of the part."""

    segments: tuple[ImageSegment, ...]
    target: ImageTarget
    memory: tuple[MemoryUse, ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of all bytes joined in address order, as agents tell it."""
        digest = hashlib.sha256()
        for segment in self.segments:
            digest.update(segment.data)
        return digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        """Number of the bytes."""
        return sum(len(segment.data) for segment in self.segments)

    def as_elf(self) -> bytes:
        """All of it in one file."""
        machine = ELF_ARM
        if self.target.family == "esp32":
            xtensa = self.target.parts and self.target.parts <= _XTENSA_PARTS
            machine = _ELF_XTENSA if xtensa else ELF_RISCV
        return compose_elf(self.segments, machine)


def family_of(part: str) -> str:
    """`stm32f405rg` -> `stm32`, `esp32c3` -> `esp32`; "" for anything else."""
    return next((family for family in _WINDOWS if part.startswith(family)), "")


def complaint(title: str, error: ImageError) -> str:
    """An error of a firmware's files, under its title where the error names no file."""
    return str(error) if title in str(error) else f"{title}: {error}"


def is_test_build(segments: Iterable[ImageSegment]) -> bool:
    """Whether the bytes are a test build of the bench core, which prints BL records.

    Told by words that its records are made of and that nothing else holds together.
    """
    segments = tuple(segments)
    return all(any(word in s.data for s in segments) for word in _RECORD_WORDS)


def read_firmware(files: Sequence[tuple[ImageFile, bytes]], *, part: str = "") -> FirmwareContent:
    """Read the files of a firmware. `part` is what the operator says that it is for.

    Raises:
        ImageError: a file is damaged, files overlap, an address is outside of the flash, or the
            files, or the operator, contradict one another about the part.
    """
    if not 0 < len(files) <= MAX_FILES:
        raise ImageError(f"a firmware has 1 to {MAX_FILES} files, not {len(files)}")
    if part and not family_of(part):
        raise ImageError(f"{part!r} is not a part that can be flashed here")
    if sum(len(data) for _, data in files) > 4 * MAX_IMAGE_BYTES:
        raise ImageError("the files are too large together")
    target = ImageTarget(family=family_of(part), parts=frozenset({part})) if part else None
    for file, data in files:
        target = _agreed(target, _told_by_file(file, data), file.filename)
    segments: list[ImageSegment] = []
    for file, data in files:
        segments += _segments(file, data, target)
    joined = _joined(segments)
    if target is None:
        target = _told_by_addresses(joined)
    _check_window(joined, target)
    running = [span for _, data in files if is_elf(data) for span in elf_memory(data)]
    memory = memory_of(joined, running) if target.family == "stm32" else ()
    return FirmwareContent(segments=joined, target=target, memory=memory)


def _told_by_file(file: ImageFile, data: bytes) -> ImageTarget | None:
    if is_elf(data):
        machine = elf_machine(data)
        if machine not in _ELF_TARGETS:
            what = f"{file.filename} is for ELF machine {machine}, which nothing here runs"
            raise ImageError(what)
        part = noted_part(data)
        if not part:
            return _ELF_TARGETS[machine]
        noted = ImageTarget(family=family_of(part), parts=frozenset({part}))
        return _agreed(_ELF_TARGETS[machine], noted, file.filename)
    if is_hex(file.filename):
        return None
    if file.filename.lower().endswith(".elf"):
        raise ImageError(f"{file.filename} is no ELF file")
    return _told_by_bytes(data)


def _told_by_bytes(data: bytes) -> ImageTarget | None:
    """What the first bytes of a binary tell."""
    if len(data) < _ESP_HEADER_BYTES:
        return None
    if data[0] == _ESP_MAGIC and 0 < data[1] <= _ESP_MOST_SEGMENTS:
        chip = int.from_bytes(data[_ESP_CHIP_ID_AT : _ESP_CHIP_ID_AT + 2], "little")
        if chip in _ESP_CHIPS:
            return ImageTarget(family="esp32", parts=frozenset({_ESP_CHIPS[chip]}))
    stack, entry = (int.from_bytes(data[at : at + 4], "little") for at in (0, 4))
    if any(stack in ram for ram in _STM32_STACKS) and entry & 1 and entry in _WINDOWS["stm32"]:
        return ImageTarget(family="stm32")
    return None


def _agreed(
    known: ImageTarget | None, told: ImageTarget | None, filename: str
) -> ImageTarget | None:
    """What is known after one more file.

    Raises:
        ImageError: it is for something else.
    """
    if known is None or told is None:
        return known or told
    if not told.parts or not known.parts:
        same = told.family == known.family
        parts = told.parts or known.parts
    else:
        parts = told.parts & known.parts
        same = bool(parts)
    if not same:
        raise ImageError(f"{filename} is for {_words(told)}, not for {_words(known)}")
    return ImageTarget(family=known.family, parts=parts)


def _words(target: ImageTarget) -> str:
    return " or ".join(sorted(target.parts)) or target.family


def _segments(file: ImageFile, data: bytes, target: ImageTarget | None) -> tuple[ImageSegment, ...]:
    if is_elf(data) or is_hex(file.filename):
        if file.address is not None:
            raise ImageError(f"{file.filename} says itself where it goes; give it no address")
        return read_image(data, file.filename, base=0)
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"{file.filename} has {len(data)} bytes; at most {MAX_IMAGE_BYTES}")
    if not data:
        raise ImageError(f"{file.filename} is empty")
    return (ImageSegment(_base(file, data, target), data),)


def _base(file: ImageFile, data: bytes, target: ImageTarget | None) -> int:
    """Where the bytes of a raw binary go."""
    if file.address is not None:
        if not 0 <= file.address < 1 << 32:
            raise ImageError(f"{file.address:#x} is not a 32-bit address")
        return file.address
    if target is None:
        raise ImageError(
            f"nothing tells where the bytes of {file.filename} go: name its board or part, "
            "or take the .elf or .hex of the same build"
        )
    if target.family == "esp32" and data[0] == _ESP_MAGIC:
        raise ImageError(
            f"{file.filename} is an ESP image: give its address (an application built by ESP-IDF "
            "mostly goes to 0x10000, a merged image to 0x0), or its flasher_args.json"
        )
    return _WINDOWS[target.family].start


def _joined(segments: Iterable[ImageSegment]) -> tuple[ImageSegment, ...]:
    """In address order, touching ones made one.

    Raises:
        ImageError: two overlap, there are too many, or too many bytes.
    """
    ordered = sorted((s for s in segments if s.data), key=lambda s: s.address)
    for first, second in pairwise(ordered):
        if second.address < first.end:
            raise ImageError(
                f"{second.address:#010x} is written twice: two pieces of the image overlap there"
            )
    joined: list[ImageSegment] = []
    for segment in ordered:
        if joined and joined[-1].end == segment.address:
            joined[-1] = ImageSegment(joined[-1].address, joined[-1].data + segment.data)
        else:
            joined.append(segment)
    if not 0 < len(joined) <= MAX_SEGMENTS:
        raise ImageError(f"the image has {len(joined)} pieces; 1 to {MAX_SEGMENTS} are taken")
    if sum(len(s.data) for s in joined) > MAX_IMAGE_BYTES:
        raise ImageError(f"the image has more than {MAX_IMAGE_BYTES} bytes")
    return tuple(joined)


def _told_by_addresses(segments: Sequence[ImageSegment]) -> ImageTarget:
    for family, window in _WINDOWS.items():
        if all(s.address in window and s.end <= window.stop for s in segments):
            return ImageTarget(family=family)
    raise ImageError(
        f"nothing tells what the image is for, and {segments[0].address:#010x} is in the flash of "
        "no family; give the part"
    )


def _check_window(segments: Sequence[ImageSegment], target: ImageTarget) -> None:
    window = _WINDOWS[target.family]
    for segment in segments:
        if segment.address in window and segment.end <= window.stop:
            continue
        hint = "; flash the flasher_args.json beside it" if target.family == "esp32" else ""
        raise ImageError(
            f"bytes {segment.address:#010x}..{segment.end:#010x} are outside of the flash of "
            f"{target.family} parts ({window.start:#x}..{window.stop:#x}){hint}"
        )
