"""The live console of one board, and a line to type at it."""

from typing import ClassVar

import grpc
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from benchline.errors import BenchlineError
from tui.client.connection import failure_of
from tui.client.operations import send_line
from tui.client.watch import Back, follow_console
from tui.screens.console_line import ConsoleLineScreen
from tui.session import ConsoleSession
from tui.state.model import Link
from tui.widgets.console_pane import ConsolePane
from tui.widgets.paint import DIM
from tui.wording import busy_sentence, one_line, runner_name

_TAIL_BYTES = 16 * 1024


class BoardScreen(ConsoleLineScreen):
    """The live console of one board."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="board.back"),
        Binding("s", "send", "Send a line", id="board.send"),
        Binding("y", "copy", "Copy view", id="board.copy"),
    ]

    def __init__(self, session: ConsoleSession, board: str) -> None:
        super().__init__(session)
        self._board = board

    def compose_body(self) -> ComposeResult:
        """A console as large as the screen."""
        yield Static(f"Board {runner_name(self._board)}", classes="title", markup=False)
        yield ConsolePane(id="console")
        line = Input(id="line", placeholder="a line for the board: enter sends it, esc closes")
        line.display = False
        yield line
        yield Static(id="sent", markup=False)

    def on_mount(self) -> None:
        """Follow it as long as the screen is there."""
        self.query_one(ConsolePane).focus()
        self.run_worker(self._follow(), group="console", exclusive=True)
        self._say("s types a line at the board", DIM)

    def reason_against(self, action: str) -> str | None:
        """Nothing can be sent while the control plane is away."""
        if action == "send" and self.model.link is not Link.LIVE:
            return "not connected; it comes back by itself"
        return super().reason_against(action)

    async def _follow(self) -> None:
        pane = self.query_one(ConsolePane)
        chunks = follow_console(
            self.session.connection, self._board, offset=0, tail_bytes=_TAIL_BYTES
        )
        async for chunk in chunks:
            if not isinstance(chunk, Back):
                pane.feed(chunk.data, offset=chunk.offset, gap=chunk.gap_before)

    @on(ConsolePane.Painted)
    def _painted_console(self) -> None:
        pane = self.query_one(ConsolePane)
        pane.border_title = runner_name(self._board)
        pane.border_subtitle = pane.caption

    def action_send(self) -> None:
        """Open the line; what was typed before and not sent is still there."""
        line = self.query_one("#line", Input)
        line.display = True
        line.focus()

    @on(Input.Submitted, "#line")
    def _submitted(self, event: Input.Submitted) -> None:
        self.run_worker(self._send(event.value), group="send", exclusive=True)

    async def _send(self, text: str) -> None:
        try:
            await send_line(self.session.connection, self._board, text)
        except grpc.aio.AioRpcError as error:
            self._say(f"not sent, and kept: {self._why_not(failure_of(error))}", "yellow")
            return
        self.query_one("#line", Input).value = ""
        self._say(f"sent: {one_line(text, 200) or 'an empty line'}", "green")

    def _why_not(self, failure: BenchlineError) -> str:
        boards = self.model.inventory.boards if self.model.inventory else ()
        board = next((one for one in boards if one.name == self._board), None)
        if failure.reason == "BOARD_BUSY" and board is not None:
            return busy_sentence(board)
        return one_line(failure.message, 200)
