"""The agent's end of the link: one stream for commands, one for console bytes while they flow."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import grpc

from benchagent.bench import Boards
from benchagent.board import Board
from benchagent.command import Command, ConsoleHead, Progress, RecoveryProgress, Result
from benchagent.gateway.binding import Binding, Credential, GatewayNews
from benchagent.gateway.credentials import CredentialReader
from benchagent.inbox import CommandState, Inbox
from benchagent.outbox import Outbox, Said
from benchagent.upload import DEFAULT_CREDIT_BYTES, Message, Uploader, UploadLostError
from benchagent.wire import (
    bindings_from,
    chunk_message,
    command_from,
    gateway_message,
    head_message,
    heads_from,
    inventory_message,
    progress_message,
    result_message,
    step_progress_message,
    timestamp,
)
from benchline.channel import open_channel
from benchline.errors import ConflictError, error_from
from benchline.v1 import agent_link_pb2 as pb
from benchline.v1.agent_link_pb2_grpc import AgentLinkServiceStub
from benchline.v1.artifact_pb2 import ReadArtifactRequest
from benchline.v1.artifact_pb2_grpc import ArtifactServiceStub

if TYPE_CHECKING:
    from benchline.v1.agent_link_pb2_grpc import AgentLinkServiceAsyncStub
    from benchline.v1.artifact_pb2_grpc import ArtifactServiceAsyncStub

    _Call = grpc.aio.StreamStreamCall[pb.ConnectRequest, pb.ConnectResponse]

log = logging.getLogger(__name__)

WELCOME_S = 10.0
HEARTBEAT_S = 2
_HEARTBEAT_RANGE_S = (1, 60)
MISSED_HEARTBEATS = 3
REPEAT_RESULTS_S = 5.0
READ_S = 20.0
BACKOFF_FIRST_S, BACKOFF_LAST_S = 0.1, 2.0
SUPERSEDED_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this agent is."""

    agent: str
    version: str
    boot_id: str
    host: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """Where commands, cancels and the bindings of boards to clouds go."""

    command: Callable[[Command], Awaitable[None]]
    cancel: Callable[[str], Awaitable[None]]
    bind: Callable[[Sequence[Binding]], None]


class LinkLostError(Exception):
    """The link ended; it is made anew after `wait_s` seconds at least."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def backoff_s(attempt: int) -> float:
    """Seconds before the next attempt, jittered: 0.1 to 2."""
    most = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 10))
    return random.uniform(BACKOFF_FIRST_S, most)  # noqa: S311 - spreads load, keeps no secret


class Link:
    """Keeps the agent connected to `target` for as long as `run` runs."""

    def __init__(
        self,
        target: str,
        identity: Identity,
        *,
        inbox: Inbox,
        boards: Boards,
        outbox: Outbox,
        handlers: Handlers,
    ) -> None:
        self._target = target
        self._identity = identity
        self._inbox = inbox
        self._boards = boards
        self._outbox = outbox
        self._handlers = handlers
        self._uploader: Uploader | None = None
        self._credentials: CredentialReader | None = None
        self._beat = asyncio.Event()
        self._new_console = asyncio.Event()
        self.connected = asyncio.Event()

    def console_grew(self) -> None:
        """A console has new bytes."""
        if self._uploader is not None:
            self._uploader.kick()

    def console_added(self) -> None:
        """A console came that the last Hello did not name: how much of it the control plane
        already holds is only told in a Welcome, so the link is made anew."""
        self._new_console.set()

    async def fetch_credential(self, binding: Binding) -> Credential:
        """What the device of a bound board connects with.

        Raises:
            RefusedError: the control plane does not give it.
            ConnectionError: the control plane is away.
        """
        if self._credentials is None:
            raise ConnectionError("the control plane is away")
        return await self._credentials.fetch(binding)

    async def run(self) -> None:
        """Connect, and connect again whenever the link is lost; end it by cancelling."""
        attempt = 0
        while True:
            wait_s = backoff_s(attempt)
            try:
                async with open_channel(self._target) as channel:
                    await self._session(channel)
            except* LinkLostError as group:
                lost = [error for error in group.exceptions if isinstance(error, LinkLostError)]
                wait_s = max([wait_s, *(error.wait_s for error in lost)])
                log.info("link lost", extra={"why": "; ".join(str(error) for error in lost)})
            except* Exception:
                log.exception("fault in the link")
            finally:
                attempt = 0 if self.connected.is_set() else attempt + 1
                self.connected.clear()
                self._uploader = None
                self._credentials = None
            await asyncio.sleep(wait_s)

    async def _session(self, channel: grpc.aio.Channel) -> None:
        """One connection from Hello to its end. Raises LinkLostError, maybe in a group."""
        stub: AgentLinkServiceAsyncStub = AgentLinkServiceStub(channel)
        call = stub.Connect(None)
        try:
            self._outbox.clear()
            self._new_console.clear()
            mine = self._boards.heads()
            welcome = await self._greet(call, mine)
            log.info("connected", extra={"link_epoch": welcome.link_epoch})
            heads = heads_from(welcome.console_acked)
            self._boards.acked(heads)
            offsets = {head.board: 0 for head in mine}
            offsets |= {head.board: head.offset for head in heads if head.board in offsets}
            self._uploader = Uploader(
                boards=self._boards,
                open_stream=lambda: _Upload(stub, self._identity.agent, welcome.link_epoch),
                acked=offsets,
                credit_bytes=welcome.console_credit_bytes or DEFAULT_CREDIT_BYTES,
            )
            self._credentials = CredentialReader(stub, self._identity.agent, welcome.link_epoch)
            self.connected.set()
            low, high = _HEARTBEAT_RANGE_S
            period_s = float(min(max(welcome.heartbeat_seconds or HEARTBEAT_S, low), high))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(call))
                tasks.create_task(self._talk(call, period_s))
                tasks.create_task(self._watch_heartbeat(MISSED_HEARTBEATS * period_s))
                tasks.create_task(self._repeat_results())
                tasks.create_task(self._end_for_new_console())
                tasks.create_task(self._uploader.run())
        finally:
            call.cancel()

    async def _greet(self, call: "_Call", heads: Sequence[ConsoleHead]) -> pb.Welcome:
        hello = pb.Hello(
            agent=self._identity.agent,
            version=self._identity.version,
            boot_id=self._identity.boot_id,
            host=self._identity.host,
            capabilities=self._identity.capabilities,
            boards=self._inventory(self._boards.inventory()),
            open_command_ids=await self._inbox.open_ids(),
            console_heads=[head_message(head) for head in heads],
        )
        try:
            async with asyncio.timeout(WELCOME_S):
                await call.write(pb.ConnectRequest(hello=hello))
                answer = await call.read()
        except TimeoutError as error:
            raise LinkLostError("no Welcome came") from error
        except grpc.RpcError as error:
            raise _lost(error) from error
        except asyncio.InvalidStateError as error:
            raise LinkLostError("the stream ended before the Hello") from error
        if not isinstance(answer, pb.ConnectResponse) or answer.WhichOneof("message") != "welcome":
            await self._raise_end(call)
        return answer.welcome

    async def _listen(self, call: "_Call") -> None:
        while True:
            try:
                answer = await call.read()
            except grpc.RpcError as error:
                raise _lost(error) from error
            if not isinstance(answer, pb.ConnectResponse):
                await self._raise_end(call)
            self._beat.set()
            match answer.WhichOneof("message"):
                case "command":
                    await self._take_command(command_from(answer.command))
                case "cancel_command":
                    await self._handlers.cancel(answer.cancel_command.command_id)
                case "result_acknowledged":
                    await self._inbox.acknowledge(answer.result_acknowledged.command_id)
                case "cloud_bindings":
                    self._handlers.bind(bindings_from(answer.cloud_bindings))
                case _:
                    pass

    async def _take_command(self, command: Command) -> None:
        entry = await self._inbox.accept(command)
        self._outbox.accepted(command.command_id)
        if entry.state is CommandState.DONE and entry.result is not None:
            self._outbox.result(entry.result)
        elif entry.state is CommandState.ACCEPTED:
            # Also one that is known: a link that died while it was written down left it there.
            log.info(
                "command accepted", extra={"command": command.command_id, "board": command.board}
            )
            await self._handlers.command(entry.command)

    async def _talk(self, call: "_Call", period_s: float) -> None:
        """Say what the outbox has, and a heartbeat every `period_s`."""
        loop = asyncio.get_running_loop()
        heartbeat_at = loop.time()
        while True:
            message: pb.ConnectRequest | None = None
            try:
                async with asyncio.timeout_at(heartbeat_at):
                    message = self._request(await self._outbox.next())
            except TimeoutError:
                beat = pb.Heartbeat(send_time=timestamp(datetime.now(UTC)))
                message = pb.ConnectRequest(heartbeat=beat)
                heartbeat_at = loop.time() + period_s
            try:
                await call.write(message)
            except grpc.RpcError as error:
                raise _lost(error) from error
            except asyncio.InvalidStateError:
                await self._raise_end(call)

    def _request(self, said: Said) -> pb.ConnectRequest:
        agent = self._identity.agent
        match said:
            case str(command_id):
                accepted = pb.CommandAccepted(command_id=command_id)
                return pb.ConnectRequest(command_accepted=accepted)
            case Progress() as progress:
                return pb.ConnectRequest(flash_progress=progress_message(progress, agent))
            case RecoveryProgress() as progress:
                return pb.ConnectRequest(recovery_progress=step_progress_message(progress))
            case Result() as result:
                return pb.ConnectRequest(command_result=result_message(result, agent))
            case GatewayNews() as news:
                return pb.ConnectRequest(gateways=gateway_message(news))
            case boards:
                return pb.ConnectRequest(boards=self._inventory(boards))

    def _inventory(self, boards: Sequence[Board]) -> pb.BoardInventory:
        return inventory_message(boards, self._identity.agent, self._boards.left)

    async def _watch_heartbeat(self, patience_s: float) -> None:
        while True:
            self._beat.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._beat.wait()
            except TimeoutError as error:
                message = f"the control plane was silent for {patience_s:.0f} s"
                raise LinkLostError(message) from error
            await asyncio.sleep(0.2)

    async def _end_for_new_console(self) -> None:
        await self._new_console.wait()
        raise LinkLostError("a new console has to be told in a Hello")

    async def _repeat_results(self) -> None:
        """Answers are said again until they are acknowledged."""
        while True:
            for result in await self._inbox.unacknowledged():
                self._outbox.result(result)
            await asyncio.sleep(REPEAT_RESULTS_S)

    async def _raise_end(self, call: "_Call") -> NoReturn:
        """Raise the reason for which a stream ended."""
        try:
            async with asyncio.timeout(WELCOME_S):
                code, details = await call.code(), await call.details()
        except TimeoutError as error:
            raise LinkLostError("the stream does not end") from error
        raise _ended(code is grpc.StatusCode.ABORTED, f"{code}: {details}")


class _Upload:
    """One UploadConsole call."""

    def __init__(self, stub: "AgentLinkServiceAsyncStub", agent: str, link_epoch: int) -> None:
        self._call = stub.UploadConsole(None)
        self._first = pb.UploadConsoleRequest(agent=agent, link_epoch=link_epoch)

    async def send(self, message: Message) -> None:
        """Send chunks of boards. Raises UploadLostError."""
        request = self._first
        self._first = pb.UploadConsoleRequest()
        request.chunks.extend(chunk_message(board, chunk) for board, chunk in message)
        try:
            await self._call.write(request)
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            raise _upload_lost(error) from error

    async def acks(self) -> AsyncIterator[Sequence[ConsoleHead]]:
        """What is stored. Raises UploadLostError."""
        try:
            async for answer in self._call:
                yield heads_from(answer.acked)
        except grpc.RpcError as error:
            raise _upload_lost(error) from error

    async def close(self) -> None:
        """Nothing more comes. Raises UploadLostError."""
        try:
            await self._call.done_writing()
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            raise _upload_lost(error) from error

    def cancel(self) -> None:
        """End the call."""
        self._call.cancel()


class ArtifactReader:
    """Reads artifacts of a control plane; a channel of its own that is idle between images."""

    def __init__(self, target: str) -> None:
        self._target = target

    async def read(self, sha256: str, offset: int) -> AsyncIterator[bytes]:
        """The bytes from `offset` on. Raises BenchlineError."""
        async with open_channel(self._target) as channel:
            stub: ArtifactServiceAsyncStub = ArtifactServiceStub(channel)
            request = ReadArtifactRequest(sha256=sha256, offset=offset)
            call = stub.ReadArtifact(request, timeout=READ_S)
            try:
                async for answer in call:
                    yield answer.data
            except grpc.RpcError as error:
                raise error_from(error) from error
            finally:
                call.cancel()


def _lost(error: grpc.RpcError) -> LinkLostError:
    found = error_from(error)
    return _ended(isinstance(found, ConflictError), f"{found.reason}: {found.message}")


def _ended(superseded: bool, why: str) -> LinkLostError:
    """The end of a control stream. ABORTED means that a newer stream of this name took over:
    when that was another agent, coming back at once would make the two chase each other."""
    if not superseded:
        return LinkLostError(why)
    log.error("another agent of this name took over", extra={"why": why})
    return LinkLostError(why, SUPERSEDED_S)


def _upload_lost(error: Exception) -> UploadLostError:
    if isinstance(error, grpc.RpcError):
        found = error_from(error)
        return UploadLostError(f"{found.reason}: {found.message}")
    return UploadLostError("the stream ended")
