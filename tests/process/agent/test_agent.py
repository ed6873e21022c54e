"""An agent process against a real server, a real virtual board and real pyOCD."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import verdict_pb2
from tests.process.agent.control_plane import (
    ROOT,
    WAIT_S,
    agent,
    agent_environment,
    control_plane,
    pty_board,
    until,
)
from tests.process.virtual.boards import (
    RunningBoard,
    build_firmware,
    children_of,
    flash_image,
    virtual_board,
)

BOARD = "vf405-01"
PASSED = verdict_pb2.OUTCOME_PASSED
BROKEN = verdict_pb2.OUTCOME_BROKEN
REFUSED = verdict_pb2.OUTCOME_REFUSED
CODE = 0x0801_0000
VECTORS = 0x0800_0000
TABLE = 0x0800_4000
BEHIND = 0x0804_0000
BIG = bytes(index * 7 % 251 for index in range(150_000))


def firmware(folder: Path, tag: str) -> dict[int, bytes]:
    """The two pieces of a test firmware: vectors and code."""
    image = flash_image(build_firmware(folder, tag=tag))
    code = image[CODE - VECTORS :].rstrip(b"\xff")
    return {VECTORS: image[:64], CODE: code + b"\xff" * (-len(code) % 4)}


def programmed(board: RunningBoard) -> int:
    """Bytes that were ever programmed into a board."""
    try:
        return int(board.stats()["programmed_bytes"])
    except FileNotFoundError:
        return 0


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    with virtual_board(tmp_path / "virtual") as running:
        yield running


async def test_a_flash_is_proved_and_the_new_boot_begins_at_its_head(
    tmp_path: Path, board: RunningBoard
) -> None:
    first, second = firmware(tmp_path, "alpha"), firmware(tmp_path, "beta")
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        found = await server.board_ready(BOARD)
        assert (found.part, found.model) == ("stm32f405rg", "olimex-stm32-h405")
        assert (await server.answer(server.flash(BOARD, first))).outcome == PASSED
        await server.said(BOARD, b"tick 00000002")

        answer = await server.answer(server.flash(BOARD, second))

        digest = hashlib.sha256(second[VECTORS] + second[CODE]).hexdigest()
        assert answer.outcome == PASSED
        assert answer.flash.image_sha256 == answer.flash.read_back_sha256 == digest
        assert answer.flash.sectors_erased == 1
        assert answer.flash.sectors_skipped == 1
        assert answer.flash.board == "agents/bench/boards/vf405-01"
        await server.said(BOARD, b"boot beta")
        stored = server.console(BOARD)
        after = bytes(stored.data[answer.console.offset :])
        assert after.startswith(b"boot beta")
        assert (answer.console.epoch, stored.epoch, stored.faults) == (3, 3, [])
        await until("the proof", lambda: server.told(BOARD).proven_image_sha256 == digest)
        phases = list(dict.fromkeys(seen.phase for seen in server.progress))
        assert phases == ["erase", "program", "verify"]
        assert [seen.fraction for seen in server.progress if seen.phase == "verify"][-1] == 1.0


async def test_a_reset_begins_an_epoch_before_the_boot_line(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        await server.answer(server.flash(BOARD, firmware(tmp_path, "alpha")))
        await server.said(BOARD, b"tick 00000001")

        answer = await server.answer(server.command(board=BOARD, reset=pb.ResetCommand()))

        assert (answer.outcome, answer.console.epoch) == (PASSED, 3)
        stored = server.console(BOARD)
        await until("the boot line", lambda: b"boot alpha" in stored.data[answer.console.offset :])
        assert stored.data[answer.console.offset :].startswith(b"boot alpha")
        assert stored.data.count(b"boot alpha") == 2


async def test_a_flash_that_outlives_a_killed_agent_is_proved_without_a_second_one(
    tmp_path: Path, board: RunningBoard
) -> None:
    pieces = firmware(tmp_path, "alpha")
    pieces[BEHIND] = BIG
    size = sum(map(len, pieces.values()))
    async with control_plane(tmp_path) as server:
        async with agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            flash = server.flash(BOARD, pieces)
            await until("programming", lambda: "program" in server.phases())
            await running.kill()
        async with agent(server, tmp_path):
            answer = await server.answer(flash)
            assert answer.outcome == PASSED, answer
            assert answer.flash.read_back_sha256 == answer.flash.image_sha256
            assert answer.flash.bytes_programmed == programmed(board) == size
            await until("the proof", lambda: server.told(BOARD).proven_image_sha256 != "")
            stored = server.console(BOARD)
            at = answer.console.offset
            await until("the boot line", lambda: b"tick 00000001" in stored.data[at:])
            assert stored.data[at:].startswith(b"boot alpha")
            assert [gap for gap in stored.gaps if gap[0] > at] == []
    assert list((tmp_path / "agent" / "flashing").iterdir()) == []


async def test_a_flash_that_dies_with_its_agent_was_interrupted(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server:
        async with agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            flash = server.flash(BOARD, {CODE: BIG}, reset=False)
            await until("programming", lambda: "program" in server.phases())
            (nursery,) = children_of(running.process.pid)
            (child,) = children_of(nursery)
            await running.kill()
            os.kill(child, signal.SIGKILL)
        assert server.answers(flash) == []
        async with agent(server, tmp_path):
            answer = await server.answer(flash)
            assert (answer.outcome, answer.reason) == (BROKEN, "INTERRUPTED")
            assert "flash of the board is unknown" in answer.message
            assert server.told(BOARD).proven_image_sha256 == ""
            again = await server.answer(server.flash(BOARD, firmware(tmp_path, "alpha")))
            assert again.outcome == PASSED, again
            await server.said(BOARD, b"boot alpha")


async def test_a_flash_goes_on_without_its_link_and_is_told_afterwards(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        flash = server.flash(BOARD, {CODE: BIG}, reset=False)
        await until("programming", lambda: "program" in server.phases())
        await server.stop()
        await until("the end of the flash", lambda: programmed(board) >= len(BIG))
        await server.start()
        assert (await server.answer(flash)).outcome == PASSED
        assert flash in server.hellos[-1].open_command_ids


async def test_a_cancelled_flash_stops_and_the_board_can_be_flashed_again(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        flash = server.flash(BOARD, {CODE: BIG}, reset=False)
        waiting = server.flash(BOARD, {CODE: BIG}, reset=False)
        await until("programming", lambda: "program" in server.phases())
        server.cancel(waiting)
        server.cancel(flash)
        stopped, never = await server.answer(flash), await server.answer(waiting)
        assert (stopped.outcome, stopped.reason) == (BROKEN, "CANCELLED")
        assert (never.outcome, never.reason) == (REFUSED, "CANCELLED")
        again = await server.answer(server.flash(BOARD, firmware(tmp_path, "alpha")))
        assert again.outcome == PASSED, again


async def test_a_stopped_agent_finishes_its_flash_and_the_next_waits_for_its_board(
    tmp_path: Path,
) -> None:
    async with control_plane(tmp_path) as server:
        with virtual_board(tmp_path / "virtual"):
            async with agent(server, tmp_path, "--grace", "60") as running:
                await server.board_ready(BOARD)
                flash = server.flash(BOARD, {CODE: BIG}, reset=False)
                waiting = server.flash(BOARD, {TABLE: b"\0" * 64}, image="table", reset=False)
                await until("programming", lambda: "program" in server.phases())
                assert await running.stop() == 0
        async with agent(server, tmp_path):
            assert (await server.answer(flash)).outcome == PASSED
            with virtual_board(tmp_path / "virtual"):
                assert (await server.answer(waiting)).outcome == PASSED


async def test_a_corrupt_image_is_broken_before_any_erase(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        digest = hashlib.sha256(BIG).hexdigest()
        command = server.flash_command({CODE: BIG})
        server.artifacts[digest] = BIG[:-1] + b"\0"
        answer = await server.answer(server.command(board=BOARD, flash=command))
        assert (answer.outcome, answer.reason) == (BROKEN, "IMAGE_CORRUPT")
        assert programmed(board) == 0

        server.artifacts[digest] = BIG
        server.break_reads_after = 64 * 1024
        answer = await server.answer(server.command(board=BOARD, flash=command))
        assert answer.outcome == PASSED
        assert len(set(server.read_offsets)) > 2, "reads were resumed where they broke off"


async def test_a_command_waits_for_a_board_that_restarts(tmp_path: Path) -> None:
    table = {TABLE: b"\0" * 64}
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        with virtual_board(tmp_path / "virtual") as running:
            await server.board_ready(BOARD)
            running.kill()
            await until("its death", lambda: "not running" in server.told(BOARD).health)
            flash = server.flash(BOARD, table, reset=False)
        with virtual_board(tmp_path / "virtual"):
            assert (await server.answer(flash)).outcome == PASSED


async def test_a_probe_that_is_not_found_is_tried_again_when_its_board_comes_back(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        with pty_board(tmp_path) as moved:
            await server.board_ready(moved.name)
            flash = server.flash(moved.name, {TABLE: b"\0" * 64}, reset=False)
            log = tmp_path / "agent.log"
            await until("a first try", lambda: "probe not found" in log.read_text())
            moved.publish(probe=board.probe, probe_uid=board.uid)
            assert (await server.answer(flash)).outcome == PASSED


async def test_two_agents_never_share_a_folder(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.linked(1)
        command = [sys.executable, "-m", "benchagent", "run", "--server", server.target]
        second = await asyncio.create_subprocess_exec(
            *command,
            *("--dir", str(tmp_path / "agent")),
            env=agent_environment(),
            stderr=subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(second.communicate(), WAIT_S)
        assert second.returncode == 3
        assert b"AGENT_RUNNING" in said


def test_importing_the_agent_is_light() -> None:
    heavy = "pyocd", "textual", "sqlalchemy", "usb", "serial"
    program = (
        "import sys, benchagent.app, benchagent.flashers.pyocd, benchagent.doctor; "
        f"sys.exit(' '.join(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=agent_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert done.stderr.strip() == ""
