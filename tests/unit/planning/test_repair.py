"""Decisions about repairs: when, how often, by whom, and what is kept."""

import pytest

from controlplane.domain.build import Diagnostic
from controlplane.domain.verdict import (
    AssertionResult,
    Outcome,
    ScenarioResult,
    Severity,
    Stage,
)
from controlplane.planning.repair import (
    Candidate,
    Decision,
    Verb,
    best_of,
    decide,
    failing_checks,
    failure_fingerprint,
    scenarios_digest,
)


def candidate(attempt: int, fingerprint: str = "", **more: object) -> Candidate:
    fields = {"stage": Stage.SIMULATE, "failing_checks": 1, "warnings": 0} | more
    return Candidate(attempt=attempt, fingerprint=fingerprint or f"f{attempt}", **fields)


def result(*failed: tuple[str, str], scenario: str = "light") -> ScenarioResult:
    return ScenarioResult(
        scenario_id=scenario,
        title="",
        stage=Stage.SIMULATE,
        outcome=Outcome.FAILED,
        evidence=None,
        runner="sim",
        seed=1,
        device_ms=1,
        wall_ms=1,
        message="why",
        assertions=tuple(
            AssertionResult(
                assertion_id=name, kind="expect", outcome=Outcome.FAILED, message="m", got=got
            )
            for name, got in failed
        ),
    )


def error(message: str, line: int = 1, severity: Severity = Severity.ERROR) -> Diagnostic:
    return Diagnostic(file="a.ino", line=line, column=1, severity=severity, message=message)


def test_new_failures_are_repaired_until_five_attempts_were_made() -> None:
    made: list[Candidate] = []
    verbs = []
    for attempt in range(1, 6):
        made.append(candidate(attempt))
        verbs.append(decide(made, repairs=True, stronger=True).verb)
    assert verbs == [Verb.REPAIR] * 4 + [Verb.STOP]
    assert "5 attempts" in decide(made, repairs=True, stronger=True).why


def test_an_author_without_repairs_stops_at_once() -> None:
    decision = decide([candidate(1)], repairs=False, stronger=True)
    assert decision == Decision(verb=Verb.STOP, why="its author has nothing to repair it with")


def test_a_repeated_failure_stops_or_escalates_once() -> None:
    twice = [candidate(1, "x"), candidate(2, "y"), candidate(3, "x")]
    assert decide(twice, repairs=True, stronger=False).verb is Verb.STOP
    assert decide(twice, repairs=True, stronger=True).verb is Verb.ESCALATE
    assert "attempt 3 failed exactly as attempt 1" in decide(twice, repairs=True, stronger=True).why
    again = [*twice, candidate(4, "x", escalated=True)]
    assert decide(again, repairs=True, stronger=True).verb is Verb.STOP


def test_the_best_came_farthest_then_fails_least_then_warns_least() -> None:
    made = [
        candidate(1, stage=Stage.BUILD, failing_checks=1),
        candidate(2, failing_checks=3),
        candidate(3, failing_checks=2, warnings=4),
        candidate(4, failing_checks=2, warnings=1),
        candidate(5, failing_checks=2, warnings=1),
    ]
    assert best_of(made).attempt == 4
    assert best_of([*made, candidate(6, stage=Stage.DEPLOY, failing_checks=9)]).attempt == 6


def test_checks_that_fail_are_counted() -> None:
    assert failing_checks([result(("a", ""), ("b", "")), result(scenario="other")]) == 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("rose at 1003 ms", "rose at 1004 ms", True),
        ("rose at 1000 ms", "rose at 2000 ms", False),
        ("nothing", "rose at 2000 ms", False),
    ],
)
def test_a_fingerprint_follows_what_was_seen_but_not_its_jitter(
    one: str, other: str, same: bool
) -> None:
    first = failure_fingerprint(Stage.SIMULATE, (), [result(("lit", one))])
    second = failure_fingerprint(Stage.SIMULATE, (), [result(("lit", other))])
    assert (first == second) is same
    assert first != failure_fingerprint(Stage.DEPLOY, (), [result(("lit", one))])


def test_a_fingerprint_of_a_build_ignores_lines_warnings_and_order() -> None:
    one = failure_fingerprint(Stage.BUILD, [error("no x", 3), error("no y", 4)], ())
    warning = error("unused", severity=Severity.WARNING)
    other = failure_fingerprint(Stage.BUILD, [error("no y", 9), warning, error("no x", 8)], ())
    assert one == other
    assert one != failure_fingerprint(Stage.BUILD, [error("no x", 3)], ())


def test_every_letter_of_the_scenarios_counts() -> None:
    assert scenarios_digest([("a", "x")]) == scenarios_digest([("a", "x")])
    assert scenarios_digest([("a", "x")]) != scenarios_digest([("a", "x ")])
    assert scenarios_digest([("a", "b"), ("c", "")]) != scenarios_digest([("a", ""), ("b", "c")])
