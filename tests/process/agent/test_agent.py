"""An agent process against a real server, a real virtual board and real pyOCD."""

from __future__ import annotations

import os
from pathlib import Path

from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import verdict_pb2
from tests.process.agent.control_plane import agent, control_plane, pty_board
from tests.process.virtual.boards import build_firmware, flash_image, virtual_board

CODE = 0x0801_0000
VECTORS = 0x0800_0000


def firmware(folder: Path, tag: str = "one") -> dict[int, bytes]:
    """The two pieces of a test firmware: vectors and code."""
    image = flash_image(build_firmware(folder, tag=tag))
    code = image[CODE - VECTORS :].rstrip(b"\xff")
    return {VECTORS: image[:64], CODE: code + b"\xff" * (-len(code) % 4)}


async def test_an_agent_greets_flashes_and_streams_the_new_boot(tmp_path: Path) -> None:
    pieces = firmware(tmp_path, "alpha")
    (tmp_path / "virtual").mkdir()
    with virtual_board(tmp_path / "virtual"):
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            board = await server.board_ready("vf405-01")
            assert (board.part, board.model) == ("stm32f405rg", "olimex-stm32-h405")

            answer = await server.answer(server.flash("vf405-01", pieces))

            assert answer.outcome == verdict_pb2.OUTCOME_PASSED, answer
            boot = await server.said("vf405-01", b"boot alpha")
            assert boot >= answer.console.offset
            assert answer.console.epoch == 2
            assert server.console("vf405-01").faults == []


async def test_console_bytes_come_whole_and_in_order(tmp_path: Path) -> None:
    with pty_board(tmp_path) as board:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready("pty-01")
            text = b"".join(b"line %06d\n" % number for number in range(5_000))
            await board.say(text)
            await server.said("pty-01", b"line 004999\n")
            assert bytes(server.console("pty-01").data) == text
            assert server.console("pty-01").faults == []


async def test_bytes_sent_reach_the_board(tmp_path: Path) -> None:
    with pty_board(tmp_path) as board:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready("pty-01")
            sent = server.command(board="pty-01", send=pb.SendCommand(data=b"status\n"))
            assert (await server.answer(sent)).outcome == verdict_pb2.OUTCOME_PASSED
            assert os.read(board.master, 100) == b"status\n"
