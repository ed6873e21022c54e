"""Deployments as the console folds them: the same whatever comes twice, and never silent."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tui.headless.rollout_progress import lines_for
from tui.rollout_wording import (
    board_doing,
    board_lines,
    moving_line,
    rollout_ending,
    rollout_next,
    wave_line,
)
from tui.state.fact import (
    Assertion,
    AssertionDecided,
    BoardMoved,
    DeploymentMoved,
    Event,
    Fact,
    FlashAdvanced,
    FlashMoved,
    Noted,
    Outcome,
    ScenarioBegan,
    ScenarioEnded,
    State,
    WaveMoved,
)
from tui.state.rollout import RolloutView, reduce_rollout, reduce_rollouts

A, B, C = (f"agents/bench/boards/{name}" for name in "abc")
REFUSED = BoardMoved(
    board=C,
    state=State.DONE,
    outcome=Outcome.REFUSED,
    reason="NO_IMAGE_FOR_PART",
    message="c is a z80",
    next_action="leave it out",
)
FACTS: list[Fact] = [
    DeploymentMoved(state=State.PENDING),
    BoardMoved(board=B, wave=1, state=State.PENDING),
    BoardMoved(board=A, wave=1, state=State.PENDING),
    REFUSED,
    DeploymentMoved(state=State.RUNNING),
    WaveMoved(wave=1, wave_count=1, state=State.RUNNING, boards=2),
    BoardMoved(board=B, wave=1, state=State.WAITING, reason="BOARD_BUSY", message="held by ana"),
    BoardMoved(board=A, wave=1, state=State.RUNNING),
    FlashMoved(command_id="1", board=A, image="image"),
    FlashAdvanced(command_id="1", board=A, image="image", phase="PROGRAM", fraction=0.5),
    FlashMoved(command_id="1", board=A, image="image", outcome=Outcome.PASSED),
    ScenarioBegan(scenario_id="main", title="", runner="a"),
    AssertionDecided(
        scenario_id="main",
        runner="a",
        assertion=Assertion(assertion_id="x", outcome=Outcome.FAILED),
    ),
    ScenarioEnded(scenario_id="main", title="", runner="a", outcome=Outcome.FAILED, message="late"),
    BoardMoved(
        board=A,
        wave=1,
        state=State.DONE,
        outcome=Outcome.FAILED,
        evidence="virtual",
        reason="SCENARIO_FAILED",
        message="main: late",
        next_action="mend it",
    ),
    BoardMoved(board=B, wave=1, state=State.RUNNING),
    Noted(text="the control plane was restarted"),
    BoardMoved(board=B, wave=1, state=State.DONE, outcome=Outcome.PASSED, message="equal"),
    WaveMoved(wave=1, wave_count=1, state=State.DONE, boards=2, not_passed=1),
    DeploymentMoved(state=State.DONE, outcome=Outcome.FAILED, message="1 of 3 boards passed"),
]
LOG = [Event(sequence=n, fact=fact) for n, fact in enumerate(FACTS, start=1)]
EMPTY = RolloutView(name="deployments/01d")
WHOLE = reduce_rollouts(EMPTY, LOG)


def after(count: int) -> RolloutView:
    return reduce_rollouts(EMPTY, LOG[:count])


def test_the_end_is_the_verdict_of_every_board_with_refused_ones_last() -> None:
    assert [b.board.board_id for b in WHOLE.boards] == ["a", "b", "c"]
    assert [b.board.board_id for b in WHOLE.not_passed] == ["a", "c"]
    assert (WHOLE.state, WHOLE.outcome, WHOLE.missed) == (State.DONE, Outcome.FAILED, False)


@given(st.lists(st.integers(0, len(LOG)), max_size=6))
def test_events_that_come_again_change_nothing(positions: list[int]) -> None:
    view = EMPTY
    for stop in sorted(positions):
        view = reduce_rollouts(view, LOG[:stop])
    assert reduce_rollouts(view, LOG) == WHOLE


def test_a_gap_is_never_hidden() -> None:
    assert reduce_rollouts(EMPTY, [LOG[0], LOG[2]]).missed


def test_a_board_tells_what_it_does() -> None:
    def doing(count: int, board: str) -> str:
        found = after(count).of(board)
        assert found is not None
        return board_doing(found)

    assert doing(5, A) == "wave 1"
    assert doing(7, B) == "held by ana"
    assert doing(8, A) == "has the board"
    assert doing(10, A) == "█████░░░░░ program 50 %"
    assert doing(13, A) == "main: 1 checks, 1 bad"
    assert doing(20, A) == "SCENARIO_FAILED: main: late → mend it"
    assert doing(20, B) == "equal"


def test_the_wave_line_counts_boards_that_are_flashed() -> None:
    assert wave_line(after(15)) == "wave 1 of 1  █████░░░░░ 1 of 2 boards done, 1 not passed"
    assert "no wave was begun" in wave_line(after(5))
    stopped = WaveMoved(wave=2, wave_count=2, state=State.CANCELLED, boards=1, message="too many")
    view = reduce_rollout(after(19), Event(sequence=20, fact=stopped))
    assert wave_line(view).endswith("; too many")
    assert view.wave == 1


def test_only_what_moves_is_on_the_moving_line() -> None:
    assert moving_line(after(8)) == ""
    assert "a program 50 %" in moving_line(after(10))
    assert moving_line(WHOLE) == ""


def test_words_for_the_end() -> None:
    assert rollout_ending(WHOLE) == "FAILED: 1 of 3 boards passed"
    assert "flash --retry 01d" in rollout_next(WHOLE)
    refused = tuple(b for b in WHOLE.boards if b.board.reason == "NO_IMAGE_FOR_PART")
    assert refused
    assert rollout_next(replace(WHOLE, boards=refused)) == ""
    assert board_lines(REFUSED) == [
        "⊘ c            REFUSED  NO_IMAGE_FOR_PART: c is a z80",
        "  next: leave it out",
    ]


def test_the_talk_has_one_line_a_decision() -> None:
    view, lines = EMPTY, list[str]()
    for event in LOG:
        fresh = reduce_rollout(view, event)
        lines += lines_for(event, view, fresh)
        view = fresh
    assert lines == [
        "  ⊘ c            REFUSED  NO_IMAGE_FOR_PART: c is a z80",
        "    next: leave it out",
        "▶ wave 1 of 1: 2 boards",
        "  … b            WAITING  BOARD_BUSY: held by ana",
        "  ✗ main on a: FAILED: late",
        "  ✗ a            FAILED (virtual)  SCENARIO_FAILED: main: late",
        "    next: mend it",
        "  … b is free",
        "  note: the control plane was restarted",
        "  ✓ b            PASSED  equal",
        "  wave 1 of 1 is over, 1 not passed so far",
        "deployment DONE: 1 of 3 boards passed",
    ]


def test_device_text_is_made_visible() -> None:
    nasty = BoardMoved(board=A, state=State.DONE, outcome=Outcome.BROKEN, message="\x1b[2Jgone")
    assert "\x1b" not in board_lines(nasty)[0]
