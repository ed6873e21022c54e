"""`benchline agent boards` with and without an agent, and enrolment through the real tool."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchagent.board import Board
from benchagent.discovery.book import BoardBook
from benchagent.discovery.physical import Nodes
from benchagent.discovery.service import UsbTree, look
from benchagent.enrolment import EnrolError, Enrolment, Wish
from benchagent.flashers.protocol import ProbeRef, TargetIdentity
from benchagent.flashers.pyocd import PyocdFlasher
from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import verdict_pb2
from tests.process.agent.control_plane import (
    WAIT_S,
    ControlPlane,
    agent,
    agent_environment,
    control_plane,
    until,
)
from tests.process.virtual.boards import virtual_board
from tests.unit.agent.usb_tree import TreeWriter

C3 = "esp-a0764e112233"
NUCLEO = "stlink-657187132044"


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def boards(self) -> dict[str, dict[str, Any]]:
        """Boards by id, of a call with --json."""
        return {found["board"]: found for found in map(json.loads, self.out.splitlines())}


async def boards(folder: Path, *words: str) -> Done:
    """`benchline agent boards --json …` for the agent and the USB tree of a folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchagent", "boards", "--json", "--dir", str(folder / "agent")),
        *("--sysfs-root", str(folder / "sys"), "--dev-root", str(folder / "dev")),
        *words,
        env=agent_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    return TreeWriter(tmp_path)


async def test_boards_are_listed_and_named_without_an_agent(
    tmp_path: Path, tree: TreeWriter
) -> None:
    assert (await boards(tmp_path)).boards == {}
    tree.plug("esp32c3-usb-jtag")
    found = (await boards(tmp_path)).boards
    assert found[C3]["port"] == str(tree.dev / "ttyACM0")
    assert (await boards(tmp_path, "name", C3, "door-lock")).code == 0
    assert list((await boards(tmp_path)).boards) == ["door-lock"]
    tree.unplug("1-2")
    away = (await boards(tmp_path)).boards["door-lock"]
    assert away["health"] == "away; last seen in 1-2"
    assert (await boards(tmp_path, "forget", "door-lock")).code == 0
    assert (await boards(tmp_path)).boards == {}


async def test_a_running_agent_takes_names_at_once(tmp_path: Path, tree: TreeWriter) -> None:
    tree.plug("esp32c3-usb-jtag")
    tree.plug("two-ch340")
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.linked(1)
        await until("the board", lambda: server.board(C3) is not None)
        assert (await boards(tmp_path, "name", C3, "door-lock")).code == 0
        assert "door-lock" in (await boards(tmp_path)).boards, "it is told once it holds"
        assert (await boards(tmp_path, "ignore", "ch340-at-2-1")).code == 0
        names = lambda: sorted(  # noqa: E731 - it is asked again and again
            board.name.rpartition("/")[2] for board in server.inventories[-1].boards
        )
        await until("the new names", lambda: names() == ["ch340-at-2-2", "door-lock"])
        assert (await boards(tmp_path)).boards["ch340-at-2-1"]["health"] == "ignored"
        assert (await boards(tmp_path, "ignore", "ch340-at-2-1", "--undo")).code == 0
        await until("all", lambda: len(names()) == 3)
    assert not (tmp_path / "agent" / "agent.sock").exists()


async def test_what_cannot_be_done_says_why(tmp_path: Path, tree: TreeWriter) -> None:
    tree.plug("two-ch340")
    tree.plug("dfu")
    first, second = "ch340-at-2-1", "ch340-at-2-2"
    await boards(tmp_path)
    refused = [
        (("name", first, second), "name of another board"),
        (("name", first, "No Name"), "is no name"),
        (("name", "nobody", "somebody"), "no board nobody here"),
        (("enrol", "nobody"), "no board nobody here"),
        (("enrol", first, "--unasked"), "say which part"),
        (("enrol", "stm32-3677356c3037"), "system bootloader"),
    ]
    for words, reason in refused:
        done = await boards(tmp_path, *words)
        assert (done.code, done.out) == (4, "")
        assert reason in done.err


async def test_an_operator_may_say_what_a_board_is(tmp_path: Path, tree: TreeWriter) -> None:
    tree.plug("two-ch340")
    words = ("enrol", "ch340-at-2-1", "--unasked", "--part", "esp32", "--model", "esp32-devkitc-v4")
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        await server.linked(1)
        await until("the board", lambda: server.board("ch340-at-2-1") is not None)
        assert (await boards(tmp_path, *words)).code == 0
        await until("its part", lambda: server.told("ch340-at-2-1").part == "esp32")
        board = server.told("ch340-at-2-1")
        assert (board.family, board.model) == ("esp32", "esp32-devkitc-v4")
        # The port of the tree is a plain file: that is what is wrong with it now.
        wrong = "not a usable serial port"
        await until("its port", lambda: wrong in server.told("ch340-at-2-1").health)


@contextmanager
def cable(board: str) -> Iterator[str]:
    """A terminal whose other end is plugged into a virtual board's: nobody else has it open."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    far = os.open(board, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(far)
    ended = threading.Event()

    def carry() -> None:
        ends = {master: far, far: master}
        while not ended.is_set():
            for end in select.select([master, far], [], [], 0.05)[0]:
                try:
                    os.write(ends[end], os.read(end, 65536))
                except OSError:  # nobody has the near end open now
                    ended.wait(0.01)

    carrier = threading.Thread(target=carry)
    carrier.start()
    try:
        yield path
    finally:
        ended.set()
        carrier.join()
        os.close(far)
        os.close(master)


@pytest.mark.parametrize("agent_runs", [True, False])
async def test_an_esp32_is_enrolled_by_the_real_tool(
    tmp_path: Path, tree: TreeWriter, agent_runs: bool
) -> None:
    """What is behind the port is a virtual board, for no test has a DevKitC."""
    tree.plug("two-ch340")
    with (
        virtual_board(tmp_path / "bench", "--model", "esp32-devkitc-v4") as board,
        cable(str(board.entry["probe"])) as path,
    ):
        tree.terminal("ttyUSB3", path)
        async with control_plane(tmp_path) as server, AsyncExitStack() as stack:
            if agent_runs:
                await stack.enter_async_context(agent(server, tmp_path))
                await until("the board", lambda: server.board("ch340-at-2-1") is not None)
                assert "maybe esp32" in server.told("ch340-at-2-1").health
            done = await boards(tmp_path, "enrol", "ch340-at-2-1")
            assert done.code == 0, done.err
            found = done.boards["ch340-at-2-1"]
            assert (found["part"], found["family"]) == ("esp32", "esp32")
            assert found["chip"]["identity"] == board.uid
            assert found["chip"]["flash_bytes"] == 4 * 1024 * 1024
            assert found["chip"]["revision"] == "v3.0"
            if agent_runs:
                await server.board_ready("ch340-at-2-1")
                told = server.told("ch340-at-2-1")
                assert (told.part, told.identity) == ("esp32", board.uid)
                assert told.chip.name.startswith("ESP32-D0WD-V3")


async def test_a_flash_tells_the_chip_of_a_board_that_was_never_asked(
    tmp_path: Path, tree: TreeWriter
) -> None:
    tree.plug("two-ch340")
    name = "ch340-at-2-1"
    with (
        virtual_board(tmp_path / "bench", "--model", "esp32-devkitc-v4") as board,
        cable(str(board.entry["probe"])) as path,
    ):
        tree.terminal("ttyUSB3", path)
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await until("the board", lambda: server.board(name) is not None)
            early = await server.answer(server.command(board=name, flash=image(server)))
            assert early.reason == "BOARD_UNUSABLE"
            assert f"boards enrol {name}" in early.message
            done = await boards(tmp_path, "enrol", name, "--unasked", "--part", "esp32")
            assert done.code == 0, done.err
            await server.board_ready(name)
            assert not server.told(name).HasField("chip")
            answer = await server.answer(server.command(board=name, flash=image(server)))
            assert answer.outcome == verdict_pb2.OUTCOME_PASSED, answer
            await until("its chip", lambda: server.told(name).HasField("chip"))
            assert server.told(name).chip.identity == server.told(name).identity == board.uid


def image(server: ControlPlane) -> pb.FlashCommand:
    """A kilobyte for an ESP32, with no reset after it: the cable of the test has no such lines."""
    flash = server.flash_command({0x1000: bytes(range(256)) * 4}, reset=False)
    flash.part = "esp32"
    return flash


async def test_a_chip_is_asked_by_the_real_tool(tmp_path: Path, tree: TreeWriter) -> None:
    """The probe is a virtual one, for no test has a Nucleo: all else is what a Nucleo would get."""
    tree.plug("nucleo-v2-1")
    usb, book = UsbTree(sysfs=tree.sysfs, dev=tree.dev), BoardBook(tmp_path)
    flasher = PyocdFlasher(state_dir=tmp_path / "locks")
    with virtual_board(tmp_path / "virtual") as probe:

        async def identify(_board: Board) -> TargetIdentity:
            return await flasher.identify(ProbeRef(address=probe.probe, uid=probe.uid))

        enrolment = Enrolment(
            book=book, nodes=Nodes(dev=tree.dev), seen=lambda: look(usb, book), identify=identify
        )
        try:
            with pytest.raises(EnrolError, match=r"stm32f405rg.*not stm32f411re"):
                await enrolment.enrol(NUCLEO, Wish(part="stm32f411re"))
            assert not book.read()[NUCLEO].is_enrolled
            record = await enrolment.enrol(NUCLEO, Wish(part="stm32f405rg", model="my-board"))
        finally:
            flasher.close()
    assert (record.board_id, record.part, record.family) == (NUCLEO, "stm32f405rg", "stm32")
    assert record.model == "my-board"
    assert record.chip is not None
    assert record.chip.flash_bytes == 1024 * 1024
    assert len(record.chip.identity) == 24
    assert record.chip.read_time is not None
    assert book.read()[NUCLEO] == record
