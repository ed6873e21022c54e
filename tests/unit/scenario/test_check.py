"""The linter: scenarios that cannot fail, cannot pass or do not fit."""

import re
from pathlib import Path

import pytest

from benchline.scenario import Severity, check, parse_scenario
from tests.unit.scenario.device import text_of

USED = "expect: {line: '^t ${below} ${above} ${limit}$', within: 1s}"
TEMPERATURE = "stimulus: {at: 0ms, signal: temperature, value: $below}"
BUTTON = "press: {at: 1s, signal: button}"
GOOD = (USED, TEMPERATURE, BUTTON)


def codes(*steps: str, **changes: str) -> list[str]:
    text = text_of(*GOOD, *steps)
    for old, new in changes.items():
        text = text.replace(old, new)
    return [finding.code for finding in check(parse_scenario(text))]


def test_a_good_scenario_has_no_findings() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("expect: {line: '.*', within: 1s}", "cannot-fail"),
        ("never: {line: ''}", "bad"),
        ("never: {line: '.?'}", "cannot-pass"),
        ("expect: {line: x}", "no-within"),
        ("expect: {line: x, after: 8500ms, within: 1s}", "window-past-end"),
        ("expect: {line: x, after: 9s, within: 1s}", "empty-window"),
        ("never: {line: x, after: 2s, until: 2s}", "empty-window"),
        ("never: {line: x, after: 2s, for: 0ms}", "empty-window"),
        ("expect_period: {line: x, period: 1s, tolerance: 100%}", "cannot-fail"),
        ("expect_period: {line: x, period: 1s, tolerance: 30%}", "loose"),
        ("expect_period: {line: x, period: 1s, count: 9}", "does-not-fit"),
        ("expect_period: {line: x, period: 1s, count: 4, after: 5s}", "does-not-fit"),
        ("expect_count: {line: x, min: 0}", "cannot-fail"),
        ("pin: {signal: led, level: on, at: 10s}", "empty-window"),
        ("stimulus: {at: 0ms, signal: temperature, value: $below * 9}", "bad-value"),
    ],
)
def test_a_doubtful_step_is_found(step: str, code: str) -> None:
    if code == "bad":
        with pytest.raises(ValueError, match="is empty"):
            codes(step)
        return
    assert code in codes(step)


def test_the_first_example_of_the_manual_is_clean() -> None:
    manual = Path(__file__).parents[3] / "docs" / "scenarios.md"
    example = re.search(r"```yaml\n(scenario: 1.*?)```", manual.read_text("utf-8"), re.DOTALL)
    assert example is not None
    assert check(parse_scenario(example[1])) == ()


def test_unused_variables_and_signals_are_found() -> None:
    found = check(parse_scenario(text_of("expect: {line: x, within: 1s}")))
    assert [finding.code for finding in found] == [
        "unused-var", "unused-signal", "unused-signal", "unused-var", "unused-var",
    ]  # fmt: skip
    assert all(finding.severity is Severity.WARNING for finding in found)


def test_a_scenario_without_assertions_is_an_error() -> None:
    text = text_of(TEMPERATURE)
    found = check(parse_scenario(text))
    assert [item.code for item in found if item.severity is Severity.ERROR] == ["no-assertion"]


def test_only_never_passes_dead_firmware() -> None:
    found = check(parse_scenario(text_of("never: {line: x}")))
    assert "only-never" in [finding.code for finding in found]


def test_a_control_run_should_not_stimulate() -> None:
    text = text_of(*GOOD).replace("id: demo", "id: demo\ncontrol: true")
    assert [finding.code for finding in check(parse_scenario(text))] == ["control-stimulated"]


def test_unknown_and_missing_capabilities_are_found() -> None:
    text = text_of(*GOOD, "never: {pin: led, edge: any}")
    text = text.replace("[serial.rx, pin.read]", "[telepathy]")
    assert [finding.code for finding in check(parse_scenario(text))] == [
        "unknown-capability", "missing-capability", "missing-capability",
    ]  # fmt: skip
