"""The list of runs."""

import datetime
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Static
from textual.widgets.data_table import ColumnKey

from tui.prompts import EXAMPLES
from tui.screens.doors import doors
from tui.screens.frame import FramedScreen
from tui.session import ConsoleSession
from tui.state.cloud import StackView, waits_for_approval
from tui.state.fact import SessionSummary
from tui.state.model import Link, Model, current_summary
from tui.widgets.paint import DIM, outcome_style, rail_glyphs
from tui.widgets.row_table import RowTable
from tui.wording import one_line, standing

EMPTY = (
    "No runs yet.\n\n"
    "A run takes a sentence to a verdict: design, build, simulate, flash a\n"
    "board, and judge the board by the same scenarios.\n\n"
    "  n   type a sentence, for example\n"
    f'      "{EXAMPLES[0]}"\n'
    "  2   see the boards of the bench\n"
    "  ?   all keys\n\n"
    "The same from a shell:  benchline run --demo"
)


def empty_text(model: Model) -> str:
    """What stands where the runs will be. Pure."""
    if model.listed:
        return EMPTY
    match model.link:
        case Link.STARTING:
            note = model.link_note or "looking for the local instance"
            return EMPTY.replace("No runs yet.", f"One moment: {note}…")
        case Link.AWAY:
            return "The control plane is away; it comes back by itself."
        case Link.LIVE:
            return "Reading the list…"


class RunsScreen(FramedScreen):
    """Every run, newest first; enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "lives", "Live", id="runs.lives"),
        Binding("x", "cancel_run", "Cancel", id="runs.cancel"),
        Binding("y", "copy", "Copy", id="runs.copy"),
        Binding("1", "app.runs", show=False),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self._shown: list[str] = []
        self._cells: dict[str, tuple[object, ...]] = {}

    def compose_body(self) -> ComposeResult:
        """The table, or what to do when it is empty."""
        yield Static("Runs", classes="title")
        yield Static(EMPTY, id="empty", markup=False)
        yield RowTable("Open", id="runs")

    def on_mount(self) -> None:
        """Fixed column widths: measuring them on every update is slow."""
        table = self._table
        for name, width in self._widths.items():
            table.add_column(name, width=width, key=name)
        table.add_column("What", width=self._title_width, key="What")

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#runs", DataTable)

    @property
    def _widths(self) -> dict[str, int]:
        return {"Run": 12, "Started": 8, "Verdict": 20, "Stages": 12 if self.wide else 6}

    @property
    def _title_width(self) -> int:
        """What is left of the line beside the fixed columns and their gaps."""
        fixed = sum(width + 2 for width in self._widths.values())
        return max(10, self.app.size.width - fixed - 4)

    def on_resize(self) -> None:
        """The titles use what the terminal has."""
        column = self._table.columns.get(ColumnKey("What"))
        if column is not None and column.width != self._title_width:
            column.width = self._title_width
            self._table.columns[ColumnKey("Stages")].width = self._widths["Stages"]
            self._shown = []
            self.repaint()

    @property
    def selected(self) -> SessionSummary | None:
        """The run under the cursor."""
        row = self._table.cursor_row
        if not self._shown or row >= len(self._shown):
            return None
        name = self._shown[row]
        found = next((one for one in self.model.sessions if one.name == name), None)
        return current_summary(self.model, found) if found else None

    def paint(self, model: Model) -> None:
        """Update the rows that changed; rebuild only when the list itself changed."""
        rows = [current_summary(model, one) for one in model.sessions]
        empty = self.query_one("#empty", Static)
        empty.display = not rows
        self._table.display = bool(rows)
        if not rows:
            empty.update(empty_text(model))
            return
        if [one.name for one in rows] != self._shown:
            self._rebuild(rows)
            return
        for one in rows:
            self._update(one)

    def _rebuild(self, rows: list[SessionSummary]) -> None:
        table = self._table
        kept = self._shown[table.cursor_row] if self._shown else ""
        table.clear()
        self._shown = [one.name for one in rows]
        self._cells = {}
        for one in rows:
            cells = self._row(one)
            table.add_row(*cells, key=one.name)
            self._cells[one.name] = cells
        if kept in self._shown:
            table.move_cursor(row=self._shown.index(kept))
        if self.is_current:
            table.focus()

    def _row(self, one: SessionSummary) -> tuple[Text, ...]:
        todo = todo_words(one, self.model.stacks.get(one.stack), wide=self.wide)
        return _cells(one, todo, self._title_width, wide=self.wide)

    def _update(self, one: SessionSummary) -> None:
        cells = self._row(one)
        if self._cells.get(one.name) == cells:
            return
        self._cells[one.name] = cells
        columns = ("Run", "Started", "Verdict", "Stages", "What")
        for column, cell in zip(columns, cells, strict=True):
            self._table.update_cell(one.name, column, cell)

    def reason_against(self, action: str) -> str | None:
        """Open, cancel and copy need a run; only one that goes on can be cancelled."""
        if action in ("select_cursor", "cancel_run", "copy") and self.is_mounted:
            run = self.selected
            if run is None:
                return "there is no run to choose"
            if action == "cancel_run" and run.state.ended:
                return "this run is over"
        return super().reason_against(action)

    @on(DataTable.RowSelected)
    def _opened(self) -> None:
        self.action_open()

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    def action_open(self) -> None:
        """Open the run under the cursor."""
        if self.selected is not None:
            doors(self).open_run(self.selected.name)

    def action_lives(self) -> None:
        """The list of live simulations."""
        from tui.screens.lives import LivesScreen

        self.app.push_screen(LivesScreen(self.session))

    def action_cancel_run(self) -> None:
        """Ask, then cancel."""
        if self.selected is not None:
            doors(self).cancel_run(self.selected.name)

    def action_copy(self) -> None:
        """Copy the id."""
        if self.selected is not None:
            self.app.copy_to_clipboard(self.selected.session_id)
            self.notify(f"copied {self.selected.session_id}")


def todo_words(one: SessionSummary, stack: StackView | None, *, wide: bool) -> str:
    """What a run that waits for a person wants of them; "" when none does. Pure."""
    if waits_for_approval(one):
        command = stack.fact.next_action if stack is not None and wide else ""
        return f"{command} or enter, c  " if command else "enter, c: the plan  "
    return "enter, then a: answer  " if one.asks else ""


def _cells(one: SessionSummary, todo: str, width: int, *, wide: bool) -> tuple[Text, ...]:
    started = datetime.datetime.fromtimestamp(one.create_ms / 1000, tz=datetime.UTC).astimezone()
    today = datetime.datetime.now(tz=datetime.UTC).astimezone().date()
    when = f"{started:%H:%M:%S}" if started.date() == today else f"{started:%d %b}"
    style = "bold yellow" if todo else outcome_style(one.outcome, one.state)
    verdict = Text(standing(one), style)
    return (
        Text(one.session_id[:12]),
        Text(when, DIM),
        verdict,
        rail_glyphs(one.stages, wide=wide),
        Text(one_line(f"{todo}{one.title}", width)),
    )
