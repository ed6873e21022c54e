"""The flash of a virtual board: what erases and programs do to the bits, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

BLANK = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Sector:
    """One erase unit: its number, its offset from the start of flash and its size, in bytes."""

    number: int
    offset: int
    size: int


def sectors_of(sizes: Sequence[int]) -> tuple[Sector, ...]:
    """Sectors of these sizes, one after another."""
    table: list[Sector] = []
    offset = 0
    for number, size in enumerate(sizes):
        table.append(Sector(number=number, offset=offset, size=size))
        offset += size
    return tuple(table)


@dataclass(slots=True, kw_only=True)
class Wear:
    """Counters over the life of a board; they only ever grow."""

    sector_erases: list[int] = field(default_factory=list)
    mass_erases: int = 0
    programmed_bytes: int = 0
    program_errors: int = 0
    resets: int = 0
    boots: int = 0
    console_dropped_bytes: int = 0
    identified: int = 0


class FlashArray:
    """NOR flash: an erase sets the bits of a sector, programming only clears them."""

    def __init__(self, contents: bytes, sectors: Sequence[Sector], wear: Wear) -> None:
        size = sum(sector.size for sector in sectors)
        if len(contents) != size:
            raise ValueError(f"flash contents have {len(contents)} bytes, not {size}")
        self.bytes = bytearray(contents)
        self.sectors = tuple(sectors)
        self.wear = wear
        if len(wear.sector_erases) != len(sectors):
            wear.sector_erases = [0] * len(sectors)
        self.version = 0
        """Counts changes, so that a saver knows whether there is something new."""
        self.stuck_low: dict[int, int] = {}
        """Fault injection: offset to mask of bits that read 0 once programmed."""
        self.flipped: dict[int, int] = {}
        """Fault injection: offset to mask of bits that every read returns inverted."""

    def __len__(self) -> int:
        """Bytes of the array."""
        return len(self.bytes)

    def read(self, offset: int, length: int) -> bytes:
        """What a reader of the flash gets; short at the end of the array."""
        found = bytes(self.bytes[offset : offset + length])
        if not self.flipped:
            return found
        wrong = bytearray(found)
        for at, mask in self.flipped.items():
            if offset <= at < offset + len(wrong):
                wrong[at - offset] ^= mask
        return bytes(wrong)

    def erase_sector(self, number: int) -> None:
        """Set every bit of one sector."""
        sector = self.sectors[number]
        self.bytes[sector.offset : sector.offset + sector.size] = b"\xff" * sector.size
        self.wear.sector_erases[number] += 1
        self.version += 1

    def erase_all(self) -> None:
        """Set every bit of the whole array (mass erase)."""
        self.bytes[:] = b"\xff" * len(self.bytes)
        self.wear.mass_erases += 1
        self.version += 1

    def program(self, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in `data`. The caller has checked that it fits."""
        end = offset + len(data)
        old = int.from_bytes(self.bytes[offset:end], "little")
        kept = old & int.from_bytes(data, "little")
        self.bytes[offset:end] = kept.to_bytes(len(data), "little")
        for at, mask in self.stuck_low.items():
            if offset <= at < end:
                self.bytes[at] &= ~mask & 0xFF
        self.wear.programmed_bytes += len(data)
        self.version += 1
