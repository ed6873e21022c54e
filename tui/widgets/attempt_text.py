"""Attempts of a run as lines, and one of them with everything that is known of it. Pure."""

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from tui.coverage_wording import coverage_lines
from tui.spending_words import attempt_head, call_line, spent_words
from tui.state.attempts import AttemptView
from tui.state.fact import State
from tui.state.model_call import ModelCalled
from tui.widgets.paint import BOLD, DIM, outcome_style
from tui.wording import visible

_MOST_LINES = 5_000
_DIFF_STYLES = (
    ("+++", BOLD),
    ("---", BOLD),
    ("@@", Style.parse("cyan")),
    ("+", Style.parse("green")),
    ("-", Style.parse("red")),
)


def attempt_option(attempt: AttemptView, width: int = 0) -> Text:
    """One line of the list."""
    text = Text(attempt_head(attempt), no_wrap=True, overflow="ellipsis")
    text.stylize(outcome_style(attempt.outcome, attempt.state), 0, 1)
    if attempt.best:
        text.stylize(BOLD)
    if width:
        text.truncate(width, overflow="ellipsis")
    return text


def attempt_detail(
    attempt: AttemptView, calls: Sequence[ModelCalled], diff: str | None, *, evidence: bool
) -> Text:
    """Why it was made, what it came to, what it cost, and what it changed.

    ``diff`` is None while it is read; ``evidence`` says that there is evidence to open.
    """
    text = Text()
    if attempt.why:
        text.append("made because ", BOLD).append(f"{visible(attempt.why)}\n")
        if evidence:
            text.append("  e: everything that the model was given of it\n", DIM)
    elif attempt.number == 1:
        text.append("the first one, from the design\n", DIM)
    if attempt.message:
        text.append("came to      ", BOLD).append(f"{visible(attempt.message)}\n")
    if attempt.coverage is not None:
        first, *more = coverage_lines(attempt.coverage)
        text.append("reached      ", BOLD).append(f"{first}\n")
        text.append("".join(f"  {line}\n" for line in more), DIM)
    if attempt.spent.calls:
        text.append("spent        ", BOLD).append(f"{spent_words(attempt.spent)}\n")
    for call in calls:
        text.append(f"  {call_line(call)}\n", "cyan" if call.going_on else DIM)
    text.append("\n")
    return text.append_text(_changes(attempt, diff))


def _changes(attempt: AttemptView, diff: str | None) -> Text:
    if diff:
        return diff_text(diff)
    if attempt.diff_sha256 and diff is None:
        return Text("reading what it changed…", DIM)
    if attempt.number == 1:
        return Text("nothing to compare with: d shows its sketch", DIM)
    if attempt.state is not State.DONE:
        return Text("what it changes is told when it is over", DIM)
    return Text("no file differs from the attempt before", DIM)


def diff_text(diff: str) -> Text:
    """A unified diff; each line keeps its sign, colours only help."""
    text = Text()
    lines = diff.splitlines()
    for line in lines[:_MOST_LINES]:
        style = next((style for sign, style in _DIFF_STYLES if line.startswith(sign)), Style())
        text.append(f"{visible(line)}\n", style)
    if len(lines) > _MOST_LINES:
        text.append(f"… and {len(lines) - _MOST_LINES} more lines", DIM)
    return text
