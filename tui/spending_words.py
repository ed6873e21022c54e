"""Words for tokens and money, shared by the console and the verbs."""

from decimal import Decimal, InvalidOperation

from tui.state.attempts import AttemptView
from tui.state.fact import Outcome, State
from tui.state.model_call import ModelCalled, Spent
from tui.wording import glyph, one_line, visible

MICRO = 1_000_000
MOST_USD = 10_000
"""The largest ceiling that a session can have, in dollars."""


def usd(micro_usd: int) -> str:
    """``$0.0342``; from ten cents on ``$1.25``."""
    dollars = Decimal(micro_usd) / MICRO
    return f"${dollars:,.2f}" if dollars >= 1 and not micro_usd % 10_000 else f"${dollars:,.4f}"


def micro_of(text: str) -> int | None:
    """Millionths of a dollar of ``0.50`` or ``$0.50``; None when it is no amount over 0."""
    try:
        dollars = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        return None
    if not dollars.is_finite() or not 0 < dollars <= MOST_USD:
        return None
    return int(dollars * MICRO) or None


def spent_words(spent: Spent) -> str:
    """``2 calls, 4,210 tokens in (3,000 cached), about 393 out, about $0.0342``."""
    about = "about " if spent.about else ""
    calls = "1 call" if spent.calls == 1 else f"{spent.calls} calls"
    read = f"{spent.input_tokens:,} tokens in ({spent.cached_tokens:,} cached)"
    return f"{calls}, {read}, {about}{spent.output_tokens:,} out, {cost_words(spent)}"


def cost_words(spent: Spent) -> str:
    """``$0.0342``, ``about $0.0342``, ``$0.0342 and 1 call of unknown cost``."""
    about = "about " if spent.about else ""
    if not spent.unknown:
        return f"{about}{usd(spent.micro_usd)}"
    calls = "1 call" if spent.unknown == 1 else f"{spent.unknown} calls"
    return f"{about}{usd(spent.micro_usd)} and {calls} of unknown cost"


def against_ceiling(spent: Spent, ceiling_micro_usd: int) -> str:
    """``$0.0342 of at most $5.00``."""
    most = f"of at most {usd(ceiling_micro_usd)}" if ceiling_micro_usd else "without a ceiling"
    return f"{cost_words(spent)} {most}"


def call_line(call: ModelCalled) -> str:
    """What a call of a model does right now, or how it ended."""
    head = f"{visible(call.model) or 'the model'} ({call.purpose})"
    again = f", try {call.number}" if call.number > 1 else ""
    match call.outcome:
        case "asking":
            most = "" if call.worst_micro_usd is None else f", at most {usd(call.worst_micro_usd)}"
            return f"{head} is asked{again}{most}"
        case "answering":
            return f"{head} answers{again}: {_tokens(call)}"
        case "answered":
            return f"{head} answered{again}: {_tokens(call)}"
        case _:
            told = f": {one_line(call.message, 200)}" if call.message else ""
            return f"{head} {call.outcome}{again}{told}"


def _tokens(call: ModelCalled) -> str:
    about = "about " if call.going_on else ""
    cost = "cost unknown" if call.cost_micro_usd is None else f"{about}{usd(call.cost_micro_usd)}"
    return f"{call.input_tokens:,} tokens in, {about}{call.output_tokens:,} out, {cost}"


def attempt_head(attempt: AttemptView) -> str:
    """``✗ 1  SIMULATE  FAILED   +58 -3 in 1 file  2 failing  $0.0342``."""
    mark = glyph(attempt.outcome, attempt.state)
    word = attempt.state.value if attempt.outcome is Outcome.NONE else attempt.outcome.value
    stage = "" if attempt.stage.value == "NONE" else attempt.stage.value
    parts = [f"{mark} {attempt.number}  {stage:<9} {word:<8}"]
    if attempt.files_changed:
        files = "file" if attempt.files_changed == 1 else "files"
        changed = f"+{attempt.lines_added} -{attempt.lines_removed}"
        parts.append(f"{changed} in {attempt.files_changed} {files}")
    if attempt.failing_checks and attempt.outcome is not Outcome.PASSED:
        parts.append(f"{attempt.failing_checks} failing")
    if attempt.spent.calls:
        parts.append(cost_words(attempt.spent))
    if attempt.best:
        parts.append("proved" if attempt.outcome is Outcome.PASSED else "best candidate")
    return "  ".join(parts).rstrip()


def not_proved(attempts: tuple[AttemptView, ...], state: State, message: str) -> str:
    """Which attempt a run that is over shows, and why it is not proved; empty while it goes on."""
    best = next((one for one in attempts if one.best), None)
    if best is None or not state.ended:
        return ""
    if best.outcome is Outcome.PASSED:
        return f"attempt {best.number} is proved"
    why = one_line(message or best.message, 400) or "the run was ended"
    return f"best candidate: attempt {best.number}; not proved: {why}"
