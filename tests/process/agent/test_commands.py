"""Commands over the real link: once each, in the order of leases, answered until stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import verdict_pb2
from tests.process.agent.control_plane import (
    PtyBoard,
    agent,
    control_plane,
    pty_board,
    until,
)

BOARD = "pty-01"
PASSED = verdict_pb2.OUTCOME_PASSED
REFUSED = verdict_pb2.OUTCOME_REFUSED


@pytest.fixture
def board(tmp_path: Path) -> Iterator[PtyBoard]:
    with pty_board(tmp_path) as found:
        yield found


def text(data: bytes) -> pb.SendCommand:
    return pb.SendCommand(data=data)


async def test_a_command_that_comes_twice_runs_once_and_is_answered_twice(
    tmp_path: Path, board: PtyBoard
) -> None:
    async with control_plane(tmp_path) as server:
        async with agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            server.command(board=BOARD, command_id="one", send=text(b"a"))
            await server.answer("one")
            server.command(board=BOARD, command_id="one", send=text(b"a"))
            await until("a second answer", lambda: len(server.answers("one")) == 2)
            await running.kill()
        async with agent(server, tmp_path):
            await server.linked(2)
            server.command(board=BOARD, command_id="one", send=text(b"a"))
            await until("a third answer", lambda: len(server.answers("one")) == 3)
    assert board.typed() == b"a"
    assert {answer.outcome for answer in server.answers("one")} == {PASSED}


async def test_an_older_lease_is_refused_also_after_a_restart(
    tmp_path: Path, board: PtyBoard
) -> None:
    async with control_plane(tmp_path) as server:
        async with agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            await server.answer(server.command(board=BOARD, token=5, send=text(b"new")))
            await running.kill()
        async with agent(server, tmp_path):
            await server.linked(2)
            answer = await server.answer(server.command(board=BOARD, token=4, send=text(b"old")))
            assert (answer.outcome, answer.reason) == (REFUSED, "STALE_LEASE")
            same = await server.answer(server.command(board=BOARD, token=5, send=text(b"er")))
            assert same.outcome == PASSED
    assert board.typed() == b"newer"


async def test_a_command_whose_deadline_passed_is_refused(tmp_path: Path, board: PtyBoard) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        late = server.command(board=BOARD, deadline_in_s=-1.0, send=text(b"late"))
        answer = await server.answer(late)
        assert (answer.outcome, answer.reason) == (REFUSED, "DEADLINE")
    assert board.typed() == b""


async def test_what_makes_no_sense_is_refused(tmp_path: Path, board: PtyBoard) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        wrong_part = server.flash_command({0x0800_0000: b"x" * 64})
        wrong_part.part = "stm32f446re"
        overlap = server.flash_command({0x0800_0000: b"x" * 64, 0x0800_0010: b"y" * 64})
        cases = {
            "UNKNOWN_BOARD": server.command(board="nobody", send=text(b"x")),
            "BAD_COMMAND": server.command(board=BOARD, send=text(b"x" * 5000)),
            "PART_MISMATCH": server.command(board=BOARD, flash=wrong_part),
        }
        empty = server.command(board=BOARD)
        overlapping = server.command(board=BOARD, flash=overlap)
        for reason, command_id in cases.items():
            answer = await server.answer(command_id)
            assert (answer.outcome, answer.reason) == (REFUSED, reason)
        for command_id in (empty, overlapping):
            assert (await server.answer(command_id)).reason == "BAD_COMMAND"


async def test_an_image_that_nobody_has_is_broken(tmp_path: Path, board: PtyBoard) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        flash = server.flash_command({0x0800_0000: b"x" * 64})
        server.artifacts.clear()
        answer = await server.answer(server.command(board=BOARD, flash=flash))
        assert answer.reason == "IMAGE_MISSING"


async def test_answers_are_said_again_until_they_are_stored(
    tmp_path: Path, board: PtyBoard
) -> None:
    async with control_plane(tmp_path) as server:
        server.acknowledges = False
        async with agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            command = server.command(board=BOARD, send=text(b"x"))
            await server.answer(command)
            await running.kill()
        server.acknowledges = True
        async with agent(server, tmp_path):
            await until("the same answer", lambda: len(server.answers(command)) >= 2)
            assert list(server.hellos[-1].open_command_ids) == [command]
            # Answers come in order: once this one is here, the first is known to be stored.
            await server.board_ready(BOARD)
            await server.answer(server.command(board=BOARD, send=text(b"y")))
        async with agent(server, tmp_path):
            await server.linked(3)
            assert command not in server.hellos[-1].open_command_ids
    first, *others = server.answers(command)
    assert all(answer == first for answer in others)


async def test_a_silent_server_is_left_and_found_again(tmp_path: Path, board: PtyBoard) -> None:
    async with control_plane(tmp_path) as server:
        server.echoes = False
        server.heartbeat_seconds = 1
        async with agent(server, tmp_path):
            await server.linked(1)
            await server.linked(2)
            server.echoes = True
            await server.board_ready(BOARD)
            sent = server.command(board=BOARD, send=text(b"x"))
            assert (await server.answer(sent)).outcome == PASSED


async def test_an_agent_that_was_superseded_waits_before_it_comes_back(
    tmp_path: Path, board: PtyBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.linked(1)
        server.supersede()
        log = tmp_path / "agent.log"
        await until("its notice", lambda: "took over" in log.read_text())
        assert server.link_epoch == 1


async def test_boards_come_and_go_in_the_inventory(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.linked(1)
        assert list(server.hellos[0].boards.boards) == []
        with pty_board(tmp_path) as board:
            found = await server.board_ready(BOARD)
            assert found.identity == "0" * 24
            board.publish(fault={"tool": "qemu", "reason": "gone", "package": "qemu-system-arm"})
            await until("the fault", lambda: "qemu-system-arm" in server.told(BOARD).health)
            (board.folder / "board.json").unlink()
            await until("no board", lambda: server.board(BOARD) is None)
