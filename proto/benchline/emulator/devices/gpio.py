"""The pins: output and enable registers, pulls, levels that come back in, and pin interrupts.

Offsets: ESP-IDF's gpio_reg.h and io_mux_reg.h for this chip. A pad's level is what the chip drives
when the output is enabled, else what stands outside (`outside`), else its pull, else 0.
"""

from collections.abc import Callable, Mapping

from benchline.emulator.devices.device import Device, Raise
from benchline.emulator.registers import RegisterLog

PINS = 22
SOURCE = 16
"""ETS_GPIO_INTR_SOURCE."""

_OUT, _OUT_SET, _OUT_CLEAR = 0x04, 0x08, 0x0C
_ENABLE, _ENABLE_SET, _ENABLE_CLEAR = 0x20, 0x24, 0x28
_STRAP, _IN = 0x38, 0x3C
_STATUS, _STATUS_SET, _STATUS_CLEAR, _CPU_INT = 0x44, 0x48, 0x4C, 0x5C
_PIN, _FUNC_IN, _FUNC_OUT = 0x74, 0x154, 0x554
_STRAPPED_FOR_FLASH = 0x0C
_MASK = (1 << PINS) - 1
_SIMPLE_OUTPUT = 0x80
"""The output signal that stands for the GPIO_OUT register itself."""

_PULL_DOWN, _PULL_UP, _INPUT_ENABLE = 1 << 7, 1 << 8, 1 << 9
_RISING, _FALLING, _ANY, _LOW, _HIGH = 1, 2, 3, 4, 5


class IoMux(Device):
    """The pads' electrical settings; `changed` is called after each write."""

    base = 0x6000_9000
    known = frozenset(range(0, 4 + 4 * PINS, 4))

    def __init__(self, log: RegisterLog) -> None:
        super().__init__(log)
        self.changed: Callable[[], None] = lambda: None

    def write(self, offset: int, value: int) -> None:
        """A register."""
        super().write(offset, value)
        self.changed()

    def bits(self, flag: int) -> int:
        """A mask of the pins that have a flag set."""
        return sum(1 << pin for pin in range(PINS) if self._words.get(4 + 4 * pin, 0) & flag)


class Gpio(Device):
    """The GPIO block. Changes of OUT, ENABLE and the output selection go into the log.

    So does the first write of each bit of OUT, even of the level that it already had.
    """

    base = 0x6000_4000
    known = frozenset(
        (
            *(_OUT, _OUT_SET, _OUT_CLEAR, _ENABLE, _ENABLE_SET, _ENABLE_CLEAR, _STRAP, _IN),
            *(_STATUS, _STATUS_SET, _STATUS_CLEAR, _CPU_INT, 0x62C),
            *(first + 4 * pin for first in (_PIN, _FUNC_OUT) for pin in range(PINS)),
            *(_FUNC_IN + 4 * signal for signal in range(128)),
        )
    )

    def __init__(
        self,
        log: RegisterLog,
        mux: IoMux,
        micros: Callable[[], int],
        raise_source: Raise,
        outside: Mapping[int, int],
    ) -> None:
        super().__init__(log)
        self._mux = mux
        self._micros = micros
        self._raise = raise_source
        self._outside = outside
        self._out = self._enable = self._status = self._levels = 0
        self._written = 0
        log.gpio(micros(), "reset", 0)
        mux.changed = self._settle
        self._settle()

    def read(self, offset: int) -> int:
        """A register."""
        if offset == _IN:
            return self._levels
        if offset == _OUT:
            return self._out
        if offset == _ENABLE:
            return self._enable
        if offset == _STATUS:
            return self._status
        if offset == _CPU_INT:
            return self._status & self._interrupting()
        if offset == _STRAP:
            return _STRAPPED_FOR_FLASH
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """A register."""
        if _OUT <= offset <= _OUT_CLEAR:
            written = _MASK if offset == _OUT else value & _MASK
            self._drive(_changed(self._out, value, offset - _OUT), written)
        elif _ENABLE <= offset <= _ENABLE_CLEAR:
            self._turn_on(_changed(self._enable, value, offset - _ENABLE))
        elif _STATUS <= offset <= _STATUS_CLEAR:
            self._status = _changed(self._status, value, offset - _STATUS)
            self._tell()
        else:
            before = self._words.get(offset)
            super().write(offset, value)
            pin = (offset - _FUNC_OUT) // 4
            if 0 <= pin < PINS and before != value:
                self._log.gpio(self._micros(), f"func{pin}", value)
            if _PIN <= offset < _PIN + 4 * PINS:
                self._tell()

    def _drive(self, out: int, written: int) -> None:
        if out == self._out and not written & ~self._written:
            return
        self._out = out
        self._written |= written
        self._log.gpio(self._micros(), "out", out, self._written)
        self._settle()

    def _turn_on(self, enable: int) -> None:
        if enable != self._enable:
            self._enable = enable
            self._log.gpio(self._micros(), "enable", enable)
            self._settle()

    def _settle(self) -> None:
        """Work out what the pads show now, and which pins' interrupts that raises."""
        outside = sum(1 << pin for pin in self._outside)
        high_outside = sum(1 << pin for pin, level in self._outside.items() if level)
        pulled = self._mux.bits(_PULL_UP) & ~self._mux.bits(_PULL_DOWN)
        pads = high_outside | pulled & ~outside
        levels = self._out & self._enable | pads & ~self._enable
        before, self._levels = self._levels, levels & self._mux.bits(_INPUT_ENABLE) & _MASK
        if before != self._levels:
            self._edges(before ^ self._levels)
            self._tell()

    def _edges(self, changed: int) -> None:
        for pin in range(PINS):
            if changed >> pin & 1:
                kind = self._words.get(_PIN + 4 * pin, 0) >> 7 & 7
                rose = self._levels >> pin & 1
                if kind == _ANY or kind == (_RISING if rose else _FALLING):
                    self._status |= 1 << pin

    def _interrupting(self) -> int:
        return sum(1 << pin for pin in range(PINS) if self._words.get(_PIN + 4 * pin, 0) >> 13 & 1)

    def _tell(self) -> None:
        for pin in range(PINS):
            kind = self._words.get(_PIN + 4 * pin, 0) >> 7 & 7
            if kind == (_HIGH if self._levels >> pin & 1 else _LOW):
                self._status |= 1 << pin
        self._raise(SOURCE, bool(self._status & self._interrupting()))


def _changed(value: int, operand: int, how: int) -> int:
    """The value after writing to its own register (0), its set (4) or its clear register (8)."""
    if how == 4:
        return (value | operand) & _MASK
    return (value & ~operand if how else operand) & _MASK
