"""Typing to a board, and following the list of sessions."""

import asyncio
import uuid
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import (
    agent_link_pb2,
    console_pb2,
    console_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    verdict_pb2,
)
from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.domain.event import Note
from controlplane.storage.commands import CommandState
from tests.wire.edge.conftest import Edge

BOARD = "agents/bench/boards/vf405-01"


async def present_board(edge: Edge) -> None:
    await edge.boards.link_agent("bench", version="1", host="here")
    board = Board(
        name=BOARD,
        model="olimex-stm32-h405",
        part="stm32f405rg",
        kind=BoardKind.VIRTUAL,
        state=BoardState.ACTIVE,
        probe_id="remote:127.0.0.1:1",
        identity="x",
        port="/dev/pts/1",
    )
    await edge.boards.put_inventory("bench", [board])


async def answer_next(edge: Edge, outcome: int = verdict_pb2.OUTCOME_PASSED) -> bytes:
    """Do what the agent does: take the next command, answer it, and say what it carried."""
    (command,) = await edge.commands.wait_queued("bench")
    message = agent_link_pb2.Command.FromString(command.payload)
    result = agent_link_pb2.CommandResult(
        command_id=command.command_id, outcome=outcome, reason="NO_CONSOLE"
    )
    await edge.commands.mark(command.command_id, CommandState.DONE, result.SerializeToString())
    return message.send.data


def send(edge: Edge, **fields: Any) -> Any:
    request = console_pb2.SendConsoleRequest(**({"board": "vf405-01", "data": b"go\n"} | fields))
    return console_pb2_grpc.ConsoleServiceStub(edge.channel).SendConsole(request, timeout=60)


async def reason_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from(caught.value).reason


async def test_bytes_are_sent_once_under_a_lease_of_the_moment(edge: Edge) -> None:
    await present_board(edge)
    request_id = str(uuid.uuid4())

    _, carried = await asyncio.gather(send(edge, request_id=request_id), answer_next(edge))
    await send(edge, request_id=request_id)

    assert carried == b"go\n"
    assert await edge.commands.pending("bench") == []
    assert (await edge.boards.get(BOARD)).state is BoardState.ACTIVE


async def test_nobody_types_into_a_board_that_somebody_else_holds(edge: Edge) -> None:
    await present_board(edge)
    await edge.book.acquire("name=vf405-01", "sessions/other")

    assert await reason_of(send(edge)) == "BOARD_BUSY"


async def test_the_lease_that_is_given_must_be_the_callers(edge: Edge) -> None:
    await present_board(edge)
    lease, _ = await edge.book.acquire("name=vf405-01", "sessions/other")

    assert await reason_of(send(edge, lease=lease.name)) == "STALE_LEASE"


async def test_what_the_agent_could_not_send_is_told(edge: Edge) -> None:
    await present_board(edge)

    reason, _ = await asyncio.gather(
        reason_of(send(edge)), answer_next(edge, verdict_pb2.OUTCOME_BROKEN)
    )

    assert reason == "SEND_FAILED"


@pytest.mark.parametrize("data", [b"", b"x" * 4097])
async def test_the_size_of_what_is_sent_is_bounded(edge: Edge, data: bytes) -> None:
    await present_board(edge)

    assert await reason_of(send(edge, data=data)) == "SEND_SIZE"


async def test_the_list_of_sessions_is_followed_without_asking_again(edge: Edge) -> None:
    stub = session_pb2_grpc.SessionServiceStub(edge.channel)
    first = await stub.CreateSession(session_pb2.CreateSessionRequest(prompt="Blink."))
    watch = stub.WatchSessions(session_pb2.WatchSessionsRequest(), timeout=60)
    begun = await watch.read()
    assert [s.name for s in begun.sessions] == [first.session.name]

    second = await stub.CreateSession(session_pb2.CreateSessionRequest(prompt="Report."))
    identity = first.session.name.removeprefix("sessions/")
    await edge.store.record(identity, [Note(text="changed")])
    seen: set[str] = set()
    while seen != {first.session.name, second.session.name}:
        seen |= {s.name for s in (await watch.read()).sessions}

    watch.cancel()
