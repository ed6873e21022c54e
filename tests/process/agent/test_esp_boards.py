"""An agent process with a virtual ESP32-C3: real esptool on the port that is also the console."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import verdict_pb2
from tests.process.agent.control_plane import ControlPlane, agent, control_plane, until
from tests.process.virtual.boards import (
    RunningBoard,
    children_of,
    is_alive,
    order,
    virtual_board,
)

BOARD = "vc3-01"
C3 = ("--model", "esp32-c3-devkitm-1")
PASSED = verdict_pb2.OUTCOME_PASSED
BROKEN = verdict_pb2.OUTCOME_BROKEN
REFUSED = verdict_pb2.OUTCOME_REFUSED
TABLE = 0x1F_0000
# Two words that make the ROM run flash from its eighth byte on, and a jump to itself.
LOOP = bytes.fromhex("1d04dbae1d04dbae6f000000")
FIRST_LINE = b"ESP-ROM:esp32c3"
ROUNDS = 25


def firmware(seed: int, size: int = 30_000) -> bytes:
    return LOOP + random.Random(seed).randbytes(size)


def flash(server: ControlPlane, pieces: dict[int, bytes], **fields: Any) -> str:
    return server.flash(BOARD, pieces, part="esp32c3", **fields)


def flash_of(board: RunningBoard) -> bytes:
    return (board.directory / "flash.bin").read_bytes()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    with virtual_board(tmp_path / "virtual", *C3, name=BOARD) as running:
        yield running


async def begins_with_the_boot(server: ControlPlane, answer: pb.CommandResult) -> bytes:
    """What the console has from the head of an answer on; it must begin with the first line."""
    stored, at = server.console(BOARD), answer.console.offset
    await until("the boot", lambda: b"SPI_FAST_FLASH_BOOT" in stored.data[at:])
    after = bytes(stored.data[at:])
    assert after.startswith(FIRST_LINE), after[:80]
    assert stored.faults == []
    assert [gap for gap in stored.gaps if gap[0] > at] == []
    return after


async def test_a_flash_with_a_table_is_proved_and_its_epoch_begins_with_the_first_line(
    tmp_path: Path, board: RunningBoard
) -> None:
    pieces = {0: firmware(1), TABLE: b"\x05" * 700}
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        found = await server.board_ready(BOARD)
        assert (found.part, found.flash_tool, found.family) == ("esp32c3", "esptool", "esp32")
        answer = await server.answer(flash(server, pieces))
        assert answer.outcome == PASSED, answer
        assert answer.flash.read_back_sha256 == answer.flash.image_sha256
        assert answer.flash.sectors_erased == 8 + 1
        assert answer.flash.attempts[-1] == "921600 baud, stub, compressed: ok"
        await begins_with_the_boot(server, answer)
        # Nothing of what tool and loader exchanged is in the console.
        assert b"\xc0" not in server.console(BOARD).data
        await until("the proof", lambda: server.told(BOARD).proven_image_sha256 != "")
        assert list(dict.fromkeys(server.phases())) == ["program", "verify"]

        again = await server.answer(flash(server, {**pieces, TABLE: b"\x06" * 700}))
        assert (again.outcome, again.flash.sectors_erased) == (PASSED, 1)
        assert again.flash.sectors_skipped == 8
        assert again.console.epoch == answer.console.epoch + 1
        await begins_with_the_boot(server, again)
        assert set(server.hellos[0].capabilities) >= {"flash.pyocd", "flash.esptool", "virtual"}
        await until("the table", lambda: flash_of(board)[TABLE : TABLE + 700] == b"\x06" * 700)
        assert flash_of(board)[: len(pieces[0])] == pieces[0]

        # A shorter application takes the place of the whole longer one, which a patch does not.
        patch = await server.answer(flash(server, {8192: b"patch"}))
        assert (patch.outcome, patch.flash.sectors_erased) == (PASSED, 1)
        await server.answer(flash(server, {**pieces, TABLE: b"\x06" * 700}))
        release = {0: pieces[0][:9_000], TABLE: b"\xff" * 700}
        shorter = await server.answer(flash(server, release, image="release"))
        assert (shorter.outcome, shorter.flash.sectors_erased) == (PASSED, 1 + 5 + 1)
        await until("the release", lambda: flash_of(board)[TABLE : TABLE + 700] == release[TABLE])
        assert flash_of(board)[:TABLE] == release[0].ljust(TABLE, b"\xff")


async def test_the_first_line_after_a_reset_is_never_lost(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        await server.answer(flash(server, {0: firmware(2)}))
        for turn in range(ROUNDS):
            if turn % 5 == 4:  # by a flash that writes one sector, too
                command = flash(server, {0: firmware(2), TABLE: bytes([turn]) * 64})
            else:
                command = server.command(board=BOARD, reset=pb.ResetCommand())
            answer = await server.answer(command)
            assert answer.outcome == PASSED, answer
            assert answer.console.epoch == turn + 3
            await begins_with_the_boot(server, answer)


async def test_what_is_refused_leaves_the_board_as_it_was_and_running(
    tmp_path: Path, board: RunningBoard
) -> None:
    image = {0: firmware(3)}
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        proven = (await server.answer(flash(server, image))).flash.image_sha256
        await until("the image", lambda: flash_of(board).startswith(image[0]))
        before, worn = flash_of(board), board.stats()["sector_erases"]
        other = "02:00:00:00:00:01"
        assert (await server.answer(server.flash(BOARD, image, part="esp32"))).outcome == REFUSED
        answer = await server.answer(flash(server, {0x3F_F000: bytes(4097)}))
        assert (answer.outcome, answer.reason) == (REFUSED, "IMAGE_TOO_LARGE"), answer
        await until("the app", lambda: board.now()["run_state"] != "DOWNLOAD")
        assert server.told(BOARD).proven_image_sha256 == proven
        entry = board.directory / "board.json"

        def swapped() -> bool:
            # The board writes its entry too, and may just have put its own name back.
            text = entry.read_text()
            if board.uid in text:
                entry.write_text(text.replace(board.uid, other))
            return server.told(BOARD).identity == other

        await until("the swap", swapped)
        answer = await server.answer(flash(server, {0: firmware(4)}))
        assert (answer.outcome, answer.reason) == (REFUSED, "TARGET_MISMATCH"), answer
        assert board.uid in answer.message
        assert (flash_of(board), board.stats()["sector_erases"]) == (before, worn)


async def test_a_flash_that_outlives_a_killed_agent_is_proved_without_a_second_one(
    tmp_path: Path, board: RunningBoard
) -> None:
    image = firmware(5, 400_000)
    async with control_plane(tmp_path) as server:
        async with agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            command = flash(server, {0: image})
            await until("programming", lambda: "program" in server.phases())
            await running.kill()
        async with agent(server, tmp_path):
            answer = await server.answer(command)
            assert answer.outcome == PASSED, answer
            digest = hashlib.sha256(image).hexdigest()
            assert answer.flash.read_back_sha256 == answer.flash.image_sha256 == digest
            assert max(board.stats()["sector_erases"]) == 1
            await begins_with_the_boot(server, answer)
            await until("the proof", lambda: server.told(BOARD).proven_image_sha256 == digest)
            again = await server.answer(flash(server, {0: image}))
            assert (again.outcome, again.flash.sectors_erased) == (PASSED, 0)
    assert list((tmp_path / "agent" / "flashing").iterdir()) == []


async def test_a_flash_that_dies_with_its_agent_was_interrupted(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server:
        async with agent(server, tmp_path) as running:
            await server.board_ready(BOARD)
            command = flash(server, {0: firmware(6, 400_000)})
            await until("programming", lambda: "program" in server.phases())
            (nursery,) = children_of(running.process.pid)
            os.kill(running.process.pid, signal.SIGSTOP)
            for child in children_of(nursery):
                os.kill(child, signal.SIGKILL)
            await running.kill()
        async with agent(server, tmp_path):
            answer = await server.answer(command)
            assert (answer.outcome, answer.reason) == (BROKEN, "INTERRUPTED"), answer
            assert server.told(BOARD).proven_image_sha256 == ""
            again = await server.answer(flash(server, {0: firmware(6)}))
            assert again.outcome == PASSED, again
            await begins_with_the_boot(server, again)


async def test_a_cancelled_flash_stops_and_the_board_can_be_flashed_again(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        command = flash(server, {0: firmware(7, 600_000)})
        await until("programming", lambda: "program" in server.phases())
        server.cancel(command)
        answer = await server.answer(command)
        assert (answer.outcome, answer.reason) == (BROKEN, "CANCELLED"), answer
        assert server.told(BOARD).proven_image_sha256 == ""
        again = await server.answer(flash(server, {0: firmware(8)}))
        assert again.outcome == PASSED, again
        await begins_with_the_boot(server, again)


async def test_a_link_that_dies_does_not_stop_a_flash(tmp_path: Path, board: RunningBoard) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        command = flash(server, {0: firmware(9, 400_000)})
        await until("programming", lambda: "program" in server.phases())
        await server.stop()
        await asyncio.sleep(0)
        await server.start()
        answer = await server.answer(command)
        assert answer.outcome == PASSED, answer
        await begins_with_the_boot(server, answer)


async def test_nobody_else_gets_the_port_while_it_is_flashed(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        command = flash(server, {0: firmware(10, 400_000)})
        await until("programming", lambda: "program" in server.phases())
        other = os.open(board.entry["tty"], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
        assert (await server.answer(command)).outcome == PASSED


async def test_a_reset_needs_no_tool_and_an_idle_one_goes_away(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path) as running:
        await server.board_ready(BOARD)
        answer = await server.answer(server.command(board=BOARD, reset=pb.ResetCommand()))
        assert answer.outcome == PASSED
        assert children_of(running.process.pid) == []
        await server.answer(flash(server, {0: firmware(11)}))
        (nursery,) = children_of(running.process.pid)
        assert is_alive(nursery)


async def test_a_board_without_power_does_not_answer_and_does_after(
    tmp_path: Path, board: RunningBoard
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.board_ready(BOARD)
        assert order(board, op="power", state="off") == {"ok": True}
        answer = await server.answer(flash(server, {0: firmware(12)}))
        assert (answer.outcome, answer.reason) == (BROKEN, "NO_SYNC"), answer
        assert order(board, op="power", state="on") == {"ok": True}
        answer = await server.answer(flash(server, {0: firmware(12)}))
        assert answer.outcome == PASSED, answer
