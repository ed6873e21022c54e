"""Colours. Every colour comes with a word or a glyph: colour alone says nothing."""

from rich.style import Style
from rich.text import Text

from tui.state.fact import Outcome, StageMoved, State
from tui.wording import clock, glyph

_OUTCOME = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.BROKEN: "magenta",
    Outcome.SKIPPED: "yellow",
    Outcome.REFUSED: "yellow",
    Outcome.NONE: "",
}
DIM = Style(dim=True)
BOLD = Style(bold=True)


def outcome_style(outcome: Outcome, state: State = State.UNKNOWN) -> Style:
    """Style of an outcome, or of a state while there is no outcome."""
    if outcome is Outcome.NONE:
        busy = state in (State.RUNNING, State.WAITING)
        return Style.parse("cyan") if busy else DIM
    return Style.parse(_OUTCOME[outcome])


def stage_rail(stages: tuple[StageMoved, ...], *, wide: bool) -> Text:
    """``✓ Design 0.02 s ── ▶ Build ── · Simulate``; narrow: without times and joints."""
    rail = Text(no_wrap=True, overflow="ellipsis")
    for index, stage in enumerate(stages):
        if index:
            rail.append(" ── " if wide else "  ", DIM)
        style = outcome_style(stage.outcome, stage.state)
        rail.append(f"{glyph(stage.outcome, stage.state)} ", style)
        rail.append(stage.stage.value.capitalize(), style)
        if wide and stage.state.ended:
            rail.append(" cached" if stage.cached else f" {clock(stage.duration_ms)}", DIM)
        if stage.runs > 1:
            rail.append(f" run {stage.runs}", Style.parse("yellow"))
    return rail


def rail_glyphs(stages: tuple[StageMoved, ...], *, wide: bool) -> Text:
    """``D✓ B✓ S▶ D·`` for a row of a list; narrow: the signs alone, in the order of the stages."""
    text = Text(no_wrap=True)
    for stage in stages:
        style = outcome_style(stage.outcome, stage.state)
        text.append(stage.stage.value[0] if wide else "", DIM)
        text.append(f"{glyph(stage.outcome, stage.state)}{' ' if wide else ''}", style)
    return text
