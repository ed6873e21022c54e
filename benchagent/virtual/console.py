"""The board's console: a PTY that outlives resets, reflashes and readers."""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import tty

MAX_WAITING = 64 * 1024
"""Bytes kept for a reader that does not read, beyond what the kernel holds; older ones are lost."""
_CHUNK = 4096


class Console:
    """Pumps bytes between the firmware's UART and a PTY.

    The board keeps the slave end open, so that the first bytes wait in the kernel for a reader
    that comes later, and so that a reader may come and go. Firmware never waits: when nobody
    reads, the oldest waiting bytes are dropped, as a UART drops them.
    """

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.dropped_bytes = 0
        self._waiting = bytearray()
        self._guard = threading.Lock()
        self._uart: socket.socket | None = None
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closed = False
        self._thread = threading.Thread(target=self._pump, name="console", daemon=True)
        self._thread.start()

    def attach(self, uart: socket.socket) -> None:
        """Connect firmware's UART; the console owns and closes the socket."""
        uart.setblocking(False)
        with self._guard:
            previous, self._uart = self._uart, uart
        if previous is not None:
            previous.close()
        self._wake()

    def detach(self, *, drain: bool) -> None:
        """Disconnect the UART; with `drain`, what it already sent still reaches the PTY."""
        with self._guard:
            uart, self._uart = self._uart, None
            if uart is None:
                return
            while drain and self._take(uart):
                pass
            uart.close()
        self._wake()

    def close(self) -> None:
        """Hang up the PTY and end the pump."""
        self._closed = True
        self._wake()
        self._thread.join(timeout=5)
        self.detach(drain=False)
        for descriptor in (self._master, self._slave, self._wake_reader, self._wake_writer):
            os.close(descriptor)

    def _wake(self) -> None:
        try:
            os.write(self._wake_writer, b"!")
        except BlockingIOError:
            return

    def _take(self, uart: socket.socket) -> bool:
        """Move one chunk from the UART to the waiting bytes; False when there is none now."""
        try:
            data = uart.recv(_CHUNK)
        except (BlockingIOError, ConnectionError):
            return False
        self._waiting += data
        surplus = len(self._waiting) - MAX_WAITING
        if surplus > 0:
            del self._waiting[:surplus]
            self.dropped_bytes += surplus
        return bool(data)

    def _pump(self) -> None:
        while not self._closed:
            poll = select.poll()
            with self._guard:
                uart = self._uart
                number = uart.fileno() if uart is not None else -1
                if self._waiting:
                    poll.register(self._master, select.POLLIN | select.POLLOUT)
                else:
                    poll.register(self._master, select.POLLIN)
            poll.register(self._wake_reader, select.POLLIN)
            if number >= 0:
                poll.register(number, select.POLLIN)
            fired = {descriptor for descriptor, _ in poll.poll()}
            with self._guard:
                self._serve(fired, uart, number)

    def _serve(self, fired: set[int], uart: socket.socket | None, number: int) -> None:
        if self._wake_reader in fired:
            os.read(self._wake_reader, _CHUNK)
        if (
            uart is not None
            and uart is self._uart
            and number in fired
            and not self._take(uart)
            and self._at_end(uart)
        ):
            uart.close()
            self._uart = None
        if self._master in fired:
            self._serve_pty()

    @staticmethod
    def _at_end(uart: socket.socket) -> bool:
        try:
            return uart.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def _serve_pty(self) -> None:
        try:
            typed = os.read(self._master, _CHUNK)
        except (BlockingIOError, OSError):
            typed = b""
        if typed and self._uart is not None:
            try:
                self._uart.send(typed)
            except (BlockingIOError, ConnectionError):
                typed = b""  # the UART has a one byte register: what it cannot take is lost
        if self._waiting:
            try:
                written = os.write(self._master, self._waiting[:_CHUNK])
            except BlockingIOError:
                written = 0
            del self._waiting[:written]
