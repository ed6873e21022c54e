"""The flash array and its controller: what erases and programs do to the bits, counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchagent.virtual import f405

BLANK = 0xFF

# RM0090 section 3.9: register offsets and the bits used here.
ACR, KEYR, OPTKEYR, SR, CR, OPTCR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
KEY1, KEY2 = 0x4567_0123, 0xCDEF_89AB
SR_EOP, SR_WRPERR, SR_PGAERR, SR_PGPERR, SR_PGSERR = 1 << 0, 1 << 4, 1 << 5, 1 << 6, 1 << 7
SR_CLEARED_BY_ONE = 0x0000_01F3
CR_PG, CR_SER, CR_MER, CR_STRT, CR_LOCK = 1 << 0, 1 << 1, 1 << 2, 1 << 16, 1 << 31
CR_WRITABLE = 0x0100_037F


@dataclass(slots=True, kw_only=True)
class Wear:
    """Counters over the life of a board; they only ever grow."""

    sector_erases: list[int] = field(default_factory=lambda: [0] * len(f405.SECTORS))
    mass_erases: int = 0
    programmed_bytes: int = 0
    program_errors: int = 0
    resets: int = 0
    boots: int = 0
    console_dropped_bytes: int = 0


class FlashArray:
    """One mebibyte of NOR flash: an erase sets bits, programming only clears them."""

    def __init__(self, contents: bytes, wear: Wear) -> None:
        if len(contents) != f405.FLASH_SIZE:
            raise ValueError(f"flash contents have {len(contents)} bytes, not {f405.FLASH_SIZE}")
        self.bytes = bytearray(contents)
        self.wear = wear
        self.version = 0
        """Counts changes, so that a saver knows whether there is something new."""
        self.stuck_low: dict[int, int] = {}
        """Fault injection: offset to mask of bits that read 0 once programmed."""

    def erase_sector(self, number: int) -> None:
        """Set every bit of one sector."""
        sector = f405.SECTORS[number]
        self.bytes[sector.offset : sector.offset + sector.size] = b"\xff" * sector.size
        self.wear.sector_erases[number] += 1
        self.version += 1

    def erase_all(self) -> None:
        """Set every bit of the whole array (mass erase)."""
        self.bytes[:] = b"\xff" * len(self.bytes)
        self.wear.mass_erases += 1
        self.version += 1

    def program(self, offset: int, width: int, value: int) -> None:
        """Clear the bits that are 0 in the little endian `value` of `width` bytes."""
        contents = self.bytes
        end = offset + width
        kept = int.from_bytes(contents[offset:end], "little") & value
        contents[offset:end] = kept.to_bytes(width, "little")
        if self.stuck_low:
            for at in range(offset, end):
                contents[at] &= ~self.stuck_low.get(at, 0) & 0xFF
        self.wear.programmed_bytes += width
        self.version += 1


class FlashController:
    """The FLASH registers at 0x4002_3C00 (RM0090 section 3.9), as a flash algorithm needs them."""

    def __init__(self, array: FlashArray, on_erased: Callable[[], None]) -> None:
        self._array = array
        self._on_erased = on_erased
        self.optcr = f405.OPTCR_RESET
        self.reset()

    def reset(self) -> None:
        """Registers as after a system reset: locked, no error, no operation selected."""
        self._acr = 0
        self._sr = 0
        self._cr = CR_LOCK
        self._keys_seen = 0

    def read(self, offset: int) -> int:
        """One 32-bit register; unknown offsets read 0."""
        if offset == SR:
            return self._sr
        if offset == CR:
            return self._cr
        if offset == ACR:
            return self._acr
        return self.optcr if offset == OPTCR else 0

    def write(self, offset: int, value: int) -> None:
        """One 32-bit register; option bytes cannot be changed here."""
        if offset == CR:
            self._write_cr(value)
        elif offset == SR:
            self._sr &= ~(value & SR_CLEARED_BY_ONE)
        elif offset == KEYR:
            self._write_key(value)
        elif offset == ACR:
            self._acr = value & 0x1F07

    def program(self, offset: int, width: int, value: int) -> None:
        """A store into flash: programs when PG is set and unlocked, else flags a sequence error."""
        if not self._cr & CR_PG or self._cr & CR_LOCK:
            self._sr |= SR_PGSERR
            self._array.wear.program_errors += 1
        elif offset % width:
            self._sr |= SR_PGAERR
            self._array.wear.program_errors += 1
        elif self._write_protected(offset):
            self._sr |= SR_WRPERR
            self._array.wear.program_errors += 1
        else:
            self._array.program(offset, width, value)
            self._sr |= SR_EOP

    def _write_key(self, value: int) -> None:
        # A wrong key locks FLASH_CR until the next reset (RM0090 section 3.6.1).
        if self._keys_seen == 0 and value == KEY1:
            self._keys_seen = 1
        elif self._keys_seen == 1 and value == KEY2:
            self._keys_seen = 0
            self._cr &= ~CR_LOCK
        else:
            self._keys_seen = -1

    def _write_cr(self, value: int) -> None:
        if self._cr & CR_LOCK:
            return
        self._cr = value & (CR_WRITABLE | CR_LOCK)
        if value & CR_STRT:
            self._start_erase(value)

    def _start_erase(self, value: int) -> None:
        if value & CR_MER:
            self._array.erase_all()
        elif value & CR_SER:
            number = value >> 3 & 0xF
            if number >= len(f405.SECTORS):
                self._sr |= SR_PGSERR
                return
            if not self.optcr >> 16 & 1 << number:
                self._sr |= SR_WRPERR
                return
            self._array.erase_sector(number)
        self._sr |= SR_EOP
        self._on_erased()

    def _write_protected(self, offset: int) -> bool:
        locked = ~(self.optcr >> 16) & 0xFFF
        if not locked:
            return False
        return any(
            locked >> sector.number & 1
            for sector in f405.SECTORS
            if sector.offset <= offset < sector.offset + sector.size
        )
