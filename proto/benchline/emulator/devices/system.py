"""Resets and their cause, software interrupts, and the watchdogs, which never bite here.

Reset causes: ESP-IDF's reset_reasons.h. Register offsets: ESP-IDF's rtc_cntl_reg.h, system_reg.h
and timer_group_reg.h, from the manual, not checked against them.
"""

from collections.abc import Callable
from enum import IntEnum

from benchline.emulator.devices.device import Device, Raise, Storage
from benchline.emulator.registers import RegisterLog

TIMER_GROUPS = (0x6001_F000, 0x6002_0000)
_TIMER_GROUP_WATCHDOG = range(0x48, 0x68, 4)
_FIRST_SOFTWARE_SOURCE = 50
"""ETS_FROM_CPU_INTR0_SOURCE; 1 to 3 follow."""


class ResetCause(IntEnum):
    """What the reset cause register says."""

    POWER_ON = 0x01
    SOFTWARE = 0x03
    SOFTWARE_CPU = 0x0C


class RtcControl(Device):
    """The always-on domain: it knows why the chip started and can start it again."""

    base = 0x6000_8000
    known = frozenset((0x00, 0x38, *range(0x50, 0x60, 4), *range(0x90, 0xC8, 4)))
    _OPTIONS, _CAUSE = 0x00, 0x38
    _RESET_SYSTEM, _RESET_CPU = 1 << 31, 1 << 5

    def __init__(
        self, log: RegisterLog, cause: ResetCause, reset: Callable[[ResetCause], None]
    ) -> None:
        super().__init__(log)
        self._reset = reset
        self._words[self._CAUSE] = cause

    def write(self, offset: int, value: int) -> None:
        """A register; the reset bits act at once."""
        if offset == self._CAUSE:
            return
        super().write(offset, value)
        if offset == self._OPTIONS and value & (self._RESET_SYSTEM | self._RESET_CPU):
            system = value & self._RESET_SYSTEM
            self._reset(ResetCause.SOFTWARE if system else ResetCause.SOFTWARE_CPU)


class SystemRegisters(Device):
    """Clocks and resets of peripherals, which are always on here, and software interrupts."""

    base = 0x600C_0000
    known = frozenset(range(0, 0x70, 4))
    _FROM_CPU = (0x28, 0x2C, 0x30, 0x34)

    def __init__(self, log: RegisterLog, raise_source: Raise) -> None:
        super().__init__(log)
        self._raise = raise_source

    def write(self, offset: int, value: int) -> None:
        """A register."""
        super().write(offset, value)
        if offset in self._FROM_CPU:
            number = self._FROM_CPU.index(offset)
            self._raise(_FIRST_SOFTWARE_SOURCE + number, bool(value & 1))


def timer_groups(log: RegisterLog) -> tuple[Storage, ...]:
    """The timer groups: only their watchdogs' registers are known, and they never bite."""
    return tuple(Storage(log, base, _TIMER_GROUP_WATCHDOG) for base in TIMER_GROUPS)
