"""Numbers of an evaluation: what was right, pass@1 and pass@k, turns, tokens, cost, reasons."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Any

from tui.evaluation.labels import Answer, Case
from tui.evaluation.oracle import Verdict
from tui.evaluation.results import Trial
from tui.evaluation.spending import Spending


def pass_at(k: int, tries: int, right: int) -> float:
    """How likely one of k tries is right, drawn from ``tries`` of which ``right`` were.

    >>> pass_at(1, 4, 1), pass_at(2, 4, 1), pass_at(3, 3, 0)
    (0.25, 0.5, 0.0)
    """
    if not 1 <= k <= tries:
        raise ValueError(f"{k} of {tries} tries")
    return 1.0 - comb(tries - right, k) / comb(tries, k)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The numbers. ``spending`` is None where no session told its cost."""

    cases: int
    trials: int
    verdicts: dict[str, int]
    pass_1: float
    pass_k: float
    k: int
    built_pass_1: float
    built_cases: int
    unexplained: int
    repairs: int
    spending: Spending | None
    untold: int
    wall_ms: int
    reasons: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        spent = self.spending
        return {
            "cases": self.cases,
            "trials": self.trials,
            "verdicts": self.verdicts,
            "pass@1": round(self.pass_1, 4),
            f"pass@{self.k}": round(self.pass_k, 4),
            "pass@1 of what has to be built": round(self.built_pass_1, 4),
            "refusals without an explanation": self.unexplained,
            "repair turns": self.repairs,
            "tokens": None if spent is None else spent.input_tokens + spent.output_tokens,
            "cost_usd": None if spent is None else spent.microdollars / 1e6,
            "sessions that told no cost": self.untold,
            "wall_ms": self.wall_ms,
            "reasons": self.reasons,
        }


def score(cases: Sequence[Case], trials: Sequence[Trial]) -> Score:
    """Count what was done; cases without a trial are left out."""
    tries: Counter[str] = Counter(one.case for one in trials)
    right: Counter[str] = Counter(one.case for one in trials if one.verdict.is_right)
    done = [case for case in cases if tries[case.id]]
    k = min((tries[case.id] for case in done), default=1)

    def mean(of: list[Case], n: int) -> float:
        rates = [pass_at(n, tries[case.id], right[case.id]) for case in of]
        return sum(rates) / len(rates) if rates else 0.0

    built = [case for case in done if case.answer is Answer.DESIGN]
    told = [one.spending for one in trials if one.spending is not None]
    reasons = Counter(
        f"{reason.stage} {reason.code}".strip()
        for one in trials
        if not one.verdict.is_right
        for reason in _distinct(one)
    )
    return Score(
        cases=len(done),
        trials=len(trials),
        verdicts={v.value: sum(one.verdict is v for one in trials) for v in Verdict},
        pass_1=mean(done, 1),
        pass_k=mean(done, k),
        k=k,
        built_pass_1=mean(built, 1),
        built_cases=len(built),
        unexplained=sum(not one.explained for one in trials),
        repairs=sum(one.repairs for one in trials),
        spending=sum(told, Spending()) if told else None,
        untold=len(trials) - len(told),
        wall_ms=sum(one.wall_ms for one in trials),
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    )


def _distinct(trial: Trial) -> list[Any]:
    """One reason of each code; a trial without findings has the stage that ended it."""
    found = {(one.stage, one.code): one for one in trial.reasons}
    return list(found.values())


def exit_code(trials: Sequence[Trial]) -> int:
    """1 when something wrong was accepted, 3 when the lab broke, else 0."""
    verdicts = {one.verdict for one in trials}
    if Verdict.ACCEPTED_WRONG in verdicts:
        return 1
    return 3 if Verdict.BROKEN in verdicts else 0
