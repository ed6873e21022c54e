"""Decides about repairs of firmware: once more, by a stronger model, or over. Pure."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import IntEnum, StrEnum

from controlplane.domain.build import Diagnostic
from controlplane.domain.verdict import Outcome, ScenarioResult, Severity, Stage

MOST_ATTEMPTS = 5

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Reach(IntEnum):
    """How far a candidate came; less is better."""

    FAILED_ON_BOARD = 0
    FAILED_IN_SIMULATOR = 1
    NOT_BUILT = 2


_REACH = {
    Stage.BUILD: Reach.NOT_BUILT,
    Stage.SIMULATE: Reach.FAILED_IN_SIMULATOR,
    Stage.DEPLOY: Reach.FAILED_ON_BOARD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One attempt that failed at a stage, and by what it is compared with others."""

    attempt: int
    stage: Stage
    failing_checks: int
    warnings: int
    fingerprint: str
    escalated: bool = False

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """The smallest is the best: how far, failing checks, warnings; the earlier of equals."""
        return (_REACH[self.stage], self.failing_checks, self.warnings, self.attempt)


class Verb(StrEnum):
    """What comes next."""

    REPAIR = "repair"
    ESCALATE = "escalate"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What comes next, and why."""

    verb: Verb
    why: str


def decide(
    candidates: Sequence[Candidate], *, repairs: bool, stronger: bool, most: int = MOST_ATTEMPTS
) -> Decision:
    """What follows the failure of the newest candidate.

    `repairs` says whether the author can use evidence at all, `stronger` whether there is a
    stronger model or effort to turn to, once.
    """
    newest = candidates[-1]
    if not repairs:
        return Decision(verb=Verb.STOP, why="its author has nothing to repair it with")
    if len(candidates) >= most:
        return Decision(verb=Verb.STOP, why=f"{most} attempts were made")
    twin = next((c for c in candidates[:-1] if c.fingerprint == newest.fingerprint), None)
    if twin is None:
        return Decision(verb=Verb.REPAIR, why="")
    why = f"attempt {newest.attempt} failed exactly as attempt {twin.attempt} did"
    if stronger and not any(c.escalated for c in candidates):
        return Decision(verb=Verb.ESCALATE, why=why)
    return Decision(verb=Verb.STOP, why=why)


def best_of(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate to keep when none passed."""
    return min(candidates, key=lambda c: c.rank)


def failing_checks(results: Sequence[ScenarioResult]) -> int:
    """Failed assertions; a scenario that failed without one counts as one."""
    return sum(
        max(1, sum(a.outcome is Outcome.FAILED for a in result.assertions))
        for result in results
        if result.outcome is Outcome.FAILED
    )


def failure_fingerprint(
    stage: Stage, diagnostics: Sequence[Diagnostic], results: Sequence[ScenarioResult]
) -> str:
    """The same for two attempts that fail alike; numbers that were seen count to two digits.

    Lines and columns of the compiler do not count: code above an error may have moved.
    """
    marks = {
        ("error", d.file, _coarse(d.message)) for d in diagnostics if d.severity is Severity.ERROR
    }
    for result in results:
        if result.outcome is not Outcome.FAILED:
            continue
        failed = [a for a in result.assertions if a.outcome is Outcome.FAILED]
        marks |= {(result.scenario_id, a.assertion_id, _coarse(a.got)) for a in failed}
        if not failed:
            marks.add((result.scenario_id, "", _coarse(result.message)))
    text = json.dumps([stage.value, sorted(marks)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _coarse(text: str) -> str:
    def two_digits(match: re.Match[str]) -> str:
        try:
            return f"{Decimal(match[0]):.1e}"
        except InvalidOperation:
            return "#"

    return _NUMBER.sub(two_digits, text)


def scenarios_digest(scenarios: Sequence[tuple[str, str]]) -> str:
    """The digest of what judges: ids and texts of the scenarios."""
    return hashlib.sha256(json.dumps(list(scenarios)).encode("utf-8", "surrogatepass")).hexdigest()
