"""The list of live simulations."""

from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Static

from tui.client.connection import failure_of
from tui.client.live import all_lives, live_fact_of
from tui.live_wording import LIVE_HEADS, live_cells
from tui.screens.frame import FramedScreen
from tui.screens.live import LiveScreen
from tui.session import ConsoleSession
from tui.state.live import LiveFact
from tui.widgets.row_table import RowTable

_NEWEST = 100
_COLUMNS = {
    "NAME": 12,
    "WHEN": 12,
    "STATE": 14,
    "TITLE": 34,
    "SIMULATOR": 20,
    "BOOTS": 5,
    "SESSION": 12,
}
"""Width of each, in the order of their weight: a narrow terminal shows the first four."""
EMPTY = (
    "No live simulations yet.\n\n"
    "One runs the firmware of a run in the simulator, in real time, to watch\n"
    "and to type at: open a run with enter, then press l.\n\n"
    "The same from a shell:  benchline simulate SESSION"
)


class LivesScreen(FramedScreen):
    """Live simulations, newest first, as they stood when the list was read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="lives.back"),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self._lives: list[LiveFact] = []

    def compose_body(self) -> ComposeResult:
        """The table, or what to do when it is empty."""
        yield Static("Live simulations", classes="title")
        yield Static("Reading the list…", id="empty", markup=False)
        yield RowTable("Open", id="lives")

    def on_mount(self) -> None:
        """Fixed column widths: measuring them on every update is slow."""
        for name, width in _COLUMNS.items():
            self._table.add_column(name.capitalize(), width=width)
        self._table.display = False

    def on_screen_resume(self) -> None:
        """Read it again: it may have been changed on the screen above."""
        self.run_worker(self._read(), group="lives", exclusive=True)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#lives", DataTable)

    def reason_against(self, action: str) -> str | None:
        """Opening needs one to open."""
        if action == "select_cursor" and not self._lives:
            return "there is no live simulation to open"
        return super().reason_against(action)

    async def _read(self) -> None:
        empty = self.query_one("#empty", Static)
        try:
            found = await all_lives(self.session.connection, limit=_NEWEST)
        except grpc.aio.AioRpcError as error:
            empty.update(Text(failure_of(error).message))
            return
        row = self._table.cursor_row
        self._lives = [live_fact_of(one) for one in found]
        self._table.clear()
        for live in self._lives:
            cells = dict(zip(LIVE_HEADS, live_cells(live), strict=True))
            cells |= {name: cells[name][:12] for name in ("NAME", "SESSION")}
            self._table.add_row(
                *(Text(cells[name], no_wrap=True, overflow="ellipsis") for name in _COLUMNS)
            )
        empty.update(EMPTY)
        empty.display = not self._lives
        self._table.display = bool(self._lives)
        self._table.move_cursor(row=min(row, max(len(self._lives) - 1, 0)))
        self._table.focus()
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _opened(self, event: DataTable.RowSelected) -> None:
        live = self._lives[event.cursor_row]
        self.app.push_screen(LiveScreen(self.session, live.session, live.name))

    def action_back(self) -> None:
        """To the runs."""
        self.app.pop_screen()
