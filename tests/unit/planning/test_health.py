"""Scores of boards follow from typed outcomes alone, and settle by themselves."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.health import CureRate, RecoveryAction, RecoveryStep
from controlplane.domain.verdict import Outcome
from controlplane.planning.health import (
    CURES,
    ENOUGH_TRIES,
    FAULT_WEIGHTS,
    HIGHEST,
    LOWEST,
    NEUTRAL,
    SETTLES_BY_ONE_IN,
    counts,
    cures_in,
    is_boards_fault,
    order_of,
    score_after,
    settled,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
scores = st.integers(LOWEST, HIGHEST)
reasons = st.sampled_from([*FAULT_WEIGHTS, "", "INTERRUPTED", "IMAGE_MISSING"])
outcomes = st.sampled_from(list(Outcome))


@given(score=scores, outcome=outcomes, reason=reasons)
def test_a_score_stays_in_its_range_and_moves_the_right_way(
    score: int, outcome: Outcome, reason: str
) -> None:
    after = score_after(score, "flash", outcome, reason)
    assert LOWEST <= after <= HIGHEST
    if outcome is Outcome.PASSED:
        assert after >= score
    elif reason in FAULT_WEIGHTS:
        assert after < score or score == LOWEST
    else:
        assert after == score


@given(score=scores, minutes=st.integers(-100, 100_000))
def test_a_score_settles_at_neutral_and_never_beyond(score: int, minutes: int) -> None:
    after = settled(score, NOW, NOW + timedelta(minutes=minutes))
    assert min(score, NEUTRAL) <= after <= max(score, NEUTRAL)
    if minutes <= 0:
        assert after == score


@given(score=scores, first=st.integers(0, 5000), second=st.integers(0, 5000))
def test_settling_in_two_parts_is_settling_at_once(score: int, first: int, second: int) -> None:
    middle = NOW + first * SETTLES_BY_ONE_IN
    end = middle + second * SETTLES_BY_ONE_IN
    assert settled(settled(score, NOW, middle), middle, end) == settled(score, NOW, end)


def test_what_the_request_or_the_agent_did_says_nothing_about_the_board() -> None:
    for reason in ("INTERRUPTED", "CANCELLED", "STALE_LEASE", "IMAGE_MISSING", "AGENT_SILENT"):
        assert not counts("flash", Outcome.BROKEN, reason)
        assert not is_boards_fault(Outcome.BROKEN, reason)
    assert counts("flash", Outcome.BROKEN, "VERIFY_FAILED")
    assert is_boards_fault(Outcome.BROKEN, "TOOL_HUNG")


def test_failed_firmware_is_never_the_boards_fault() -> None:
    assert not is_boards_fault(Outcome.FAILED, "TARGET_SILENT")


def test_what_never_helped_a_model_is_tried_last() -> None:
    hopeless = CureRate(action=RecoveryAction.SOFT_RESET, tried=ENOUGH_TRIES, cured=0)
    young = CureRate(action=RecoveryAction.HARD_RESET, tried=ENOUGH_TRIES - 1, cured=0)
    order = order_of([hopeless, young])
    assert order[0] is RecoveryAction.HARD_RESET
    assert order[-1] is RecoveryAction.SOFT_RESET
    assert sorted(order) == sorted(CURES)


def step(action: RecoveryAction, outcome: Outcome = Outcome.PASSED) -> RecoveryStep:
    return RecoveryStep(action=action, outcome=outcome)


def test_the_last_rung_before_the_proof_is_what_cured() -> None:
    steps = [
        step(RecoveryAction.CHECK, Outcome.BROKEN),
        step(RecoveryAction.SOFT_RESET, Outcome.BROKEN),
        step(RecoveryAction.BOOTLOADER, Outcome.SKIPPED),
        step(RecoveryAction.POWER_CYCLE),
        step(RecoveryAction.CHECK),
        step(RecoveryAction.CANARY),
        step(RecoveryAction.RESTORE),
    ]
    assert cures_in(steps, Outcome.PASSED) == {
        RecoveryAction.SOFT_RESET: False,
        RecoveryAction.POWER_CYCLE: True,
    }
    assert not any(cures_in(steps, Outcome.BROKEN).values())
    assert cures_in(steps[-3:], Outcome.PASSED) == {}
