"""Keeps looking for boards and tells when one came, went or changed."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchagent.board import Board
from benchagent.discovery.book import BoardBook
from benchagent.discovery.find import find_all
from benchagent.discovery.hotplug import Hotplug, uevent_socket
from benchagent.discovery.physical import Nodes, physical_board
from benchagent.discovery.record import Record, Seen, resolve
from benchagent.discovery.sysfs import read_devices
from benchagent.discovery.table import usb_table
from benchagent.discovery.virtual import Departures, scan_virtual

log = logging.getLogger(__name__)

# A scan reads a few small files: 0.2 ms for a virtual bench of eight boards.
SCAN_S = 0.25

Found = Callable[[Sequence[Board]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbTree:
    """Where USB is looked at; tests put a tree of their own here."""

    sysfs: Path = Path("/sys")
    dev: Path = Path("/dev")
    uevent_fd: int | None = None
    """A socket that hot-plug events come from instead of the kernel."""

    def events(self) -> socket.socket | None:
        """Where hot-plug events come from; None when there are none. A tree that is not this PC's
        has no events of the kernel."""
        if self.uevent_fd is not None:
            return socket.socket(fileno=self.uevent_fd)
        return uevent_socket() if self.sysfs == Path("/sys") else None

    @property
    def nodes(self) -> Nodes:
        """The device nodes that go with it."""
        return Nodes(dev=self.dev)


def look(tree: UsbTree, book: BoardBook) -> list[Seen]:
    """What is on USB now, each with its record; new ones are written down."""
    finds = find_all(read_devices(tree.sysfs), usb_table())
    seen: list[Seen] = []

    def settle(records: dict[str, Record]) -> dict[str, Record]:
        found, after = resolve(finds, records)
        seen[:] = found
        return after

    book.change(settle)
    return [one for one in seen if not one.record.ignored]


@dataclass(slots=True)
class Discovery:
    """Looks for boards and tells `on_change` about all of them whenever one changed."""

    virtual_dir: Path | None
    tree: UsbTree
    book: BoardBook
    on_change: Found
    scan_s: float = SCAN_S
    seen: list[Seen] = field(default_factory=list)
    """What is on USB."""
    left: tuple[str, ...] = ()
    """Virtual boards that were ended on purpose and did not come back."""
    _departures: Departures | None = field(init=False, default=None)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _looked: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: int = 0
    _answered: int = 0
    _book_stamp: tuple[int, int] = (0, 0)
    _usb_changed: bool = True
    _hidden: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Watch the folder of the virtual bench, if there is one."""
        self._departures = Departures(self.virtual_dir) if self.virtual_dir else None

    async def run(self) -> None:
        """Look for ever; end it by cancelling. The first look is told even if it finds none."""
        async with asyncio.TaskGroup() as tasks:
            hotplug = Hotplug(self.tree.sysfs, self.tree.events(), self.usb_changed)
            tasks.create_task(hotplug.run(), name="hotplug")
            tasks.create_task(self._run(), name="boards")

    def usb_changed(self) -> None:
        """Look at USB again now."""
        self._usb_changed = True
        self._wake.set()

    async def look_again(self) -> None:
        """Look at USB now, and come back when what was found has been told."""
        self._asked += 1
        wanted = self._asked
        self.usb_changed()
        while self._answered < wanted:
            await self._looked.wait()

    async def _run(self) -> None:
        told: tuple[list[Board], tuple[str, ...]] | None = None
        while True:
            asked = self._asked
            boards = await self._look()
            if (boards, self.left) != told:
                told = boards, self.left
                log.info("boards changed", extra={"boards": [board.board_id for board in boards]})
                await self.on_change(boards)
            self._answered = asked
            self._looked.set()
            self._looked = asyncio.Event()
            try:
                async with asyncio.timeout(self.scan_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _look(self) -> list[Board]:
        if self._usb_changed or self.book.stamp() != self._book_stamp:
            self._usb_changed = False
            try:
                self.seen = await asyncio.to_thread(look, self.tree, self.book)
            except OSError as error:
                log.warning("boards file cannot be kept", extra={"why": str(error)})
            self._book_stamp = self.book.stamp()
        boards = scan_virtual(self.virtual_dir) if self.virtual_dir is not None else []
        self.left = self._departures.look() if self._departures is not None else ()
        taken = {board.board_id for board in boards}
        # Permissions of a node may change without an event, so health is looked up each time.
        physical = [physical_board(seen, self.tree.nodes) for seen in self.seen]
        self._warn_of_hidden(frozenset(board.board_id for board in physical) & taken)
        return boards + [board for board in physical if board.board_id not in taken]

    def _warn_of_hidden(self, hidden: frozenset[str]) -> None:
        if hidden != self._hidden:
            self._hidden = hidden
            for board_id in sorted(hidden):
                log.warning(
                    "a board on USB has the name of a virtual one and is left out; rename it",
                    extra={"board": board_id},
                )
