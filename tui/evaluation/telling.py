"""An evaluation in words: a line for each session, a table at the end."""

from tui.evaluation.oracle import Verdict
from tui.evaluation.results import Results, Trial
from tui.evaluation.scoring import Score
from tui.evaluation.spending import Spending

_SIGNS = {
    Verdict.ACCEPTED_RIGHT: "✓",
    Verdict.REFUSED_RIGHT: "✓",
    Verdict.ACCEPTED_UNJUDGED: "?",
    Verdict.ACCEPTED_WRONG: "✗",
    Verdict.REFUSED_WRONG: "⊘",
    Verdict.NOT_OFFERED: "-",
    Verdict.FAILED: "✗",
    Verdict.BROKEN: "!",
}
_MEANINGS = {
    Verdict.ACCEPTED_RIGHT: "built, and seen to do what was meant",
    Verdict.ACCEPTED_UNJUDGED: "built; what decides cannot be judged here",
    Verdict.ACCEPTED_WRONG: "built, and not what was meant",
    Verdict.REFUSED_RIGHT: "refused or asked about, as it should be",
    Verdict.REFUSED_WRONG: "refused, though the designer says that it does this",
    Verdict.NOT_OFFERED: "refused; beyond what the designer says that it does",
    Verdict.FAILED: "designed, and not proved",
    Verdict.BROKEN: "the lab or a tool was at fault",
}


def printable(text: str, most: int = 160) -> str:
    """Text of models and devices on one line, without control characters."""
    flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def trial_line(trial: Trial) -> str:
    """One session: its verdict, and what was wrong."""
    again = f" ({trial.repeat})" if trial.repeat > 1 else ""
    head = f"{_SIGNS[trial.verdict]} {trial.verdict.value:<17} {trial.case}{again}"
    if trial.verdict.is_right or not trial.problems:
        return head
    return f"{head}: {printable('; '.join(trial.problems))}"


def money(spending: Spending | None) -> str:
    """The cost in dollars; what nobody told is unknown, not nothing."""
    if spending is None:
        return "unknown"
    known = f"${spending.microdollars / 1e6:.4f}"
    if not spending.unknown:
        return f"{known} in {spending.calls} calls"
    most = f"at most ${spending.at_most / 1e6:.4f}"
    return f"{known} known, {most}: {spending.unknown} of {spending.calls} calls of unknown cost"


def tokens(spending: Spending | None) -> str:
    """Tokens in and out."""
    if spending is None:
        return "unknown"
    cached = f"of them {spending.cached_tokens:,} from the cache"
    return f"{spending.input_tokens:,} in ({cached}), {spending.output_tokens:,} out"


def score_rows(results: Results, told: Score) -> list[tuple[str, str]]:
    """The numbers of an evaluation, each with its name."""
    rows = [
        (verdict.value, f"{told.verdicts[verdict.value]}  {_MEANINGS[verdict]}")
        for verdict in Verdict
        if told.verdicts[verdict.value]
    ]
    rows.append(("pass@1", f"{told.pass_1:.1%} of {told.cases} sentences"))
    if told.k > 1:
        rows.append((f"pass@{told.k}", f"{told.pass_k:.1%}"))
    rows.append(
        (
            "pass@1, built",
            f"{told.built_pass_1:.1%} of the {told.built_cases} that have to be built",
        )
    )
    rows.append(("unexplained", f"{told.unexplained} right refusals name none of the reasons"))
    rows.append(("repair turns", str(told.repairs)))
    if results.plan.designer == "offline":
        rows.append(("cost", "none: nothing is asked of a model"))
    else:
        rows.append(("tokens", tokens(told.spending)))
        missing = f"; {told.untold} sessions told nothing" if told.untold else ""
        rows.append(("cost", money(told.spending) + missing))
    seconds = told.wall_ms / 1000 / max(told.trials, 1)
    rows.append(("time", f"{seconds:.1f} s a session, with what was built before from the cache"))
    return rows


def tell(results: Results, told: Score) -> list[str]:
    """The table at the end."""
    plan = results.plan
    what = f"{plan.designer} until {plan.until}, seed {plan.seed}"
    head = f"{printable(plan.title)}: {told.trials} sessions, {what}"
    rows = score_rows(results, told)
    width = max(len(name) for name, _ in rows)
    lines = ["", head, *(f"  {name:<{width}}  {text}" for name, text in rows)]
    if told.reasons:
        lines.append("  reasons of what was not right")
        lines += [
            f"    {number:>4}  {reason}" for reason, number in list(told.reasons.items())[:12]
        ]
    return lines
