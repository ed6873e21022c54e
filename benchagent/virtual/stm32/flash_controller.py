"""The FLASH registers of an STM32F4: keys, locks, erase and program, error flags."""

from __future__ import annotations

from collections.abc import Callable

from benchagent.virtual.flash_array import FlashArray
from benchagent.virtual.stm32 import part as f4

# RM0090 section 3.9: register offsets and the bits used here.
ACR, KEYR, OPTKEYR, SR, CR, OPTCR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14
KEY1, KEY2 = 0x4567_0123, 0xCDEF_89AB
SR_EOP, SR_WRPERR, SR_PGAERR, SR_PGPERR, SR_PGSERR = 1 << 0, 1 << 4, 1 << 5, 1 << 6, 1 << 7
SR_CLEARED_BY_ONE = 0x0000_01F3
CR_PG, CR_SER, CR_MER, CR_STRT, CR_LOCK = 1 << 0, 1 << 1, 1 << 2, 1 << 16, 1 << 31
CR_WRITABLE = 0x0100_037F


class FlashController:
    """The FLASH registers at 0x4002_3C00 (RM0090 section 3.9), as a flash algorithm needs them."""

    def __init__(self, array: FlashArray, on_erased: Callable[[], None]) -> None:
        self._array = array
        self._on_erased = on_erased
        self.optcr = f4.OPTCR_RESET
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
            self._array.program(offset, value.to_bytes(width, "little"))
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
            if number >= len(self._array.sectors):
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
            for sector in self._array.sectors
            if sector.offset <= offset < sector.offset + sector.size
        )
