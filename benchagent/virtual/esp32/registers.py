"""The registers that a loader reads and writes, and the flash chip behind the SPI controller."""

from __future__ import annotations

from benchagent.virtual.esp32.part import MAGIC_ADDRESS, EspPart

_USER_COMMAND = 1 << 18
_READ_ID, _READ_SFDP = 0x9F, 0x5A
_SFDP = 0x5044_4653
"""The signature at address 0 of the parameter table (JESD216): `SFDP`."""
_WINBOND = 0xEF
_W25Q = 0x40
_WATCHDOG_ENABLED = 1 << 31
_WATCHDOG_UNLOCK = 0x18
"""The write protection register lies this far after the configuration register."""


class Registers:
    """A word for each address; eFuses, SPI user commands and the watchdog mean something."""

    def __init__(self, part: EspPart, mac: bytes, flash_size: int) -> None:
        self._part = part
        # JEDEC id: manufacturer, memory type, log2 of the size (a Winbond W25Q series chip).
        self.flash_id = (flash_size.bit_length() - 1) << 16 | _W25Q << 8 | _WINBOND
        self._fixed = {MAGIC_ADDRESS: part.magic, **part.registers(mac)}
        self._words: dict[int, int] = {}
        self.watchdog_bites = False
        """Whether the watchdog was started: it will reset the chip."""

    def reset(self) -> None:
        """What was written is gone."""
        self._words.clear()
        self.watchdog_bites = False

    def read(self, address: int) -> int:
        """One word; unknown addresses read 0."""
        found = self._words.get(address)
        return self._fixed.get(address, 0) if found is None else found

    def write(self, address: int, value: int, mask: int) -> None:
        """The bits of `mask` in one word; eFuses keep what they are."""
        if address in self._fixed or len(self._words) > 65536:
            return
        word = self.read(address) & ~mask | value & mask
        self._words[address] = word
        if address == self._part.spi.base and word & _USER_COMMAND:
            self._run_flash_command()
        elif address == self._part.watchdog and word & _WATCHDOG_ENABLED:
            key = self.read(address + _WATCHDOG_UNLOCK)
            self.watchdog_bites = key == self._part.watchdog_key

    def _run_flash_command(self) -> None:
        """One command on the wires of the flash chip; its answer goes to the first data word."""
        spi = self._part.spi
        command = self.read(spi.base + spi.usr2) & 0xFF
        address = self.read(spi.base + 4) >> (8 if spi.address_at_top else 0)
        answer = 0
        if command == _READ_ID:
            answer = self.flash_id
        elif command == _READ_SFDP:
            answer = _SFDP if address == 0 else _WINBOND
        bits = (self.read(spi.base + spi.miso) & 0xFFFF) + 1
        self._words[spi.base + spi.w0] = answer & ((1 << min(bits, 32)) - 1)
        self._words[spi.base] &= ~_USER_COMMAND
