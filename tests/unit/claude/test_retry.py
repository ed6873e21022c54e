"""Waits between tries, and their end."""

import pytest

from controlplane.claude.retry import RETRIED, FailureKind, RetryPolicy, next_wait

POLICY = RetryPolicy(
    tries=5, first_s=1, longest_s=8, longest_asked_s=60, overload_factor=3, deadline_s=100
)


def wait(
    kind: FailureKind = FailureKind.SERVER,
    *,
    failures: int = 1,
    asked_s: float | None = None,
    elapsed_s: float = 0.0,
    jitter: float = 0.999999,
) -> float | None:
    return next_wait(
        POLICY, kind, failures=failures, asked_s=asked_s, elapsed_s=elapsed_s, jitter=jitter
    )


def test_waits_double_up_to_a_cap_and_jitter_halves_them_at_most() -> None:
    longest = [wait(failures=n) for n in range(1, 5)]
    shortest = [wait(failures=n, jitter=0.0) for n in range(1, 5)]

    assert longest == pytest.approx([1, 2, 4, 8], rel=1e-3)
    assert shortest == pytest.approx([0.5, 1, 2, 4])


def test_an_overloaded_service_gets_more_rest() -> None:
    overloaded, server = wait(FailureKind.OVERLOADED), wait()

    assert overloaded is not None
    assert server is not None
    assert overloaded == pytest.approx(3 * server)


def test_what_the_service_asks_for_is_kept_up_to_a_cap() -> None:
    assert wait(asked_s=20) == 20
    assert wait(asked_s=60) == 60
    assert wait(asked_s=61) is None


def test_tries_and_time_are_limited() -> None:
    assert wait(failures=5) is None
    assert wait(elapsed_s=99.5) is None
    assert wait(asked_s=50, elapsed_s=60) is None


@pytest.mark.parametrize("kind", set(FailureKind) - RETRIED)
def test_what_will_not_pass_is_not_tried_again(kind: FailureKind) -> None:
    assert wait(kind) is None
