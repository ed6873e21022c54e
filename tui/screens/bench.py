"""The bench: every board, and the console of one."""

from typing import ClassVar

import grpc
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Input, Static
from textual.widgets.data_table import ColumnKey

from benchline.errors import BenchlineError
from tui.client.connection import failure_of
from tui.client.operations import send_line
from tui.client.watch import Back, follow_console
from tui.screens.frame import FramedScreen
from tui.session import ConsoleSession
from tui.state.fact import BoardFact, Outcome
from tui.state.model import Link, Model
from tui.widgets.console_pane import ConsolePane
from tui.widgets.paint import DIM
from tui.widgets.row_table import RowTable
from tui.wording import busy_sentence, flash_bar, one_line, runner_name

EMPTY = (
    "No boards.\n\n"
    "An agent brings the boards of its bench. A local instance has two virtual\n"
    "ones, which are flashed by the same tools as real boards:\n\n"
    "  benchline up        starts them\n"
    "  benchline doctor    tells what is missing"
)
_TAIL_BYTES = 16 * 1024
_STATE_STYLE = {"ACTIVE": "green", "LEASED": "cyan", "OFFLINE": "dim", "FAULTY": "red"}


class BenchScreen(FramedScreen):
    """Boards with state, firmware, health and flash progress."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy name", id="bench.copy"),
    ]
    _COLUMNS = (("Board", 12), ("Kind", 9), ("State", 9), ("Firmware", 10), ("Now", 26))

    def compose_body(self) -> ComposeResult:
        """The table, or what to do when it is empty, and a line on the board under the cursor."""
        yield Static("Bench", classes="title")
        yield Static(EMPTY, id="empty", markup=False)
        yield RowTable("Console", id="boards")
        yield Static(id="detail")

    def on_mount(self) -> None:
        """Fixed columns."""
        for name, width in self._COLUMNS:
            self._table.add_column(name, width=width, key=name)
        self._fit()

    def on_resize(self) -> None:
        """What the board does gets the room that is there."""
        self._fit()

    def _fit(self) -> None:
        column = self._table.columns.get(ColumnKey("Now"))
        if column is not None:
            fixed = sum(width + 2 for name, width in self._COLUMNS if name != "Now")
            column.width = max(20, min(self.app.size.width - fixed - 4, 60))
            self._table.refresh(layout=True)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#boards", DataTable)

    @property
    def _boards(self) -> tuple[BoardFact, ...]:
        return self.model.inventory.boards if self.model.inventory else ()

    @property
    def selected(self) -> BoardFact | None:
        """The board under the cursor."""
        row = self._table.cursor_row
        return self._boards[row] if row < len(self._boards) else None

    def paint(self, model: Model) -> None:
        """A few boards: the table is simply filled again."""
        boards = self._boards
        self.query_one("#empty", Static).display = not boards
        table = self._table
        table.display = bool(boards)
        row = table.cursor_row
        if len(boards) != table.row_count:
            table.clear()
            for board in boards:
                table.add_row(*board_cells(board, model), key=board.name)
            table.move_cursor(row=row)
        else:
            for index, board in enumerate(boards):
                for column, cell in enumerate(board_cells(board, model)):
                    if table.get_cell_at((index, column)) != cell:  # type: ignore[arg-type]
                        table.update_cell_at((index, column), cell)  # type: ignore[arg-type]
        if boards and self.is_current and not table.has_focus:
            table.focus()
        self._paint_detail()

    @on(DataTable.RowHighlighted)
    def _paint_detail(self) -> None:
        board = self.selected
        text = Text()
        if board is not None:
            facts = {
                "board": board.name,
                "model": f"{board.model or 'unknown'} ({board.part or 'unknown part'})",
                "probe": board.probe_id,
                "port": board.port,
                "firmware": board.proven_image[:16] and f"{board.proven_image[:16]} (read back)",
                "console": f"{board.console_bytes:,} bytes, reset {board.console_epoch} times",
                "lease": board.lease and f"{board.lease} of {board.holder}",
            }
            width = max(20, self.app.size.width - 14)
            for word, value in facts.items():
                if value:
                    text.append(f"{word:<9} ", DIM)
                    text.append(f"{one_line(value, width)}\n")
            text.rstrip()
        self.query_one("#detail", Static).update(text)

    def reason_against(self, action: str) -> str | None:
        """Both need a board."""
        if action in ("open", "copy") and self.is_mounted and self.selected is None:
            return "there is no board to choose"
        return super().reason_against(action)

    @on(DataTable.RowSelected)
    def _opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Open the console of the board."""
        if self.selected is not None:
            self.app.push_screen(BoardScreen(self.session, self.selected.name))

    def action_copy(self) -> None:
        """Copy the board's name."""
        if self.selected is not None:
            self.app.copy_to_clipboard(self.selected.name)
            self.notify(f"copied {self.selected.name}")


def board_cells(board: BoardFact, model: Model) -> tuple[Text, ...]:
    """One row of the table. Pure."""
    firmware = board.proven_image[:8] or "-"
    style = _STATE_STYLE.get(board.state, "")
    return (
        Text(board.board_id),
        Text(board.kind, DIM),
        Text(board.state, style),
        Text(firmware),
        board_now(board, model),
    )


def board_now(board: BoardFact, model: Model) -> Text:
    """What the board does: a flash with its progress, the run that holds it, or what is wrong."""
    for run in model.runs.values():
        flashing = [f for f in run.flashes if f.board == board.name and f.outcome is Outcome.NONE]
        if flashing and not run.state.ended:
            flash = flashing[-1]
            return Text(flash_bar(flash), "cyan")
    if board.health not in ("", "ok"):
        return Text(one_line(board.health, 60), "red")
    if board.holder:
        return Text(f"held by {runner_name(board.holder)}", "cyan")
    return Text("free" if board.state == "ACTIVE" else "", DIM)


class BoardScreen(FramedScreen):
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

    def _say(self, text: str, style: Style | str) -> None:
        self.query_one("#sent", Static).update(Text(f" {text}", style))

    def action_back(self) -> None:
        """Close the line, else to the bench."""
        line = self.query_one("#line", Input)
        if line.display:
            line.display = False
            self.query_one(ConsolePane).focus()
            return
        self.app.pop_screen()

    def action_copy(self) -> None:
        """Copy what is in view."""
        self.app.copy_to_clipboard(self.query_one(ConsolePane).visible_text())
        self.notify("copied the lines in view")
