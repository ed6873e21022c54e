"""The boards of this agent and their consoles, kept in step with what discovery finds."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchagent.board import Board, BoardKind, Chip
from benchagent.command import NOTHING_PROVEN, ConsoleHead, ProvenImage
from benchagent.console import Console
from benchagent.spool import Spool
from benchline.names import BOARD_ID

MAX_BOARDS = 256


class Boards:
    """Boards by id. A console once known is kept, also while its board is away.

    `mark` adds to a board what else is told of it.
    """

    def __init__(
        self,
        spool_dir: Path,
        on_bytes: Callable[[], None],
        on_fault: Callable[[], None],
        mark: Callable[[Board], Board] = lambda board: board,
    ) -> None:
        self._spool_dir = spool_dir
        self._on_bytes = on_bytes
        self._on_fault = on_fault
        self._mark = mark
        self._boards: dict[str, Board] = {}
        self.left: tuple[str, ...] = ()
        """Virtual boards that were ended on purpose and did not come back."""
        self.proven: dict[str, ProvenImage] = {}
        self.released: dict[str, ProvenImage] = {}
        """The release image that was proved last on each board."""
        self.chips: dict[str, Chip] = {}
        """What chips said that nothing else remembers: those of virtual boards."""
        self.consoles: dict[str, Console] = {}
        self._changed = asyncio.Event()
        self._opened_early: set[str] = set()
        spool_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in sorted(spool_dir.iterdir()):
            if folder.is_dir() and BOARD_ID.fullmatch(folder.name):
                self._console(folder.name)

    def get(self, board_id: str) -> Board | None:
        """A board that is here."""
        return self._boards.get(board_id)

    async def wait_for(
        self, board_id: str, condition: Callable[[Board], bool], timeout_s: float
    ) -> Board | None:
        """The board once it is here and as it should be; else what it is after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while (board := self.get(board_id)) is None or not condition(board):
                    await self._changed.wait()
        except TimeoutError:
            return self.get(board_id)
        return board

    def console(self, board_id: str) -> Console | None:
        """The console of a board that was here at some time."""
        return self.consoles.get(board_id)

    def update(self, found: Sequence[Board], left: Sequence[str] = ()) -> bool:
        """Take what discovery found: open ports of new boards, close those of missing ones.

        True when a console came that was never read here.
        """
        known = len(self.consoles)
        self._boards = {board.board_id: board for board in found[:MAX_BOARDS]}
        self.left = tuple(left)
        for board in self._boards.values():
            self._watch(board)
        for board_id, console in self.consoles.items():
            if board_id not in self._boards:
                console.watch(None)
        self._changed.set()
        self._changed = asyncio.Event()
        return len(self.consoles) > known

    @contextmanager
    def reading(self, board: Board) -> Iterator[Console]:
        """The console of a board whose port is opened meanwhile, though nobody enrolled it yet."""
        self._opened_early.add(board.board_id)
        self._watch(board)
        try:
            yield self.consoles[board.board_id]
        finally:
            self._opened_early.discard(board.board_id)
            now = self._boards.get(board.board_id)
            if now is not None:
                self._watch(now)

    def _watch(self, board: Board) -> None:
        is_read = board.reads_port or board.board_id in self._opened_early
        self._console(board.board_id).watch(
            board.port if is_read else None, board.port_owner, clears_lines=board.clears_lines
        )

    def inventory(self) -> list[Board]:
        """All boards as they are told to the control plane."""
        return [self._told(board) for board in self._boards.values()]

    def _told(self, board: Board) -> Board:
        console = self.consoles[board.board_id]
        # What is wrong with a port comes first where it is in the way of what else is to be done.
        port_first = board.is_usable or board.kind is BoardKind.PHYSICAL
        return replace(
            self._mark(board),
            health=(console.fault if port_first else "") or board.health,
            proven_image_sha256=self.proven.get(board.board_id, NOTHING_PROVEN).sha256,
            console_epoch=console.spool.head.epoch,
            chip=board.chip or self.chips.get(board.board_id),
        )

    def heads(self) -> list[ConsoleHead]:
        """End of each console that was ever read here."""
        return [console.head for console in self.consoles.values()]

    def acked(self, heads: Sequence[ConsoleHead]) -> None:
        """What the control plane holds; a spool that knows less goes on after it."""
        for head in heads:
            console = self.consoles.get(head.board)
            if console is not None:
                console.spool.rebase(head.offset, head.epoch, time.time_ns() // 1000)

    def unsynced(self) -> list[Spool]:
        """Spools with bytes that a power cut would lose."""
        return [console.spool for console in self.consoles.values() if console.spool.is_dirty]

    def close(self) -> None:
        """Close ports and spools."""
        for console in self.consoles.values():
            console.close()
            console.spool.close()

    def _console(self, board_id: str) -> Console:
        console = self.consoles.get(board_id)
        if console is None:
            spool = Spool(self._spool_dir / board_id)
            console = Console(board_id, spool, on_bytes=self._on_bytes, on_fault=self._on_fault)
            self.consoles[board_id] = console
        return console
