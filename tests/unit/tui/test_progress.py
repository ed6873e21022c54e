import pytest

from tests.wire.tui.fake_server import passed_events
from tui.client.translate import event_of
from tui.headless.progress import lines_for, moving_line
from tui.state.fact import (
    UPLOADED,
    Assertion,
    Event,
    Finding,
    FlashMoved,
    Outcome,
    ScenarioBegan,
    SessionSummary,
    Stage,
    StageMoved,
    State,
)
from tui.state.run import RunView, reduce_all, reduce_run
from tui.widgets.run_lines import next_keys
from tui.wording import (
    assertion_line,
    clock,
    ending,
    next_steps,
    one_line,
    short_demand,
    visible,
)

LOG = [event_of(one) for one in passed_events()]


def told(events: list[Event]) -> list[str]:
    view, lines = RunView(name="sessions/x"), []
    for event in events:
        after = reduce_run(view, event)
        lines += lines_for(event, view, after)
        view = after
    return lines


def test_a_run_tells_each_stage_and_each_check_once() -> None:
    lines = told(LOG)
    assert sum("relay_on" in line for line in lines) == 2
    assert sum(line.startswith("✓ BUILD") for line in lines) == 1
    assert "  flash test image on vf405-01: 20,480 bytes, 3 sectors erased" in lines


def test_checks_that_come_only_with_the_end_of_a_scenario_are_told_then() -> None:
    without = [one for one in LOG if type(one.fact).__name__ != "AssertionDecided"]
    assert sum("relay_on" in line for line in told(without)) == 2


def test_a_flash_moves_and_then_the_device_time_counts_down() -> None:
    view = RunView(name="sessions/x", state=State.RUNNING)
    seen = []
    for event in LOG[:-1]:
        view = reduce_run(view, event)
        seen.append(moving_line(view, event.time_ms + 3_000).strip())
    assert "flash test image on vf405-01  ██████░░░░ program 56 %" in seen
    assert "main on vf405-01  ███░░░░░░░ 6 s of 9 s left" in seen
    assert moving_line(reduce_run(view, LOG[-1]), 0) == ""


def test_device_time_counts_from_the_end_of_the_flash_that_resets_the_board() -> None:
    began = ScenarioBegan(scenario_id="main", title="", runner="b/vf405-01", device_ms=9_000)
    flash = FlashMoved(command_id="c", board="b/vf405-01", image="test", outcome=Outcome.PASSED)
    events = (
        Event(sequence=1, fact=began, time_ms=1_000, stage=Stage.DEPLOY),
        Event(sequence=2, fact=flash, time_ms=5_000, stage=Stage.DEPLOY),
    )
    view = reduce_all(RunView(name="sessions/x", state=State.RUNNING), events)
    assert moving_line(view, 6_000).endswith("8 s of 9 s left")
    assert moving_line(view, 20_000).endswith("waiting for its last bytes")


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome.PASSED, "line t <v> C within 2 s → 't 3.1 C'"),
        (Outcome.FAILED, "expected line t <v> C where v > 3 within 2 s; got 't 3.1 C'"),
    ],
)
def test_a_demand_is_told_without_the_signs_of_its_pattern(outcome: Outcome, text: str) -> None:
    check = Assertion(
        assertion_id="t",
        outcome=outcome,
        expected=r"a line matching ^t (?P<v>-?[0-9]+\.[0-9]) C$ where v > 3 within 2 s from 0 ms",
        got="'t 3.1 C'",
    )
    assert short_demand(check) == text


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.PASSED, "show 01m8"),
        (Outcome.FAILED, "project export 01m8"),
        (Outcome.BROKEN, "doctor"),
        (Outcome.REFUSED, "say it differently"),
        (Outcome.SKIPPED, "boards"),
    ],
)
def test_every_verdict_says_what_to_do_next(outcome: Outcome, word: str) -> None:
    assert word in next_steps(SessionSummary(name="sessions/01m8", title="blink", outcome=outcome))


def test_after_a_rejected_plan_the_sentence_is_not_to_blame() -> None:
    rejected = StageMoved(stage=Stage.PROVISION, state=State.DONE, outcome=Outcome.REFUSED)
    ended = SessionSummary(
        name="sessions/01m8", title="publish", outcome=Outcome.REFUSED, stages=(rejected,)
    )
    assert "plan of its stack was rejected" in next_steps(ended)
    assert "say it differently" not in next_steps(ended)


def test_without_a_board_it_says_how_to_get_one() -> None:
    ended = SessionSummary(
        name="sessions/01m8",
        title="blink",
        outcome=Outcome.BROKEN,
        message="deploy: NO_BOARD_MATCHES: no board matches 'model=nucleo-f446re'",
        board_model="nucleo-f446re",
    )
    text = next_steps(ended)
    assert "benchline boards" in text
    assert 'BENCHLINE_VIRTUAL_BOARDS="mine:nucleo-f446re"' in text
    assert "doctor" not in text


def test_where_every_board_is_offline_the_lab_is_not_searched_for_a_fault() -> None:
    ended = SessionSummary(
        name="sessions/01m8",
        title="blink",
        outcome=Outcome.BROKEN,
        message="deploy: BOARDS_OFFLINE: every board that matches is offline: vf405-01: agent …",
    )
    assert "start what is named above" in next_steps(ended)
    assert "doctor" not in next_steps(ended)
    view = RunView(name="x", state=State.DONE, outcome=Outcome.BROKEN, message=ended.message)
    assert "start what is named" in next_keys(view)


def test_what_was_brought_and_refused_is_to_be_mended() -> None:
    ended = SessionSummary(name="sessions/01m8", title=UPLOADED, outcome=Outcome.REFUSED)
    assert "mend" in next_steps(ended)


def test_a_finding_names_the_way_forward_and_hides_no_control_character() -> None:
    finding = Finding(code="X", subject="\x1b[2J", message="no", fix="do this")
    lines = told([Event(sequence=1, fact=finding)])
    assert lines == ["  error X ␛[2J: no", "    do this"]


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0.00 s"), (410, "0.41 s"), (12_340, "12.3 s"), (125_000, "2 min 05 s")]
)
def test_spans_of_time_are_for_people(ms: int, text: str) -> None:
    assert clock(ms) == text


def test_words_stay_on_one_line_and_markup_is_only_text() -> None:
    assert one_line("a\nb\x00[red]", 80) == "a b␀[red]"
    assert one_line("abcdef", 4) == "abc…"
    assert visible("\x9b\u202e") == "\\x9b\\u202e"


def test_a_check_does_not_repeat_its_id_and_a_verdict_names_its_evidence() -> None:
    check = Assertion(assertion_id="ready", outcome=Outcome.PASSED, message="ready: it is")
    assert assertion_line(check).split() == ["✓", "ready", "it", "is"]
    assert ending(State.DONE, Outcome.PASSED, "virtual") == "PASSED (virtual)"
    assert ending(State.CANCELLED, Outcome.NONE, "") == "CANCELLED"
