"""The keys of the bench screen that do something to the board under the cursor."""

from collections.abc import Awaitable
from typing import ClassVar

import grpc
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.client.care import (
    board_health,
    identify_board,
    quarantine_board,
    recover_board,
    reset_board,
    return_board,
)
from tui.client.care_wording import health_lines, outcome_words, recovery_line, step_line
from tui.client.connection import failure_of
from tui.screens.dialogs import TextScreen
from tui.screens.frame import FramedScreen
from tui.state.board import BoardFact
from tui.state.model import Link

_LATELY = 4
_NEEDS = {"reset": "reset", "identify": "identify"}
"""Which ability of a board a key needs."""


class ReasonScreen(ModalScreen[str | None]):
    """Asks why a board is taken out of service; esc keeps it in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="reason.back"),
    ]

    def __init__(self, board: str) -> None:
        super().__init__()
        self._board = board

    def compose(self) -> ComposeResult:
        """What it means, and a line for the reason."""
        with Vertical(classes="dialog") as box:
            box.border_title = f"Take {self._board} out of service?"
            box.border_subtitle = "enter does it   esc back"
            yield Static("It is neither lent nor chosen until somebody returns it (Q again). Why?")
            yield Input(id="reason", placeholder="for those who want the board", max_length=500)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the reason, if it is one."""
        if event.value.strip():
            self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Nothing is done."""
        self.dismiss(None)


CARE_KEYS = (
    Binding("i", "identify", "Identify", id="bench.identify"),
    Binding("r", "reset", "Reset", id="bench.reset"),
    Binding("v", "recover", "Recover", id="bench.recover"),
    Binding("Q", "quarantine", "Quarantine", id="bench.quarantine"),
    Binding("h", "health", "Health", id="bench.health"),
)
"""What looks after a board. A screen puts them where they belong among its own keys."""


class BoardCareScreen(FramedScreen):
    """A screen with a board under its cursor, that answers to `CARE_KEYS`."""

    lately: dict[str, tuple[int, str]]
    """Of each board that was under the cursor: the score then, and its last outcomes."""

    @property
    def selected(self) -> BoardFact | None:
        """The board under the cursor."""
        return None

    def care_reason_against(self, action: str) -> str | None:
        """Why a key of this screen does nothing now; None when it does."""
        if action not in ("identify", "reset", "recover", "quarantine", "health"):
            return None
        if self.model.link is not Link.LIVE:
            return "not connected; it comes back by itself"
        board = self.selected
        if board is None:
            return "there is no board to choose"
        if action in ("quarantine", "health"):
            return None
        if board.recovering:
            return f"{board.board_id} is being recovered: {board.recovering}"
        if board.holder:
            return f"{board.board_id} is held by {board.holder}"
        needed = _NEEDS.get(action)
        if needed and needed not in board.abilities:
            return f"{board.board_id} cannot do that: {board.health}"
        if needed and board.state == "OFFLINE":
            return f"{board.board_id} is away: its agent or its cable"
        return None

    def watch_health(self, board: BoardFact) -> str:
        """The last outcomes of a board, asked for when its score is another than then."""
        known = self.lately.get(board.name)
        if (known is None or known[0] != board.score) and self.model.link is Link.LIVE:
            self.lately[board.name] = (board.score, known[1] if known else "")
            self.run_worker(self._ask_health(board), group="health", exclusive=True)
        return known[1] if known else ""

    async def _ask_health(self, board: BoardFact) -> None:
        try:
            health = await board_health(self.session.connection, board.name)
        except grpc.aio.AioRpcError:
            self.lately.pop(board.name, None)  # asked again when the link is back
            return
        told = ", ".join(outcome_words(one) for one in health.outcomes[:_LATELY])
        self.lately[board.name] = (board.score, told)
        self.repaint()

    def action_identify(self) -> None:
        """Ask the chip who it is."""
        if (board := self.selected) is not None:
            self.run_worker(self._identify(board.name), group="care")

    async def _identify(self, board: str) -> None:
        async def identify() -> str:
            chip = (await identify_board(self.session.connection, board)).chip
            return f"{chip.name} {chip.revision}, {chip.identity or 'no id'}"

        await self._tell("identify", board, identify())

    def action_reset(self) -> None:
        """Restart the firmware."""
        if (board := self.selected) is not None:
            self.run_worker(self._reset(board.name), group="care")

    async def _reset(self, board: str) -> None:
        async def reset() -> str:
            await reset_board(self.session.connection, board)
            return "its firmware starts again"

        await self._tell("reset", board, reset())

    def action_recover(self) -> None:
        """Bring the board back; its line tells what is done, a notice how it ended."""
        if (board := self.selected) is not None:
            self.run_worker(self._recover(board.name), group="care")

    async def _recover(self, board: str) -> None:
        async def recover() -> str:
            ended = ""
            async for message in recover_board(self.session.connection, board):
                if message.HasField("recovery"):
                    ended = recovery_line(message.recovery)
                elif message.step.outcome:
                    self.notify(step_line(message.step, 200), title=board, markup=False)
            return ended

        await self._tell("recover", board, recover())

    def action_quarantine(self) -> None:
        """Take the board out of service, or put it back."""
        board = self.selected
        if board is None:
            return
        if board.quarantine:
            self.run_worker(self._return(board.name), group="care")
            return

        def answered(reason: str | None) -> None:
            if reason:
                self.run_worker(self._quarantine(board.name, reason), group="care")

        self.app.push_screen(ReasonScreen(board.board_id), answered)

    async def _quarantine(self, board: str, reason: str) -> None:
        async def quarantine() -> str:
            await quarantine_board(self.session.connection, board, reason)
            return "out of service"

        await self._tell("quarantine", board, quarantine())

    async def _return(self, board: str) -> None:
        async def bring_back() -> str:
            await return_board(self.session.connection, board)
            return "in service again"

        await self._tell("return", board, bring_back())

    def action_health(self) -> None:
        """Show score, outcomes, recoveries and what helps this model."""
        if (board := self.selected) is not None:
            self.run_worker(self._show_health(board), group="care")

    async def _show_health(self, board: BoardFact) -> None:
        try:
            health = await board_health(self.session.connection, board.name)
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self.notify(failure.message, title=failure.reason, severity="error", markup=False)
            return
        self.app.push_screen(TextScreen(f"Health of {board.board_id}", health_lines(health)))

    async def _tell(self, what: str, board: str, work: Awaitable[str]) -> None:
        """Say how it ended, or why it was not done."""
        title = f"{what} {board.rpartition('/')[2]}"
        try:
            done = await work
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            text = f"{failure.reason}: {failure.message}"
            self.notify(text, title=title, severity="error", timeout=15, markup=False)
            return
        self.notify(done, title=title, timeout=15, markup=False)
