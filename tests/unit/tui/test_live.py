from dataclasses import replace

import pytest

from tui.live_wording import live_cells, live_inputs, live_news, live_stands
from tui.state.fact import Outcome, State
from tui.state.live import LiveFact, LiveInput, reason_against_live
from tui.verbs import build_parser

RUNNING = LiveFact(
    name="liveSimulations/01k",
    session="sessions/01j",
    title="Blink",
    board="olimex-stm32-h405",
    state=State.RUNNING,
    rung="qemu-netduinoplus2",
    simulator="qemu-system-arm 7.2.22",
    test_build=True,
    epoch=1,
    inputs=(
        LiveInput(name="temperature", pin="PA1", kind="analog", unit="C"),
        LiveInput(name="button", pin="PA0", kind="digital_in"),
    ),
)
STARTING = replace(RUNNING, state=State.PENDING, epoch=0)
STUCK = replace(RUNNING, state=State.WAITING, message="lockup", fix="only a reset starts it again")
BROKEN = replace(
    RUNNING,
    state=State.DONE,
    reason="TOOL_BROKEN",
    outcome=Outcome.BROKEN,
    message="qemu-system-arm ended early",
    fix="reinstall it",
)


@pytest.mark.parametrize(
    ("live", "action", "reason"),
    [
        (None, "start_live", None),
        (None, "send", "enter starts it"),
        (RUNNING, "start_live", "runs already"),
        (RUNNING, "send", None),
        (RUNNING, "set_signal", None),
        (RUNNING, "reset", None),
        (replace(RUNNING, test_build=False), "set_signal", "no test build"),
        (replace(RUNNING, test_build=False), "send", None),
        (STARTING, "send", "starts just now"),
        (STARTING, "stop", None),
        (STUCK, "send", "r resets it"),
        (STUCK, "reset", None),
        (BROKEN, "stop", "enter starts it"),
        (BROKEN, "start_live", None),
        (BROKEN, "back", None),
    ],
)
def test_what_can_be_done_now(live: LiveFact | None, action: str, reason: str | None) -> None:
    told = reason_against_live(live, action)
    assert told is None if reason is None else reason in (told or "")


def test_what_is_said_when_it_changes() -> None:
    assert live_news(STARTING, RUNNING) == [
        "qemu-netduinoplus2 as olimex-stm32-h405, boot 1, qemu-system-arm 7.2.22"
    ]
    assert live_news(None, replace(RUNNING, epoch=3))[0].startswith("qemu-netduinoplus2 as")
    assert live_inputs(RUNNING) == "inputs: temperature (PA1, C), button (PA0, on/off)"
    assert live_news(RUNNING, RUNNING) == []
    assert live_news(RUNNING, replace(RUNNING, epoch=2)) == ["reset: boot 2"]
    assert live_news(RUNNING, STUCK) == ["lockup; only a reset starts it again"]
    assert live_news(RUNNING, BROKEN) == [
        "ended: qemu-system-arm ended early",
        "next: reinstall it",
    ]


def test_a_row_shows_the_reason_of_the_end_and_no_text_as_markup() -> None:
    assert live_stands(RUNNING) == "RUNNING"
    cells = live_cells(replace(BROKEN, title="a\x1b[2Jb"))
    assert cells[0] == "01k"
    assert cells[2] == "TOOL_BROKEN"
    assert cells[6] == "a␛[2Jb: qemu-system-arm ended early"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["01k"], None),
        (["list"], None),
        (["list", "01j"], None),
        (["set", "01k", "temperature=31.5"], None),
        (["send", "01k", "status"], None),
        (["set", "01k", "temperature"], "SIGNAL=VALUE"),
        (["send", "01k"], "write `simulate send NAME TEXT`"),
        (["stop"], "write `simulate stop NAME`"),
        (["Blink", "the", "LED"], "quote a sentence"),
        (["watch", "01k", "--keep"], "go with what is started"),
        (["01k", "--for", "0"], "above 0"),
        (["send", "01k", "x" * 4096], "less than 4096"),
    ],
)
def test_the_words_of_simulate(words: list[str], problem: str | None) -> None:
    options = build_parser().parse_args(["simulate", *words])
    told = options.verb_entry.check(options)
    assert told is None if problem is None else problem in (told or "")
