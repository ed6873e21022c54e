"""What every screen has: the banner on top, keys at the bottom, and reasons for dead keys."""

import time

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import Key
from textual.screen import Screen
from textual.widgets import Static

from tui.clock import now_ms
from tui.session import ConsoleSession
from tui.state.model import Link, Model, going_on
from tui.widgets.key_line import KeyLine
from tui.widgets.paint import BOLD, DIM

WIDE = 100
"""From this width on a screen shows two panes: the breakpoint of the style sheet."""

_PLACES = (
    ("1", "app.runs"),
    ("2", "app.bench"),
    ("3", "app.designs"),
    ("4", "app.clouds"),
    ("n", "app.new_run"),
    ("q", "app.leave"),
)
ELSEWHERE = tuple(Binding(key, action, show=False) for key, action in _PLACES)
"""Keys of the app that work everywhere; a screen with many keys of its own does not list them."""


class FramedScreen(Screen[None]):
    """A screen that is painted from the model. ``session`` is what it works with."""

    PAINT_HZ = 10.0

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__()
        self.session = session
        self._painted: Model | None = None

    @property
    def model(self) -> Model:
        """The newest model."""
        return self.session.store.model

    @property
    def wide(self) -> bool:
        """Whether there is room for panes side by side."""
        return self.app.size.width >= WIDE

    def compose(self) -> ComposeResult:
        """Banner, body, keys."""
        yield Static(id="banner")
        with Vertical(id="body"):
            yield from self.compose_body()
        yield KeyLine(compact=True, show_command_palette=False)

    def compose_body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def on_mount(self) -> None:
        """Paint at a fixed rate, and only after a change.

        Textual calls the handler of every class, the screen's own before this one.
        """
        # Textual sets these after the first layout, which would show wide panes for a moment.
        self.set_class(self.wide, "-wide")
        self.set_class(not self.wide, "-narrow")
        self.set_interval(1 / self.PAINT_HZ, self._paint_if_changed)
        self.set_interval(1.0, self._paint_banner)
        self.repaint()

    def on_screen_resume(self) -> None:
        """Show what happened meanwhile."""
        self.repaint()

    def repaint(self) -> None:
        """Paint everything now."""
        self._painted = self.model
        self._paint_banner()
        self.paint(self.model)
        self.refresh_bindings()

    def paint(self, model: Model) -> None:
        """Put the model on the screen."""

    def put(self, selector: str, text: Text | str) -> bool:
        """Show what a worker read; False when the screen was closed while it was read.

        The widgets of a screen go before its workers do, so they may be gone by now.
        """
        shown = list(self.query(selector).results(Static))
        for one in shown:
            one.update(text)
        return bool(shown)

    def reason_against(self, action: str) -> str | None:
        """Why an action is not possible now; None when it is."""
        changing = action in ("new_run", "cancel_run", "start", "answer")
        if changing and self.model.link is not Link.LIVE:
            return "not connected; it comes back by itself"
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim the key of an action that is not possible now."""
        return None if self.reason_against(action) else True

    def on_key(self, event: Key) -> None:
        """Say why a dimmed key does nothing."""
        active = self.active_bindings.get(event.key)
        if active is not None and not active.enabled:
            action = active.binding.action.removeprefix("app.").partition("(")[0]
            reason = self.reason_against(action)
            if reason:
                self.notify(reason, title=active.binding.description, severity="warning")

    def _paint_if_changed(self) -> None:
        if self.is_current and self.model is not self._painted:
            self.repaint()

    def _paint_banner(self) -> None:
        if self.is_mounted:
            self.query_one("#banner", Static).update(banner(self.model, now_ms()))


def banner(model: Model, at_ms: float) -> Text:
    """``benchline  local   ● live   2 runs  2/2 boards``. Pure."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" benchline ", BOLD)
    text.append(" local   ", DIM)
    away_s = max(0, round((at_ms - model.link_since_ms) / 1000)) if model.link_since_ms else 0
    match model.link:
        case Link.LIVE:
            text.append("● live", "green")
        case Link.STARTING:
            text.append("○ starting", "yellow")
        case Link.AWAY:
            seen = time.strftime("%H:%M:%S", time.localtime(model.link_since_ms / 1000))
            text.append(f"○ reconnecting {away_s} s, showing {seen}", "bold yellow")
    running = going_on(model)
    if model.listed:
        text.append(f"   {running} run{'' if running == 1 else 's'} going on", DIM)
    if model.inventory is not None:
        boards = model.inventory.boards
        there = sum(board.state in ("ACTIVE", "LEASED") for board in boards)
        text.append(f"   {there}/{len(boards)} boards", DIM)
    return text
