"""The bench: every board, and flashing many of them."""

import contextlib
from collections.abc import Awaitable
from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Static
from textual.widgets.data_table import ColumnKey

from benchline.errors import BenchlineError
from tui.client.connection import failure_of
from tui.rollout_wording import board_doing, rollout_ending, wave_line
from tui.screens.board import BoardScreen
from tui.screens.board_care import CARE_KEYS, BoardCareScreen
from tui.screens.dialogs import AskScreen
from tui.screens.flash import FlashScreen, FlashWish
from tui.session import ConsoleSession
from tui.state.board import BoardFact
from tui.state.fact import Outcome
from tui.state.model import BoardMarked, Link, Model, shown_rollout
from tui.widgets.paint import DIM, outcome_style
from tui.widgets.row_table import RowTable
from tui.wording import flash_bar, glyph, one_line, runner_name

EMPTY = (
    "No boards.\n\n"
    "An agent brings the boards of its bench. A local instance has a few virtual\n"
    "ones, which are flashed by the same tools as real boards:\n\n"
    "  benchline up        starts them\n"
    "  benchline doctor    tells what is missing"
)
_STATE_STYLE = {
    "ACTIVE": "green",
    "LEASED": "cyan",
    "OFFLINE": "dim",
    "FAULTY": "red",
    "QUARANTINED": "yellow",
}


class BenchScreen(BoardCareScreen):
    """Boards with state, firmware, health, and how a deployment onto them goes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="bench.mark"),
        Binding("F", "flash", "Flash", id="bench.flash"),
        *CARE_KEYS,
        Binding("R", "retry", "Retry failed", id="bench.retry"),
        Binding("x", "abort", "Abort", id="bench.abort"),
        Binding("y", "copy", "Copy name", id="bench.copy"),
    ]
    _COLUMNS = (
        ("", 1),
        ("Board", 12),
        ("Part", 11),
        ("State", 11),
        ("Firmware", 8),
        ("Now", 26),
    )

    def compose_body(self) -> ComposeResult:
        """The table, or what to do when it is empty, the wave, and the board under the cursor."""
        yield Static("Bench", classes="title")
        yield Static(EMPTY, id="empty", markup=False)
        yield RowTable("Console", id="boards")
        yield Static(id="wave", markup=False)
        yield Static(id="detail")

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self.lately = {}

    def on_mount(self) -> None:
        """Fixed columns."""
        for name, width in self._COLUMNS:
            self._table.add_column(name, width=width, key=name)
        self._fit()

    def on_screen_resume(self) -> None:
        """Show the newest deployment: one may have been made elsewhere."""
        self.run_worker(self._find_rollout(), group="rollout", exclusive=True)

    async def _find_rollout(self) -> None:
        from tui.client.rollouts import newest_rollout

        shown = shown_rollout(self.model)
        if shown is not None and not shown.state.ended:
            return
        with contextlib.suppress(grpc.aio.AioRpcError):  # the bench feed tells that it is away
            name = await newest_rollout(self.session.connection)
            if name and name != self.model.shown_rollout:
                self.session.feeds.follow_deployment(name)

    def on_resize(self) -> None:
        """What the board does gets the room that is there."""
        self._fit()

    def _fit(self) -> None:
        column = self._table.columns.get(ColumnKey("Now"))
        if column is not None:
            fixed = sum(width + 2 for name, width in self._COLUMNS if name != "Now")
            column.width = max(20, min(self.app.size.width - fixed - 4, 90))
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

    @property
    def _to_flash(self) -> tuple[str, ...]:
        """The marked boards, or the one under the cursor."""
        marked = tuple(b.name for b in self._boards if b.name in self.model.marked)
        return marked or ((self.selected.name,) if self.selected else ())

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
                    place = Coordinate(index, column)
                    if table.get_cell_at(place) != cell:
                        table.update_cell_at(place, cell)
        if boards and self.is_current and not table.has_focus:
            table.focus()
        self._paint_wave(model)
        self._paint_detail()

    def _paint_wave(self, model: Model) -> None:
        line = self.query_one("#wave", Static)
        view = shown_rollout(model)
        line.display = view is not None
        if view is None:
            return
        width = max(20, self.app.size.width - 2)
        style = outcome_style(view.outcome, view.state)
        if view.state.ended:
            again = "; R does again what did not pass" if view.not_passed else ""
            line.update(Text(one_line(f"{rollout_ending(view)}{again}", width), style))
        else:
            line.update(Text(one_line(wave_line(view), width), style))

    @on(DataTable.RowHighlighted)
    def _paint_detail(self) -> None:
        board = self.selected
        text = Text()
        if board is not None:
            width = max(20, self.app.size.width - 14)
            facts = board_facts(board, self.model) | {"lately": self.watch_health(board)}
            for word, value in facts.items():
                if value:
                    text.append(f"{word:<9} ", DIM)
                    text.append(f"{one_line(value, width)}\n")
            text.rstrip()
        self.query_one("#detail", Static).update(text)

    def reason_against(self, action: str) -> str | None:
        """Some need a board, some a deployment, some the control plane."""
        if action in ("flash", "retry", "abort") and self.model.link is not Link.LIVE:
            return "not connected; it comes back by itself"
        needs_board = action in ("open", "copy", "mark", "flash")
        if needs_board and self.is_mounted and self.selected is None:
            return "there is no board to choose"
        view = shown_rollout(self.model)
        if action == "abort" and (view is None or view.state.ended):
            return "nothing is being flashed"
        if action == "retry":
            if view is None:
                return "there is no deployment yet; F flashes the marked boards"
            if not view.state.ended:
                return "boards are still being flashed; x ends that"
            if not view.not_passed:
                return "every board passed"
        return self.care_reason_against(action) or super().reason_against(action)

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

    def action_mark(self) -> None:
        """Mark the board or take its mark away, and go on to the next."""
        if self.selected is not None:
            self.session.store.dispatch(BoardMarked(self.selected.name))
            self._table.action_cursor_down()

    def action_flash(self) -> None:
        """Ask for an image, then flash the marked boards."""
        boards = self._to_flash
        names = ", ".join(runner_name(board) for board in boards[:3])
        more = f" and {len(boards) - 3} more" if len(boards) > 3 else ""
        last = FlashWish(paths=self.session.flash_paths, waves=self.session.flash_waves)
        asking = FlashScreen(f"{names}{more}", last)

        def answered(wish: FlashWish | None) -> None:
            self.session.flash_paths = asking.wish.paths
            self.session.flash_waves = asking.wish.waves
            if wish is not None:
                self.run_worker(self._start(wish, boards), group="flash", exclusive=True)

        self.app.push_screen(asking, answered)

    async def _start(self, wish: FlashWish, boards: tuple[str, ...]) -> None:
        from tui.client.rollouts import start_rollout

        sessions = tuple(session.name for session in self.model.sessions)
        await self._follow(
            start_rollout(self.session.connection, wish.paths, boards, wish.waves, sessions)
        )

    def action_retry(self) -> None:
        """Do again the boards that did not pass."""
        from tui.client.rollouts import retry_rollout

        again = retry_rollout(self.session.connection, self.model.shown_rollout)
        self.run_worker(self._follow(again), group="flash", exclusive=True)

    async def _follow(self, starting: Awaitable[str]) -> None:
        """Follow the deployment that is being started, or say why it is refused."""
        try:
            self.session.feeds.follow_deployment(await starting)
        except grpc.aio.AioRpcError as error:
            self._refused(failure_of(error))
        except BenchlineError as error:
            self._refused(error)

    def _refused(self, error: BenchlineError) -> None:
        self.notify(error.message, title=error.reason, severity="error", timeout=15, markup=False)

    def action_abort(self) -> None:
        """Ask, then end the deployment."""
        name = self.model.shown_rollout

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._abort(name), group="flash", exclusive=True)

        question = AskScreen(
            f"Abort {runner_name(name)[:12]}?",
            "No further board is begun. Writes that are going on are finished first.",
        )
        self.app.push_screen(question, answered)

    async def _abort(self, name: str) -> None:
        try:
            await self.session.connection.cancel_deployment(name)
        except grpc.aio.AioRpcError as error:
            self._refused(failure_of(error))


def board_cells(board: BoardFact, model: Model) -> tuple[Text, ...]:
    """One row of the table. Pure."""
    firmware = board.proven_image[:8] or "-"
    now = board_now(board, model)
    now.no_wrap, now.overflow = True, "ellipsis"
    style = _STATE_STYLE.get(board.state, "")
    return (
        Text("■" if board.name in model.marked else " ", "bold"),
        Text(board.board_id),
        Text(board.part or "?", DIM),
        Text(board.state, style),
        Text(firmware),
        now,
    )


def board_facts(board: BoardFact, model: Model) -> dict[str, str]:
    """What is known of a board, and why a deployment did not pass on it. Pure."""
    view = shown_rollout(model)
    deployed = view.of(board.name) if view is not None else None
    not_passed = deployed.board if deployed is not None and deployed.not_passed else None
    tool = f"by {board.flash_tool}" if board.flash_tool else ""
    return {
        "why": f"{not_passed.reason}: {not_passed.message}" if not_passed else "",
        "next": not_passed.next_action if not_passed else "",
        "board": f"{board.name}, {board.kind}",
        "model": f"{board.model or 'unknown'} ({board.part or 'unknown part'}) {tool}",
        "probe": board.probe_id,
        "port": board.port,
        "firmware": board.proven_image[:16] and f"{board.proven_image[:16]} (read back)",
        "console": f"{board.console_bytes:,} bytes, reset {board.console_epoch} times",
        "lease": board.lease and f"{board.lease} of {board.holder}",
        "out": board.quarantine,
        "recovery": board.recovering,
        "cloud": board.cloud,
        "score": f"{board.score} of 100",
    }


def board_now(board: BoardFact, model: Model) -> Text:
    """What the board does: its write or verdict, the run that holds it, or what is wrong."""
    view = shown_rollout(model)
    deployed = view.of(board.name) if view is not None else None
    if deployed is not None:
        moved = deployed.board
        style = outcome_style(moved.outcome, moved.state)
        word = "" if moved.outcome is Outcome.NONE else f"{moved.outcome.value} "
        sign = glyph(moved.outcome, moved.state)
        return Text(one_line(f"{sign} {word}{board_doing(deployed)}", 90), style)
    for run in model.runs.values():
        flashing = [f for f in run.flashes if f.board == board.name and f.outcome is Outcome.NONE]
        if flashing and not run.state.ended:
            flash = flashing[-1]
            return Text(flash_bar(flash), "cyan")
    if board.recovering:
        return Text(one_line(f"▶ recovering: {board.recovering}", 60), "yellow")
    if board.quarantine:
        return Text(one_line(f"out of service: {board.quarantine}", 90), "yellow")
    if board.health not in ("", "ok"):
        return Text(one_line(board.health, 60), "red")
    if board.holder:
        return Text(f"held by {runner_name(board.holder)}", "cyan")
    return Text("free" if board.state == "ACTIVE" else "", DIM)
