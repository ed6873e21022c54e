"""The parser of transcripts and the reader of stimuli, beside the engine that they check."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchline.scenario import parse_scenario
from benchline.scenario.model import SignalKind
from benchline.scenario.resolve import counts_of, resolve
from benchline.scenario.table import SIGNAL_CONSOLE, analog_row, digital_row
from tests.unit.tui.evaluation.sessions import NAMES, recorded
from tui.evaluation.stimuli import Given, Sent, StimuliError, read_stimuli
from tui.evaluation.transcript import Edge, Line, read_transcript


def test_records_and_lines_are_told_apart_even_inside_one_another() -> None:
    seen = read_transcript(
        b"noise\r\n\x1eBL 0 BOOT core=1 design=0123456789ab nonce=1\n\x1eBL 5 READY\n"
        b"\x1eBL 7 OUT S0\ntemp\x1eBL 8 PIN PB5 v=1\n\x1eCL PUB t 3\nerature 3 C\r\n"
        b"\x1eBL 9 PIN PB5 n=12 last=0\n\x1eBL 11 FAULT hard pc=0\n\x1eBL 20 END dropped=0\n"
    )
    assert seen.lines == [Line(0, "noise"), Line(7, "temperature 3 C")]
    assert seen.edges["PB5"] == [Edge(8, high=True), Edge(9, high=False, count=12)]
    assert seen.faults == ["hard pc=0 at 11 ms"]
    assert (seen.design, seen.ended, seen.end_ms) == ("0123456789ab", True, 20)


def test_a_sketch_cannot_write_records() -> None:
    """The core doubles the sketch's own 0x1E, so that no record begins with it."""
    seen = read_transcript(b"\x1e\x1eBL 3 PIN PB5 v=1\n\x1e\x1e\x1eBL 4 PIN PB6 v=1\n")
    assert dict(seen.edges) == {"PB6": [Edge(4, high=True)]}
    assert [line.text for line in seen.lines] == ["\x1eBL 3 PIN PB5 v=1", "\x1e"]


def test_an_echo_that_does_not_come_is_no_number() -> None:
    read = read_stimuli(
        "signals:\n  distance: {kind: echo, pin: PB5, trigger: PB8}\nsteps:\n"
        "  - stimulus: {at: 0ms, signal: distance, value: $near}\n"
        "  - stimulus: {at: 1s, signal: distance, value: none}\n",
        {"near": "17.5"},
    )

    assert read.pins == {"distance": ("PB5", "")}
    assert read.given[0] == Given(0, "distance", 17.5)
    assert math.isnan(read.given[1].value)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    seen = read_transcript(b"\x1e".join([data, b"BL 5 PIN PB5 v=1\n", data]))
    assert all(line.text for line in seen.lines)


def test_every_stimulus_is_read() -> None:
    found = read_stimuli(
        """scenario: 1
vars: {base: 20, far: {draw: [1, 2]}}
steps:
  - stimulus: {at: 0ms, signal: t, value: $far}
  - stimulus: {at: 1.5s, signal: t, value: $base + 0.5 * 2}
  - press: {at: $when, signal: b, for: 100ms}
  - bounce: {at: 1s, signal: c, times: 1, every: 3ms}
  - ramp: {at: 2s, signal: r, from: 0, to: 10, over: 100ms}
  - repeat: {times: 2, every: 1s, steps: [{send: {at: 3s, text: "go ${word}\\n"}}]}
  - expect: {id: x, line: y}
""",
        {"far": "3.5", "when": "700", "word": "on"},
    )
    assert found.given == [
        Given(0, "t", 3.5),
        Given(700, "b", 1.0),
        Given(800, "b", 0.0),
        Given(1000, "c", 1.0),
        Given(1003, "c", 0.0),
        Given(1006, "c", 1.0),
        Given(1500, "t", 21.0),
        Given(2000, "r", 0.0),
        Given(2050, "r", 5.0),
        Given(2100, "r", 10.0),
    ]
    assert found.sent == [Sent(3000, "go on\n"), Sent(4000, "go on\n")]


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_what_the_engine_gave_the_device(name: str) -> None:
    session = recorded(name)
    texts = {one["id"]: one["yaml"] for one in session.design["scenarios"]}
    for seed, text in enumerate(texts.values()):
        plan = resolve(parse_scenario(text), seed)
        mine = read_stimuli(text, plan.shown)
        given = [
            digital_row(
                one.at_ms, 0, int((one.value >= 0.5) == plan.signals[one.signal].active_high)
            )
            if plan.signals[one.signal].kind is SignalKind.DIGITAL_IN
            else analog_row(one.at_ms, 0, counts_of(plan.signals[one.signal], one.value))
            for one in mine.given
        ]
        told = [row for row in plan.rows if row.signal < SIGNAL_CONSOLE]
        assert [(row.ms, row.value) for row in given] == [(row.ms, row.value) for row in told]
        assert tuple(one.at_ms for one in mine.sent) == plan.send_ms
        said = b"".join(r.value.to_bytes(r.n, "little") for r in plan.rows if r.n)
        assert "".join(one.text for one in mine.sent).encode() == said


OFTEN = "steps: [{repeat: {times: 20000, every: 1ms, STEPS}}]"
TWICE = OFTEN.replace("STEPS", OFTEN.replace("STEPS", "steps: [STEPS]"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "steps: 3",
        "steps: [{send: {at: soon, text: x}}]",
        "steps: [{stimulus: {at: 0ms, signal: a, value: __import__('os')}}]",
        "steps: [{stimulus: {at: 0ms, signal: a, value: 1/0}}]",
        "steps: [{stimulus: {at: 0ms, signal: a, value: $unknown}}]",
        TWICE.replace("STEPS", "{send: {at: 0ms, text: x}}"),
        TWICE.replace("STEPS", ""),
        "steps: [[]]",
        "x: &a 1",
        json.dumps({"steps": [{"send": {"at": "(" * 9000, "text": "x"}}]}),
    ],
)
def test_hostile_scenarios_are_one_kind_of_error(text: str) -> None:
    with pytest.raises(StimuliError):
        read_stimuli(text, {})
