"""Findings, checks, flashes and notes of a run as lines of a list. Pure."""

from dataclasses import dataclass

from rich.text import Text

from tui.state.fact import Assertion, Diagnostic, Finding, Outcome, Severity, Stage
from tui.state.run import FlashView, RunView, ScenarioView
from tui.widgets.paint import BOLD, DIM, outcome_style
from tui.wording import (
    bare_message,
    demand_lines,
    flash_line,
    glyph,
    one_line,
    runner_name,
    visible,
)

_SEVERITY = {
    Severity.ERROR: ("✗", "red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.NOTE: ("·", "dim"),
}
Subject = Finding | Diagnostic | FlashView | ScenarioView | Assertion | str


@dataclass(frozen=True, slots=True)
class Row:
    """One line and what it is about."""

    text: Text
    subject: Subject
    scenario: ScenarioView | None = None


def check_rows(run: RunView) -> list[Row]:
    """All lines in the order in which a person reads them."""
    rows = [Row(_finding(one), one) for one in run.findings]
    rows += [Row(_diagnostic(one), one) for one in run.diagnostics]
    simulated = [one for one in run.scenarios if one.stage is not Stage.DEPLOY]
    on_boards = [one for one in run.scenarios if one.stage is Stage.DEPLOY]
    rows += [row for one in simulated for row in _scenario(one)]
    rows += [Row(_flash(one), one) for one in run.flashes]
    rows += [row for one in on_boards for row in _scenario(one)]
    rows += [Row(Text(f"  {one_line(note, 200)}", DIM), note) for note in run.notes]
    return rows


def detail_of(run: RunView, row: Row) -> list[str]:
    """Everything that is known about a line."""
    match row.subject:
        case Finding() as one:
            head = f"{one.severity.value} {one.code} {one.subject}".rstrip()
            return [visible(text) for text in (head, one.message, one.fix) if text]
        case Diagnostic() as one:
            head = f"{one.file}:{one.line}: {one.severity.value.lower()}: {one.message}"
            return [visible(head), "", *map(visible, one.excerpt.splitlines())]
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
    lines += ["", visible(bare_message(one)), "", *demand_lines(one, 70)]
    lines += [f"bytes [{r.start}, {r.end}) of {r.console}" for r in one.evidence]
    return lines


def _finding(one: Finding) -> Text:
    sign, style = _SEVERITY[one.severity]
    subject = f" {one.subject}" if one.subject else ""
    text = Text(f"{sign} ", style)
    text.append(one_line(f"{one.code}{subject}: {one.message}", 400))
    if one.fix:
        text.append(f"\n    {one_line(one.fix, 400)}", DIM)
    return text


def _diagnostic(one: Diagnostic) -> Text:
    sign, style = _SEVERITY[one.severity]
    return Text(f"{sign} ", style) + Text(one_line(f"{one.file}:{one.line}: {one.message}", 400))


def _flash(one: FlashView) -> Text:
    return Text(f"{glyph(one.outcome)} ", outcome_style(one.outcome)) + Text(flash_line(one))


def _scenario(one: ScenarioView) -> list[Row]:
    head = Text(f"{glyph(one.outcome)} ", outcome_style(one.outcome))
    head.append(f"{one.scenario_id} on {runner_name(one.runner)}", BOLD)
    if one.outcome is not Outcome.NONE:
        head.append(f"  {one.outcome.value}", outcome_style(one.outcome))
    if one.cached:
        head.append("  cached", DIM)
    if one.message:
        head.append(f"\n    {one_line(one.message, 300)}", DIM)
    return [Row(head, one), *(Row(_assertion(check), check, one) for check in one.assertions)]


def _assertion(one: Assertion) -> Text:
    text = Text("  ")
    text.append(f"{glyph(one.outcome)} ", outcome_style(one.outcome))
    text.append(f"{one.assertion_id:<22}")
    if one.at_ms >= 0:
        text.append(f" {one.at_ms / 1000:7.3f} s", DIM)
    if one.outcome not in (Outcome.PASSED, Outcome.NONE):
        text.append(f"\n      {one_line(bare_message(one), 400)}")
    return text
