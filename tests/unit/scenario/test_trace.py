"""Comparing two runs."""

import pytest
from hypothesis import given, strategies

from benchline.scenario import (
    Outcome,
    TraceVerdict,
    diff_traces,
    masked_bytes,
    parse_scenario,
    pin_names,
)
from tests.unit.scenario.device import Device

SCENARIO = """
scenario: 1
id: blink
title: Blink
duration: 2s
signals:
  led: {kind: digital_out, pin: PIN, active: LEVEL}
steps:
  - expect: {id: boot, type: READY, within: 1s}
"""

PASSED, FAILED = Outcome.PASSED, Outcome.FAILED


def trace(shift: int = 0, value: str = "20.5", nonce: int = 1) -> Device:
    device = Device(nonce=nonce).record(1, "READY").pin(500 + shift, "PC12", 0)
    return device.line(1000 + shift, f"temperature {value} C").pin(1500, "PC12", 1)


def test_equal_runs_with_other_nonces_agree() -> None:
    diff = diff_traces(trace(nonce=1).end().events(), trace(nonce=2).end().events())
    assert diff.verdict is TraceVerdict.EQUAL
    assert diff.compared == 5


@pytest.mark.parametrize(("shift", "equal"), [(5, True), (6, False), (-5, True)])
def test_times_may_differ_within_the_tolerance(shift: int, equal: bool) -> None:
    assert diff_traces(trace().end().events(), trace(shift).end().events()).equal is equal


def test_another_value_is_named_with_its_event() -> None:
    diff = diff_traces(trace().end().events(), trace(value="20.6").end().events())
    assert diff.verdict is TraceVerdict.DIVERGED
    assert diff.message == (
        "DIVERGED at event 0 of lines like 'temperature # C': 'temperature 20.5 C' at 1 s against"
        " 'temperature 20.6 C' at 1 s"
    )


def test_the_earliest_divergence_is_told() -> None:
    other = Device(nonce=1).record(1, "READY").pin(500, "PC12", 1).line(900, "x").end()
    diff = diff_traces(trace().end().events(), other.events())
    assert diff.divergence is not None
    assert diff.divergence.channel == "PIN PC12"


def test_an_unequal_tail_just_before_the_end_is_ignored() -> None:
    longer = trace().line(8998, "late").end()
    assert diff_traces(trace().end().events(), longer.events()).equal
    early = trace().line(8000, "late").end()
    diff = diff_traces(early.events(), trace().end().events())
    assert diff.divergence is not None
    assert diff.divergence.second is None


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((PASSED, PASSED), TraceVerdict.BOTH_PASS),
        ((FAILED, FAILED), TraceVerdict.BOTH_FAIL),
        ((PASSED, FAILED), TraceVerdict.SIM_ONLY),
        ((FAILED, PASSED), TraceVerdict.BOARD_ONLY),
    ],
)
def test_outcomes_decide_the_verdict(
    outcomes: tuple[Outcome, Outcome], verdict: TraceVerdict
) -> None:
    events = trace().end().events()
    assert diff_traces(events, events, outcomes=outcomes).verdict is verdict


def test_two_passes_that_differ_diverged() -> None:
    diff = diff_traces(
        trace().end().events(), trace(value="1").end().events(), outcomes=(PASSED, PASSED)
    )
    assert diff.verdict is TraceVerdict.DIVERGED


def test_free_running_prints_are_compared_by_value() -> None:
    one, other = Device(), Device()
    for index in range(10):
        one.line(index * 7, f"v {index // 5}")
    for index in range(30):
        other.line(index * 2, f"v {index // 15}")
    assert not diff_traces(one.end().events(), other.end().events()).equal
    diff = diff_traces(one.events(), other.events(), count_insensitive=True)
    assert diff.equal


def test_lines_of_two_kinds_at_one_moment_may_come_in_either_order() -> None:
    one = Device(nonce=1).line(1000, "temperature 20.5 C").line(1001, "status 3").end()
    other = Device(nonce=1).line(1000, "status 3").line(1001, "temperature 20.5 C").end()
    wrong = Device(nonce=1).line(1000, "status 4").line(1001, "temperature 20.5 C").end()

    assert diff_traces(one.events(), other.events()).equal
    assert not diff_traces(one.events(), wrong.events()).equal


def test_masked_bytes_differ_only_where_the_runs_do() -> None:
    first, second = trace(nonce=1).end(), trace(nonce=0xFFFF).end()
    assert bytes(first.raw) != bytes(second.raw)
    assert masked_bytes(bytes(first.raw)) == masked_bytes(bytes(second.raw))
    assert masked_bytes(b"nonce=12345678\n") == b"nonce=12345678\n"


@given(strategies.lists(strategies.sampled_from(["READY", "EVT a", "PIN PC12 v=1", "VAL t v=2"])))
def test_a_trace_equals_itself(texts: list[str]) -> None:
    device = Device()
    for index, text in enumerate(texts):
        device.record(index * 10, text)
    events = device.end().events()
    assert diff_traces(events, events).equal


def names(pin: str, active: str) -> dict[str, str]:
    return pin_names(parse_scenario(SCENARIO.replace("PIN", pin).replace("LEVEL", active)))


def blink(pin: str, on: int, part: str) -> Device:
    device = Device(part=part).record(1, "READY").pin(500, pin, on)
    return device.pin(1000, pin, 1 - on).record(1200, f"PIN {pin} n=5 last={on}").end()


def test_pins_of_other_board_models_agree_by_what_they_are_for() -> None:
    first, second = blink("PC12", 0, "stm32f405rg"), blink("GPIO10", 1, "esp32c3")
    diff = diff_traces(
        first.events(),
        second.events(),
        pins=(names("PC12", "low"), names("GPIO10", "high")),
    )

    assert diff.equal, diff.message
    assert diff.compared == 5
    assert not diff_traces(first.events(), second.events()).equal


def test_an_inverted_pin_diverges_whatever_its_name() -> None:
    diff = diff_traces(
        blink("PC12", 0, "stm32f405rg").events(),
        blink("GPIO10", 0, "esp32c3").events(),
        pins=(names("PC12", "low"), names("GPIO10", "high")),
    )

    assert diff.message.startswith("DIVERGED at event 0 of PIN led: 'v=1' at 500 ms")


def test_a_pin_that_is_for_nothing_is_not_hidden() -> None:
    stray = Device(part="esp32c3").record(1, "READY").pin(500, "GPIO10", 1).pin(600, "GPIO3", 1)
    diff = diff_traces(
        blink("PC12", 0, "stm32f405rg").events(),
        stray.events(),
        pins=(names("PC12", "low"), names("GPIO10", "high")),
    )

    assert not diff.equal
