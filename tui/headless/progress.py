"""Calm progress of a run on stderr: a line for each decision, a moving line on a terminal."""

from dataclasses import replace

from tui.clock import now_ms
from tui.headless.status_line import StatusLine
from tui.question_wording import answered_lines, question_lines
from tui.spending_words import call_line
from tui.state import fact as f
from tui.state.model_call import ModelCalled
from tui.state.question import Answered, Asked
from tui.state.run import RunView, ScenarioView, reduce_run
from tui.wording import (
    assertion_line,
    attempt_line,
    bar,
    ending,
    flash_line,
    glyph,
    runner_name,
    scenario_head,
    stage_line,
    told_by_findings,
)
from tui.wording import visible as _visible


def lines_for(event: f.Event, before: RunView, after: RunView) -> list[str]:
    """What one event adds to the talk. Pure."""
    fact = event.fact
    match fact:
        case f.StageMoved():
            told = told_by_findings(fact, before.findings)
            shown = replace(fact, message="") if told else fact
            return [] if fact.state is f.State.PENDING else [stage_line(shown)]
        case f.SessionMoved():
            told = after.open_round is not None  # by its questions
            waiting = fact.state is f.State.WAITING and fact.message and not told
            return [f"… {_visible(fact.message)}"] if waiting else []
        case f.AttemptMoved():
            told = fact.attempt > 1 or fact.calls > 0
            return [f"  {_visible(attempt_line(fact))}"] if told else []
        case ModelCalled():
            return [f"  {call_line(fact)}"] if fact.outcome == "asking" else []
        case f.DesignMade():
            return [f"  {fact.title} on {fact.board_model}, {len(fact.scenarios)} scenario(s)"]
        case f.Finding():
            return finding_lines(fact)
        case f.Diagnostic():
            where = f"{fact.file}:{fact.line}" if fact.line else fact.file
            return [f"  {where}: {fact.severity.value.lower()}: {_visible(fact.message)}"]
        case f.Noted() | f.LeaseMoved() | Asked() | Answered():
            return _side_lines(fact, after)
        case f.ScenarioBegan() | f.AssertionDecided() | f.ScenarioEnded():
            return _scenario_lines(fact, before, after)
        case f.FlashMoved():
            flash = next(one for one in after.flashes if one.command_id == fact.command_id)
            return [] if fact.outcome is f.Outcome.NONE else [f"  {flash_line(flash)}"]
        case _:
            return []


def _side_lines(fact: f.Noted | f.LeaseMoved | Asked | Answered, after: RunView) -> list[str]:
    match fact:
        case f.Noted():
            return [f"  note: {_visible(fact.text)}"]
        case f.LeaseMoved():
            return [f"  board {fact.board.rpartition('/')[2]} {fact.change}"]
        case Asked():
            return question_lines(fact, after.session_id)
        case Answered():
            return answered_lines(fact)


def finding_lines(finding: f.Finding) -> list[str]:
    """A finding and its way forward."""
    subject = f" {finding.subject}" if finding.subject else ""
    head = f"  {finding.severity.value.lower()} {finding.code}{subject}: {finding.message}"
    lines = [_visible(head)]
    if finding.fix:
        lines.append(f"    {_visible(finding.fix)}")
    return lines


def _scenario_lines(
    fact: f.ScenarioBegan | f.AssertionDecided | f.ScenarioEnded, before: RunView, after: RunView
) -> list[str]:
    key = (fact.scenario_id, fact.runner)
    scenario = next(s for s in after.scenarios if (s.scenario_id, s.runner) == key)
    match fact:
        case f.ScenarioBegan():
            return [f"  {scenario_head(scenario)}"]
        case f.AssertionDecided():
            return [f"    {assertion_line(fact.assertion)}"]
        case f.ScenarioEnded():
            known = next((s for s in before.scenarios if (s.scenario_id, s.runner) == key), None)

            decided = {a.assertion_id for a in known.assertions if _decided(a)} if known else set()
            late = [a for a in fact.assertions if a.assertion_id not in decided]
            lines = [f"    {assertion_line(a)}" for a in late]
            cached = ", from an identical run before" if fact.cached else ""
            message = f": {_visible(fact.message)}" if fact.message else ""
            verdict = ending(f.State.DONE, fact.outcome, fact.evidence)
            name = f"{fact.scenario_id} on {runner_name(fact.runner)}"
            head = f"  {glyph(fact.outcome)} {name}: {verdict}{cached}{message}"
            return [*lines, head]


def _decided(assertion: f.Assertion) -> bool:
    return assertion.outcome is not f.Outcome.NONE


class Progress(StatusLine):
    """Follows a run: folds its events and talks about them. Use as an async context manager."""

    def __init__(self, view: RunView, *, plain: bool = False) -> None:
        super().__init__(plain=plain)
        self.view = view

    def status(self) -> str:
        """What moves right now."""
        return moving_line(self.view, now_ms())

    def feed(self, event: f.Event) -> None:
        """Take one event."""
        before = self.view
        self.view = reduce_run(before, event)
        if self.view is before:
            return
        for line in lines_for(event, before, self.view):
            self.say(line)
        self.refresh()


def moving_line(view: RunView, at_ms: float) -> str:
    """What moves right now: an answer of a model, a flash, or a scenario's device time. Empty when
    nothing does. Pure.
    """
    if view.state.ended:
        return ""
    if view.calls and view.calls[-1].going_on:
        return f"    {call_line(view.calls[-1])}"
    flashing = [one for one in view.flashes if one.outcome is f.Outcome.NONE]
    if flashing:
        return f"    {flash_line(flashing[-1])}"
    running = [s for s in view.scenarios if s.outcome is f.Outcome.NONE]
    return f"    {countdown(running[-1], at_ms)}" if running else ""


def countdown(scenario: ScenarioView, at_ms: float) -> str:
    """``main on vf405-01  ███░░░░░░░ 6 s of 9 s left``; only boards run in real time."""
    name = f"{scenario.scenario_id} on {runner_name(scenario.runner)}"
    if scenario.stage is not f.Stage.DEPLOY or not scenario.device_ms:
        return f"{name}: running"
    left_ms = min(max(0.0, scenario.began_ms + scenario.device_ms - at_ms), scenario.device_ms)
    if not left_ms:
        return f"{name}: waiting for its last bytes"
    gone = bar(1 - left_ms / scenario.device_ms)
    return f"{name}  {gone} {left_ms / 1000:.0f} s of {scenario.device_ms / 1000:.0f} s left"
