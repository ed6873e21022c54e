"""A UART: bytes out at once, bytes in through a FIFO of 128, interrupts of both.

Offsets and bits: ESP-IDF's uart_reg.h for this chip, from the manual, not checked against it.
The wire is infinitely fast and the transmit FIFO therefore always empty.
"""

from collections import deque
from collections.abc import Callable

from benchline.emulator.devices.device import Device, Raise
from benchline.emulator.registers import RegisterLog

FIFO_BYTES = 128
_FIFO, _INT_RAW, _INT_STATUS, _INT_ENABLE, _INT_CLEAR = 0x00, 0x04, 0x08, 0x0C, 0x10
_STATUS, _CONF0, _CONF1 = 0x1C, 0x20, 0x24
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
    ) -> None:
        super().__init__(log)
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
            return min(len(self._queue), FIFO_BYTES)
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
            if self._words.get(_INT_ENABLE, 0):
                self._tell()
            return
        super().write(offset, value)
        if offset == _INT_CLEAR:
            self._sticky &= ~value
        elif offset == _CONF0 and value & _RX_RESET:
            self._queue.clear()
        self._tell()

    @property
    def _raw(self) -> int:
        raw = self._sticky | _TX_EMPTY
        if not self._queue:
            raw &= ~_RX_TIMEOUT
        elif min(len(self._queue), FIFO_BYTES) >= (self._words.get(_CONF1, 0) & 0x1FF):
            raw |= _RX_FULL
        return raw

    def _tell(self) -> None:
        enabled = self._words.get(_INT_ENABLE, 0)
        self._raise(self._source, bool(enabled and self._raw & enabled))
