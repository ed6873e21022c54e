"""A UART: bytes out and in through FIFOs of 128, interrupts of both.

Offsets and bits: ESP-IDF's uart_reg.h for this chip, from the manual, not checked against it.
Bytes reach the other end at once, but firmware may not print faster than its line carries: what is
more than a FIFO ahead of the line fills the FIFO that the firmware sees. Without a divisor the line
is infinitely fast.
"""

import math
from collections import deque
from collections.abc import Callable

from benchline.emulator.devices.device import Device, Raise
from benchline.emulator.registers import RegisterLog

FIFO_BYTES = 128
_FIFO, _INT_RAW, _INT_STATUS, _INT_ENABLE, _INT_CLEAR = 0x00, 0x04, 0x08, 0x0C, 0x10
_CLKDIV, _STATUS, _CONF0, _CONF1, _CLK_CONF = 0x14, 0x1C, 0x20, 0x24, 0x78
_BITS = 10
"""8N1."""
_TICKS_PER_CRYSTAL = 16 / 40
"""Ticks of 16 MHz in one of the crystal's 40 MHz."""
_RX_FULL, _TX_EMPTY, _RX_TIMEOUT, _TX_DONE = 1 << 0, 1 << 1, 1 << 8, 1 << 14
_RX_RESET = 1 << 17
_CONF1_AT_RESET = 96 | 96 << 9


class Uart(Device):
    """`send` takes the bytes that the firmware transmits."""

    known = frozenset((*range(0, 0x84, 4),))

    def __init__(
        self,
        log: RegisterLog,
        base: int,
        source: int,
        raise_source: Raise,
        send: Callable[[int], None],
        now: Callable[[], int] = lambda: 0,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(log)
        self._now = now
        self._changed = changed
        self._byte_ticks = 0.0
        self._line_free_at = 0.0
        self.next_alarm: int | None = None
        """When the interrupt of an empty transmit FIFO is due, in ticks; None when it is not."""
        self.base = base
        self._source = source
        self._raise = raise_source
        self._send = send
        self._queue: deque[int] = deque()
        self._sticky = 0
        self._words[_CONF1] = _CONF1_AT_RESET

    def receive(self, data: bytes) -> None:
        """Bytes came in on the wire; what does not fit into the FIFO waits, none is lost."""
        self._queue.extend(data)
        self._sticky |= _RX_TIMEOUT
        self._tell()

    def read(self, offset: int) -> int:
        """A register."""
        if offset == _FIFO:
            byte = self._queue.popleft() if self._queue else 0
            self._tell()
            return byte
        if offset == _STATUS:
            return min(len(self._queue), FIFO_BYTES) | self._unsent(self._now()) << 16
        if offset == _INT_RAW:
            return self._raw
        if offset == _INT_STATUS:
            return self._raw & self._words.get(_INT_ENABLE, 0)
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """A register."""
        if offset == _FIFO:
            self._send(value & 0xFF)
            self._sticky |= _TX_DONE
            self._line_free_at = max(self._line_free_at, self._now()) + self._byte_ticks
            if self._words.get(_INT_ENABLE, 0):
                self._tell()
            return
        super().write(offset, value)
        if offset == _INT_CLEAR:
            self._sticky &= ~value
        elif offset == _CONF0 and value & _RX_RESET:
            self._queue.clear()
        elif offset in (_CLKDIV, _CLK_CONF):
            self._byte_ticks = self._ticks_of_a_byte()
        self._tell()

    def fire(self, now: int) -> None:
        """Raise the interrupt whose moment has come."""
        if self.next_alarm is not None and now >= self.next_alarm:
            self._tell()

    def _ticks_of_a_byte(self) -> float:
        divisor = self._words.get(_CLKDIV, 0)
        sixteenths = (divisor & 0xFFF) << 4 | divisor >> 20 & 0xF
        source = (self._words.get(_CLK_CONF, 0) >> 12 & 0xFF) + 1
        return _BITS * source * sixteenths / 16 * _TICKS_PER_CRYSTAL

    def _unsent(self, now: int) -> int:
        """How many bytes the firmware sees waiting."""
        if not self._byte_ticks:
            return 0
        behind = math.ceil((self._line_free_at - now) / self._byte_ticks)
        return min(max(behind - FIFO_BYTES, 0), FIFO_BYTES)

    def _empty_at(self) -> int:
        """When fewer bytes wait than the threshold of the interrupt."""
        threshold = self._words.get(_CONF1, 0) >> 9 & 0x1FF
        ahead = FIFO_BYTES + max(threshold, 1) - 1
        return math.ceil(self._line_free_at - ahead * self._byte_ticks)

    @property
    def _raw(self) -> int:
        raw = self._sticky
        if self._now() >= self._empty_at():
            raw |= _TX_EMPTY
        if not self._queue:
            raw &= ~_RX_TIMEOUT
        elif min(len(self._queue), FIFO_BYTES) >= (self._words.get(_CONF1, 0) & 0x1FF):
            raw |= _RX_FULL
        return raw

    def _tell(self) -> None:
        enabled = self._words.get(_INT_ENABLE, 0)
        self._raise(self._source, bool(enabled and self._raw & enabled))
        due = self._empty_at() if enabled & _TX_EMPTY else 0
        before, self.next_alarm = self.next_alarm, due if due > self._now() else None
        if self.next_alarm is not None and (before is None or self.next_alarm < before):
            self._changed()
