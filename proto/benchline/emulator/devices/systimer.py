"""The system timer: two 16 MHz counters and three comparators that interrupt."""

from collections.abc import Callable
from dataclasses import dataclass

from benchline.emulator.devices.device import Device, Raise
from benchline.emulator.registers import RegisterLog

FIRST_SOURCE = 37
"""ETS_SYSTIMER_TARGET0_INTR_SOURCE; targets 1 and 2 follow."""

_CONF = 0x00
_OP = (0x04, 0x08)
_LOAD_HI, _LOAD_LO = (0x0C, 0x14), (0x10, 0x18)
_TARGET_HI, _TARGET_LO = (0x1C, 0x24, 0x2C), (0x20, 0x28, 0x30)
_TARGET_CONF = (0x34, 0x38, 0x3C)
_VALUE_HI, _VALUE_LO = (0x40, 0x48), (0x44, 0x4C)
_COMPARE_LOAD = (0x50, 0x54, 0x58)
_UNIT_LOAD = (0x5C, 0x60)
_INT_ENABLE, _INT_RAW, _INT_CLEAR, _INT_STATUS = 0x64, 0x68, 0x6C, 0x70
_UPDATE, _VALID = 1 << 30, 1 << 29
_CONF_AT_RESET = 1 << 30 | 1 << 26 | 1 << 25
_PERIODIC, _OTHER_UNIT, _PERIOD = 1 << 30, 1 << 31, (1 << 26) - 1


@dataclass(slots=True)
class _Unit:
    """A counter: its value is `held` while it stands, else what has passed since `started`."""

    held: int = 0
    started: int | None = None
    latched: int = 0

    def value(self, now: int) -> int:
        passed = 0 if self.started is None else now - self.started
        return (self.held + passed) & ((1 << 52) - 1)


class SystemTimer(Device):
    """`now` gives ticks of 16 MHz, `shown` those that the firmware is to read.

    `changed` is called when an alarm was set or fired.
    """

    base = 0x6002_3000
    known = frozenset(range(0, 0x74, 4))

    def __init__(
        self,
        log: RegisterLog,
        now: Callable[[], int],
        shown: Callable[[], int],
        raise_source: Raise,
        changed: Callable[[], None],
    ) -> None:
        super().__init__(log)
        self._now = now
        self._shown = shown
        self._raise = raise_source
        self._changed = changed
        self._units = (_Unit(), _Unit())
        self._alarms: list[int | None] = [None, None, None]
        self._raw = 0
        self.next_alarm: int | None = None
        self._configure(_CONF_AT_RESET)

    def read(self, offset: int) -> int:
        """A register."""
        if offset == _INT_RAW:
            return self._raw
        if offset == _INT_STATUS:
            return self._raw & self._words.get(_INT_ENABLE, 0)
        if offset in _OP:
            return _VALID
        if offset in _VALUE_LO:
            return self._units[_VALUE_LO.index(offset)].latched & 0xFFFF_FFFF
        if offset in _VALUE_HI:
            return self._units[_VALUE_HI.index(offset)].latched >> 32
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """A register."""
        if offset in _OP:
            if value & _UPDATE:
                unit = self._units[_OP.index(offset)]
                unit.latched = unit.value(self._shown())
            return
        if offset == _CONF:
            self._configure(value)
            return
        super().write(offset, value)
        if offset == _INT_CLEAR:
            self._raw &= ~value
            self._tell()
        elif offset == _INT_ENABLE:
            self._tell()
        elif offset in _COMPARE_LOAD:
            self._arm(_COMPARE_LOAD.index(offset))
        elif offset in _UNIT_LOAD:
            self._load(_UNIT_LOAD.index(offset))

    def fire(self, now: int) -> None:
        """Raise the interrupts whose moment has come."""
        if self.next_alarm is None or now < self.next_alarm:
            return
        for number, alarm in enumerate(self._alarms):
            if alarm is None or now < alarm:
                continue
            self._raw |= 1 << number
            conf = self._words.get(_TARGET_CONF[number], 0)
            period = conf & _PERIOD
            if conf & _PERIODIC and period:
                self._alarms[number] = alarm + period * ((now - alarm) // period + 1)
            else:
                self._alarms[number] = None
        self._settle()
        self._tell()

    def _configure(self, conf: int) -> None:
        before, self._words[_CONF] = self._words.get(_CONF, 0), conf
        now = self._now()
        for number, unit in enumerate(self._units):
            runs = bool(conf >> (30 - number) & 1)
            if runs and unit.started is None:
                unit.started = now
            elif not runs and unit.started is not None:
                unit.held, unit.started = unit.value(now), None
        for number in range(3):
            works, worked = conf >> (24 - number) & 1, before >> (24 - number) & 1
            if works and not worked:
                self._arm(number)
            elif not works:
                self._alarms[number] = None
        self._settle()

    def _arm(self, number: int) -> None:
        """Take over a comparator's registers; a moment that has passed fires at once."""
        if not self._words.get(_CONF, 0) >> (24 - number) & 1:
            return
        conf = self._words.get(_TARGET_CONF[number], 0)
        unit = self._units[1 if conf & _OTHER_UNIT else 0]
        now = self._now()
        if unit.started is None:
            alarm = None
        elif conf & _PERIODIC:
            alarm = now + (conf & _PERIOD) if conf & _PERIOD else None
        else:
            high = self._words.get(_TARGET_HI[number], 0) & 0xFFFFF
            target = high << 32 | self._words.get(_TARGET_LO[number], 0)
            alarm = max(now, now + target - unit.value(now))
        self._alarms[number] = alarm
        self._settle()

    def _load(self, number: int) -> None:
        unit = self._units[number]
        high = self._words.get(_LOAD_HI[number], 0) & 0xFFFFF
        unit.held = high << 32 | self._words.get(_LOAD_LO[number], 0)
        if unit.started is not None:
            unit.started = self._now()

    def _settle(self) -> None:
        waiting = [alarm for alarm in self._alarms if alarm is not None]
        self.next_alarm = min(waiting, default=None)
        self._changed()

    def _tell(self) -> None:
        active = self._raw & self._words.get(_INT_ENABLE, 0)
        for number in range(3):
            self._raise(FIRST_SOURCE + number, bool(active >> number & 1))
