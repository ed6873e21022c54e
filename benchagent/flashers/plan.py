"""Pure planning of a flash: what a part has, what a request may do, what has to change."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchagent.flashers.protocol import Reason
from benchagent.flashers.stm32_parts import DEVICE_ID_MASK, KIB, Part, Sector, chip_name

PAGE_SIZE = 4096
"""Bytes per call of the flash algorithm; its page buffers have this size."""
BLANK = 0xFF


class PlanError(Exception):
    """A request that must not touch the board; carries its reason."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FlashMap(Protocol):
    """Flash that is erased by the sector."""

    @property
    def name(self) -> str:
        """Whose flash it is, for messages."""

    @property
    def flash_address(self) -> int:
        """Its first address."""

    @property
    def flash_size(self) -> int:
        """Its bytes."""

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Its sectors, by address."""


_RDP_LEVEL_0 = 0xAA
_RDP_LEVEL_2 = 0xCC
_SPRMOD = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Checked bytes for consecutive addresses."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        """The first address after the bytes."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class SectorImage:
    """A sector and everything that it has to hold afterwards."""

    sector: Sector
    data: bytes


def check_digest(address: int, data: bytes, sha256: str) -> Bytes:
    """The bytes, when they are what the digest says. Raises PlanError DIGEST_MISMATCH."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise PlanError(
            Reason.DIGEST_MISMATCH,
            f"the segment at {address:#010x} has digest {found[:12]}…, not {sha256[:12]}…: "
            "its bytes changed since they were made",
        )
    return Bytes(address=address, data=data)


def sector_images(part: FlashMap, segments: Sequence[Bytes]) -> tuple[SectorImage, ...]:
    """The sectors that the segments touch, by address, with their whole new contents.

    Raises PlanError when there is nothing to write, a segment leaves the flash or two overlap.
    """
    ordered = sorted(segments, key=lambda segment: segment.address)
    if not any(segment.data for segment in ordered):
        raise PlanError(Reason.BAD_REQUEST, "the plan has no bytes to write")
    flash_end = part.flash_address + part.flash_size
    for segment in ordered:
        if segment.address < part.flash_address or segment.end > flash_end:
            raise PlanError(
                Reason.IMAGE_TOO_LARGE,
                f"the segment {segment.address:#010x} to {segment.end:#010x} does not lie in the "
                f"flash of {part.name}, {part.flash_address:#010x} to {flash_end:#010x}",
            )
    for before, after in itertools.pairwise(ordered):
        if after.address < before.end:
            raise PlanError(
                Reason.SEGMENTS_OVERLAP,
                f"the segments at {before.address:#010x} and {after.address:#010x} overlap",
            )
    images = (_sector_image(sector, ordered) for sector in part.sectors)
    return tuple(image for image in images if image is not None)


def _sector_image(sector: Sector, segments: Sequence[Bytes]) -> SectorImage | None:
    data = bytearray([BLANK]) * sector.size
    end = sector.address + sector.size
    touched = False
    for segment in segments:
        first = max(segment.address, sector.address)
        last = min(segment.end, end)
        if first < last:
            touched = True
            part = segment.data[first - segment.address : last - segment.address]
            data[first - sector.address : last - sector.address] = part
    return SectorImage(sector=sector, data=bytes(data)) if touched else None


def pages_to_program(image: SectorImage) -> list[Bytes]:
    """The pages of a sector that are not blank, each without its blank end, in whole words."""
    pages: list[Bytes] = []
    for offset in range(0, len(image.data), PAGE_SIZE):
        page = image.data[offset : offset + PAGE_SIZE].rstrip(b"\xff")
        if page:
            page += b"\xff" * (-len(page) % 4)
            pages.append(Bytes(address=image.sector.address + offset, data=page))
    return pages


def programming_order(images: Sequence[SectorImage]) -> list[SectorImage]:
    """By address, but the vectors' sector last: an interrupted board does not boot a half image."""
    return sorted(images, key=lambda image: (image.sector.number == 0, image.sector.address))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read from the board before the first erase."""

    probe_uid: str
    idcode: int
    flash_kib: int
    device_uid: str
    options: int


def protections(part: Part, options: int) -> tuple[str, ...]:
    """The protections that FLASH_OPTCR tells, in words."""
    found: list[str] = []
    level = options >> 8 & 0xFF
    if level != _RDP_LEVEL_0:
        found.append(f"read protection level {2 if level == _RDP_LEVEL_2 else 1}")
    locked = [sector.number for sector in part.sectors if not options >> 16 >> sector.number & 1]
    if part.has_code_protection and options & _SPRMOD:
        found.append("code read-out protection of sectors")
    elif locked:
        found.append(f"write protection of sectors {', '.join(map(str, locked))}")
    return tuple(found)


def check_target(
    part: Part,
    found: Found,
    images: Sequence[SectorImage],
    *,
    probe_uid: str = "",
    device_uid: str = "",
) -> None:
    """Refuse a board that is not the planned one or that protects its flash.

    Raises PlanError TARGET_MISMATCH or TARGET_LOCKED.
    """
    device_id = found.idcode & DEVICE_ID_MASK
    checks = (
        (probe_uid, found.probe_uid, "probe"),
        (device_uid, found.device_uid, "part's unique id"),
    )
    for expected, seen, what in checks:
        if expected and expected.lower() != seen.lower():
            raise PlanError(Reason.TARGET_MISMATCH, f"the {what} is {seen}, not {expected}")
    if device_id != part.device_id:
        raise PlanError(
            Reason.TARGET_MISMATCH,
            f"the chip is {chip_name(device_id)}, not {part.device_id:#05x} as for {part.name}",
        )
    if found.flash_kib * KIB != part.flash_size:
        raise PlanError(
            Reason.TARGET_MISMATCH,
            f"the part has {found.flash_kib} KiB of flash, not {part.flash_size // KIB}",
        )
    if found.options >> 8 & 0xFF != _RDP_LEVEL_0:
        raise PlanError(Reason.TARGET_LOCKED, "the flash is read-protected; unlocking erases it")
    if part.has_code_protection and found.options & _SPRMOD:
        raise PlanError(Reason.TARGET_LOCKED, "sectors are protected against being read as data")
    unlocked = found.options >> 16 & 0xFFF
    locked = [image.sector.number for image in images if not unlocked >> image.sector.number & 1]
    if locked:
        raise PlanError(Reason.TARGET_LOCKED, f"sectors {locked} are write-protected")
