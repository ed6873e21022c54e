"""Findings, checks, flashes and notes of a run as lines of a list. Pure."""

import textwrap
from dataclasses import dataclass

from rich.text import Text

from tui.state.fact import (
    Assertion,
    Diagnostic,
    Finding,
    Outcome,
    Severity,
    Stage,
    StageMoved,
    State,
)
from tui.state.run import FlashView, RunView, ScenarioView
from tui.state.stack import PlanMoved
from tui.widgets.paint import BOLD, DIM, outcome_style
from tui.widgets.stack_text import plan_rows
from tui.wording import (
    bare_message,
    clock,
    demand_lines,
    ending,
    flash_line,
    glyph,
    one_line,
    runner_name,
    short_demand,
    stage_line,
    visible,
)

_SEVERITY = {
    Severity.ERROR: ("✗", "red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.NOTE: ("·", "dim"),
}
_TOLD = (Stage.DESIGN, Stage.BUILD)
_DOING = {
    Stage.DESIGN: "finding board, pins and scenarios for the sentence",
    Stage.BUILD: "compiling; the first build also compiles the bench core",
    Stage.PROVISION: "making the device's place in its cloud",
}
_BAD = (Outcome.FAILED, Outcome.BROKEN)
_ROOMY = 64
"""From this width on a check that passed says in words what it is about."""

Subject = StageMoved | Finding | Diagnostic | FlashView | ScenarioView | Assertion | str


@dataclass(frozen=True, slots=True)
class Row:
    """One line and what it is about."""

    text: Text
    subject: Subject
    scenario: ScenarioView | None = None


def check_rows(run: RunView, width: int = 0, plan: PlanMoved | None = None) -> list[Row]:
    """All lines in the order in which a person reads them; those that may be cut to ``width``.

    ``plan`` is what the run waits for.
    """
    rows = _rows(run, plan, words=not width or width >= _ROOMY)
    for row in rows:
        if width and row.text.no_wrap:
            row.text.truncate(width, overflow="ellipsis")
    return rows


def _rows(run: RunView, plan: PlanMoved | None, *, words: bool) -> list[Row]:
    rows = [Row(_stage(one), one) for one in run.stages if one.stage in _TOLD and _begun(one)]
    rows += [Row(_finding(one), one) for one in run.findings]
    rows += [Row(_diagnostic(one), one) for one in run.diagnostics]
    simulated = [one for one in run.scenarios if one.stage is not Stage.DEPLOY]
    on_boards = [one for one in run.scenarios if one.stage is Stage.DEPLOY]
    rows += [row for one in simulated for row in _scenario(one, words=words)]
    provisions = (one for one in run.stages if one.stage is Stage.PROVISION)
    rows += [Row(_stage(one), one) for one in provisions if _begun(one)]
    rows += [Row(one, one.plain) for one in (plan_rows(plan) if plan is not None else ())]
    rows += [Row(_flash(one), one) for one in run.flashes]
    rows += [row for one in on_boards for row in _scenario(one, words=words)]
    rows += [Row(Text(f"  {one_line(note, 200)}", DIM), note) for note in run.notes]
    return rows


def _begun(stage: StageMoved) -> bool:
    return stage.state in (State.RUNNING, State.WAITING) or bool(stage.message)


def _stage(one: StageMoved) -> Text:
    """A stage in a line, where no checks tell of it."""
    text = Text(no_wrap=one.outcome not in _BAD)
    text.append(f"{glyph(one.outcome, one.state)} ", outcome_style(one.outcome, one.state))
    text.append(one.stage.value.lower(), BOLD)
    told = one.message or _DOING.get(one.stage, "") if not one.state.ended else one.message
    text.append(f"  {one_line(told, 300)}", DIM)
    return text


def detail_of(run: RunView, row: Row) -> list[str]:
    """Everything that is known about a line."""
    match row.subject:
        case Finding() as one:
            head = f"{one.severity.value} {one.code} {one.subject}".rstrip()
            return [visible(text) for text in (head, one.message, one.fix) if text]
        case Diagnostic() as one:
            head = f"{one.file}:{one.line}: {one.severity.value.lower()}: {one.message}"
            return [visible(head), "", *map(visible, one.excerpt.splitlines())]
        case StageMoved() as one:
            return [stage_line(one), "", *textwrap.wrap(visible(one.message), 72)]
        case FlashView() as one:
            return [flash_line(one), f"command {one.command_id}", *filter(None, [one.reason])]
        case ScenarioView() as one:
            return _scenario_detail(one)
        case Assertion() as one:
            return _assertion_detail(one, row.scenario)
        case str() as note:
            return [visible(note)]


def _scenario_detail(one: ScenarioView) -> list[str]:
    lines = [f"{one.scenario_id} on {one.runner}: {one.outcome.value}", visible(one.title)]
    lines.append(f"evidence {one.evidence or 'none yet'}, seed {one.seed}")
    lines.append(f"device time {one.device_ms / 1000:.3f} s")
    if one.message:
        lines.append(visible(one.message))
    return lines


def _assertion_detail(one: Assertion, scenario: ScenarioView | None) -> list[str]:
    lines = [f"{glyph(one.outcome)} {one.assertion_id} {one.outcome.value}  ({one.kind})"]
    if scenario is not None:
        lines.append(f"scenario {scenario.scenario_id} on {scenario.runner}")
    if one.at_ms >= 0:
        lines.append(f"decided at {one.at_ms / 1000:.3f} s of device time")
    told = demand_lines(one, 70) or textwrap.wrap(visible(bare_message(one)), 70)
    lines += ["", *told, ""]
    return lines


def _finding(one: Finding) -> Text:
    sign, style = _SEVERITY[one.severity]
    subject = f" {one.subject}" if one.subject else ""
    text = Text()
    text.append(f"{sign} ", style)
    text.append(one_line(f"{one.code}{subject}: {one.message}", 400))
    if one.fix:
        text.append(f"\n    {one_line(one.fix, 400)}", DIM)
    return text


def _diagnostic(one: Diagnostic) -> Text:
    sign, style = _SEVERITY[one.severity]
    text = Text()
    text.append(f"{sign} ", style)
    return text.append(one_line(f"{one.file}:{one.line}: {one.message}", 400))


def _flash(one: FlashView) -> Text:
    text = Text(no_wrap=one.outcome not in _BAD)
    state = State.RUNNING if one.outcome is Outcome.NONE else State.DONE
    text.append(f"{glyph(one.outcome, state)} ", outcome_style(one.outcome, state))
    return text.append(flash_line(one))


def _scenario(one: ScenarioView, *, words: bool) -> list[Row]:
    head = Text()
    head.append(f"{glyph(one.outcome)} ", outcome_style(one.outcome))
    head.append(f"{one.scenario_id} on {runner_name(one.runner)}", BOLD)
    if one.outcome is not Outcome.NONE:
        verdict = ending(State.DONE, one.outcome, one.evidence)
        head.append(f"  {verdict}", outcome_style(one.outcome))
    elif one.device_ms:
        head.append(f"  {clock(one.device_ms)} of device time", DIM)
    if one.cached:
        head.append("  cached", DIM)
    if one.message and not any(check.outcome in _BAD for check in one.assertions):
        head.append(f"\n    {one_line(one.message, 300)}", DIM)
    checks = (Row(_assertion(check, words=words), check, one) for check in one.assertions)
    return [Row(head, one), *checks]


def _assertion(one: Assertion, *, words: bool) -> Text:
    text = Text("  ", no_wrap=one.outcome not in _BAD)
    text.append(f"{glyph(one.outcome)} ", outcome_style(one.outcome))
    text.append(f"{one.assertion_id:<22}")
    text.append(f" {one.at_ms / 1000:7.3f} s" if one.at_ms >= 0 else " " * 10, DIM)
    if one.outcome in _BAD:
        text.append(f"\n      {one_line(short_demand(one), 300)}")
    elif one.outcome is Outcome.PASSED and words:
        text.append(f"  {one_line(short_demand(one), 120)}", DIM)
    return text
