"""The serial wire debug port and its AHB access port (ARM IHI 0031C), one pair per client."""

from __future__ import annotations

from benchagent.virtual.stm32 import part as f4
from benchagent.virtual.stm32.debug_core import DebugCore

_CSW_WRITABLE = 0x3F00_0037
_CSW_ENABLED = 1 << 6
_POWER_REQUESTS = 0x5000_0000
_CTRL_WRITABLE = 0x5000_0F00


class AccessPort:
    """AHB-AP number 0: CSW, TAR, DRW and the banked data registers.

    Every client has its own, so that two debuggers never move one another's transfer address.
    """

    def __init__(self, core: DebugCore) -> None:
        self._core = core
        self._csw = 0x2300_0052
        self._tar = 0

    def read(self, register: int) -> int:
        """One AP register. Raises BusFault for a data access that no memory answers."""
        if register == 0x0C:
            width = self._width()
            value = self._core.read(self._tar, width)
            lane = 8 * (self._tar & 3) if width < 4 else 0
            self._advance(width)
            return value << lane & 0xFFFF_FFFF
        if 0x10 <= register <= 0x1C:
            return self._core.read(self._tar & ~0xF | register - 0x10, 4)
        return {
            0x00: self._csw,
            0x04: self._tar,
            0xF8: f4.AHB_AP_BASE,
            0xFC: f4.AHB_AP_IDR,
        }.get(register, 0)

    def write(self, register: int, value: int) -> None:
        """One AP register. Raises BusFault for a data access that no memory answers."""
        if register == 0x00:
            self._csw = value & _CSW_WRITABLE | _CSW_ENABLED
        elif register == 0x04:
            self._tar = value
        elif register == 0x0C:
            width = self._width()
            lane = 8 * (self._tar & 3) if width < 4 else 0
            self._core.write(self._tar, width, value >> lane & (1 << 8 * width) - 1)
            self._advance(width)
        elif 0x10 <= register <= 0x1C:
            self._core.write(self._tar & ~0xF | register - 0x10, 4, value)

    def _width(self) -> int:
        return min(1 << (self._csw & 7), 4)

    def _advance(self, width: int) -> None:
        # Auto-increment wraps at 1 KiB at least; this port carries to 4 KiB (IHI 0031C, 7.2.2).
        if self._csw >> 4 & 3:
            self._tar = self._tar & ~0xFFF | self._tar + width & 0xFFF


class DebugPort:
    """The DP registers: identification, power-up handshake, AP selection."""

    def __init__(self) -> None:
        self._control = 0
        self.select = 0

    def read(self, register: int) -> int:
        """One DP register by its address (0, 4, 8 or 0xC)."""
        match register & 0xC:
            case 0x0:
                return f4.DP_IDR
            case 0x4:
                return self._control | (self._control & _POWER_REQUESTS) << 1
        return 0

    def write(self, register: int, value: int) -> None:
        """One DP register; power requests are acknowledged at once."""
        match register & 0xC:
            case 0x4:
                self._control = value & _CTRL_WRITABLE
            case 0x8:
                self.select = value
