"""What is said about a session when it is over."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controlplane.domain.session import Session, SessionRequest, StageRecord
from controlplane.domain.verdict import (
    AssertionResult,
    Evidence,
    Outcome,
    ScenarioResult,
    Stage,
    StageFinding,
    State,
    worst,
)
from controlplane.pipeline.summary import (
    first_failure,
    session_evidence,
    session_message,
    session_outcome,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ended(**outcomes: Outcome) -> Session:
    stages = tuple(
        StageRecord(stage=Stage(name), state=State.DONE, outcome=outcome, message=f"{name} said")
        for name, outcome in outcomes.items()
    )
    request = SessionRequest(
        prompt="x", source=None, board_wish="", until=Stage.DEPLOY, designer="", seed=None
    )
    return Session(
        name="sessions/1",
        request=request,
        state=State.RUNNING,
        stages=stages,
        principal="local:x",
        create_time=NOW,
        update_time=NOW,
        seed=0,
    )


def scenario(outcome: Outcome, evidence: Evidence, *assertions: AssertionResult) -> ScenarioResult:
    return ScenarioResult(
        scenario_id="main",
        title="t",
        stage=Stage.SIMULATE,
        outcome=outcome,
        evidence=evidence,
        runner="qemu",
        seed=1,
        device_ms=1,
        wall_ms=1,
        assertions=assertions,
        message="why",
    )


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Outcome.SKIPPED),
        ([Outcome.PASSED, Outcome.SKIPPED], Outcome.PASSED),
        ([Outcome.PASSED, Outcome.FAILED], Outcome.FAILED),
        ([Outcome.FAILED, Outcome.BROKEN], Outcome.BROKEN),
        ([Outcome.SKIPPED, Outcome.SKIPPED], Outcome.SKIPPED),
    ],
)
def test_the_worst_outcome_of_the_parts_is_that_of_the_whole(
    outcomes: list[Outcome], expected: Outcome
) -> None:
    assert worst(outcomes) is expected


def test_a_session_whose_judging_was_skipped_is_not_a_pass() -> None:
    session = ended(DESIGN=Outcome.PASSED, BUILD=Outcome.PASSED, SIMULATE=Outcome.SKIPPED)

    assert session_outcome(session) is Outcome.SKIPPED


def test_a_session_that_was_only_to_be_built_passes_and_says_that_nothing_was_judged() -> None:
    session = ended(DESIGN=Outcome.PASSED, BUILD=Outcome.PASSED)

    assert session_outcome(session) is Outcome.PASSED
    assert session_evidence(session) is None
    assert "nothing was judged" in session_message(session, Outcome.PASSED)


def test_a_session_whose_messages_nobody_carries_says_so() -> None:
    found = StageFinding(
        code="W162", subject="cloud", message="it publishes to nobody", fix="add --stack local"
    )
    session = replace(
        ended(DEPLOY=Outcome.PASSED),
        findings=(found,),
        scenario_results=(scenario(Outcome.PASSED, Evidence.VIRTUAL),),
    )

    message = session_message(session, Outcome.PASSED)

    assert message.endswith("; it publishes to nobody: add --stack local")


def test_a_session_that_did_not_pass_quotes_the_stage_at_fault() -> None:
    session = ended(DESIGN=Outcome.PASSED, BUILD=Outcome.BROKEN)

    assert session_message(session, Outcome.BROKEN) == "build: BUILD said"


def test_the_first_assertion_at_fault_is_quoted_with_its_scenario() -> None:
    wrong = AssertionResult(
        assertion_id="led_rate", kind="period", outcome=Outcome.FAILED, message="too slow"
    )
    results = (scenario(Outcome.FAILED, Evidence.SIMULATED, wrong),)

    assert first_failure(results, Outcome.FAILED) == "main/led_rate: too slow"
    assert first_failure(results, Outcome.PASSED) == ""
    assert first_failure(results, Outcome.BROKEN) == ""
