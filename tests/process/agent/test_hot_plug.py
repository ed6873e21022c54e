"""Boards that are plugged in, moved and unplugged under a running agent.

The USB tree is written, its events come from a socket of the test, the ports are pseudo-terminals:
everything from there on is the real agent. None of it was tried on hardware.
"""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.process.agent.control_plane import (
    WAIT_S,
    ControlPlane,
    RunningAgent,
    agent,
    control_plane,
    until,
)
from tests.unit.agent.usb_tree import TreeWriter

EVENT = b"add@/devices/pci0000:00/usb1/1-2\0ACTION=add\0SUBSYSTEM=usb\0"
C3 = "esp-a0764e112233"
NUCLEO = "stlink-657187132044"


class Terminal:
    """A board's end of its port."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        # Only the agent may have the port open: it does not share.
        os.close(slave)

    def say(self, text: bytes) -> None:
        assert os.write(self.master, text) == len(text)

    def hang_up(self) -> None:
        os.close(self.master)


@dataclass(slots=True)
class Pc:
    """A lab PC whose sockets the test plugs things into."""

    tree: TreeWriter
    kernel: socket.socket
    server: ControlPlane
    running: RunningAgent

    def event(self) -> None:
        self.kernel.send(EVENT)

    def plug(self, name: str, tty_name: str, terminal: Terminal, at: str) -> None:
        self.tree.plug(name, at=at, tty=tty_name)
        self.tree.terminal(tty_name, terminal.path)
        self.event()

    def unplug(self, at: str) -> None:
        self.tree.unplug(at)
        self.event()

    async def port_of(self, board: str, tty_name: str) -> None:
        port = str(self.tree.dev / tty_name)
        await until(f"{board} on {port}", lambda: self.server.told(board).port == port)

    async def gone(self, board: str) -> None:
        await until(f"{board} gone", lambda: self.server.board(board) is None)


@asynccontextmanager
async def lab_pc(folder: Path) -> AsyncIterator[Pc]:
    tree = TreeWriter(folder)
    kernel, source = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, source:
        fd = source.fileno()
        options = ("--uevent-fd", str(fd))
        async with (
            control_plane(folder) as server,
            agent(server, folder, *options, pass_fds=(fd,)) as running,
        ):
            await server.linked(1)
            yield Pc(tree, kernel, server, running)


def opens_of(folder: Path, tty: str) -> int:
    """How often the agent opened a port; one that hangs up may be opened again meanwhile."""
    lines = (folder / "agent.log").read_text().splitlines()
    return sum("port open" in line and tty in line for line in lines)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    made = [Terminal() for _ in range(3)]
    yield made
    for terminal in made:
        with contextlib.suppress(OSError):
            terminal.hang_up()


async def test_a_board_appears_when_it_is_plugged_in_and_its_port_is_read(
    tmp_path: Path, terminals: list[Terminal]
) -> None:
    async with lab_pc(tmp_path) as pc:
        pc.plug("esp32c3-usb-jtag", "ttyACM0", terminals[0], "1-2")
        await pc.port_of(C3, "ttyACM0")
        board = pc.server.told(C3)
        assert (board.family, board.flash_tool) == ("esp32", "esptool")
        assert board.identity == "a0:76:4e:11:22:33"
        assert (board.usb.location, board.usb.vendor_id) == ("1-2", 0x303A)
        assert "not enrolled" in board.health
        assert board.experimental
        assert list(board.abilities) == ["reset", "bootloader", "identify"]
        await until("its port", lambda: "port open" in (tmp_path / "agent.log").read_text())
        terminals[0].say(b"hello\n")
        await pc.server.said(C3, b"hello\n")
        pc.unplug("1-2")
        await pc.gone(C3)


async def test_a_board_in_another_socket_goes_on_with_its_id_and_its_console(
    tmp_path: Path, terminals: list[Terminal]
) -> None:
    async with lab_pc(tmp_path) as pc:
        pc.plug("esp32c3-usb-jtag", "ttyACM0", terminals[0], "1-2")
        await until("its port", lambda: "port open" in (tmp_path / "agent.log").read_text())
        terminals[0].say(b"before\n")
        await pc.server.said(C3, b"before\n")
        terminals[0].hang_up()
        pc.unplug("1-2")
        await pc.gone(C3)
        pc.plug("esp32c3-usb-jtag", "ttyACM5", terminals[1], "1-4")
        await pc.port_of(C3, "ttyACM5")
        await until("its port", lambda: opens_of(tmp_path, "ttyACM5") > 0)
        terminals[1].say(b"after\n")
        await pc.server.said(C3, b"after\n")
        stored = pc.server.console(C3)
        assert bytes(stored.data) == b"before\nafter\n"
        assert stored.gaps == [(7, "the port was hung up")]
        assert stored.faults == []
        assert pc.server.told(C3).usb.location == "1-4"


async def test_boards_that_swap_sockets_and_names_keep_their_ids(
    tmp_path: Path, terminals: list[Terminal]
) -> None:
    async with lab_pc(tmp_path) as pc:
        pc.plug("esp32c3-usb-jtag", "ttyACM0", terminals[0], "1-2")
        pc.plug("nucleo-v2-1", "ttyACM1", terminals[1], "1-4")
        await pc.port_of(C3, "ttyACM0")
        await pc.port_of(NUCLEO, "ttyACM1")
        assert pc.server.told(NUCLEO).family == "stm32"
        pc.tree.unplug("1-2")
        pc.tree.unplug("1-4")
        pc.plug("esp32c3-usb-jtag", "ttyACM1", terminals[1], "1-4")
        pc.plug("nucleo-v2-1", "ttyACM0", terminals[0], "1-2")
        await pc.port_of(C3, "ttyACM1")
        await pc.port_of(NUCLEO, "ttyACM0")


async def test_ids_survive_the_agent(tmp_path: Path, terminals: list[Terminal]) -> None:
    async with control_plane(tmp_path) as server:
        tree = TreeWriter(tmp_path)
        tree.plug("same-serial")
        async with agent(server, tmp_path):
            await server.linked(1)
            await until("both", lambda: len(server.inventories[-1].boards) == 2)
            before = {board.name: board.usb.location for board in server.inventories[-1].boards}
        tree.unplug("2-4")
        async with agent(server, tmp_path):
            await server.linked(2)
            await until("one", lambda: len(server.inventories[-1].boards) == 1)
            (board,) = server.inventories[-1].boards
            assert before[board.name] == board.usb.location == "2-5"


async def test_a_port_that_another_program_reads_names_the_program(
    tmp_path: Path, terminals: list[Terminal]
) -> None:
    terminal = terminals[0]
    with reader_of(terminal.path) as reader:
        async with lab_pc(tmp_path) as pc:
            pc.plug("esp32c3-usb-jtag", "ttyACM0", terminal, "1-2")
            held = f"(process {reader.pid}); close it"
            await until("the holder", lambda: held in pc.server.told(C3).health)
            reader.kill()
            reader.wait(WAIT_S)
            await until("its port", lambda: "not enrolled" in pc.server.told(C3).health)
            terminal.say(b"free\n")
            await pc.server.said(C3, b"free\n")


@contextlib.contextmanager
def reader_of(path: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has a port open and takes no claim on it."""
    program = "import os, sys; os.open(sys.argv[1], os.O_RDWR); print(flush=True); input()"
    reader = subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        yield reader
        reader.kill()
