from hypothesis import given
from hypothesis import strategies as st

from tests.wire.tui.fake_server import passed_events
from tui.client.translate import event_of
from tui.state.fact import Event, FlashAdvanced, FlashMoved, Outcome, SessionMoved, Stage, State
from tui.state.question import Answered, Asked, Question
from tui.state.run import RunView, live_console, reduce_all, reduce_run

LOG = [event_of(one) for one in passed_events()]
WHOLE = reduce_all(RunView(name="sessions/01kdemo"), LOG)


def test_a_whole_log_gives_the_verdict_with_its_stages_and_scenarios() -> None:
    assert (WHOLE.state, WHOLE.outcome, WHOLE.evidence) == (State.DONE, Outcome.PASSED, "virtual")
    assert [one.stage for one in WHOLE.stages] == [
        Stage.DESIGN,
        Stage.BUILD,
        Stage.SIMULATE,
        Stage.DEPLOY,
    ]
    assert [one.runner for one in WHOLE.scenarios] == [
        "qemu-netduinoplus2",
        "agents/bench/boards/vf405-01",
    ]
    assert all(one.assertions[0].outcome is Outcome.PASSED for one in WHOLE.scenarios)
    assert live_console(WHOLE) == "consoles/agents/bench/boards/vf405-01"
    assert not WHOLE.missed


@given(st.lists(st.integers(0, len(LOG) - 1), max_size=30))
def test_events_that_come_again_change_nothing(repeats: list[int]) -> None:
    view = RunView(name="sessions/01kdemo")
    for index, event in enumerate(LOG):
        view = reduce_run(view, event)
        view = reduce_all(view, [LOG[n] for n in repeats if n <= index])
    assert view == WHOLE


@given(st.integers(1, len(LOG) - 1))
def test_a_resumed_log_equals_one_read_at_once(cut: int) -> None:
    first = reduce_all(RunView(name="sessions/01kdemo"), LOG[:cut])
    assert reduce_all(first, LOG[max(0, cut - 3) :]) == WHOLE


def test_a_hole_in_the_sequence_is_not_hidden() -> None:
    assert reduce_all(RunView(name="s"), [LOG[0], LOG[2]]).missed


def test_a_round_is_open_while_it_waits_for_a_person_and_not_for_a_board() -> None:
    asked = Asked(round=1, questions=(Question(question_id="rate", text="How fast?"),))
    answered = Answered(round=1, answers=(("rate", "2 Hz"),))
    waiting, running = (SessionMoved(state=s) for s in (State.WAITING, State.RUNNING))
    facts = [asked, waiting, answered, running, waiting, SessionMoved(state=State.CANCELLED)]
    view, opened = RunView(name="s"), []
    for number, fact in enumerate(facts, start=1):
        view = reduce_run(view, Event(sequence=number, fact=fact))
        opened.append(view.open_round)
    assert opened == [None, asked, None, None, None, None]


def test_progress_after_the_end_of_a_flash_is_ignored() -> None:
    ended = FlashMoved(command_id="c", board="b", image="test", outcome=Outcome.PASSED)
    late = FlashAdvanced(command_id="c", board="b", image="test", phase="verify", fraction=0.5)
    events = [Event(sequence=1, fact=ended), Event(sequence=2, fact=late)]
    assert reduce_all(RunView(name="s"), events).flashes[0].outcome is Outcome.PASSED


def test_a_cancelled_session_leaves_no_stage_running() -> None:
    began = reduce_all(RunView(name="s"), LOG[:5])
    moved = SessionMoved(state=State.CANCELLED)
    view = reduce_run(began, Event(sequence=6, fact=moved))
    assert [one.state for one in view.stages] == [State.DONE, State.CANCELLED]


def test_the_evidence_level_stays_when_a_later_move_names_none() -> None:
    moved = SessionMoved(state=State.RUNNING)
    assert reduce_run(WHOLE, Event(sequence=len(LOG) + 1, fact=moved)).evidence == "virtual"
