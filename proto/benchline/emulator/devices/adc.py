"""The SAR ADC, one conversion at a time; the values of the channels are given from outside.

Offsets and bits: ESP-IDF's apb_saradc_reg.h for this chip. A conversion takes no time.
"""

from collections.abc import Mapping

from benchline.emulator.devices.device import Device, Raise
from benchline.emulator.registers import RegisterLog

SOURCE = 43
"""ETS_APB_ADC_INTR_SOURCE."""

_ONE_TIME, _DATA1, _DATA2 = 0x20, 0x2C, 0x30
_INT_ENABLE, _INT_RAW, _INT_STATUS, _INT_CLEAR = 0x40, 0x44, 0x48, 0x4C
_ADC1, _ADC2, _START = 1 << 31, 1 << 30, 1 << 29


class SarAdc(Device):
    """`values` maps channels of ADC1 (0 to 4 are GPIO0 to GPIO4) to 12-bit results."""

    base = 0x6004_0000
    known = frozenset((*range(0, 0x64, 4), 0x3FC))

    def __init__(self, log: RegisterLog, values: Mapping[int, int], raise_source: Raise) -> None:
        super().__init__(log)
        self._values = values
        self._raise = raise_source
        self._raw = 0

    def read(self, offset: int) -> int:
        """A register."""
        if offset == _INT_RAW:
            return self._raw
        if offset == _INT_STATUS:
            return self._raw & self._words.get(_INT_ENABLE, 0)
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """A register; a rising start bit converts."""
        started = value & _START and not self._words.get(offset, 0) & _START
        super().write(offset, value)
        if offset == _ONE_TIME and started:
            result = self._values.get(value >> 25 & 15, 0)
            if value & _ADC1:
                self._words[_DATA1] = result
                self._raw |= _ADC1
            if value & _ADC2:
                self._words[_DATA2] = 0
                self._raw |= _ADC2
        elif offset == _INT_CLEAR:
            self._raw &= ~value
        self._raise(SOURCE, bool(self._raw & self._words.get(_INT_ENABLE, 0)))
