"""Verdicts: every kind of assertion passes and fails for the right reason, live as in batch."""

import pytest
from hypothesis import given, strategies

from benchline.scenario import (
    AssertionResult,
    Evaluator,
    Outcome,
    RunEnd,
    RunEndReason,
    ScenarioResult,
    evaluate,
    missing_capabilities,
    parse_scenario,
    resolve,
    skipped_result,
)
from tests.unit.scenario.device import NONCE, Device, plan_of, text_of

READY = "expect: {id: ready, type: READY, within: 1s}"
PASSED, FAILED, BROKEN, SKIPPED = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN, Outcome.SKIPPED


def judge(step: str, device: Device, *more: str, end: RunEnd | None = None) -> ScenarioResult:
    return evaluate(plan_of(step, *more), device.events(), nonce=NONCE, end=end)


def found(result: ScenarioResult, name: str) -> AssertionResult:
    return next(item for item in result.assertions if item.id == name)


def outcome(step: str, device: Device, *more: str) -> Outcome:
    """The outcome of the step with id x."""
    return found(judge(step, device.end(), *more), "x").outcome


LINE = (
    r"expect: {id: x, line: '^t (?P<v>\d+)$', where: 'abs(v - limit) <= 1', after: 1s, within: 1s}"
)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(1500, "t 30")], PASSED),
        ([(1000, "t 31")], PASSED),
        ([(2000, "t 29")], PASSED),
        ([(999, "t 30")], FAILED),
        ([(2001, "t 30")], FAILED),
        ([(1500, "t 33")], FAILED),
        ([(1500, "t 33"), (1600, "t 30")], PASSED),
        ([(1500, "xt 30")], FAILED),
        ([], FAILED),
    ],
)
def test_an_expected_line_must_come_in_its_window_with_its_value(
    lines: list[tuple[int, str]], expected: Outcome
) -> None:
    device = Device()
    for ms, text in lines:
        device.line(ms, text)
    assert outcome(LINE, device) is expected


def test_a_near_miss_is_shown_with_its_values() -> None:
    result = judge(LINE, Device().line(1500, "t 33").end())
    assert "'t 33' at 1.5 s (abs(v - limit) <= 1 is false with limit=30, v=33)" in (
        found(result, "x").message
    )


def test_evidence_points_at_the_bytes_that_decided() -> None:
    device = Device().line(1500, "t 30").end()
    evidence = found(judge(LINE, device), "x").evidence[0]
    assert bytes(device.raw[evidence.start : evidence.end]) == b"t 30\r\n"


def test_expects_of_a_channel_are_met_in_order() -> None:
    steps = ("expect: {id: a, line: one, within: 9s}", "expect: {id: x, line: two, within: 9s}")
    forward = Device().line(1, "one").line(2, "two")
    backward = Device().line(1, "two").line(2, "one")
    assert outcome(steps[0], forward, steps[1]) is PASSED
    assert outcome(steps[0], backward, steps[1]) is FAILED


def test_a_missing_line_does_not_make_the_next_ones_fail() -> None:
    steps = (
        "expect: {id: a, line: never, within: 4s}",
        "expect: {id: x, line: two, after: 1s, within: 1s}",
    )
    assert outcome(steps[0], Device().line(1500, "two"), steps[1]) is PASSED


def test_within_counts_from_the_last_match() -> None:
    steps = ("expect: {id: a, line: one}", "expect: {id: x, line: two, within: 100ms}")
    assert outcome(steps[0], Device().line(3000, "one").line(3100, "two"), steps[1]) is PASSED
    assert outcome(steps[0], Device().line(3000, "one").line(3101, "two"), steps[1]) is FAILED


def test_channels_do_not_wait_for_each_other() -> None:
    steps = ("expect: {id: a, line: none}", "expect: {id: x, type: EVT, name: go, within: 1s}")
    assert outcome(steps[0], Device().record(5, "EVT go"), steps[1]) is PASSED


def test_a_line_that_began_in_time_counts_although_records_follow() -> None:
    device = Device().record(1990, "OUT S0")
    device.raw += b"t "
    device.record(2050, "PIN PC12 v=1")
    device.raw += b"30\n"
    assert outcome(LINE, device) is PASSED


def test_pin_records_are_those_of_the_spelling() -> None:
    text = text_of("expect: {id: x, pin: relay, level: on, after: 3s, within: 1s}")
    text = text.replace("PB0", "GPIO16")
    plan = resolve(parse_scenario(text), 42)
    for name, expected in (("GPIO16", PASSED), ("PB0", FAILED)):
        device = Device().pin(1, name, 0).pin(3500, name, 1).end()
        assert found(evaluate(plan, device.events(), nonce=NONCE), "x").outcome is expected


LEVEL = "expect: {id: x, pin: relay, level: on, after: 3s, within: 1s}"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(1, 0), (3500, 1)], PASSED),
        ([(1, 0), (2000, 1)], PASSED),  # it is on when the window opens
        ([(1, 0), (2000, 1), (2500, 0)], FAILED),
        ([(1, 0), (4500, 1)], FAILED),
        ([(1, 0)], FAILED),
        ([], FAILED),
        ([(1, 0), (3000, 1)], PASSED),
    ],
)
def test_an_expected_level_may_hold_already(
    changes: list[tuple[int, int]], expected: Outcome
) -> None:
    device = Device()
    for ms, level in changes:
        device.pin(ms, "PB0", level)
    assert outcome(LEVEL, device) is expected


def test_a_level_of_an_active_low_pin_is_logical() -> None:
    step = "expect: {id: x, pin: led, level: on, within: 1s}"
    assert outcome(step, Device().pin(1, "PC12", 1).pin(500, "PC12", 0)) is PASSED
    assert outcome(step, Device().pin(1, "PC12", 1)) is FAILED


def test_a_pin_never_driven_is_off_only_if_asked() -> None:
    plain = "expect: {id: x, pin: relay, level: off, within: 1s}"
    assert outcome(plain, Device()) is FAILED
    assert outcome(plain.replace("within", "initial: true, within"), Device()) is PASSED


def test_on_then_off_is_followed() -> None:
    steps = (
        "expect: {id: a, pin: relay, level: on, within: 2s}",
        "expect: {id: x, pin: relay, level: off, within: 2s}",
    )
    device = Device().pin(1, "PB0", 0).pin(500, "PB0", 1)
    assert outcome(steps[0], device, steps[1]) is FAILED
    device = Device().pin(1, "PB0", 0).pin(500, "PB0", 1).pin(900, "PB0", 0)
    assert outcome(steps[0], device, steps[1]) is PASSED


PERIOD = "expect_period: {id: x, pin: led, edge: rising, period: 500ms, tolerance: 2%, count: 3}"


def blinking(gaps: list[int], first: int = 10) -> Device:
    device, now = Device(), first
    device.pin(now, "PC12", 0).pin(now + 1, "PC12", 1)
    for gap in gaps:
        now += gap
        device.pin(now, "PC12", 0).pin(now + 1, "PC12", 1)
    return device


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([500, 500, 500], PASSED),
        ([490, 510, 500], PASSED),
        ([500, 511, 500], FAILED),
        ([489, 500, 500], FAILED),
        ([500, 500], FAILED),
        ([], FAILED),
        ([490, 490, 490, 490], PASSED),
        ([500, 500, 500, 900], PASSED),
    ],
)
def test_a_period_is_checked_gap_by_gap(gaps: list[int], expected: Outcome) -> None:
    assert outcome(PERIOD, blinking(gaps)) is expected


def test_a_wrong_period_names_the_pin_and_the_gaps() -> None:
    message = found(judge(PERIOD, blinking([498, 501, 612]).end()), "x").message
    assert message == (
        "x: expected rising edges of led (PC12) every 500 ms ±2 %, 3 times, "
        "got 498, 501, 612 ms; at 1.621 s"
    )


def test_the_mean_is_checked_more_closely_than_a_short_gap_can_be() -> None:
    step = "expect_period: {id: x, pin: led, edge: rising, period: 20ms, tolerance: 1%, count: 10}"
    assert outcome(step, blinking([21, 19] * 5)) is PASSED
    assert outcome(step, blinking([21] * 10)) is FAILED


def test_a_summary_of_many_changes_is_no_period() -> None:
    device = blinking([500]).record(1010, "PIN PC12 n=312 last=1")
    result = found(judge(PERIOD, device.end()), "x")
    assert result.outcome is FAILED
    assert "156 at once" in result.message


def test_a_period_of_lines_uses_the_time_of_the_line() -> None:
    step = "expect_period: {id: x, line: '^t ', period: 1s, count: 2}"
    device = Device().line(5, "t 1").line(1005, "t 2").line(2005, "t 3")
    assert outcome(step, device) is PASSED


@pytest.mark.parametrize(("changes", "expected"), [(4, PASSED), (2, FAILED), (8, FAILED)])
def test_edges_are_counted(changes: int, expected: Outcome) -> None:
    step = "expect_count: {id: x, pin: relay, edge: any, min: 3, max: 6}"
    device = Device()
    for index in range(changes):
        device.pin(100 * index, "PB0", (index + 1) % 2)
    assert outcome(step, device) is expected


def test_edges_of_a_summary_are_counted() -> None:
    step = "expect_count: {id: x, pin: relay, edge: rising, count: 5}"
    device = Device().pin(0, "PB0", 1).record(100, "PIN PB0 n=8 last=1")
    assert outcome(step, device) is PASSED


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("never: {id: x, pin: relay, level: on}", FAILED),
        ("never: {id: x, pin: relay, level: on, until: 2s}", PASSED),
        ("never: {id: x, pin: relay, level: on, after: 3s}", PASSED),
        ("never: {id: x, pin: relay, level: on, after: 2500ms}", FAILED),
        ("never: {id: x, pin: relay, level: on, for: 2s}", PASSED),
        ("never: {id: x, pin: relay, edge: falling}", FAILED),
        ("never: {id: x, pin: relay, edge: rising, after: 2001ms}", PASSED),
        ("never: {id: x, line: alarm}", FAILED),
        ("never: {id: x, line: '(?P<n>[0-9]+)', where: 'n > 99'}", PASSED),
        ("never: {id: x, type: FAULT}", PASSED),
    ],
)
def test_never_covers_its_window(step: str, expected: Outcome) -> None:
    device = Device().pin(1, "PB0", 0).pin(2000, "PB0", 1).line(2100, "alarm 7")
    assert outcome(step, device.pin(3000, "PB0", 0)) is expected


@pytest.mark.parametrize(
    ("at", "expected"), [(1999, FAILED), (2000, PASSED), (2999, PASSED), (3000, FAILED)]
)
def test_the_level_at_a_moment(at: int, expected: Outcome) -> None:
    device = Device().pin(1, "PB0", 0).pin(2000, "PB0", 1).pin(3000, "PB0", 0)
    assert outcome(f"pin: {{id: x, signal: relay, level: on, at: {at}ms}}", device) is expected


@pytest.mark.parametrize(("at", "expected"), [(1030, PASSED), (1009, FAILED), (1101, FAILED)])
def test_a_latency_is_measured_from_the_stimulus(at: int, expected: Outcome) -> None:
    steps = (
        "press: {id: push, at: 1s, signal: button}",
        "expect: {pin: relay, level: on, after: 500ms, within: 3s, save: t_on}",
        "expect_latency: {id: x, from: push, to: t_on, min: 10ms, max: 100ms}",
    )
    assert outcome(steps[0], Device().pin(1, "PB0", 0).pin(at, "PB0", 1), *steps[1:]) is expected


def test_a_saved_capture_can_be_used_later() -> None:
    steps = (
        r"expect: {line: 'n (?P<v>\d+)', save: first}",
        r"expect: {id: x, line: 'n (?P<v>\d+)', where: 'v == first_v + 1', within: 1s}",
    )
    assert outcome(steps[0], Device().line(1, "n 7").line(2, "n 8"), steps[1]) is PASSED
    assert outcome(steps[0], Device().line(1, "n 7").line(2, "n 9"), steps[1]) is FAILED


def test_a_state_record_is_matched_by_value() -> None:
    step = "expect: {id: x, type: STATE, name: alarm, value: on, within: 1s}"
    assert outcome(step, Device().record(5, "STATE alarm v=on")) is PASSED
    assert outcome(step, Device().record(5, "STATE alarm v=off")) is FAILED


def run(device: Device, end: RunEnd | None = None, **options: bool) -> ScenarioResult:
    return evaluate(plan_of(READY), device.events(), nonce=NONCE, end=end, **options)


def test_a_good_run_passes() -> None:
    assert run(Device().record(3, "READY").end()).outcome is PASSED


@pytest.mark.parametrize(
    ("device", "name"),
    [
        (Device(nonce=1).record(3, "READY").end(), "core.nonce"),
        (Device().record(3, "READY"), "core.end"),
        (Device().record(3, "READY").end(dropped=2), "core.dropped"),
        (Device().record(3, "READY").record(4, "ERR table-crc").end(), "core.table"),
        (Device().record(3, "READY").record(4, "!").end(), "core.boot"),
    ],
)
def test_what_the_lab_got_wrong_is_broken(device: Device, name: str) -> None:
    if name == "core.boot":
        device.raw += b"\x1eBL garbage\n"
        device = Device().record(3, "READY")
        device.raw += b"\x1eBL garbage\n"
        device.end()
        name = "core.records"
    result = run(device)
    assert result.outcome is BROKEN
    assert found(result, name).outcome is BROKEN


def test_another_build_is_broken() -> None:
    events = Device().record(3, "READY").end().events()
    result = evaluate(plan_of(READY), events, nonce=NONCE, build="000000000000")
    assert found(result, "core.build").outcome is BROKEN


def test_a_failed_tool_is_broken_and_named() -> None:
    end = RunEnd(reason=RunEndReason.TOOL_FAILED, detail="qemu-system-arm (package q)")
    result = evaluate(plan_of(READY), [], nonce=NONCE, end=end)
    assert result.outcome is BROKEN
    assert "qemu-system-arm (package q)" in result.reason


@pytest.mark.parametrize(("simulated", "expected"), [(True, FAILED), (False, BROKEN)])
def test_no_boot_is_the_firmwares_fault_only_in_a_simulator(
    simulated: bool, expected: Outcome
) -> None:
    end = RunEnd(reason=RunEndReason.TIME_CAP)
    result = evaluate(plan_of(READY), [], simulated=simulated, end=end)
    assert result.outcome is expected
    assert "firmware never started" in result.reason


def test_a_fault_fails_naming_the_program_counter() -> None:
    device = Device().record(3, "READY").record(70, "FAULT hard pc=08010abc cfsr=00000400")
    result = run(device)
    assert result.outcome is FAILED
    assert "pc=08010abc" in result.reason


def test_a_fault_violates_never_fault_too() -> None:
    device = Device().record(70, "FAULT hard pc=08010abc")
    result = judge("never: {id: x, type: FAULT}", device)
    assert found(result, "x").outcome is FAILED


def test_a_reboot_fails_and_nothing_after_it_counts() -> None:
    device = Device()
    device.raw += b"\x1eBL 0 BOOT nonce=1234abcd reset=iwdg\n"
    result = run(device.record(3, "READY").end())
    assert result.outcome is FAILED
    assert "iwdg" in result.reason
    assert found(result, "ready").outcome is SKIPPED


def test_an_early_end_is_not_a_pass() -> None:
    result = run(Device().record(3, "READY").end(ms=4000))
    assert result.outcome is FAILED


def test_a_finding_from_outside_counts() -> None:
    evaluator = Evaluator(plan_of(READY), nonce=NONCE)
    evaluator.feed_all(Device().record(3, "READY").end().events())
    evaluator.add_finding(
        AssertionResult(id="pin.led", kind="pin", outcome=FAILED, message="PC12 was not driven")
    )
    assert evaluator.finish().outcome is FAILED


def test_missing_capabilities_skip_and_a_skip_is_no_pass() -> None:
    plan = plan_of(READY)
    missing = missing_capabilities(plan, {"serial.rx"})
    assert missing == ("pin.read",)
    assert skipped_result(plan, missing).outcome is SKIPPED


def test_results_are_given_as_soon_as_they_are_decided() -> None:
    evaluator = Evaluator(plan_of(READY, LINE), nonce=NONCE)
    device = Device().record(3, "READY").line(900, "t 30").line(2500, "t 30")
    decided = [[result.id for result in evaluator.feed(event)] for event in device.events()]
    assert decided == [["core.boot"], ["ready"], [], [], ["x"], []]
    assert not evaluator.done


STEPS = (
    READY,
    LINE,
    LEVEL.replace("id: x", "id: level"),
    PERIOD.replace("id: x", "id: period"),
    "never: {id: quiet, pin: relay, level: on, after: 1s, until: 3s}",
    "expect_count: {id: lines, line: t, min: 1, max: 4}",
    "pin: {id: moment, signal: relay, level: on, at: 2500ms}",
    "expect: {id: second, line: 't', within: 700ms, save: s}",
    "expect_latency: {id: late, from: level, to: s, max: 2s}",
)
HAPPENINGS = strategies.one_of(
    strategies.sampled_from(
        ["READY", "EVT go", "PIN PB0 v=1", "PIN PB0 v=0", "PIN PC12 v=0", "PIN PC12 v=1"]
    ),
    strategies.sampled_from(
        ["PIN PC12 n=7 last=0", "PIN PC12 v=x", "FAULT hard pc=0", "t 30", "t x"]
    ),
)


@given(strategies.lists(strategies.tuples(strategies.integers(0, 400), HAPPENINGS), max_size=40))
def test_live_and_batch_give_the_same_and_each_assertion_one_result(
    happenings: list[tuple[int, str]],
) -> None:
    device, now = Device(), 0
    for step, text in happenings:
        now += step
        _ = device.line(now, text) if text[0] == "t" else device.record(now, text)
    events = device.end(max(now, 9000)).events()
    plan = plan_of(*STEPS)
    live = Evaluator(plan, nonce=NONCE)
    decided = [result for event in events for result in live.feed(event)]
    result = live.finish()
    assert result == evaluate(plan, events, nonce=NONCE)
    assert sorted(item.id for item in decided) == sorted(item.id for item in result.assertions)
    assert len({item.id for item in result.assertions}) == len(result.assertions)
    assert {spec.id for spec in plan.assertions} <= {item.id for item in result.assertions}


def test_lines_beyond_ascii_are_matched_and_captured() -> None:
    step = "expect: {id: x, line: '^(?P<v>[0-9.]+) .C (?P<w>.+)$', where: 'w == \"grün\"'}"
    assert outcome(step, Device().line(5, "20.5 °C grün")) is PASSED
    assert outcome(step, Device().line(5, "20.5 °C gr\u00fcner")) is FAILED
