"""Sends spooled console bytes to the control plane until they are stored there."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from benchagent.bench import Boards
from benchagent.command import ConsoleHead
from benchagent.pacing import Pacing
from benchagent.spool import MAX_CHUNK_BYTES, Chunk, SpoolReader

log = logging.getLogger(__name__)

DEFAULT_CREDIT_BYTES = 1024 * 1024
IDLE_S = 5.0
ACK_S = 15.0
_TIMER_FLOOR_S = 0.001
_RETRY_S = 0.1

Message = Sequence[tuple[str, Chunk]]


class UploadStream(Protocol):
    """One stream of console bytes."""

    async def send(self, message: Message) -> None:
        """Send chunks of boards."""

    def acks(self) -> AsyncIterable[Sequence[ConsoleHead]]:
        """What is stored, as it is told."""
        ...

    async def close(self) -> None:
        """Say that nothing more comes."""

    def cancel(self) -> None:
        """End the stream; nothing that is still under way arrives after that."""


@dataclass(slots=True, kw_only=True)
class _Cursor:
    """How far one console is sent and stored."""

    reader: SpoolReader
    sent: int
    acked: int


@dataclass(slots=True)
class Uploader:
    """The upload of one link session; made anew from each Welcome.

    `acked` is how much of each console the control plane holds; only these are sent.

    `open_stream` opens one stream; an error of it ends that stream only, never the session.
    """

    boards: Boards
    open_stream: Callable[[], UploadStream]
    acked: Mapping[str, int]
    credit_bytes: int = DEFAULT_CREDIT_BYTES
    pacing: Pacing = field(default_factory=Pacing)
    idle_s: float = IDLE_S
    _cursors: dict[str, _Cursor] = field(default_factory=dict, init=False)
    _go: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)
    _timer_at_s: float = field(default=math.inf, init=False)
    _oldest_s: float | None = field(default=None, init=False)
    _last_send_s: float = field(default=0.0, init=False)
    _last_ack_s: float = field(default=0.0, init=False)

    def kick(self) -> None:
        """To be called when a console grew or an ack came."""
        if self._go.is_set():
            return
        now = time.monotonic()
        due = self._due(now)
        if due <= now:
            self._go.set()
        elif due < self._timer_at_s:
            self._disarm()
            delay = max(_TIMER_FLOOR_S, due - now)
            self._timer_at_s = due
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)

    async def run(self) -> None:
        """Upload for ever; end it by cancelling."""
        known = self.acked
        try:
            while True:
                self._track(known)
                self.kick()
                await self._go.wait()
                try:
                    await self._upload()
                except UploadLostError as error:
                    log.info("upload stream lost", extra={"why": str(error)})
                    await asyncio.sleep(_RETRY_S)
                finally:
                    known = {board: cursor.acked for board, cursor in self._cursors.items()}
                    self._forget()
        finally:
            self._disarm()
            self._forget()

    async def _upload(self) -> None:
        """Send until idle. Raises UploadLostError."""
        stream = self.open_stream()
        acks = asyncio.create_task(self._take_acks(stream.acks()))
        self._last_ack_s = time.monotonic()
        try:
            while await self._wait(acks):
                while self._due(time.monotonic()) <= time.monotonic():
                    message = self._take()
                    if not message:
                        break
                    await stream.send(message)
                self.kick()
            await stream.close()
            await asyncio.wait((acks,), timeout=self.idle_s)
        finally:
            stream.cancel()
            acks.cancel()
            await asyncio.wait((acks,))
            if not acks.cancelled():
                acks.exception()  # told already, or of no interest to a stream that is over

    async def _wait(self, acks: asyncio.Task[None]) -> bool:
        """Wait until something may be sent; False when the stream was idle long enough."""
        while not self._go.is_set():
            go = asyncio.create_task(self._go.wait())
            try:
                done, _ = await asyncio.wait(
                    (go, acks), timeout=self.idle_s, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                go.cancel()
            if acks in done:
                break
            if not done and not self._waiting() and not self._unacked():
                return False
            if not done and time.monotonic() - self._last_ack_s > ACK_S:
                raise UploadLostError(f"nothing was acknowledged for {ACK_S:.0f} s")
        if acks.done():
            await acks
            raise UploadLostError("the control plane ended the stream")
        self._go.clear()
        return True

    async def _take_acks(self, acks: AsyncIterable[Sequence[ConsoleHead]]) -> None:
        async for heads in acks:
            self._last_ack_s = time.monotonic()
            for head in heads:
                cursor = self._cursors.get(head.board)
                if cursor is not None:
                    cursor.acked = max(cursor.acked, min(head.offset, cursor.sent))
            self.kick()

    def _take(self) -> Message:
        """The next message: at most 64 KiB of all consoles that have something, in turn."""
        room = min(self.pacing.max_bytes, self.credit_bytes - self._unacked())
        found: list[tuple[str, Chunk]] = []
        for board, cursor in tuple(self._cursors.items()):
            if room <= 0:
                break
            if cursor.sent >= self.boards.consoles[board].spool.head.offset:
                continue
            # Whoever is served goes to the end of the row.
            self._cursors[board] = self._cursors.pop(board)
            for chunk in cursor.reader.read(min(room, MAX_CHUNK_BYTES)):
                found.append((board, chunk))
                room -= len(chunk.data)
            # Lost bytes at the very end are passed by when the next ones come.
            cursor.sent = cursor.reader.offset
        now = time.monotonic()
        self._last_send_s = now
        self._oldest_s = now if self._waiting() else None
        return found

    def _due(self, now: float) -> float:
        waiting = self._waiting()
        if waiting and self._oldest_s is None:
            self._oldest_s = now
        unacked = self._unacked()
        if unacked >= self.credit_bytes:
            return math.inf
        return self.pacing.due(
            waiting_bytes=waiting,
            unacked_bytes=unacked,
            oldest_s=self._oldest_s if self._oldest_s is not None else now,
            last_send_s=self._last_send_s,
        )

    def _waiting(self) -> int:
        return sum(
            self.boards.consoles[board].spool.head.offset - cursor.sent
            for board, cursor in self._cursors.items()
        )

    def _unacked(self) -> int:
        return sum(cursor.sent - cursor.acked for cursor in self._cursors.values())

    def _track(self, known: Mapping[str, int]) -> None:
        """Put a cursor at what is stored of each console."""
        for board, acked in known.items():
            reader = self.boards.consoles[board].spool.reader(acked)
            self._cursors[board] = _Cursor(reader=reader, sent=acked, acked=acked)

    def _forget(self) -> None:
        for cursor in self._cursors.values():
            cursor.reader.close()
        self._cursors.clear()
        self._oldest_s = None

    def _expire(self) -> None:
        self._timer, self._timer_at_s = None, math.inf
        self.kick()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at_s = None, math.inf


class UploadLostError(Exception):
    """An upload stream ended; what was not acknowledged is sent again."""
