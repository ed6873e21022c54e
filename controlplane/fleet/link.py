"""Server end of the agent link: inventory and results come in, commands go out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

import grpc

from benchline.errors import ConflictError, InvalidRequestError, NotFoundError
from benchline.names import AGENT_ID, BOARD_ID, board_console, board_name
from benchline.v1 import agent_link_pb2, agent_link_pb2_grpc, verdict_pb2
from controlplane.fleet.device_clouds import DeviceClouds
from controlplane.fleet.registry import Connection, Registry
from controlplane.fleet.wire import (
    decode_answer,
    decode_boards,
    decode_command,
    decode_progress,
    decode_step,
)
from controlplane.storage.board_health import HealthStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.commands import CommandRecord, CommandState, CommandStore
from controlplane.storage.console_log import Chunk, ConsoleLog

log = logging.getLogger(__name__)

HEARTBEAT_S = 2
SILENCE_S = 7.0  # three heartbeats and a bit
CONSOLE_CREDIT_BYTES = 1 << 20
_MAX_BOARDS = 256
_TELLING = frozenset({"flash", "reset", "identify"})
"""Commands whose outcome says something about a board."""
_PASSED = verdict_pb2.OUTCOME_PASSED
_OUTGOING = 256  # answers that may wait for a slow agent before its stream is ended

Context = grpc.aio.ServicerContext[Any, Any]
Answer = agent_link_pb2.ConnectResponse


class AgentLink(agent_link_pb2_grpc.AgentLinkServiceServicer):
    """One control stream and one console stream for each agent."""

    def __init__(
        self,
        *,
        registry: Registry,
        boards: BoardStore,
        commands: CommandStore,
        console_log: ConsoleLog,
        health: HealthStore,
        clouds: DeviceClouds,
    ) -> None:
        self._clouds = clouds
        self._health = health
        self._registry = registry
        self._boards = boards
        self._commands = commands
        self._console_log = console_log

    async def Connect(  # type: ignore[override]  # it writes instead of yielding
        self,
        request_iterator: AsyncIterator[agent_link_pb2.ConnectRequest],
        context: Context,
    ) -> None:
        """Serve one control stream until the agent leaves, falls silent or is superseded."""
        hello = await self._hello(request_iterator)
        agent = hello.agent
        epoch = await self._boards.link_agent(
            agent, version=hello.version[:64], host=hello.host[:255]
        )
        connection = self._registry.connect(agent, epoch)
        log.info("agent connected", extra={"agent": agent, "epoch": epoch})
        try:
            await self._inventory(agent, hello.boards)
            await context.write(Answer(welcome=await self._welcome(hello, connection)))
            await self._serve(connection, request_iterator, context)
        finally:
            if self._registry.disconnect(connection):
                self._clouds.away(agent)
            # Shielded: the agent is away, also when its stream was torn down by a cancel.
            await asyncio.shield(self._boards.unlink_agent(agent, epoch))
            log.info("agent left", extra={"agent": agent, "epoch": epoch})
        if connection.superseded.is_set():
            raise ConflictError(
                "SUPERSEDED", f"agent {agent} has opened a newer stream", agent=agent
            )

    async def UploadConsole(  # type: ignore[override]  # as Connect
        self,
        request_iterator: AsyncIterator[agent_link_pb2.UploadConsoleRequest],
        context: Context,
    ) -> None:
        """Store console bytes; what is acknowledged is durable."""
        agent = ""
        async for message in request_iterator:
            if not agent:
                agent = message.agent
                if not self._registry.is_current(agent, message.link_epoch):
                    raise ConflictError(
                        "SUPERSEDED", f"agent {agent} has a newer stream", agent=agent
                    )
            heads = await self._store_chunks(agent, message)
            await context.write(agent_link_pb2.UploadConsoleResponse(acked=heads))

    async def FetchDeviceCredential(
        self, request: agent_link_pb2.FetchDeviceCredentialRequest, context: Context
    ) -> agent_link_pb2.FetchDeviceCredentialResponse:
        """What the device of a bound board connects with, to the agent that holds the board."""
        if not self._registry.is_current(request.agent, request.link_epoch):
            raise ConflictError(
                "SUPERSEDED",
                f"agent {request.agent[:80]} has a newer stream",
                agent=request.agent[:80],
            )
        return await self._clouds.credential(request)

    async def _hello(
        self, messages: AsyncIterator[agent_link_pb2.ConnectRequest]
    ) -> agent_link_pb2.Hello:
        async with asyncio.timeout(SILENCE_S):
            first = await anext(aiter(messages), None)
        if first is None or first.WhichOneof("message") != "hello":
            raise InvalidRequestError("HELLO_EXPECTED", "the first message must be a Hello")
        if not AGENT_ID.fullmatch(first.hello.agent):
            raise InvalidRequestError(
                "INVALID_NAME",
                f"{first.hello.agent!r} is not an agent name",
                name=first.hello.agent,
            )
        return first.hello

    async def _welcome(
        self, hello: agent_link_pb2.Hello, connection: Connection
    ) -> agent_link_pb2.Welcome:
        welcome = agent_link_pb2.Welcome(
            link_epoch=connection.epoch,
            heartbeat_seconds=HEARTBEAT_S,
            console_credit_bytes=CONSOLE_CREDIT_BYTES,
        )
        for claimed in hello.console_heads:
            head = await self._console_log.head(_console(hello.agent, claimed.board))
            welcome.console_acked.add(board=claimed.board, offset=head.offset, epoch=head.epoch)
        return welcome

    async def _serve(
        self,
        connection: Connection,
        messages: AsyncIterator[agent_link_pb2.ConnectRequest],
        context: Context,
    ) -> None:
        outgoing: asyncio.Queue[Answer] = asyncio.Queue(_OUTGOING)
        agent = connection.agent
        tasks = {
            asyncio.create_task(self._read(agent, messages, outgoing)),
            asyncio.create_task(self._write(outgoing, context)),
            asyncio.create_task(self._send_commands(agent, outgoing)),
            asyncio.create_task(self._send_cancels(connection, outgoing)),
            asyncio.create_task(self._clouds.send_bindings(agent, outgoing)),
            asyncio.create_task(connection.superseded.wait()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self,
        agent: str,
        messages: AsyncIterator[agent_link_pb2.ConnectRequest],
        outgoing: asyncio.Queue[Answer],
    ) -> None:
        incoming = aiter(messages)
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    message = await anext(incoming)
            except (StopAsyncIteration, TimeoutError):
                return
            self._boards.touch(agent)
            match message.WhichOneof("message"):
                case "heartbeat":
                    outgoing.put_nowait(Answer(heartbeat=message.heartbeat))
                case "boards":
                    await self._inventory(agent, message.boards)
                case "command_accepted":
                    command_id = message.command_accepted.command_id
                    await self._mark(agent, command_id, CommandState.ACCEPTED)
                case "flash_progress":
                    progress = message.flash_progress
                    board = board_name(agent, progress.board.rsplit("/", 1)[-1])
                    self._registry.report(decode_progress(progress, board))
                case "recovery_progress":
                    told = message.recovery_progress
                    step = decode_step(told.step)
                    if step is not None:
                        self._registry.report_step(told.command_id, step)
                case "gateways":
                    self._clouds.report(agent, message.gateways.gateways)
                case "command_result":
                    await self._result(agent, message.command_result, outgoing)
                case _:
                    log.warning("agent sent an unknown message", extra={"agent": agent})

    async def _result(
        self,
        agent: str,
        result: agent_link_pb2.CommandResult,
        outgoing: asyncio.Queue[Answer],
    ) -> None:
        command_id = result.command_id
        known = await self._given(agent, command_id)
        if known is not None and known.state is not CommandState.DONE:
            await self._note(known, result)
        stored = await self._mark(
            agent, command_id, CommandState.DONE, result.SerializeToString(deterministic=True)
        )
        # What a board was proved to hold is known from the agent alone; an unknown command is
        # acknowledged too, or the agent would repeat it for ever.
        if stored is not None and result.HasField("flash"):
            proved = result.flash.image_sha256 if result.outcome == _PASSED else ""
            await self._boards.set_proven_image(stored.board, proved)
        acknowledged = agent_link_pb2.ResultAcknowledged(command_id=command_id)
        outgoing.put_nowait(Answer(result_acknowledged=acknowledged))

    async def _note(self, command: CommandRecord, result: agent_link_pb2.CommandResult) -> None:
        """Let the board's score follow from what was done to it. A recovery is noted as a whole
        by whoever asked for it."""
        action = decode_command(command.payload).WhichOneof("action")
        if action in _TELLING:
            answer = decode_answer(result.SerializeToString(), command.board)
            await self._health.note(command.board, action, answer.outcome, answer.reason)

    async def _mark(
        self, agent: str, command_id: str, state: CommandState, result: bytes | None = None
    ) -> CommandRecord | None:
        """Move a command forward, if it is one that this agent was given."""
        if await self._given(agent, command_id) is None:
            return None
        return await self._commands.mark(command_id, state, result)

    async def _given(self, agent: str, command_id: str) -> CommandRecord | None:
        """A command, if it is one that this agent was given."""
        try:
            record = await self._commands.get(command_id)
        except NotFoundError:
            record = None
        if record is None or record.agent != agent:
            log.warning(
                "agent answered a command it was not given",
                extra={"agent": agent, "command": command_id[:80]},
            )
            return None
        return record

    async def _write(self, outgoing: asyncio.Queue[Answer], context: Context) -> None:
        while True:
            await context.write(await outgoing.get())

    async def _send_commands(self, agent: str, outgoing: asyncio.Queue[Answer]) -> None:
        """Send what is open, then what comes; the agent answers repeats from its journal."""
        records = await self._commands.pending(agent)
        while True:
            for record in records:
                await outgoing.put(Answer(command=decode_command(record.payload)))
                await self._commands.mark(record.command_id, CommandState.SENT)
            records = await self._commands.wait_queued(agent)

    async def _send_cancels(self, connection: Connection, outgoing: asyncio.Queue[Answer]) -> None:
        while True:
            cancel = agent_link_pb2.CancelCommand(command_id=await connection.cancels.get())
            await outgoing.put(Answer(cancel_command=cancel))

    async def _inventory(self, agent: str, inventory: agent_link_pb2.BoardInventory) -> None:
        ids = [board.name.rsplit("/", 1)[-1] for board in inventory.boards]
        ids += inventory.left
        wrong = [name for name in ids if not BOARD_ID.fullmatch(name)]
        if wrong or max(len(inventory.boards), len(inventory.left)) > _MAX_BOARDS:
            raise InvalidRequestError(
                "INVENTORY_INVALID",
                f"agent {agent} sent {len(ids)} boards (at most {_MAX_BOARDS}), "
                f"not board names: {', '.join(map(repr, wrong[:5])) or 'none'}",
                agent=agent,
            )
        boards = decode_boards(agent, inventory)
        await self._boards.put_inventory(agent, boards, inventory.left)

    async def _store_chunks(
        self, agent: str, message: agent_link_pb2.UploadConsoleRequest
    ) -> list[agent_link_pb2.ConsoleHead]:
        by_board: dict[str, list[Chunk]] = {}
        for item in message.chunks:
            chunk = item.chunk
            by_board.setdefault(item.board, []).append(
                Chunk(
                    offset=chunk.offset,
                    data=chunk.data,
                    epoch=chunk.epoch,
                    host_time=chunk.host_time.ToDatetime(UTC),
                    gap_before=chunk.gap_before[:200],
                )
            )
        offsets = await asyncio.gather(
            *(self._console_log.append(_console(agent, b), c) for b, c in by_board.items())
        )
        return [
            agent_link_pb2.ConsoleHead(board=board, offset=offset, epoch=chunks[-1].epoch)
            for (board, chunks), offset in zip(by_board.items(), offsets, strict=True)
        ]


def _console(agent: str, board: str) -> str:
    if not BOARD_ID.fullmatch(board):
        raise InvalidRequestError("INVALID_NAME", f"{board!r} is not a board name", name=board)
    return board_console(board_name(agent, board))
