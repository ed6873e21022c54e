"""The two lines at the bottom of a run: what moves, and what to press. Pure."""

from rich.text import Text

from tui.headless.progress import moving_line
from tui.state.cloud import plan_was_rejected, waits_for_approval
from tui.state.fact import UPLOADED, Outcome, State
from tui.state.run import RunView
from tui.widgets.paint import DIM, outcome_style
from tui.wording import OFFLINE, one_line


def next_line(run: RunView) -> Text:
    """What to do now: while it runs, and after the verdict. Pure."""
    return Text(f" {next_keys(run)}", DIM, no_wrap=True, overflow="ellipsis")


def next_keys(run: RunView) -> str:
    """What to press after a verdict; the shell's way is shown by the verbs."""
    if run.state is State.CANCELLED:
        return "cancelled; r runs it again"
    if waits_for_approval(run):
        return "c: the plan, to approve or reject it   it waits, and holds nothing   x: cancel"
    if run.open_round is not None:
        return "a: answer   it waits for you as long as it takes, and holds nothing   x: cancel"
    match run.outcome:
        case Outcome.PASSED:
            return "enter: evidence   d: sketch and wiring   y: copy the verdicts   r: again"
        case Outcome.FAILED:
            again = "" if run.title == UPLOADED else "   r: again"
            return f"the firmware is wrong   enter on ✗: what came instead   d: sketch{again}"
        case Outcome.BROKEN:
            return _broken_keys(run)
        case Outcome.REFUSED if run.title == UPLOADED:
            return "mend what the reason names, and run it again   enter: the whole reason"
        case Outcome.REFUSED if plan_was_rejected(run):
            return "the plan of its stack was rejected   4: the clouds   r: again"
        case Outcome.REFUSED:
            return "r: say it differently   enter: the whole reason"
        case Outcome.SKIPPED:
            return "nothing was judged: a capability is missing   2: the boards   r: again"
        case Outcome.NONE:
            return "leaving does not stop it   d: design   tab: console   x: cancel"


def _broken_keys(run: RunView) -> str:
    if OFFLINE in run.message:
        return "every board that fits is offline: start what is named   2: the boards   r: again"
    return "lab or tool at fault, not the firmware: `benchline doctor`   r: again"


def last_line(run: RunView, now_ms: float) -> Text:
    """The sentence at the bottom: what moves now, the newest note, or the verdict. Pure."""
    moving = moving_line(run, now_ms).strip()
    if moving:
        return Text(f" {moving}", "cyan", no_wrap=True, overflow="ellipsis")
    text = run.message or (run.notes[-1] if run.notes else "")
    style = outcome_style(run.outcome, run.state) if run.outcome is not Outcome.NONE else DIM
    return Text(f" {one_line(text, 300)}", style, no_wrap=True, overflow="ellipsis")
