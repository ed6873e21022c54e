"""The board's console: a PTY that outlives resets, reflashes and readers."""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import tty
from collections.abc import Callable

MAX_WAITING = 64 * 1024
"""Bytes kept for a reader that does not read, beyond what the kernel holds; older ones are lost."""
MAX_UNREAD_ANSWERS = 1024 * 1024
"""A client that does not read the answers of a loader is not listened to beyond this."""
_CHUNK = 4096

Typed = Callable[[bytes], bytes]
"""What becomes of bytes that somebody wrote to the port: gives those that reach the UART."""

Seen = Callable[[bytes], bytes]
"""What an observer sees of the bytes that firmware sent."""


class Console:
    """Pumps bytes between the firmware's UART and a PTY.

    The board keeps the slave end open, so that the first bytes wait in the kernel for a reader
    that comes later, and so that a reader may come and go. Firmware never waits: when nobody
    reads, the oldest waiting bytes are dropped, as a UART drops them.
    """

    def __init__(
        self, on_typed: Typed = bytes, on_broken: Callable[[], None] = lambda: None
    ) -> None:
        self._on_typed = on_typed
        self._on_broken = on_broken
        self._breaks_in: int | None = None
        self._master = self._slave = -1
        self.path = ""
        self.dropped_bytes = 0
        self._waiting = bytearray()
        self._guard = threading.Lock()
        self._uart: socket.socket | None = None
        self._seen: Seen = bytes
        self._copy: Callable[[bytes], None] | None = None
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._closed = False
        self._open()
        self._thread = threading.Thread(target=self._pump, name="console", daemon=True)
        self._thread.start()

    def attach(self, uart: socket.socket, seen: Seen = bytes) -> None:
        """Connect firmware's UART; the console owns and closes the socket."""
        uart.setblocking(False)
        with self._guard:
            previous, self._uart = self._uart, uart
            self._seen = seen
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

    def say(self, data: bytes) -> None:
        """Send bytes that do not come from firmware: a ROM's messages, a loader's answers."""
        if not data:
            return
        with self._guard:
            self._waiting += data
        self._wake()

    def forget(self) -> None:
        """Drop what waits for a reader: the chip was reset in the middle of it."""
        with self._guard:
            self._waiting.clear()

    def copy_to(self, sink: Callable[[bytes], None] | None) -> None:
        """Let `sink` have everything that firmware sends as well, or nobody."""
        with self._guard:
            self._copy = sink

    def send(self, data: bytes) -> None:
        """Bytes for the firmware's UART; what it cannot take is lost."""
        with self._guard:
            self._to_uart(data)

    def break_after(self, count: int | None) -> None:
        """Let the PTY fail after so many more bytes that somebody reads; None lets it live."""
        with self._guard:
            self._breaks_in = count
        self._wake()

    def unplug(self) -> None:
        """Take the PTY away: readers find the end of the file or EIO. What waits is lost."""
        with self._guard:
            self._hang_up()
        self._wake()

    def plug(self) -> str:
        """A fresh PTY in place of the last one; gives its path."""
        with self._guard:
            self._hang_up()
            self._open()
        self._wake()
        return self.path

    def close(self) -> None:
        """Hang up the PTY and end the pump."""
        self._closed = True
        self._wake()
        self._thread.join(timeout=5)
        self.detach(drain=False)
        with self._guard:
            self._hang_up()
        for descriptor in (self._wake_reader, self._wake_writer):
            os.close(descriptor)

    def _open(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)

    def _hang_up(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)
        self._master = self._slave = -1
        self._waiting.clear()

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
        seen = self._seen(data)
        if self._copy is not None:
            self._copy(seen)
        self._waiting += seen
        surplus = len(self._waiting) - MAX_WAITING
        if surplus > 0:
            del self._waiting[:surplus]
            self.dropped_bytes += surplus
        return bool(data)

    def _pump(self) -> None:
        while not self._closed:
            poll = select.poll()
            with self._guard:
                uart, master = self._uart, self._master
                number = uart.fileno() if uart is not None else -1
                if master >= 0:
                    wanted = select.POLLOUT if self._waiting else 0
                    if len(self._waiting) < MAX_UNREAD_ANSWERS:
                        wanted |= select.POLLIN
                    poll.register(master, wanted)
            poll.register(self._wake_reader, select.POLLIN)
            if number >= 0:
                poll.register(number, select.POLLIN)
            fired = dict(poll.poll())
            with self._guard:
                typed = self._serve(fired, uart, number, master)
                broken = self._breaks_in is not None and self._breaks_in <= 0
                if broken:
                    self._breaks_in = None
                    self._hang_up()
            if broken:
                self._on_broken()
            if typed and (passed := self._on_typed(typed)):
                self.send(passed)

    def _serve(
        self, fired: dict[int, int], uart: socket.socket | None, number: int, master: int
    ) -> bytes:
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
        if master in fired and master == self._master:
            return self._serve_pty(fired[master])
        return b""

    @staticmethod
    def _at_end(uart: socket.socket) -> bool:
        try:
            return uart.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def _serve_pty(self, events: int) -> bytes:
        """Write what waits; gives what somebody typed."""
        typed = b""
        if events & select.POLLIN:
            try:
                typed = os.read(self._master, _CHUNK)
            except (BlockingIOError, OSError):
                typed = b""
        if self._waiting and events & select.POLLOUT:
            most = _CHUNK if self._breaks_in is None else min(_CHUNK, self._breaks_in)
            try:
                written = os.write(self._master, self._waiting[:most])
            except BlockingIOError:
                written = 0
            del self._waiting[:written]
            if self._breaks_in is not None:
                self._breaks_in -= written
        return typed

    def _to_uart(self, data: bytes) -> None:
        if self._uart is None:
            return
        try:
            self._uart.send(data)
        except (BlockingIOError, ConnectionError):
            return  # the UART has a small register: what it cannot take is lost
