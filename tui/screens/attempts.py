"""The attempts of a run: why each was made, what it changed, what it cost."""

from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.screens.dialogs import TextScreen
from tui.screens.frame import ELSEWHERE, FramedScreen
from tui.session import ConsoleSession
from tui.spending_words import against_ceiling, not_proved
from tui.state.attempts import AttemptView, attempts_of, total_spent
from tui.state.model import Model, run_of, summary_of_run
from tui.state.run import RunView
from tui.widgets.attempt_text import attempt_detail, attempt_option
from tui.widgets.paint import BOLD, DIM
from tui.wording import ending, visible

_ALONE = (
    "One attempt. Firmware that fails goes back to its author when Claude writes it; the offline "
    "designer writes the same again, so it has nothing to repair with."
)


class AttemptsScreen(FramedScreen):
    """A list of attempts above everything about the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="attempts.back"),
        Binding("tab", "next_pane", "Pane", id="attempts.pane", priority=True),
        Binding("e", "evidence", "Evidence", id="attempts.evidence"),
        Binding("y", "copy", "Copy", id="attempts.copy"),
        *ELSEWHERE,
    ]

    def __init__(self, session: ConsoleSession, name: str) -> None:
        super().__init__(session)
        self._run_name = name
        self._diffs: dict[str, str] = {}
        self._asked: set[str] = set()
        self._shown: tuple[AttemptView, ...] = ()

    @property
    def run(self) -> RunView:
        """The run as far as it is known."""
        return run_of(self.model, self._run_name)

    def compose_body(self) -> ComposeResult:
        """What all attempts came to, the list, and one of them."""
        yield Static(id="attempts-title")
        with Vertical(id="attempts-panes"):
            yield OptionList(id="attempts", markup=False)
            with VerticalScroll(id="attempt", can_focus=True):
                yield Static(id="attempt-text", markup=False)

    def on_mount(self) -> None:
        """Follow the run, as its own screen does."""
        self.session.feeds.follow(self._run_name)
        self.query_one("#attempts", OptionList).focus()

    def paint(self, model: Model) -> None:
        """Everything that the events decide."""
        summary = summary_of_run(model, self._run_name)
        attempts = attempts_of(self.run, summary.best_attempt)
        self.query_one("#attempts-title", Static).update(self._title(attempts))
        if attempts != self._shown:
            self._fill(attempts)
        self._paint_attempt()

    def _title(self, attempts: tuple[AttemptView, ...]) -> Text:
        run, summary = self.run, summary_of_run(self.model, self._run_name)
        text = Text()
        text.append(f" {run.session_id[:12]}  ", BOLD)
        text.append(ending(run.state, run.outcome, run.evidence))
        spent = total_spent(run)
        if spent.calls or summary.ceiling_micro_usd:
            text.append(f"   {against_ceiling(spent, summary.ceiling_micro_usd)}", "cyan")
        if run.missed:
            text.append("   ! events were lost; numbers may be too low", "bold yellow")
        verdict = not_proved(attempts, run.state, run.message)
        if not verdict and len(attempts) < 2 and run.state.ended:
            verdict = _ALONE
        text.append(f"\n {verdict}" if verdict else "", DIM)
        return text

    def _fill(self, attempts: tuple[AttemptView, ...]) -> None:
        options = self.query_one("#attempts", OptionList)
        at_end = options.highlighted in (None, len(self._shown) - 1)
        kept = options.highlighted
        self._shown = attempts
        width = max(0, options.size.width - 3)
        options.clear_options()
        options.add_options([Option(attempt_option(one, width)) for one in attempts])
        options.highlighted = len(attempts) - 1 if at_end else kept

    @property
    def _current(self) -> AttemptView | None:
        at = self.query_one("#attempts", OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def _paint_attempt(self) -> None:
        attempt = self._current
        if attempt is None:
            return
        calls = [one for one in self.run.calls if one.attempt == attempt.number]
        digest = attempt.diff_sha256
        text = attempt_detail(
            attempt, calls, self._diffs.get(digest), evidence=bool(self._evidence(attempt))
        )
        self.query_one("#attempt-text", Static).update(text)
        self.query_one("#attempt").border_title = f"Attempt {attempt.number}"
        if digest and digest not in self._diffs and digest not in self._asked:
            self._asked.add(digest)
            self.run_worker(self._read_diff(digest), group="diff")

    async def _read_diff(self, digest: str) -> None:
        text = await self._download(digest)
        if text is None:
            self._asked.discard(digest)  # the next paint asks again
            return
        self._diffs[digest] = text
        if self.query("#attempt-text"):  # not closed meanwhile
            self._paint_attempt()

    async def _download(self, digest: str) -> str | None:
        """The text of an artifact; None when it cannot be read now, which is told."""
        try:
            raw = await self.session.connection.download(digest)
        except grpc.aio.AioRpcError as error:
            self.notify(error.details() or "it cannot be read now", severity="warning")
            return None
        return raw.decode("utf-8", "replace")

    def _evidence(self, attempt: AttemptView) -> str:
        """Digest of what was seen of the attempt before, which this one was made from."""
        kind = f"evidence.{attempt.number - 1}"
        stored = (one.sha256 for one in self.run.artifacts if one.kind == kind)
        return next(stored, "")

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self.query_one("#attempt", VerticalScroll).scroll_home(animate=False)
        self._paint_attempt()
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Lines are cut to the width."""
        self._shown = ()
        self.repaint()

    def reason_against(self, action: str) -> str | None:
        """The first attempt was made from no evidence."""
        if action == "evidence" and self.is_mounted:
            attempt = self._current
            if attempt is None or not self._evidence(attempt):
                return "an attempt that repairs nothing was made from no evidence"
        return super().reason_against(action)

    def action_back(self) -> None:
        """To the run."""
        self.app.pop_screen()

    def action_next_pane(self) -> None:
        """The list, or the text to scroll."""
        listed = self.query_one("#attempts", OptionList)
        (self.query_one("#attempt") if listed.has_focus else listed).focus()

    def action_evidence(self) -> None:
        """What the model was given."""
        attempt = self._current
        if attempt is not None:
            digest = self._evidence(attempt)
            self.run_worker(self._show_evidence(attempt.number, digest), group="evidence")

    async def _show_evidence(self, number: int, digest: str) -> None:
        text = await self._download(digest)
        if text is not None:
            lines = [visible(line) for line in text.splitlines()]
            self.app.push_screen(TextScreen(f"What attempt {number} was made from", lines))

    def action_copy(self) -> None:
        """Copy the attempt under the cursor with its difference."""
        attempt = self._current
        if attempt is not None:
            shown = attempt_detail(
                attempt, (), self._diffs.get(attempt.diff_sha256), evidence=False
            )
            self.app.copy_to_clipboard(f"{attempt_option(attempt).plain}\n{shown.plain}")
            self.notify(f"copied attempt {attempt.number}")
