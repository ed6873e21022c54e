"""The firmware of one run live in a simulator: its console, and what is done to it."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from benchline.v1 import live_simulation_pb2
from tui.client.connection import Connection, failure_of
from tui.client.live import (
    all_lives,
    live_fact_of,
    reset_live,
    send_to_live,
    set_live_signal,
    start_live,
    stop_live,
)
from tui.client.watch import Back, watch_live
from tui.live_wording import live_head, live_inputs, live_news, live_stands
from tui.screens.console_line import ConsoleLineScreen
from tui.session import ConsoleSession
from tui.state.live import LiveFact, reason_against_live
from tui.state.model import Link
from tui.widgets.console_pane import ConsolePane
from tui.widgets.paint import BOLD, DIM, outcome_style
from tui.wording import one_line

_TAIL_BYTES = 16 * 1024
Turn = Callable[[Connection, str], Awaitable[object]]
"""A call that is made for a simulation by its name."""

_CHANGING = ("start_live", "send", "set_signal", "reset", "stop")
_SEND, _SET = "a line for it: enter sends it, esc closes", "INPUT=VALUE: enter puts it, esc closes"
EMPTY = (
    "Nothing runs here.\n\n"
    "enter starts this run's firmware in the simulator, in real time: see what\n"
    "it says, and try what the scenarios do not.\n\n"
    "  s   type a line                 r   reset it\n"
    "  v   put a value on an input     x   end it\n\n"
    "Nothing is judged. Leaving this screen does not end it.\n"
    "The same from a shell:  benchline simulate {session}"
)


class LiveScreen(ConsoleLineScreen):
    """Shows the newest live simulation of a run, or the one that is named."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="live.back"),
        Binding("enter", "start_live", "Start", id="live.start"),
        Binding("s", "send", "Send a line", id="live.send"),
        Binding("v", "set_signal", "Set an input", id="live.set"),
        Binding("r", "reset", "Reset", id="live.reset"),
        Binding("x", "stop", "End", id="live.stop"),
        Binding("y", "copy", "Copy view", id="live.copy"),
    ]

    def __init__(self, session: ConsoleSession, run: str, name: str = "") -> None:
        super().__init__(session)
        self._run = run
        self._name = name
        self._live: LiveFact | None = None
        self._starting = False

    def compose_body(self) -> ComposeResult:
        """A console as large as the screen, or how to get one."""
        yield Static(id="run-title")
        yield Static(EMPTY.format(session=self._run.rpartition("/")[2]), id="empty", markup=False)
        pane = ConsolePane(id="console")
        pane.display = False
        yield pane
        line = Input(id="line")
        line.display = False
        yield line
        yield Static(id="sent", markup=False)

    def on_mount(self) -> None:
        """Show what runs already."""
        self._show()
        self.run_worker(self._find(), group="live", exclusive=True)

    def reason_against(self, action: str) -> str | None:
        """What the simulation allows; nothing while the control plane is away."""
        if action in _CHANGING and self.model.link is not Link.LIVE:
            return "not connected; it comes back by itself"
        if action == "start_live" and self._starting:
            return "it starts just now"
        return reason_against_live(self._live, action) or super().reason_against(action)

    async def _find(self) -> None:
        name = self._name
        try:
            if not name:
                found = await all_lives(self.session.connection, limit=1, session=self._run)
                facts = [live_fact_of(one) for one in found]
                name = facts[0].name if facts and not facts[0].state.ended else ""
            if name:
                await self._follow(name)
        except grpc.aio.AioRpcError as error:
            self._say(one_line(failure_of(error).message, 300), "yellow")

    async def _follow(self, name: str) -> None:
        """Show one until it ends. Raises AioRpcError."""
        pane = self.query_one(ConsolePane)
        pane.clear()
        async for told in watch_live(self.session.connection, name, tail_bytes=_TAIL_BYTES):
            match told:
                case Back():
                    pass
                case live_simulation_pb2.LiveSimulation():
                    self._take(live_fact_of(told))
                case _:
                    pane.feed(told.data, offset=told.offset, gap=told.gap_before)

    def _take(self, live: LiveFact) -> None:
        before = self._live if self._live is not None and self._live.name == live.name else None
        self._live = live
        news = live_news(before, live)
        if news:
            self._say("  ".join(news), outcome_style(live.outcome, live.state))
        self._show()

    def _show(self) -> None:
        live = self._live
        title = Text(no_wrap=True, overflow="ellipsis")
        title.append(" Live simulation  ", BOLD)
        if live is not None:
            title.append(live_stands(live), outcome_style(live.outcome, live.state))
            title.append(f"  {live_head(live)}  {one_line(live.title, 100)}", DIM)
        self.query_one("#run-title", Static).update(title)
        pane = self.query_one(ConsolePane)
        pane.display, was = live is not None, pane.display
        self.query_one("#empty", Static).display = live is None
        if live is not None and not was:
            pane.focus()
        self.refresh_bindings()

    @on(ConsolePane.Painted)
    def _painted_console(self) -> None:
        pane = self.query_one(ConsolePane)
        pane.border_title = "Console"
        pane.border_subtitle = pane.caption

    def action_start_live(self) -> None:
        """Start the firmware of the run."""
        self._starting = True
        self._say("starting…", DIM)
        self.refresh_bindings()
        self.run_worker(self._start(), group="live", exclusive=True)

    async def _start(self) -> None:
        try:
            live = await start_live(self.session.connection, self._run)
            self._starting = False
            await self._follow(live.name)
        except grpc.aio.AioRpcError as error:
            self._say(one_line(failure_of(error).message, 300), "yellow")
        finally:
            self._starting = False
            self.refresh_bindings()

    def action_send(self) -> None:
        """Open the line."""
        self._open_line(_SEND)

    def action_set_signal(self) -> None:
        """Open the line for a value."""
        self._open_line(_SET)
        if self._live is not None:
            self._say(live_inputs(self._live), DIM)

    def _open_line(self, what: str) -> None:
        line = self.query_one("#line", Input)
        if line.placeholder != what:
            line.value, line.placeholder = "", what
        line.display = True
        line.focus()

    @on(Input.Submitted, "#line")
    def _submitted(self, event: Input.Submitted) -> None:
        if self._live is None:
            return
        sets = event.input.placeholder == _SET
        act = self._set if sets else self._send
        self.run_worker(act(self._live.name, event.value), group="send", exclusive=True)

    async def _send(self, name: str, text: str) -> None:
        try:
            await send_to_live(self.session.connection, name, f"{text}\n".encode())
        except grpc.aio.AioRpcError as error:
            self._say(f"not sent, and kept: {one_line(failure_of(error).message, 200)}", "yellow")
            return
        self.query_one("#line", Input).value = ""
        self._say(f"sent: {one_line(text, 200) or 'an empty line'}", "green")

    async def _set(self, name: str, text: str) -> None:
        signal, _, value = text.partition("=")
        try:
            answer = await set_live_signal(
                self.session.connection, name, signal.strip(), value.strip()
            )
        except grpc.aio.AioRpcError as error:
            self._say(f"not set, and kept: {one_line(failure_of(error).message, 200)}", "yellow")
            return
        self.query_one("#line", Input).value = ""
        self._say(f"{answer.pin} was given {answer.level_or_counts}", "green")

    def action_reset(self) -> None:
        """Press reset."""
        if self._live is not None:
            self.run_worker(self._turn(reset_live, self._live.name), group="turn", exclusive=True)

    def action_stop(self) -> None:
        """End it."""
        if self._live is not None:
            self.run_worker(self._turn(stop_live, self._live.name), group="turn", exclusive=True)

    async def _turn(self, act: Turn, name: str) -> None:
        try:
            await act(self.session.connection, name)
        except grpc.aio.AioRpcError as error:
            self._say(one_line(failure_of(error).message, 300), "yellow")
