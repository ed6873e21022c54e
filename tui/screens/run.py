"""One run: the stage rail, what was decided, the console, and the design."""

from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.client.asking import answer_questions
from tui.client.connection import failure_of
from tui.client.operations import session_design
from tui.client.watch import Back, follow_console, read_console
from tui.clock import now_ms
from tui.headless.summary import design_lines, source_lines
from tui.screens.dialogs import TextScreen
from tui.screens.doors import doors
from tui.screens.frame import ELSEWHERE, FramedScreen
from tui.session import ConsoleSession
from tui.state.cloud import waits_for_approval
from tui.state.console import ConsoleText
from tui.state.fact import UPLOADED, Assertion, Bytes, Outcome, StageMoved, State
from tui.state.model import Model, run_of, summary_of_run
from tui.state.run import FlashView, RunView, has_firmware, live_console
from tui.widgets.checks import Row, check_rows, detail_of
from tui.widgets.console_pane import ConsolePane
from tui.widgets.paint import BOLD, DIM, outcome_style, stage_rail
from tui.widgets.question_panel import AnswerLine, QuestionPanel
from tui.widgets.run_lines import last_line, next_line
from tui.wording import ending, one_line, passed_count

PANES = ("checks", "console", "design")
_TAIL_BYTES = 256 * 1024
_EXCERPTS = 6
_PLAN_ROWS = 4
"""Rows of a plan that are brought into view."""
_NO_DESIGN = "No design came of this run: its findings say why."
_EXCERPT_BYTES = 600
_BAD = (Outcome.FAILED, Outcome.BROKEN)


class CheckList(OptionList):
    """Lines of evidence; enter tells everything about one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Evidence", id="run.evidence"),
    ]

    class Resized(Message):
        """There is another room for its lines."""

    def on_resize(self) -> None:
        """Its own size is known later than the screen's."""
        self.post_message(self.Resized())


class RunScreen(FramedScreen):
    """Shows one run. Wide terminals show two panes, narrow ones one at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="run.back", show=False),
        Binding("tab", "next_pane", "Pane", id="run.pane", priority=True),
        Binding("a", "answer", "Answer", id="run.answer"),
        Binding("d", "show_design", "Design", id="run.design"),
        Binding("t", "attempts", "Attempts", id="run.attempts"),
        Binding("D", "open_design", "Design view", id="run.design_view", show=False),
        Binding("l", "live", "Live", id="run.live"),
        Binding("r", "again", "Again", id="run.again"),
        Binding("c", "open_cloud", "Cloud", id="run.cloud"),
        Binding("x", "cancel_run", "Cancel", id="run.cancel"),
        Binding("y", "copy", "Copy", id="run.copy", show=False),
        *ELSEWHERE,
    ]

    def __init__(self, session: ConsoleSession, name: str) -> None:
        super().__init__(session)
        self._run_name = name
        self._stream = ""
        self._rows: list[Row] = []
        self._pane = "checks"
        self._looked_at = 0
        self._design_read = False

    @property
    def run(self) -> RunView:
        """The run as far as it is known."""
        return run_of(self.model, self._run_name)

    def compose_body(self) -> ComposeResult:
        """Title, rail, and three panes."""
        yield Static(id="run-title")
        yield Static(id="rail")
        yield QuestionPanel()
        with Horizontal(id="panes"):
            yield CheckList(id="checks", markup=False)
            yield ConsolePane(id="console")
            with VerticalScroll(id="design", can_focus=True):
                yield Static("Reading the design…", id="design-text", markup=False)
        yield Static(id="last")
        yield Static(id="next")

    def on_mount(self) -> None:
        """Follow the run from its first event."""
        self.session.feeds.follow(self._run_name)
        self.query_one("#checks", OptionList).border_title = "Findings & assertions"
        self.query_one("#design").border_title = "Design & sketch"
        self.set_interval(0.5, self._paint_last)
        self._show_pane("checks")

    def paint(self, model: Model) -> None:
        """Everything that the events decide."""
        run = self.run
        title = Text(no_wrap=True, overflow="ellipsis")
        title.append(f" {run.session_id[:12]}  ", BOLD)
        title.append(
            ending(run.state, run.outcome, run.evidence), outcome_style(run.outcome, run.state)
        )
        if run.missed:
            title.append("  ! events were lost", "bold yellow")
        title.append(f'  "{one_line(run.title, 300)}"', DIM)
        self.query_one("#run-title", Static).update(title)
        rail = Text(" ") + stage_rail(run.stages, wide=self.wide)
        self.query_one("#rail", Static).update(rail)
        self.query_one(QuestionPanel).show(run.open_round)
        self._paint_checks(run)
        self._paint_last()
        self._choose_console(run)
        if (run.design is not None or run.state.ended) and not self._design_read:
            self._design_read = True
            self.run_worker(self._read_design(), group="design", exclusive=True)

    def on_resize(self) -> None:
        """The rail has a short and a long form."""
        self.repaint()

    @on(CheckList.Resized)
    def _fit_checks(self) -> None:
        self._paint_checks(self.run)

    def _paint_checks(self, run: RunView) -> None:
        options = self.query_one("#checks", OptionList)
        room = max(20, options.size.width - 3) if options.size.width else 0
        stack = self.model.stacks.get(self._stack)
        plan = stack.plan if stack is not None and waits_for_approval(run) else None
        rows = check_rows(run, room, plan)
        if rows == self._rows:
            return
        kept = options.highlighted
        following = kept is None or kept == self._looked_at
        self._rows = rows
        options.clear_options()
        options.add_options([Option(row.text) for row in rows])
        if rows:
            self._looked_at = _first_bad(rows) if run.state.ended else _newest(rows)
            options.highlighted = self._looked_at if following else kept
        passed, decided = passed_count(run)
        options.border_subtitle = f"{passed} of {decided} passed" if decided else ""

    def _paint_last(self) -> None:
        if self.is_mounted:
            self.query_one("#last", Static).update(last_line(self.run, now_ms()))
            self.query_one("#next", Static).update(next_line(self.run))

    def _choose_console(self, run: RunView) -> None:
        wanted = live_console(run)
        if wanted and wanted != self._stream:
            self._stream = wanted
            self._mark_pane(self._pane)
            self.query_one(ConsolePane).clear()
            self.run_worker(self._follow_console(wanted), group="console", exclusive=True)

    async def _follow_console(self, console: str) -> None:
        pane = self.query_one(ConsolePane)
        chunks = follow_console(self.session.connection, console, tail_bytes=_TAIL_BYTES)
        try:
            async for chunk in chunks:
                if not isinstance(chunk, Back):
                    pane.feed(chunk.data, offset=chunk.offset, gap=chunk.gap_before)
        except grpc.aio.AioRpcError as error:
            self.notify(error.details() or "the console cannot be read", severity="warning")

    async def _read_design(self) -> None:
        try:
            answer = await session_design(self.session.connection, self._run_name)
        except grpc.aio.AioRpcError:
            self._design_read = False
            return
        if not self.query("#design-text"):
            return  # the screen was closed meanwhile
        if answer is None:
            self.put("#design-text", _NO_DESIGN)
            return
        room = self.app.size.width
        if self.has_class("-wide"):
            room = room * 6 // 11
        made = answer.design.design_hash != ""
        width = max(40, room - 6)
        lines = design_lines(answer.design, width) if made else ["The source was uploaded."]
        lines += source_lines(list(answer.sources))
        if self.put("#design-text", Text("\n".join(lines))):
            self._offer_design()

    def _offer_design(self) -> None:
        """A wide terminal shows the design while there is nothing to hear yet."""
        if not self._stream and self._pane == "checks" and not self.run.state.ended:
            self._mark_pane("design")

    def _mark_pane(self, pane: str) -> None:
        wide_pane = pane if self.has_class("-wide") else self._pane
        for name in PANES:
            self.set_class(name == wide_pane, f"pane-{name}")

    @on(ConsolePane.Painted)
    def _painted_console(self) -> None:
        pane = self.query_one(ConsolePane)
        pane.border_title = f"Console {console_title(self._stream)}"
        pane.border_subtitle = pane.caption

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        for name in PANES:
            self.set_class(name == pane, f"pane-{name}")
        self.query_one(f"#{pane}").focus()

    def reason_against(self, action: str) -> str | None:
        """A run that is over cannot be cancelled; evidence needs a check under the cursor."""
        if action == "cancel_run" and self.run.state.ended:
            return "this run is over; r runs it again"
        if action == "again" and not self.run.state.ended:
            return "this run goes on; x cancels it"
        if action == "again" and self._uploaded:
            return "its source was uploaded: `benchline run --from DIR` runs it again"
        if action == "answer" and self.run.open_round is None:
            return "this run asks nothing"
        if action == "open_cloud" and not self._stack:
            return "this run has no cloud: `benchline run --stack NAME` gives its device one"
        if action == "live" and not has_firmware(self.run):
            return "this run has built no firmware to run live" + (
                "" if self.run.state.ended else ", yet"
            )
        if action == "evidence" and not self._rows:
            return "nothing was decided yet"
        return super().reason_against(action)

    def action_back(self) -> None:
        """From the questions to the panes, else to the screen before."""
        if isinstance(self.focused, AnswerLine):
            self._show_pane(self._pane)
            return
        self.app.pop_screen()

    def action_answer(self) -> None:
        """To the question that is open."""
        self.query_one(QuestionPanel).focus_line()

    @on(QuestionPanel.Completed)
    def _completed(self, event: QuestionPanel.Completed) -> None:
        answers = self._send_answers(event.round_number, event.answers)
        self.run_worker(answers, group="answers", exclusive=True)

    async def _send_answers(self, round_number: int, answers: dict[str, str]) -> None:
        try:
            await answer_questions(self.session.connection, self._run_name, round_number, answers)
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self.notify(failure.message, title=failure.reason, severity="error", markup=False)
            self.query_one(QuestionPanel).begin()
            return
        self.notify("answered; the design goes on")
        self._show_pane(self._pane)

    def action_next_pane(self) -> None:
        """Checks, console, design, and around."""
        self._show_pane(PANES[(PANES.index(self._pane) + 1) % len(PANES)])

    def action_show_design(self) -> None:
        """The design, or back to the console."""
        self._show_pane("console" if self._pane == "design" else "design")

    def action_attempts(self) -> None:
        """Every attempt with what it changed and cost."""
        from tui.screens.attempts import AttemptsScreen

        self.app.push_screen(AttemptsScreen(self.session, self._run_name))

    def action_open_design(self) -> None:
        """The design whole: wiring, pins, findings, parts list."""
        doors(self).open_design(self._run_name)

    @property
    def _stack(self) -> str:
        return summary_of_run(self.model, self._run_name).stack

    def action_open_cloud(self) -> None:
        """The cloud of its device; at the plan, when the run waits for one."""
        doors(self).open_stack(self._stack)

    def action_live(self) -> None:
        """Its firmware live in a simulator."""
        from tui.screens.live import LiveScreen

        self.app.push_screen(LiveScreen(self.session, self._run_name))

    @property
    def _uploaded(self) -> bool:
        return self.run.title == UPLOADED

    def action_again(self) -> None:
        """The sentence again, to run it as it is or to say it differently; else its design."""
        design = summary_of_run(self.model, self._run_name).design
        if design:
            doors(self).open_design(design)
            return
        doors(self).new_run(self.run.title)

    def action_cancel_run(self) -> None:
        """Ask, then cancel."""
        doors(self).cancel_run(self._run_name)

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_evidence()

    def action_evidence(self) -> None:
        """Everything about the line under the cursor."""
        row = self.query_one("#checks", OptionList).highlighted
        if row is not None and row < len(self._rows):
            self.run_worker(self._show_evidence(self._rows[row]), group="evidence")

    async def _show_evidence(self, row: Row) -> None:
        """What is known, with the console lines that decided it."""
        lines = detail_of(self.run, row)
        ranges = row.subject.evidence if isinstance(row.subject, Assertion) else ()
        for one in ranges[:_EXCERPTS]:
            lines.append(f"bytes [{one.start}, {one.end})  {await self._excerpt(one)}".rstrip())
        if len(ranges) > _EXCERPTS:
            lines.append(f"and {len(ranges) - _EXCERPTS} more ranges")
        lines += [f"of {console}" for console in dict.fromkeys(one.console for one in ranges)]
        self.app.push_screen(TextScreen("Evidence", lines))

    async def _excerpt(self, one: Bytes) -> str:
        """The first line of some console bytes; empty when they cannot be read now."""
        try:
            raw = await read_console(
                self.session.connection,
                one.console,
                start=one.start,
                end=one.end,
                most=_EXCERPT_BYTES,
            )
        except grpc.aio.AioRpcError:
            return ""
        text = ConsoleText(start=one.start)
        text.feed(raw, offset=one.start)
        return next((line.text for line in text.lines() if line.text.strip()), "")

    def action_copy(self) -> None:
        """Copy what the focused pane is about."""
        pane = self.query_one(ConsolePane)
        if pane.has_focus:
            self.app.copy_to_clipboard(pane.visible_text())
            self.notify("copied the lines in view")
            return
        run = self.run
        lines = [f"session {run.session_id} {ending(run.state, run.outcome, run.evidence)}"]
        lines += [row.text.plain for row in self._rows]
        self.app.copy_to_clipboard("\n".join(lines))
        self.notify(f"copied the verdicts of {run.session_id[:12]}")


def console_title(console: str) -> str:
    """``vf405-01``, or ``simulation of main`` for a simulator's console."""
    last = console.rpartition("/")[2]
    return f"simulation of {last}" if "/simulations/" in console else last


def _newest(rows: list[Row]) -> int:
    """The row that was decided last, the write to flash that goes on, or the plan to decide."""
    for index in range(len(rows) - 1, -1, -1):
        match rows[index].subject:
            case FlashView(outcome=Outcome.NONE):
                return index
            case StageMoved(state=State.WAITING):
                return min(index + _PLAN_ROWS, len(rows) - 1)
            case Assertion(outcome=outcome) if outcome is not Outcome.NONE:
                return index
            case _:
                continue
    return 0


def _first_bad(rows: list[Row]) -> int:
    """The row that a person looks for in a run that is over."""
    for index, row in enumerate(rows):
        if isinstance(row.subject, Assertion) and row.subject.outcome in _BAD:
            return index
    return 0
