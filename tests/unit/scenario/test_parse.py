"""Reading scenario files: everything wrong is told at once, with its line."""

import pytest
from hypothesis import given, strategies

from benchline.scenario import ScenarioError, parse_scenario, read_scenario
from benchline.scenario.yamltree import MAX_SCENARIO_BYTES
from tests.unit.scenario.device import HEAD, text_of

READY = "expect: {id: boot, type: READY, within: 1s}"


def codes(text: str) -> list[str]:
    scenario, findings = read_scenario(text)
    assert (scenario is None) == bool(findings)
    return [finding.code for finding in findings]


def test_a_good_scenario_is_read() -> None:
    scenario = parse_scenario(text_of("reset: {}", READY))
    assert scenario.id == "demo"
    assert scenario.duration_ms == 9000
    assert scenario.signals["led"].pin == 44
    assert not scenario.signals["led"].active_high
    assert scenario.constants == {"limit": "30"}


def test_all_findings_come_at_once_with_their_lines() -> None:
    text = text_of(
        "expekt: {}", "expect: {type: READY, wihtin: 1s}", "stimulus: {at: 1, signal: x}"
    )
    _, findings = read_scenario(text)
    first = HEAD.count("\n") + 1
    found = [(finding.code, finding.line) for finding in findings]
    assert ("unknown-step", first) in found
    assert ("unknown-key", first + 1) in found
    assert ("unknown-signal", first + 2) in found
    assert ("missing-key", first + 2) in found


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'within'"):
        parse_scenario(text_of("expect: {type: READY, wihtin: 1s}"))


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("expect: {id: Bad, type: READY}", "bad-id"),
        ("expect: {type: READY, pin: led, level: on}", "bad-selector"),
        ("expect: {within: 1s}", "bad-selector"),
        ("expect: {pin: led}", "bad-selector"),
        ("expect: {pin: led, level: on, edge: rising}", "bad-selector"),
        ("expect: {pin: button, level: on}", "wrong-signal"),
        ("expect: {pin: lde, level: on}", "unknown-signal"),
        ("expect: {line: '('}", "bad-regex"),
        ("expect: {line: '(?=x)'}", "bad-regex"),
        ("expect: {line: 'a', where: 'v.x'}", "bad-where"),
        ("expect: {line: '(?P<v>a)', where: 'w > 1'}", "unknown-name"),
        ("expect: {line: '${nope}'}", "unknown-name"),
        ("expect: {line: 'a${'}", "bad-template"),
        ("expect: {type: READY, within: 1h}", "bad-value"),
        ("expect: {type: READY, within: 1s, until: 3s}", "two-ends"),
        ("expect_period: {pin: led, level: on, period: 1s}", "bad-selector"),
        ("expect_period: {pin: led, edge: up, period: 1s}", "unknown-word"),
        ("expect_period: {line: a, period: 1s, tolerance: much}", "bad-value"),
        ("expect_latency: {from: here, to: there, max: 1s}", "unknown-name"),
        ("expect_count: {line: a}", "missing-key"),
        ("stimulus: {at: 0ms, signal: led, value: on}", "wrong-signal"),
        ("stimulus: {at: 0ms, signal: temperature, value: $nope}", "unknown-name"),
        ("stimulus: {at: 0ms, signal: temperature, value: $below ** 2}", "bad-value"),
        ("parallel: {}", "unknown-step"),
        ("repeat: {times: 2, every: 1s, steps: [{expect: {type: READY}}]}", "missing-key"),
    ],
)
def test_a_wrong_step_is_refused(step: str, code: str) -> None:
    assert code in codes(text_of(step))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not-a-scenario"),
        ("- a", "not-a-scenario"),
        ("a: [", "bad-yaml"),
        ("a: &x 1\nb: *x", "yaml-alias"),
        ("a: !!python/object/apply:os.system ['true']", "yaml-tag"),
        ("a: 1\na: 2", "duplicate-key"),
        ("a: 1\n---\nb: 1", "bad-yaml"),
        ("a: " + "[" * 500 + "]" * 500, "too-deep"),
        ("? [a]\n: 1", "bad-yaml"),
        ("a: " + "x" * MAX_SCENARIO_BYTES, "too-large"),
        ("a: \x00", "bad-yaml"),
        ("a: \ud800", "bad-yaml"),
    ],
)
def test_hostile_yaml_is_refused(text: str, code: str) -> None:
    assert codes(text) == [code]


@given(strategies.text(max_size=300))
def test_any_text_gives_a_scenario_or_findings(text: str) -> None:
    read_scenario(text)


@given(strategies.text(alphabet="{}[],:\n -&*!|>'\"#ab1", max_size=120))
def test_any_tail_of_steps_gives_a_scenario_or_findings(text: str) -> None:
    read_scenario(HEAD + text)


def test_a_repeat_bomb_is_refused_without_being_unrolled() -> None:
    inner = "{stimulus: {at: 0ms, signal: temperature, value: 1}}"
    for _ in range(2):
        inner = f"{{repeat: {{times: 100, every: 1s, steps: [{inner}]}}}}"
    assert "too-many" in codes(text_of(inner[1:-1]))


def test_a_regex_that_needs_much_memory_is_refused() -> None:
    assert codes(text_of("expect: {line: '((a{100}){100}){100}'}")) == ["bad-regex"]


def test_duplicate_ids_are_refused() -> None:
    assert codes(text_of(READY, READY)) == ["duplicate-id"]


def test_assertions_without_an_id_get_a_stable_one() -> None:
    scenario = parse_scenario(text_of("expect: {type: READY}", "never: {type: FAULT}"))
    assert [step.id for step in scenario.steps] == ["expect_1", "never_1"]


def test_yaml_truth_words_stay_words() -> None:
    scenario = parse_scenario(text_of("expect: {type: STATE, name: alarm, value: on}"))
    assert scenario.steps[0].selector.value == "on"


def test_a_reset_is_only_accepted_first() -> None:
    assert codes(text_of(READY, "reset: {}")) == ["bad-step"]


def test_pins_must_be_different() -> None:
    text = text_of(READY).replace("pin: PB0", "pin: PC12")
    assert codes(text) == ["pin-twice"]


@pytest.mark.parametrize(
    ("name", "number"), [("PB3", 19), ("PC12", 44), ("PI15", 143), ("GPIO0", 0), ("GPIO48", 48)]
)
def test_pins_are_spelled_as_their_part_does(name: str, number: int) -> None:
    text = text_of("reset: {}").replace("PC12", "PC1").replace("pin: PA", "pin: PE")
    relay = parse_scenario(text.replace("PB0", name)).signals["relay"]

    assert (relay.pin, relay.spelling) == (number, name)


@pytest.mark.parametrize("name", ["GPIO49", "gpio4", "GPIO04", "IO4", "4", "PA16", "PJ1"])
def test_other_pin_names_are_refused(name: str) -> None:
    text = text_of("reset: {}").replace("PA0", "PA9").replace("PB0", name)
    assert codes(text) == ["bad-value"]
