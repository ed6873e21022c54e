"""The UART's other end: standard input and output as bytes, buffered and capped."""

import os
import select
import time
from collections.abc import Callable

READ_BYTES = 4096
FLUSH_BYTES = 4096
FLUSH_S = 0.002


class Console:
    """Bytes of the wire. `before_write` runs first, so that the log never lags behind."""

    def __init__(self, cap: int, before_write: Callable[[], None]) -> None:
        self._cap = cap
        self._before_write = before_write
        self._waiting = bytearray()
        self._flushed_at = 0.0
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)
        self.sent = 0
        self.input_ended = False
        self.reader_gone = False

    def send(self, byte: int) -> None:
        """The firmware transmitted a byte; beyond the cap it is dropped."""
        if self.sent < self._cap:
            self._waiting.append(byte)
        self.sent += 1

    @property
    def full(self) -> bool:
        """Whether more was sent than the cap allows."""
        return self.sent > self._cap

    def flush(self, *, always: bool = True) -> None:
        """Write what waits; if not `always`, only when it is much or has waited long."""
        if not self._waiting:
            return
        now = time.monotonic()
        due = len(self._waiting) >= FLUSH_BYTES or now - self._flushed_at >= FLUSH_S
        if not always and not due:
            return
        self._flushed_at = now
        self._before_write()
        data, self._waiting = bytes(self._waiting), bytearray()
        try:
            _write_all(1, data)
        except OSError:
            # Nobody listens any more.
            self.reader_gone = True

    def receive(self, wait_ms: float = 0.0) -> bytes:
        """What came in, waiting up to `wait_ms` for it; empty when nothing did."""
        if self.input_ended:
            if wait_ms > 0:
                time.sleep(wait_ms / 1000)
            return b""
        if not self._poll.poll(wait_ms):
            return b""
        try:
            data = os.read(0, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.input_ended = not data
        return data


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
