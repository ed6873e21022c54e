"""Console bytes over deaths of the agent, the server and the board: none lost, none doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import verdict_pb2
from tests.process.agent.control_plane import (
    ControlPlane,
    PtyBoard,
    agent,
    control_plane,
    pty_board,
    until,
)

BOARD = "pty-01"
MAX_RSS_KIB = 80 * 1024


def line(number: int) -> bytes:
    return b"line %08d\n" % number


class Talker:
    """Makes a board say numbered lines until it is told to stop."""

    def __init__(self, board: PtyBoard) -> None:
        self.lines = 0
        self._board = board
        self._stop = asyncio.Event()
        self._pause = 0.002

    async def run(self) -> None:
        while not self._stop.is_set():
            await self._board.say(line(self.lines) + line(self.lines + 1))
            self.lines += 2
            await asyncio.sleep(self._pause)

    def stop(self) -> None:
        self._stop.set()

    def text(self) -> bytes:
        return b"".join(line(number) for number in range(self.lines))


@asynccontextmanager
async def talking(board: PtyBoard) -> AsyncIterator[Talker]:
    talker = Talker(board)
    task = asyncio.create_task(talker.run())
    try:
        yield talker
    finally:
        talker.stop()
        await task


async def all_stored(server: ControlPlane, talker: Talker) -> None:
    talker.stop()
    stored = server.console(BOARD)
    await until("all lines", lambda: len(stored.data) >= len(talker.text()))
    assert bytes(stored.data) == talker.text()
    assert stored.faults == []
    assert stored.missing == 0


async def test_a_killed_agent_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What a killed agent had taken from the terminal and not yet written is lost: at its gap."""
    async with control_plane(tmp_path) as server:
        with pty_board(tmp_path) as board:
            async with talking(board) as talker:
                for _ in range(3):
                    async with agent(server, tmp_path) as running:
                        await server.more_bytes(BOARD, 5_000)
                        await running.kill()
                async with agent(server, tmp_path):
                    await server.more_bytes(BOARD, 5_000)
                    talker.stop()
                    await board.say(b"the end\n")
                    await server.said(BOARD, b"the end\n")

    stored = server.console(BOARD)
    assert [reason for _, reason in stored.gaps] == ["the agent was not reading"] * 3
    assert (stored.faults, stored.missing) == ([], 0)
    spoken, at = talker.text() + b"the end\n", 0
    borders = [0, *(offset for offset, _ in stored.gaps), len(stored.data)]
    for first, last in pairwise(borders):
        piece = bytes(stored.data[first:last])
        assert piece in spoken[at:]
        at = spoken.index(piece, at) + len(piece)
    assert at == len(spoken)


async def test_twenty_lost_links_lose_and_double_nothing(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        with pty_board(tmp_path) as board:
            async with talking(board) as talker:
                for number in range(20):
                    await server.more_bytes(BOARD, 1)
                    await server.stop()
                    await server.start()
                    await server.linked(number + 2)
                await all_stored(server, talker)
    assert server.console(BOARD).gaps == []


async def test_bytes_said_while_the_server_is_away_come_afterwards(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as server:
        await server.stop()
        with pty_board(tmp_path) as board:
            async with agent(server, tmp_path), talking(board) as talker:
                await until("some lines", lambda: talker.lines > 500)
                await server.start()
                await all_stored(server, talker)


async def test_a_flood_to_a_server_that_is_away_stays_in_bounds(tmp_path: Path) -> None:
    flood = b"".join(line(number) for number in range(714_286))
    async with control_plane(tmp_path) as server, agent(server, tmp_path) as running:
        with pty_board(tmp_path) as board:
            await server.board_ready(BOARD)
            await server.stop()
            await board.say(flood)
            assert running.rss_kib() < MAX_RSS_KIB
            await server.start()
            stored = server.console(BOARD)
            await until("the flood", lambda: len(stored.data) >= len(flood), 60)
            assert running.rss_kib() < MAX_RSS_KIB
    assert bytes(stored.data) == flood
    assert stored.faults == []


async def test_a_small_credit_still_lets_everything_through(tmp_path: Path) -> None:
    text = b"".join(line(number) for number in range(20_000))
    async with control_plane(tmp_path) as server:
        server.credit_bytes = 1_000
        with pty_board(tmp_path) as board:
            async with agent(server, tmp_path):
                await server.board_ready(BOARD)
                await board.say(text)
                stored = server.console(BOARD)
                await until("everything", lambda: len(stored.data) >= len(text))
    assert bytes(stored.data) == text
    assert stored.largest_message <= 1_000


async def test_a_board_that_restarts_is_read_again_with_a_gap(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        with pty_board(tmp_path) as board:
            await server.board_ready(BOARD)
            await board.say(b"before\n")
            await server.said(BOARD, b"before\n")
            board.restart()
            await board.say(b"after\n")
            await server.said(BOARD, b"after\n")
    stored = server.console(BOARD)
    assert bytes(stored.data) == b"before\nafter\n"
    assert stored.gaps == [(7, "the port was hung up")]
    assert stored.faults == []


@pytest.mark.parametrize("board_is_late", [False, True])
async def test_a_lost_spool_goes_on_after_what_the_server_holds(
    tmp_path: Path, board_is_late: bool
) -> None:
    async with control_plane(tmp_path) as server, AsyncExitStack() as stack:
        server.console(BOARD).data += b"x" * 1000
        server.console(BOARD).epoch = 7
        if board_is_late:
            await stack.enter_async_context(agent(server, tmp_path))
            await server.linked(1)
        board = stack.enter_context(pty_board(tmp_path))
        await board.say(b"hello\n")
        if not board_is_late:
            await stack.enter_async_context(agent(server, tmp_path))
        assert await server.said(BOARD, b"hello\n") == 1000
    stored = server.console(BOARD)
    assert stored.gaps == [(1000, "the agent's spool was lost")]
    assert (stored.epoch, stored.faults) == (7, [])


async def test_bytes_sent_reach_the_board(tmp_path: Path) -> None:
    with pty_board(tmp_path) as board:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(BOARD)
            sent = server.command(board=BOARD, send=pb.SendCommand(data=b"status\n"))
            assert (await server.answer(sent)).outcome == verdict_pb2.OUTCOME_PASSED
            assert board.typed() == b"status\n"


async def test_an_idle_agent_uses_next_to_no_processor_and_little_memory(tmp_path: Path) -> None:
    with pty_board(tmp_path):
        async with control_plane(tmp_path) as server, agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            beats = server.heartbeats
            before, began = running.cpu_ticks(), time.monotonic()
            await until("two heartbeats", lambda: server.heartbeats >= beats + 2)
            ticks = running.cpu_ticks() - before
            # Ticks of 10 ms: 5 % of the time that passed, however long a busy machine took.
            assert ticks <= 5 * (time.monotonic() - began)
            assert running.rss_kib() < MAX_RSS_KIB
