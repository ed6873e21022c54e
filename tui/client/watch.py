"""Watches that survive a server that goes away: they come back where they were."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc

from benchline.v1 import bench_pb2, console_pb2, event_pb2, session_pb2, verdict_pb2
from tui.client.connection import Connection, is_away

if TYPE_CHECKING:
    from benchline.v1 import deployment_pb2, live_simulation_pb2

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_ENDED = (verdict_pb2.STATE_DONE, verdict_pb2.STATE_CANCELLED)
_T = TypeVar("_T")

Away = Callable[[str], Awaitable[None]]
"""Told each time that the server is away, with one sentence; may bring it back."""


@dataclass(frozen=True, slots=True)
class Back:
    """The stream is open again after it had broken."""


async def ignore(_: str) -> None:
    """Wait for the server without a word."""


class _Pause:
    """Pauses that double up to a ceiling and start over after a success."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S
        self.broken = False

    def reset(self) -> None:
        self._next_s = FIRST_PAUSE_S
        self.broken = False

    async def wait(self) -> None:
        self.broken = True
        await asyncio.sleep(self._next_s)
        self._next_s = min(self._next_s * 2, LONGEST_PAUSE_S)


async def without_end(
    open_stream: Callable[[], AsyncIterable[_T]], on_away: Away
) -> AsyncIterator[_T | Back]:
    """The messages of a stream that is opened again whenever it ends."""
    pause = _Pause()
    while True:
        try:
            async for answer in open_stream():
                if pause.broken:
                    yield Back()
                pause.reset()
                yield answer
        except grpc.aio.AioRpcError as error:
            if not is_away(error):
                raise
            await on_away(error.details() or "the server is away")
        await pause.wait()


class _ListAnswer(Protocol):
    @property
    def changes(self) -> int: ...


async def watch_list(
    open_stream: Callable[[], AsyncIterable[_ListAnswer]], on_away: Away
) -> AsyncIterator[None]:
    """Whenever a list has to be read: at first, after each change, and after each return."""
    known: int | None = None
    async for answer in without_end(open_stream, on_away):
        if isinstance(answer, Back):
            known = None
        elif answer.changes != known:
            known = answer.changes
            yield


async def watch_session(
    connection: Connection, name: str, *, from_sequence: int = 1, on_away: Away = ignore
) -> AsyncIterator[event_pb2.Event | session_pb2.Session | Back]:
    """Every event from a sequence number on, each once; at last the session as it ended.

    Raises:
        grpc.aio.AioRpcError: any failure but an unreachable server.
    """

    def opened(first: int) -> AsyncIterable[session_pb2.WatchSessionResponse]:
        request = session_pb2.WatchSessionRequest(name=name, from_sequence=first)
        return connection.sessions.WatchSession(request)

    async for item in follow_to_end(
        opened, lambda: connection.session(name), from_sequence, on_away
    ):
        yield item


async def watch_deployment(
    connection: Connection, name: str, *, from_sequence: int = 1, on_away: Away = ignore
) -> "AsyncIterator[event_pb2.Event | deployment_pb2.Deployment | Back]":
    """Every event from a sequence number on, each once; at last the deployment as it ended.

    Raises:
        grpc.aio.AioRpcError: any failure but an unreachable server.
    """
    from benchline.v1 import deployment_pb2

    def opened(first: int) -> "AsyncIterable[deployment_pb2.WatchDeploymentResponse]":
        request = deployment_pb2.WatchDeploymentRequest(name=name, from_sequence=first)
        return connection.deployments.WatchDeployment(request)

    async for item in follow_to_end(
        opened, lambda: connection.deployment(name), from_sequence, on_away
    ):
        yield item


class _Answer(Protocol):
    @property
    def events(self) -> Iterable[event_pb2.Event]: ...


class _Subject(Protocol):
    @property
    def state(self) -> int: ...
    @property
    def last_sequence(self) -> int: ...


_S = TypeVar("_S", bound=_Subject)


async def follow_to_end(
    opened: Callable[[int], AsyncIterable[_Answer]],
    current: Callable[[], Awaitable[_S]],
    from_sequence: int,
    on_away: Away,
) -> AsyncIterator[event_pb2.Event | _S | Back]:
    """Every event from a sequence number on, each once; at last what they are of, as it ended."""
    last = max(from_sequence, 1) - 1
    pause = _Pause()
    while True:
        try:
            async for answer in opened(last + 1):
                if pause.broken:
                    yield Back()
                pause.reset()
                for event in answer.events:
                    if event.sequence > last:
                        last = event.sequence
                        yield event
            subject = await current()
            if subject.state in _ENDED and last >= subject.last_sequence:
                yield subject
                return
        except grpc.aio.AioRpcError as error:
            if not is_away(error):
                raise
            await on_away(error.details() or "the server is away")
        await pause.wait()


async def watch_sessions(
    connection: Connection, *, newest: int, on_away: Away = ignore
) -> AsyncIterator[session_pb2.WatchSessionsResponse | Back]:
    """The newest sessions (again after each `Back`), then those that changed, without end."""

    def opened() -> AsyncIterable[session_pb2.WatchSessionsResponse]:
        request = session_pb2.WatchSessionsRequest(initial_count=newest)
        return connection.sessions.WatchSessions(request)

    async for answer in without_end(opened, on_away):
        yield answer


async def watch_boards(
    connection: Connection, *, on_away: Away = ignore
) -> AsyncIterator[bench_pb2.WatchBoardsResponse | Back]:
    """The inventory, then a new one after every change, without end."""

    def opened() -> AsyncIterable[bench_pb2.WatchBoardsResponse]:
        return connection.bench.WatchBoards(bench_pb2.WatchBoardsRequest())

    told = False
    async for answer in without_end(opened, on_away):
        # A heartbeat carries neither; so does the inventory of a server without a bench.
        if isinstance(answer, Back) or answer.boards or answer.agents or not told:
            told = told or not isinstance(answer, Back)
            yield answer


async def follow_console(
    connection: Connection,
    console: str,
    *,
    offset: int = 0,
    tail_bytes: int = 0,
    on_away: Away = ignore,
) -> AsyncIterator[console_pb2.ConsoleChunk | Back]:
    """The bytes of a console from an offset (or a tail) on, each once, without end."""
    started = offset > 0

    def opened() -> AsyncIterable[console_pb2.ReadConsoleResponse]:
        tail = 0 if started else tail_bytes
        request = console_pb2.ReadConsoleRequest(
            console=console, offset=offset, follow=True, tail_bytes=tail
        )
        return connection.consoles.ReadConsole(request)

    async for answer in without_end(opened, on_away):
        if isinstance(answer, Back):
            yield answer
            continue
        for chunk in answer.chunks:
            started = True
            offset = chunk.offset + len(chunk.data)
            yield chunk


async def watch_live(
    connection: Connection,
    name: str,
    *,
    offset: int = 0,
    tail_bytes: int = 0,
    on_away: Away = ignore,
) -> "AsyncIterator[live_simulation_pb2.LiveSimulation | console_pb2.ConsoleChunk | Back]":
    """A live simulation whenever it changes and its bytes from an offset, until both have ended.

    With ``tail_bytes`` and offset 0 it begins that many bytes before the end.
    """
    from benchline.v1 import live_simulation_pb2

    ended, pause = False, _Pause()
    while True:
        request = live_simulation_pb2.WatchLiveSimulationRequest(
            name=name, offset=offset, tail_bytes=tail_bytes
        )
        try:
            async for answer in connection.lives.WatchLiveSimulation(request):
                if pause.broken:
                    yield Back()
                pause.reset()
                for chunk in answer.chunks:
                    offset = chunk.offset + len(chunk.data)
                    yield chunk
                if answer.HasField("live_simulation"):
                    ended = answer.live_simulation.state in _ENDED
                    yield answer.live_simulation
            if ended:
                return
        except grpc.aio.AioRpcError as error:
            if not is_away(error):
                raise
            await on_away(error.details() or "the server is away")
        await pause.wait()


async def read_console(
    connection: Connection, console: str, *, start: int = 0, end: int = 0, most: int = 1 << 22
) -> bytes:
    """Stored bytes of a console, at most ``most``."""
    pieces = read_pieces(connection, console, start=start, end=end, most=most)
    return b"".join([data async for data, _ in pieces])


async def read_pieces(
    connection: Connection, console: str, *, start: int = 0, end: int = 0, most: int = 1 << 22
) -> AsyncIterator[tuple[bytes, float]]:
    """Stored bytes of a console, at most ``most``, each piece with the host's ms of its reading."""
    left = most
    request = console_pb2.ReadConsoleRequest(console=console, offset=start, end=end)
    async for answer in connection.consoles.ReadConsole(request, timeout=60):
        for chunk in answer.chunks:
            if left <= 0:
                return
            data = chunk.data[:left]
            left -= len(data)
            yield data, chunk.host_time.ToNanoseconds() / 1e6
