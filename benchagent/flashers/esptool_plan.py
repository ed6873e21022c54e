"""Pure planning of a flash of an ESP32: its parts, what an image needs, what has to change."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchagent.flashers.plan import Bytes, PlanError, SectorImage
from benchagent.flashers.protocol import Reason
from benchagent.flashers.stm32_parts import KIB, Sector

SECTOR_SIZE = 4 * KIB
"""What a SPI flash erases at least (esptool 5.6.0, loader.py, FLASH_SECTOR_SIZE)."""
LARGEST_FLASH = 16 * 1024 * KIB
"""What ROM loaders address (esptool 5.6.0, cmds.py: larger sizes are not fully supported)."""
MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
ROM_BAUD = 115_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part whose flash esptool writes. Flash addresses are offsets from 0."""

    name: str
    chip: str
    """The tool's name of the chip."""
    image_id: int
    """Chip id in the header of an image."""
    boot_address: int
    """Where the ROM looks for an image to load."""
    direct_boot_revision: int | None = None
    """First revision whose ROM runs code right from flash; None when that is not known."""
    minor_revision: bool = False
    """The old revision field of an image counts minor revisions, not major ones."""
    source: str


# Names, image ids and boot addresses: esptool 5.6.0, targets/*.py (CHIP_NAME, IMAGE_CHIP_ID,
# BOOTLOADER_FLASH_OFFSET). The old revision field: cmds.py, _get_image_incompatibility.
PARTS = {
    part.name: part
    for part in (
        Part(
            name="esp32",
            chip="ESP32",
            image_id=0,
            boot_address=0x1000,
            source="esptool 5.6.0, targets/esp32.py",
        ),
        Part(
            name="esp32c3",
            chip="ESP32-C3",
            image_id=5,
            boot_address=0,
            direct_boot_revision=3,
            minor_revision=True,
            source="esptool 5.6.0, targets/esp32c3.py; direct boot: README of Espressif's "
            "esp32c3-direct-boot-example, 'starting from silicon revision 3'",
        ),
        Part(
            name="esp32s3",
            chip="ESP32-S3",
            image_id=9,
            boot_address=0,
            source="esptool 5.6.0, targets/esp32s3.py",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """The flash of one board."""

    name: str
    flash_size: int
    flash_address: int = 0

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Its sectors, all of one size."""
        return tuple(
            Sector(number=number, address=number * SECTOR_SIZE, size=SECTOR_SIZE)
            for number in range(self.flash_size // SECTOR_SIZE)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Chip revisions that an image runs on, each 100 times major plus minor."""

    lowest: int = 0
    highest: int | None = None
    why: str = ""


# "Firmware Image Format" of esptool's documentation: an 8-byte header that begins with 0xE9 and
# the number of segments, then 16 bytes with the chip id at 4, the old lowest revision at 6, the
# lowest and the highest revision at 7 and 9.
_HEADER = struct.Struct("<BBBBI4xHBHH")
_IMAGE_MAGIC = 0xE9
_ANY_REVISION = 0xFFFF
_MOST_SEGMENTS = 16
# README of Espressif's esp32c3-direct-boot-example, "Direct boot in ESP32-C3".
_DIRECT_BOOT = bytes.fromhex("1d04dbae1d04dbae")
# An application begins its first segment, after both headers, with its description
# (ESP-IDF, esp_app_desc.h: ESP_APP_DESC_MAGIC_WORD, from the manual, not checked against it).
_APP_MAGIC, _APP_MAGIC_AT = bytes.fromhex("3254cdab"), 32


def image_needs(part: Part, segments: Sequence[Bytes]) -> tuple[Needs, ...]:
    """What the images among the segments ask of a chip.

    Raises PlanError TARGET_MISMATCH when one is for another chip.
    """
    found: list[Needs] = []
    for segment in segments:
        at_boot = segment.address == part.boot_address
        if segment.address == 0 and segment.data.startswith(_DIRECT_BOOT):
            if part.direct_boot_revision is not None:
                found.append(Needs(lowest=part.direct_boot_revision, why="direct boot"))
        elif at_boot or segment.data[_APP_MAGIC_AT:].startswith(_APP_MAGIC):
            needs = _header_needs(part, segment)
            if needs is not None:
                found.append(needs)
    return tuple(found)


def _header_needs(part: Part, segment: Bytes) -> Needs | None:
    if len(segment.data) < _HEADER.size:
        return None
    magic, count, _, _, _, chip, old, lowest, highest = _HEADER.unpack_from(segment.data)
    if magic != _IMAGE_MAGIC or not 0 < count <= _MOST_SEGMENTS:
        return None
    if chip != part.image_id:
        other = next((known.chip for known in PARTS.values() if known.image_id == chip), None)
        raise PlanError(
            Reason.TARGET_MISMATCH,
            f"the image at {segment.address:#x} is for {other or f'chip id {chip}'}, "
            f"not for {part.chip}",
        )
    why = f"the image at {segment.address:#x}"
    is_old = highest == 0 or (highest == _ANY_REVISION and lowest == 0 and old != 0)
    if is_old:
        return Needs(lowest=old if part.minor_revision else 100 * old, why=why)
    return Needs(lowest=lowest, highest=None if highest == _ANY_REVISION else highest, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the chip said before the first erase."""

    chip: str
    image_id: int
    revision: int
    mac: str
    protections: tuple[str, ...] = ()


def check_chip(
    part: Part,
    found: Found,
    needs: Sequence[Needs],
    *,
    expected: Sequence[str] = (),
) -> None:
    """Refuse a chip that is not the planned one, or that protects itself.

    `expected` are identities that it must have; only MACs say something about a chip. Raises
    PlanError TARGET_MISMATCH or TARGET_LOCKED.
    """
    if found.chip != part.chip:
        raise PlanError(
            Reason.TARGET_MISMATCH, f"the chip is an {found.chip}, the image is for {part.chip}"
        )
    if found.protections:
        raise PlanError(
            Reason.TARGET_LOCKED,
            f"the chip protects itself ({', '.join(found.protections)}); plain flashing would "
            "make it unusable",
        )
    for identity in expected:
        mac = identity.lower()
        if MAC.fullmatch(mac) and mac != found.mac:
            raise PlanError(Reason.TARGET_MISMATCH, f"the chip's MAC is {found.mac}, not {mac}")
    for need in needs:
        if found.revision < need.lowest:
            raise PlanError(
                Reason.TARGET_MISMATCH,
                f"{need.why} needs chip revision {revision_text(need.lowest)} or higher, this "
                f"chip is {revision_text(found.revision)}",
            )
        if need.highest is not None and found.revision > need.highest:
            raise PlanError(
                Reason.TARGET_MISMATCH,
                f"{need.why} runs on chip revision {revision_text(need.highest)} at most, this "
                f"chip is {revision_text(found.revision)}",
            )


def check_size(part: Part, flash_size: int, images: Sequence[SectorImage]) -> None:
    """Refuse an image that is larger than the flash of this board. Raises PlanError."""
    end = max(image.sector.address + image.sector.size for image in images)
    if end > flash_size:
        raise PlanError(
            Reason.IMAGE_TOO_LARGE,
            f"the image ends at {end:#x}, this {part.chip} has {flash_size // KIB} KiB of flash",
        )


def revision_text(revision: int) -> str:
    """A chip revision as its maker writes it."""
    return f"v{revision // 100}.{revision % 100}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive sectors."""

    images: tuple[SectorImage, ...]

    @property
    def address(self) -> int:
        """The first address."""
        return self.images[0].sector.address

    @property
    def data(self) -> bytes:
        """What all of them hold."""
        return b"".join(image.data for image in self.images)

    @property
    def numbers(self) -> range:
        """The numbers of its sectors."""
        first = self.images[0].sector.number
        return range(first, first + len(self.images))


def runs(images: Iterable[SectorImage], most_bytes: int) -> Iterator[Run]:
    """The sectors as runs of neighbours, none of them larger than `most_bytes`."""
    taken: list[SectorImage] = []
    for image in images:
        follows = taken and image.sector.number == taken[-1].sector.number + 1
        if taken and (not follows or len(taken) * SECTOR_SIZE >= most_bytes):
            yield Run(images=tuple(taken))
            taken = []
        taken.append(image)
    if taken:
        yield Run(images=tuple(taken))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Which sectors have to be written, and which of the others must still be read back."""

    stale: tuple[SectorImage, ...]
    unread: tuple[SectorImage, ...]
    """They hold what they should by the chip's own MD5, but were never read back."""
    proven: tuple[SectorImage, ...]
    """The same, of bytes that an earlier proof read back."""


_MD5_BYTES = 64 * KIB


def compare(
    images: Sequence[SectorImage],
    base: Mapping[int, bytes],
    md5_of: Callable[[int, int], str],
) -> Compared:
    """Ask the chip what is there already.

    `base` is what sectors hold by the last proof; a sector that has to change against it is not
    asked about. `md5_of` gives the MD5 of an address and a length as the chip computes it.
    """
    candidates = [i for i in images if base.get(i.sector.number, i.data) == i.data]
    there: set[int] = set()
    for run in runs(candidates, _MD5_BYTES):
        if md5_of(run.address, len(run.data)) == _md5(run.data):
            there.update(run.numbers)
        elif len(run.images) > 1:
            there.update(_found_in(run, md5_of))
    kept = [image for image in images if image.sector.number in there]
    return Compared(
        stale=tuple(image for image in images if image.sector.number not in there),
        unread=tuple(image for image in kept if image.sector.number not in base),
        proven=tuple(image for image in kept if image.sector.number in base),
    )


def _found_in(run: Run, md5_of: Callable[[int, int], str]) -> list[int]:
    """The sectors of a run that hold what they should.

    Where both ends differ the run is taken for another image's and written whole: asking about
    each sector would cost a new image more than it can save.
    """

    def holds(image: SectorImage) -> bool:
        return md5_of(image.sector.address, SECTOR_SIZE) == _md5(image.data)

    first, *inner, last = run.images
    found = [image for image in (first, last) if holds(image)]
    if found:
        found += [image for image in inner if holds(image)]
    return [image.sector.number for image in found]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def writing_order(part: Part, stale: Sequence[SectorImage], most_bytes: int) -> tuple[Run, ...]:
    """Runs by address, but the sector that the ROM boots from last: an interrupted board does
    not boot half an image."""
    boot = part.boot_address // SECTOR_SIZE
    body = [image for image in stale if image.sector.number != boot]
    last = [image for image in stale if image.sector.number == boot]
    return (*runs(body, most_bytes), *runs(last, most_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of writing: how fast, and with which of the tool's means."""

    baud: int
    stub: bool = True
    compress: bool = True

    def __str__(self) -> str:
        """For people."""
        means = ("stub" if self.stub else "no stub", "compressed" if self.compress else "plain")
        return f"{self.baud} baud, {', '.join(means)}"


WAYS = (
    Way(baud=921_600),
    Way(baud=460_800),
    Way(baud=230_400),
    Way(baud=ROM_BAUD),
    Way(baud=ROM_BAUD, compress=False),
    Way(baud=ROM_BAUD, compress=False, stub=False),
)
"""From the fastest to the most patient."""


def ways_after(way: Way, *, stub_failed: bool) -> tuple[Way, ...]:
    """What is left to try after one way failed."""
    rest = WAYS[WAYS.index(way) + 1 :]
    return tuple(left for left in rest if not left.stub) if stub_failed else rest
