"""One reader per board console, for the life of the board."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchagent.command import CommandError, ConsoleHead, Reason
from benchagent.ports import PortError, open_port, read_port, restore_port
from benchagent.spool import Position, Spool

log = logging.getLogger(__name__)

_READS_AT_ONCE = 16
_RETRY_FIRST_S, _RETRY_LAST_S = 0.05, 1.0
# A board that restarts is without a terminal for a moment; that is no fault yet.
_FAULT_AFTER_S = 0.3
# The board is halted when an epoch begins; a USB serial adapter hands over what it still holds
# after at most 16 ms (FTDI's default latency timer, the longest in use).
_QUIET_S = 0.02
_DRAIN_S = 0.5
_SEND_S = 5.0
AWAY = "the agent was not reading"
HUNG_UP = "the port was hung up"
LENT = "a flasher used the port"


class Console:
    """Reads one board's port into its spool, whoever comes and goes.

    From the event loop `on_bytes` is called after every append, and `on_fault` when `fault`
    changed: why the port cannot be opened, empty when it is open or there is none.
    """

    def __init__(
        self,
        board: str,
        spool: Spool,
        *,
        on_bytes: Callable[[], None],
        on_fault: Callable[[], None],
    ) -> None:
        self.board = board
        self.spool = spool
        self._on_bytes = on_bytes
        self._on_fault = on_fault
        self._path: Path | None = None
        self._owner: int | None = None
        self._clears_lines = False
        self._target = ""
        self._port: int | None = None
        self._lent = False
        self._retry: asyncio.TimerHandle | None = None
        self._retry_s = _RETRY_FIRST_S
        self._last_read_s = 0.0
        self._sending = asyncio.Lock()
        self.fault = ""
        if spool.was_read_before:
            spool.mark_gap(AWAY)

    @property
    def head(self) -> ConsoleHead:
        """End of this console."""
        return self._named(self.spool.head)

    def watch(
        self, path: Path | None, owner: int | None = None, *, clears_lines: bool = False
    ) -> None:
        """Read this port from now on; None when the board has no console.

        A link is followed again each time: a board that restarted has another terminal behind it.
        `owner` is the process that must hold a pseudo-terminal: the terminal of a board that died
        may be somebody else's by now.
        """
        self._clears_lines = clears_lines
        if (path, owner) != (self._path, self._owner):
            self._hang_up("" if self._path is None else HUNG_UP)
            self._path, self._owner = path, owner
            self.fault = ""
        elif self._port is not None and self._target != _target(path):
            self._hang_up(HUNG_UP)
        self._open()

    def close(self) -> None:
        """Stop reading; the spool stays open."""
        self._path = None
        self._hang_up("")
        self.fault = ""

    @property
    def descriptor(self) -> int | None:
        """The open port."""
        return self._port

    @contextmanager
    def lent(self) -> Iterator[int | None]:
        """Lend the port to a flasher: it is kept open and claimed, but not read meanwhile.

        What the board said before is taken first. What the flasher and the board exchanged is
        dropped at the end, and the port is set up for us again.
        """
        self._readable()
        self._cancel_retry()
        self._lent = True
        lent = self._port
        if lent is not None:
            asyncio.get_running_loop().remove_reader(lent)
        try:
            yield lent
        finally:
            self._lent = False
            if lent is not None and self._port == lent:
                self._take_back(lent)
            self._open()

    async def opened(self, timeout_s: float) -> bool:
        """Whether the port is open, after waiting for it at most so long."""
        until = time.monotonic() + timeout_s
        while self._port is None and self._path is not None and time.monotonic() < until:
            self._open()
            await asyncio.sleep(_QUIET_S)
        return self._port is not None

    async def begin_epoch(self) -> ConsoleHead:
        """Take what the board said so far, then raise the epoch; to be called on a halted board."""
        until = time.monotonic() + _DRAIN_S
        self._last_read_s = time.monotonic()
        while self._port is not None:
            self._readable()
            now = time.monotonic()
            if now - self._last_read_s >= _QUIET_S or now >= until:
                break
            await asyncio.sleep(_QUIET_S / 4)
        return self._named(self.spool.begin_epoch(time.time_ns() // 1000))

    async def send(self, data: bytes) -> None:
        """Write all of `data` to the port.

        Raises:
            CommandError: NO_CONSOLE or CONSOLE_STUCK.
        """
        left = memoryview(data)
        try:
            # One line at a time: pieces of two senders would make neither's line.
            async with asyncio.timeout(_SEND_S), self._sending:
                while left:
                    left = left[await self._write_some(left) :]
        except TimeoutError as error:
            message = f"{self.board} took {len(data) - len(left)} of {len(data)} bytes in 5 s"
            raise CommandError(Reason.CONSOLE_STUCK, message) from error
        except OSError as error:
            message = f"the console of {self.board} is gone: {error.strerror}"
            raise CommandError(Reason.NO_CONSOLE, message) from error

    async def _write_some(self, data: memoryview) -> int:
        while True:
            if self._port is None or self._lent:
                raise CommandError(
                    Reason.NO_CONSOLE, self.fault or f"{self.board} has no console port"
                )
            try:
                return os.write(self._port, data)
            except BlockingIOError:
                await asyncio.sleep(_QUIET_S / 4)

    def _named(self, position: Position) -> ConsoleHead:
        return ConsoleHead(board=self.board, offset=position.offset, epoch=position.epoch)

    def _take_back(self, port: int) -> None:
        try:
            restore_port(port)
        except PortError:
            self._hang_up(HUNG_UP)
            return
        self.spool.mark_gap(LENT)
        asyncio.get_running_loop().add_reader(port, self._readable)

    def _open(self) -> None:
        if self._path is None or self._port is not None or self._lent:
            return
        self._cancel_retry()
        target = _target(self._path)
        try:
            self._port = open_port(self._path, self._owner, clears_lines=self._clears_lines)
        except PortError as error:
            if self._retry_s > _FAULT_AFTER_S:
                self._set_fault(str(error))
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(self._retry_s, self._open)
            self._retry_s = min(2 * self._retry_s, _RETRY_LAST_S)
            return
        self._set_fault("")
        self._target = target
        self._retry_s = _RETRY_FIRST_S
        log.info("port open", extra={"board": self.board, "port": str(self._path)})
        asyncio.get_running_loop().add_reader(self._port, self._readable)

    def _readable(self) -> None:
        if self._port is None:
            return
        pieces: list[bytes] = []
        hung_up = False
        for _ in range(_READS_AT_ONCE):
            data = read_port(self._port)
            if not data:
                hung_up = data is None
                break
            pieces.append(data)
        if pieces:
            self._last_read_s = time.monotonic()
            self.spool.append(b"".join(pieces), time.time_ns() // 1000)
            self._on_bytes()
        if hung_up:
            self._hang_up(HUNG_UP)
            self._open()

    def _hang_up(self, gap: str) -> None:
        self._cancel_retry()
        if self._port is not None:
            asyncio.get_running_loop().remove_reader(self._port)
            os.close(self._port)
            self._port = None
            log.info("port closed", extra={"board": self.board})
            if gap:
                self.spool.mark_gap(gap)

    def _set_fault(self, fault: str) -> None:
        if fault != self.fault:
            self.fault = fault
            log.info("port fault", extra={"board": self.board, "why": fault or "none any more"})
            self._on_fault()

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None


def _target(path: Path | None) -> str:
    """The device behind a path."""
    return os.path.realpath(path) if path is not None else ""
