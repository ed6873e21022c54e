"""Attempts and model calls: from events to what a person reads."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchline.v1 import event_pb2, verdict_pb2
from tui.client.translate import event_of
from tui.headless.progress import lines_for, moving_line
from tui.spending_words import (
    against_ceiling,
    attempt_head,
    call_line,
    cost_words,
    micro_of,
    not_proved,
    spent_words,
)
from tui.state.attempts import attempts_of, total_spent
from tui.state.fact import Event, Outcome, Stage, State
from tui.state.model_call import ModelCalled, Spent
from tui.state.run import RunView, reduce_all, reduce_run

RUNNING, DONE = verdict_pb2.STATE_RUNNING, verdict_pb2.STATE_DONE
FAILED, PASSED = verdict_pb2.OUTCOME_FAILED, verdict_pb2.OUTCOME_PASSED
BUILD, SIMULATE = verdict_pb2.STAGE_BUILD, verdict_pb2.STAGE_SIMULATE


def call(identity: str, outcome: str, attempt: int = 1, **more: object) -> event_pb2.Event:
    told = event_pb2.ModelCall(
        call_id=identity,
        purpose="firmware",
        number=1,
        outcome=outcome,
        model_asked="claude-opus-5-5",
        attempt=attempt,
        **more,
    )
    return event_pb2.Event(attempt=attempt, model_call=told)


def asked(identity: str, attempt: int = 1) -> list[event_pb2.Event]:
    """A call with all that is told of it."""
    counted = event_pb2.TokenUsage(fresh_input=900, cache_read=100, output=1)
    final = event_pb2.TokenUsage(fresh_input=900, cache_read=100, output=50)
    return [
        call(identity, "asking", attempt, worst_micro_usd=500_000),
        call(
            identity,
            "answering",
            attempt,
            usage=counted,
            reckoned_output=40,
            reckoned_micro_usd=4_400,
        ),
        call(identity, "answered", attempt, usage=final, cost_micro_usd=4_600),
    ]


def moved(attempt: int, state: int, **more: object) -> event_pb2.Event:
    told = event_pb2.AttemptChanged(attempt=attempt, state=state, **more)
    return event_pb2.Event(attempt=attempt, attempt_changed=told)


def ended(attempt: int, outcome: int, message: str, **more: object) -> event_pb2.Event:
    return moved(
        attempt,
        DONE,
        outcome=outcome,
        message=message,
        stage=SIMULATE,
        calls=1,
        input_tokens=1000,
        cached_tokens=100,
        output_tokens=50,
        cost_micro_usd=4_600,
        **more,
    )


def numbered(wire: list[event_pb2.Event]) -> list[Event]:
    for sequence, event in enumerate(wire, start=1):
        event.sequence = sequence
        event.attempt = event.attempt or 1
    return [event_of(event) for event in wire]


def story() -> list[Event]:
    """Two attempts: the first fails, the second passes."""
    stage = event_pb2.StageChanged(stage=BUILD, state=RUNNING, runs=1)
    return numbered(
        [
            event_pb2.Event(session_changed=event_pb2.SessionChanged(state=RUNNING)),
            event_pb2.Event(stage=BUILD, stage_changed=stage),
            *asked("c1"),
            ended(1, FAILED, "blink: no PIN record", failing_checks=2, diff_sha256=""),
            moved(2, RUNNING, message="simulate failed: blink: no PIN record"),
            *asked("c2", 2),
            ended(2, PASSED, "every check passed", lines_added=3, lines_removed=1, files_changed=1),
            event_pb2.Event(
                session_changed=event_pb2.SessionChanged(
                    state=DONE, outcome=PASSED, message="every check passed"
                )
            ),
        ]
    )


LOG = story()


def after(count: int) -> RunView:
    return reduce_all(RunView(name="sessions/s"), LOG[:count])


def test_an_attempt_says_why_it_was_made_and_what_it_came_to() -> None:
    first, second = attempts_of(after(len(LOG)))
    assert (first.outcome, first.why, first.message) == (
        Outcome.FAILED,
        "",
        "blink: no PIN record",
    )
    assert second.why == "simulate failed: blink: no PIN record"
    assert (second.outcome, second.best) == (Outcome.PASSED, True)
    assert attempt_head(second).endswith("+3 -1 in 1 file  $0.0046  proved")


def test_an_attempt_that_goes_on_counts_what_streams() -> None:
    (only,) = attempts_of(after(4))
    assert (only.state, only.stage) == (State.RUNNING, Stage.BUILD)
    assert only.spent == Spent(
        calls=1,
        input_tokens=1000,
        cached_tokens=100,
        output_tokens=40,
        micro_usd=4_400,
        about=True,
    )
    assert spent_words(only.spent) == (
        "1 call, 1,000 tokens in (100 cached), about 40 out, about $0.0044"
    )
    assert "claude-opus-5-5 (firmware) answers: 1,000 tokens in, about 40 out" in moving_line(
        after(4), 0
    )


def test_the_total_is_that_of_all_attempts_against_the_ceiling() -> None:
    spent = total_spent(after(len(LOG)))
    assert (spent.calls, spent.micro_usd, spent.about) == (2, 9_200, False)
    assert against_ceiling(spent, 500_000) == "$0.0092 of at most $0.5000"
    assert against_ceiling(spent, 5_000_000) == "$0.0092 of at most $5.00"
    assert against_ceiling(spent, 0) == "$0.0092 without a ceiling"


@given(st.lists(st.integers(0, len(LOG) - 1), max_size=30))
def test_events_that_come_again_change_no_attempt(repeats: list[int]) -> None:
    view = RunView(name="sessions/s")
    for index, event in enumerate(LOG):
        view = reduce_run(view, event)
        view = reduce_all(view, [LOG[n] for n in repeats if n <= index])
    assert view == after(len(LOG))


def test_a_call_that_broke_off_has_an_unknown_cost() -> None:
    wire = [*asked("c1")[:2], call("c2", "asking")]
    view = reduce_all(RunView(name="s"), numbered(wire))
    assert [one.outcome for one in view.calls] == ["interrupted", "asking"]
    (only,) = attempts_of(view)
    assert cost_words(only.spent) == "about $0.0000 and 1 call of unknown cost"


def test_the_end_of_a_session_is_the_end_of_its_calls() -> None:
    cancelled = event_pb2.SessionChanged(state=verdict_pb2.STATE_CANCELLED)
    wire = [*asked("c1")[:2], event_pb2.Event(session_changed=cancelled)]
    view = reduce_all(RunView(name="s"), numbered(wire))
    assert not any(one.going_on for one in view.calls)
    assert moving_line(view, 0) == ""


def test_the_best_candidate_says_why_it_is_not_proved() -> None:
    failed = replace(after(6), state=State.DONE, outcome=Outcome.FAILED, attempt=3)
    attempts = attempts_of(failed, best=1)
    assert [one.best for one in attempts] == [True, False, False]
    told = not_proved(attempts, failed.state, "2 checks failed; this is attempt 1")
    assert told == ("best candidate: attempt 1; not proved: 2 checks failed; this is attempt 1")
    assert not_proved(attempts_of(after(6)), State.RUNNING, "") == ""


def test_a_run_of_one_attempt_names_no_best_one() -> None:
    done = replace(after(6), state=State.DONE, outcome=Outcome.FAILED)
    assert [one.best for one in attempts_of(done)] == [False]


def test_a_watch_tells_when_a_model_is_asked_and_leaves_its_pieces_to_the_moving_line() -> None:
    view, told = RunView(name="s"), []
    for event in LOG[2:5]:
        moved_on = reduce_run(view, event)
        told += lines_for(event, view, moved_on)
        view = moved_on
    assert told == ["  claude-opus-5-5 (firmware) is asked, at most $0.5000"]


def test_words_of_a_service_are_text_on_one_line() -> None:
    failed = ModelCalled(call_id="c", purpose="design", outcome="overloaded", message="a\n\x1b[31m")
    assert call_line(failed) == "the model (design) overloaded: a ␛[31m"


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("0.50", 500_000),
        ("$5", 5_000_000),
        (" 10000 ", 10_000_000_000),
        ("0.000001", 1),
        ("0", None),
        ("-1", None),
        ("1e9", None),
        ("nan", None),
        ("0.0000001", None),
        ("five", None),
        ("", None),
    ],
)
def test_an_amount_of_money_is_read_exactly(text: str, micro: int | None) -> None:
    assert micro_of(text) == micro
