"""When console bytes are sent."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from benchagent.pacing import Pacing

PACING = Pacing()
moments = st.floats(0, 1e6)


def due(waiting: int, unacked: int, oldest_s: float, last_send_s: float) -> float:
    return PACING.due(
        waiting_bytes=waiting,
        unacked_bytes=unacked,
        oldest_s=oldest_s,
        last_send_s=last_send_s,
    )


def test_the_line_of_an_idle_board_leaves_at_once() -> None:
    assert due(80, 0, oldest_s=100.0, last_send_s=99.0) < 100.0


def test_two_messages_keep_their_distance() -> None:
    assert due(80, 0, oldest_s=100.001, last_send_s=100.0) == 100.002


def test_bytes_wait_for_the_acknowledgement_but_not_long() -> None:
    assert due(80, 80, oldest_s=100.0, last_send_s=99.0) == 100.005


@given(unacked=st.integers(0, 10**6), oldest_s=moments, last_send_s=moments)
def test_a_full_message_never_waits(unacked: int, oldest_s: float, last_send_s: float) -> None:
    assert due(64 * 1024, unacked, oldest_s, last_send_s) == -math.inf


@given(unacked=st.integers(0, 10**6), oldest_s=moments, last_send_s=moments)
def test_nothing_is_never_sent(unacked: int, oldest_s: float, last_send_s: float) -> None:
    assert due(0, unacked, oldest_s, last_send_s) == math.inf


@given(waiting=st.integers(1, 10**6), unacked=st.integers(0, 10**6), oldest_s=moments)
def test_no_byte_waits_longer_than_the_age(waiting: int, unacked: int, oldest_s: float) -> None:
    assert due(waiting, unacked, oldest_s, last_send_s=oldest_s) <= oldest_s + PACING.max_age_s
