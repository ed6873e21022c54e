"""Signals of sensors that answer a trigger by an echo."""

import pytest

from benchline.scenario import Finding, RunPlan, check, parse_scenario, read_scenario, resolve
from benchline.scenario.table import SIGNAL_ECHO, TableRow

SIGNAL = "{kind: echo, pin: PB5, trigger: PB8, unit: cm, us_per_unit: 58, min: 2, max: 400}"
PIN, TRIGGER = 21, 24
NEAR = "stimulus: {id: near, at: 1s, signal: distance, value: $near}"
EXPECT = "expect: {id: told, line: '^distance', within: 2s}"


def text_of(*steps: str, signal: str = SIGNAL, more: str = "") -> str:
    return (
        "scenario: 1\nid: echoes\nduration: 3s\nrequires: [serial.rx, pin.read, inject.echo]\n"
        f"signals:\n  distance: {signal}\n{more}"
        "vars:\n  near: {draw: [10.0, 20.0], step: 0.1}\nsteps:\n"
        + "".join(f"  - {step}\n" for step in (NEAR, EXPECT, *steps))
    )


def plan_of(*steps: str) -> RunPlan:
    return resolve(parse_scenario(text_of(*steps)), 7)


def echoes(plan: RunPlan) -> list[TableRow]:
    return [row for row in plan.rows if row.signal >= SIGNAL_ECHO]


def findings(text: str) -> list[Finding]:
    return list(read_scenario(text)[1])


def test_a_distance_becomes_the_width_of_its_echo() -> None:
    plan = plan_of()
    near = float(plan.shown["near"])

    first, second = echoes(plan)
    assert first == TableRow(ms=0, signal=SIGNAL_ECHO + PIN, n=TRIGGER, value=0)
    assert second == TableRow(ms=1000, signal=SIGNAL_ECHO + PIN, n=TRIGGER, value=round(58 * near))
    read_back = plan.moments[0].read_back
    assert read_back is not None
    assert abs(read_back - near) < 1 / 58
    assert plan.moments[0].text == f"distance = {near:g} cm"


def test_none_is_no_echo_and_not_one_of_no_length() -> None:
    plan = plan_of("stimulus: {id: gone, at: 2s, signal: distance, value: none}")

    assert echoes(plan)[-1].value == 0
    assert (plan.moments[-1].text, plan.moments[-1].read_back) == ("distance = none", None)


@pytest.mark.parametrize("value", ["0", "1.9", "400.1", "-1"])
def test_a_distance_out_of_range_is_refused(value: str) -> None:
    text = text_of(f"stimulus: {{at: 2s, signal: distance, value: {value}}}")

    found = check(parse_scenario(text))

    assert [finding.code for finding in found] == ["bad-value"]
    assert "range 2 to 400" in found[0].message


def test_an_echo_has_a_width_that_can_be_measured() -> None:
    long = "{kind: echo, pin: PB5, trigger: PB8, us_per_unit: 58000}"

    found = check(parse_scenario(text_of(signal=long)))

    assert {finding.code for finding in found} == {"bad-value"}
    assert "1 to 1000000 us" in found[0].message


def test_an_echo_can_move_evenly() -> None:
    plan = plan_of("ramp: {at: 2s, signal: distance, from: 100, to: 110, over: 100ms, every: 50ms}")

    assert [row.value for row in echoes(plan)[2:]] == [5800, 6090, 6380]


@pytest.mark.parametrize(
    ("signal", "code"),
    [
        ("{kind: echo, pin: PB5}", "missing-key"),
        ("{kind: echo, pin: PB5, trigger: PZ9}", "bad-value"),
        ("{kind: echo, pin: PB5, trigger: PB5}", "pin-twice"),
        ("{kind: echo, pin: PB5, trigger: PB8, us_per_unit: 0}", "bad-value"),
        ("{kind: echo, pin: PB5, trigger: PB8, min: 9, max: 2}", "bad-value"),
        ("{kind: echo, pin: PB5, trigger: PB8, active: low}", "unknown-key"),
        ("{kind: analog, pin: PB5, trigger: PB8}", "unknown-key"),
    ],
)
def test_a_signal_that_cannot_be_is_complained_about(signal: str, code: str) -> None:
    assert code in {finding.code for finding in findings(text_of(signal=signal))}


@pytest.mark.parametrize(
    "step",
    [
        "press: {at: 2s, signal: distance}",
        "expect: {id: level, pin: distance, level: on, within: 1s}",
        "stimulus: {at: 2s, signal: distance, value: nothing}",
    ],
)
def test_a_step_that_echoes_do_not_take_is_an_error(step: str) -> None:
    assert findings(text_of(step))


def test_only_an_echo_can_be_none() -> None:
    more = "  knob: {kind: analog, pin: PA1}\n"

    found = findings(text_of("stimulus: {at: 2s, signal: knob, value: none}", more=more))

    assert [finding.code for finding in found] == ["bad-value"]


def test_its_trigger_can_be_watched_as_an_output() -> None:
    more = "  trigger: {kind: digital_out, pin: PB8}\n"
    watched = (
        "expect_period: {id: cycle, pin: trigger, edge: rising, period: 100ms, count: 5, "
        "tolerance: 20ms}"
    )

    assert check(parse_scenario(text_of(watched, more=more))) == ()


def test_a_sensor_that_nothing_is_put_before_is_not_doubted() -> None:
    text = (
        text_of()
        .replace(f"  - {NEAR}\n", "")
        .replace("vars:\n", "")
        .replace("  near: {draw: [10.0, 20.0], step: 0.1}\n", "")
    )

    scenario = parse_scenario(text)

    assert check(scenario) == ()
    assert [row.value for row in echoes(resolve(scenario, 1))] == [0]
