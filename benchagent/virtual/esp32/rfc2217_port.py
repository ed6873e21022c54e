"""The serial port of a virtual ESP32 board with its modem lines, on TCP (RFC 2217).

A PTY has no modem lines. Over this port a flash tool resets the chip as over a USB bridge.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

from serial import rfc2217

log = logging.getLogger(__name__)

_CHUNK = 65536
_MAX_QUEUED = 1024 * 1024
_MAX_OPTION = 4096


class Wire(Protocol):
    """The board's end of the serial port."""

    def modem_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """The host changed lines."""

    def received(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        """The host sent bytes; what the loader answers goes to `answer`."""

    def listen(self, sink: Callable[[bytes], None] | None) -> None:
        """Send to this host what the chip says, or to none any more."""


class Rfc2217Port:
    """Serves the port on the loopback address, to one client at a time as a serial port does.

    Raises OSError when the TCP port is taken.
    """

    def __init__(self, port: int, wire: Wire) -> None:
        self._wire = wire
        self._listener = socket.create_server(("127.0.0.1", port))
        self.number: int = self._listener.getsockname()[1]
        """The TCP port that is really listened on."""
        self._client: _Client | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="rfc2217", daemon=True)

    def start(self) -> None:
        """Begin to take clients."""
        self._thread.start()

    def drop_client(self) -> None:
        """Hang up on the client, if there is one: the board was unplugged."""
        client = self._client
        if client is not None:
            client.hang_up()

    def close(self) -> None:
        """Take no more clients."""
        self._closed = True
        self.drop_client()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the accept of the other thread
        except OSError:
            log.debug("the listener was closed already")
        self._listener.close()

    def _serve(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client = _Client(connection, self._wire)
            try:
                self._client.serve()
            except OSError as error:
                log.debug("serial client left: %r", error)
            finally:
                self._client.hang_up()
                self._client = None


class _Client:
    """One connection: telnet options, modem lines, and bytes both ways."""

    def __init__(self, connection: socket.socket, wire: Wire) -> None:
        self._connection = connection
        self._wire = wire
        self._queued = bytearray()
        self._ready = threading.Condition()
        self._gone = False
        self._telnet: Any = rfc2217.PortManager(_Lines(wire), self)

    def serve(self) -> None:
        """Carry bytes until the client leaves or sends an endless option. Raises OSError."""
        threading.Thread(target=self._send, name="rfc2217-send", daemon=True).start()
        self._wire.listen(self.send)
        try:
            while data := self._connection.recv(_CHUNK):
                typed = b"".join(self._telnet.filter(data))
                if typed:
                    self._wire.received(typed, self.send)
                if len(self._telnet.suboption or b"") > _MAX_OPTION:
                    return
        finally:
            self._wire.listen(None)
            self._wire.modem_lines(dtr=False, rts=False)

    def send(self, data: bytes) -> None:
        """Bytes of the chip for the client."""
        self.write(data.replace(b"\xff", b"\xff\xff"))

    def write(self, data: bytes) -> None:
        """Bytes for the wire as they are; a client that does not read loses the oldest."""
        with self._ready:
            self._queued += data
            del self._queued[: max(0, len(self._queued) - _MAX_QUEUED)]
            self._ready.notify()

    def hang_up(self) -> None:
        """End the connection."""
        with self._ready:
            self._gone = True
            self._ready.notify()
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("serial client was gone already")
        self._connection.close()

    def _send(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._queued or self._gone)
                if self._gone:
                    return
                data = bytes(self._queued)
                self._queued.clear()
            try:
                self._connection.sendall(data)
            except OSError:
                return


class _Lines:
    """A serial port as pyserial wants one: settings that do nothing, and two lines."""

    baudrate, bytesize, parity, stopbits = 115_200, 8, "N", 1
    rtscts = xonxoff = break_condition = False
    cts = dsr = cd = True
    ri = False

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._dtr = self._rts = False

    @property
    def dtr(self) -> bool:
        """Data terminal ready, as the host set it."""
        return self._dtr

    @dtr.setter
    def dtr(self, asserted: bool) -> None:
        self._dtr = bool(asserted)
        self._wire.modem_lines(dtr=self._dtr)

    @property
    def rts(self) -> bool:
        """Request to send, as the host set it."""
        return self._rts

    @rts.setter
    def rts(self, asserted: bool) -> None:
        self._rts = bool(asserted)
        self._wire.modem_lines(rts=self._rts)

    def reset_input_buffer(self) -> None:
        """There is no buffer here."""

    def reset_output_buffer(self) -> None:
        """There is no buffer here."""
