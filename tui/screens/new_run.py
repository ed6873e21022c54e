"""A new run: the sentence, and at once what would be understood."""

from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import OptionList, Select, Static, TextArea
from textual.widgets.option_list import Option

from tui.client.connection import failure_of
from tui.client.operations import Preview, board_models, preview_design, start_session
from tui.headless.summary import understood_rows
from tui.prompts import EXAMPLES
from tui.screens.frame import FramedScreen
from tui.session import ConsoleSession
from tui.state.fact import Outcome
from tui.state.model import SessionSeen
from tui.widgets.paint import BOLD, DIM
from tui.wording import visible

_PAUSE_S = 0.3
_OFFLINE, _CLAUDE = "offline", "claude"
_DESIGNERS = [
    ("designer: offline, from known wordings", _OFFLINE),
    ("designer: Claude, any sentence, costs money (docs/designers.md)", _CLAUDE),
]
_ASKED_LATER = "Claude is asked when the run starts: enter what the device should do, then f5."
_TEACH = "Type what the device should do; what is understood appears here.\nexamples: ctrl+e"


class NewRunScreen(FramedScreen):
    """Takes a sentence; esc keeps what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="new.back", priority=True),
        Binding("f5,ctrl+enter,ctrl+j", "start", "Start", id="new.start", priority=True),
        Binding("ctrl+e", "examples", "Examples", id="new.examples", priority=True),
        Binding("ctrl+b", "board", "Board", id="new.board", priority=True),
        Binding("ctrl+g", "designer", "Designer", id="new.designer", priority=True),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self._timer: Timer | None = None
        self._preview: Preview | None = None
        self._previewed = ("", "")
        self._starting = False

    def compose_body(self) -> ComposeResult:
        """Sentence, board, examples, preview."""
        prompt = TextArea(
            self.session.draft, id="prompt", soft_wrap=True, show_line_numbers=False, compact=True
        )
        prompt.border_title = "What should the device do?"
        yield prompt
        yield Select[str](
            [], prompt="board: the designer chooses and says why", id="board", compact=True
        )
        yield Select[str](
            _DESIGNERS, value=_OFFLINE, allow_blank=False, id="designer", compact=True
        )
        yield OptionList(*[Option(Text(one)) for one in EXAMPLES], id="examples", markup=False)
        with VerticalScroll(id="preview", can_focus=False):
            yield Static(_TEACH, id="preview-text", markup=False)

    def on_mount(self) -> None:
        """The examples are shown until something is typed."""
        self.query_one("#preview").border_title = "What I understood"
        self.query_one("#examples").border_title = "Examples: enter takes one"
        self.query_one("#examples").display = False
        prompt = self.query_one("#prompt", TextArea)
        prompt.focus()
        prompt.move_cursor(prompt.document.end)
        self.run_worker(self._read_boards(), group="boards", exclusive=True)
        self._look_soon()

    async def _read_boards(self) -> None:
        models = await board_models(self.session.connection)
        self.query_one("#board", Select).set_options([(one, one) for one in models])

    @property
    def _prompt(self) -> str:
        return self.query_one("#prompt", TextArea).text.strip()

    @property
    def _board(self) -> str:
        value = self.query_one("#board", Select).value
        return value if isinstance(value, str) else ""

    @property
    def _designer(self) -> str:
        return str(self.query_one("#designer", Select).value)

    @on(TextArea.Changed)
    def _typed(self) -> None:
        self.session.draft = self.query_one("#prompt", TextArea).text
        self._look_soon()

    @on(Select.Changed)
    def _chose_board(self) -> None:
        self._look_soon()

    def _look_soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE_S, self._look)

    def _look(self) -> None:
        self.refresh_bindings()
        self.run_worker(self._read_preview(), group="preview", exclusive=True)

    async def _read_preview(self) -> None:
        if not self._prompt or self._designer == _CLAUDE:
            self._tell(Text(_ASKED_LATER if self._prompt else _TEACH, DIM))
            return
        try:
            asked = (self._prompt, self._board)
            self._preview = await preview_design(self.session.connection, *asked)
            self._previewed = asked
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self._tell(Text(f"{failure.reason}: {failure.message}", "yellow"))
            return
        self._tell(preview_text(self._preview))
        self.refresh_bindings()

    def _tell(self, text: Text) -> None:
        self.query_one("#preview-text", Static).update(text)

    def reason_against(self, action: str) -> str | None:
        """A run needs a sentence."""
        if action == "start" and self.is_mounted and not self._prompt:
            return "type what the device should do first"
        if action == "start" and self.is_mounted and self._refused():
            return "this would be refused; the reasons are below the sentence"
        return super().reason_against(action)

    def _refused(self) -> bool:
        """The preview of this very sentence says that it cannot be met."""
        if self._designer == _CLAUDE:
            return False
        current = self._previewed == (self._prompt, self._board)
        return current and self._preview is not None and self._preview.outcome is Outcome.REFUSED

    @on(OptionList.OptionSelected)
    def _took_example(self, event: OptionList.OptionSelected) -> None:
        prompt = self.query_one("#prompt", TextArea)
        prompt.load_text(EXAMPLES[event.option_index])
        self.query_one("#examples").display = False
        prompt.focus()
        prompt.move_cursor(prompt.document.end)

    def action_examples(self) -> None:
        """Show or hide the examples."""
        examples = self.query_one("#examples", OptionList)
        examples.display = not examples.display
        (examples if examples.display else self.query_one("#prompt")).focus()

    def action_board(self) -> None:
        """Go to the choice of the board."""
        self._open("#board")

    def action_designer(self) -> None:
        """Go to the choice of the designer."""
        self._open("#designer")

    def _open(self, name: str) -> None:
        select = self.query_one(name, Select)
        select.focus()
        select.action_show_overlay()

    def action_back(self) -> None:
        """Close what is open, else leave; the draft is kept."""
        if self.query_one("#examples").display:
            self.action_examples()
            return
        self.app.pop_screen()

    def action_start(self) -> None:
        """Start the run and open it."""
        if not self._starting:
            self._starting = True
            self.run_worker(self._start(), group="start", exclusive=True)

    async def _start(self) -> None:
        try:
            asked = (self._prompt, self._board, self._designer)
            started = await start_session(self.session.connection, *asked)
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self.notify(failure.message, title=failure.reason, severity="error")
            return
        finally:
            self._starting = False
        self.session.draft = ""
        self.session.store.dispatch(SessionSeen(started))
        self.app.pop_screen()
        self.app.open_run(started.name)  # type: ignore[attr-defined]


def preview_text(preview: Preview) -> Text:
    """What was understood, or every reason why not. Pure."""
    text = Text()
    if preview.outcome is Outcome.PASSED:
        text.append(f"✓ {visible(preview.title)}", "green bold")
        text.append(f"   {visible(preview.board)}\n", DIM)
        for words, meaning in understood_rows(list(preview.understood)):
            text.append(f"  {words:<18}", BOLD)
            text.append(f" {meaning}\n")
        for pin, signal, reason in preview.pins:
            text.append(f"  {pin:<5} {signal:<14}")
            text.append(f" {visible(reason)}\n", DIM)
        for scenario in preview.scenarios:
            text.append(f"  proved by: {visible(scenario)}\n", DIM)
        for assumed in preview.assumptions:
            text.append(f"  assumed: {visible(assumed)}\n", DIM)
    for finding in preview.findings:
        error = preview.outcome is not Outcome.PASSED
        text.append(f"{'⊘' if error else '!'} {finding.code} ", "yellow bold")
        text.append(f"{visible(finding.subject)}: {visible(finding.message)}\n")
        if finding.fix:
            text.append(f"    {visible(finding.fix)}\n", DIM)
    return text
