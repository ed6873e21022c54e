"""Twins of scenarios in which contacts bounce: what debounces passes them, what does not fails."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from benchline.scenario import RunPlan, check, parse_scenario, resolve
from benchline.scenario.model import (
    Bounce,
    Expect,
    ExpectLatency,
    Never,
    PinLevel,
    Scenario,
    Severity,
)
from benchline.scenario.names import unrolled
from benchline.scenario.references import selector_of
from controlplane.planning.bouncing import BOUNCE_MS, FITS_MS, bouncing_steps

HEAD = """scenario: 1
id: presses
requires: [serial.rx, pin.read]
duration: {duration}
signals:
  button: {{kind: digital_in, pin: PB5, active: low}}
  pulses: {{kind: digital_in, pin: PB6}}
  lamp: {{kind: digital_out, pin: PB8}}
vars: {{first: {{draw: [500, 900], step: 10}}, held: {{draw: [100, 300], step: 10}}, \
level: {{choice: [on, off]}}, sometimes: {{choice: [1000, 2000, 3000, off]}}}}
steps:
"""
EXPECT = "- expect: {id: lit, pin: lamp, level: on, after: 1s, within: 400ms}\n"
BUTTON_PIN = 21
Debouncer = Callable[[list[bool]], int]


def text_of(steps: str, duration: str) -> str:
    lines = [f"  {line}" for line in steps.splitlines()]
    return HEAD.format(duration=duration) + "\n".join(lines) + "\n"


def scenario_of(steps: str, duration: str = "8s") -> Scenario:
    return parse_scenario(text_of(steps, duration))


def bouncing(steps: str, duration: str = "8s") -> str:
    text = text_of(steps, duration)
    return bouncing_steps(parse_scenario(text), text, {"button"})


def twin_of(steps: str, duration: str = "8s") -> Scenario:
    added = bouncing(steps, duration)
    assert added
    twin = scenario_of(added, duration)
    assert not [f for f in check(twin) if f.severity is Severity.ERROR]
    return twin


def bounces(steps: str, duration: str = "8s") -> int:
    """How many bounces are added."""
    added = bouncing(steps, duration)
    return added.count("- bounce:") - steps.count("- bounce:") if added else 0


def levels(plan: RunPlan) -> list[bool]:
    """Whether the button is pressed, each millisecond."""
    moved = {row.ms: row.value == 0 for row in plan.rows if row.signal == BUTTON_PIN}
    found, down = [], False
    for ms in range(plan.end_ms):
        down = moved.get(ms, down)
        found.append(down)
    return found


def every_edge(down: list[bool]) -> int:
    return sum(now and not before for before, now in pairwise(down))


def settling(wait_ms: int) -> Debouncer:
    """A press counts when the contact has rested."""

    def count(down: list[bool]) -> int:
        pressed = seen = False
        changed = presses = 0
        for ms, now in enumerate(down):
            if now != seen:
                seen, changed = now, ms
            if now != pressed and ms - changed >= wait_ms:
                pressed = now
                presses += now
        return presses

    return count


def locking(wait_ms: int) -> Debouncer:
    """A press counts at its first edge; then nobody looks for a while."""

    def count(down: list[bool]) -> int:
        pressed, changed, presses = False, -wait_ms, 0
        for ms, now in enumerate(down):
            if now != pressed and ms - changed >= wait_ms:
                pressed, changed = now, ms
                presses += now
        return presses

    return count


THREE = (
    "- expect: {id: lit, pin: lamp, level: on, after: 1s, within: 400ms}\n"
    "- press: {at: $first, signal: button, for: 80ms}\n"
    "- press: {at: $first + 1000, signal: button, for: $held}\n"
    "- stimulus: {at: 4s, signal: button, value: on}\n"
    "- stimulus: {at: 5s, signal: button, value: off}\n"
)


@pytest.mark.parametrize("wait_ms", [5, 10, 20, 30, 50])
@pytest.mark.parametrize("kind", [settling, locking])
def test_whoever_debounces_counts_what_was_pressed(
    kind: Callable[[int], Debouncer], wait_ms: int
) -> None:
    clean, twin = scenario_of(THREE), twin_of(THREE)
    for seed in (1, 2, 3):
        assert kind(wait_ms)(levels(resolve(clean, seed))) == 3
        assert kind(wait_ms)(levels(resolve(twin, seed))) == 3


@pytest.mark.parametrize("round_of", range(2, 8))
def test_whoever_counts_every_edge_is_wrong_even_when_counting_in_a_circle(round_of: int) -> None:
    clean, twin = levels(resolve(scenario_of(THREE), 1)), levels(resolve(twin_of(THREE), 1))
    assert every_edge(clean) == 3
    ends = [1400, 3500, 7000]
    wrong = [(every_edge(twin[:ms]) - every_edge(clean[:ms])) % round_of for ms in ends]
    assert any(wrong[:2])
    assert [every_edge(twin[:ms]) for ms in ends] == [4, 7, 11]


def test_the_steps_stay_and_so_do_the_names_and_moments_of_stimuli() -> None:
    steps = (
        "- press: {id: push, at: 1s, signal: button, for: 200ms}\n"
        "- expect: {id: lit, pin: lamp, level: on, after: 1s, within: 400ms, save: t_on}\n"
        "- press: {at: 3s, signal: button, for: $held}\n"
        "- expect: {id: out, pin: lamp, level: off, after: 3s, until: 3500ms, save: t_off}\n"
        "- expect_latency: {id: quick, from: push, to: t_on, max: 60ms, min: 10ms}\n"
        "- expect_latency: {id: again, from: stimulus.2, to: t_off, max: $held}\n"
        '- expect: {id: said, line: \'^a "(?P<v>[0-9]+)" \\[x\\]$\', where: "v > 1", within: 2s}\n'
    )
    clean, twin = scenario_of(steps), twin_of(steps)
    before, after = resolve(clean, 5), resolve(twin, 5)
    assert after.moments[: len(before.moments)] == before.moments
    assert [s.id for s in after.assertions] == [s.id for s in before.assertions]
    asked = [selector_of(step) for step in before.assertions]
    assert [selector_of(step) for step in after.assertions] == asked


def test_windows_give_way_by_the_length_of_a_bounce() -> None:
    twin = twin_of(
        "- press: {id: push, at: 1s, signal: button, for: 200ms}\n"
        "- expect: {id: lit, pin: lamp, level: on, after: 1s, within: 400ms, save: t_on}\n"
        "- expect: {id: out, pin: lamp, level: off, after: 3s, until: 4s}\n"
        "- expect_latency: {id: quick, from: push, to: t_on, max: 60ms, min: 10ms}\n"
        "- never: {id: dark, pin: lamp, level: on, until: 1s}\n"
        "- never: {id: stays, pin: lamp, level: on, after: $first + 3000, until: 5s}\n"
        "- never: {id: while, pin: lamp, level: on, after: 5s, for: 100ms}\n"
        "- pin: {id: still, signal: lamp, level: on, at: 2s}\n"
    )
    plan = resolve(twin, 3)
    found = {step.id: step for step in plan.assertions}
    lit, out, quick, dark, stays, span, still = found.values()
    assert isinstance(lit, Expect)
    assert isinstance(out, Expect)
    assert isinstance(quick, ExpectLatency)
    assert isinstance(dark, Never)
    assert isinstance(span, Never)
    assert isinstance(still, PinLevel)
    assert (lit.after, lit.within) == (1000, 400 + BOUNCE_MS)
    assert (out.after, out.until) == (3000, 4000 + BOUNCE_MS)
    assert (quick.maximum, quick.minimum) == (60 + BOUNCE_MS, 10 - BOUNCE_MS)
    assert (dark.after, dark.until) == (None, 1000)
    assert stays.after == plan.values["first"] + 3000 + BOUNCE_MS  # type: ignore[operator]
    assert (span.after, span.span) == (5000 + BOUNCE_MS, 100 - BOUNCE_MS)
    assert still.at == 2000


def test_repeats_and_what_they_look_for_bounce_at_each_turn() -> None:
    steps = (
        "- repeat:\n"
        "    times: 5\n"
        "    every: 1s\n"
        "    steps:\n"
        "      - press: {id: push, at: $first, signal: button, for: 200ms}\n"
        "      - expect: {id: lit, pin: lamp, level: on, after: $first, within: 300ms}\n"
    )
    twin = twin_of(steps)
    assert sum(isinstance(step, Bounce) for step in unrolled(twin.steps)) == 10
    assert settling(30)(levels(resolve(twin, 1))) == 5
    lit = [s for s in resolve(twin, 1).assertions if isinstance(s, Expect)]
    assert [s.within for s in lit] == [300 + BOUNCE_MS] * 5


@pytest.mark.parametrize(
    ("steps", "added"),
    [
        ("- press: {at: 1s, signal: button}\n", 2),
        (f"- press: {{at: 1s, signal: button, for: {FITS_MS - 1}ms}}\n", 0),
        (
            "- press: {at: 1s, signal: button, for: 5ms}\n- press: {at: 2s, signal: button}\n",
            2,
        ),
        ("- press: {at: 1s, signal: button}\n- press: {at: 1100ms, signal: button}\n", 0),
        ("- press: {at: 0ms, signal: button}\n", 0),
        ("- press: {at: 7900ms, signal: button}\n", 0),
        ("- stimulus: {at: 0ms, signal: button, value: on}\n", 0),
        ("- stimulus: {at: 1s, signal: button, value: on}\n", 1),
        ("- stimulus: {at: 1s, signal: button, value: off}\n", 0),
        ("- stimulus: {at: 1s, signal: button, value: $level}\n", 0),
        ("- bounce: {at: 1s, signal: button, to: on}\n", 0),
        (
            (
                "- bounce: {at: 1s, signal: button}\n"
                "- stimulus: {at: 2s, signal: button, value: off}\n"
            ),
            1,
        ),
        ("- press: {at: 1s, signal: pulses}\n", 0),
        ("- press: {at: $sometimes, signal: button}\n", 0),
        ('- send: {at: 1s, text: "x"}\n', 0),
    ],
)
def test_what_bounces_is_a_contact_that_rests_before_and_after(steps: str, added: int) -> None:
    assert bounces(steps + EXPECT) == added


def test_no_more_bounces_than_a_scenario_has_room_for() -> None:
    presses = (
        "- repeat:\n    times: 100\n    every: 200ms\n    steps:\n"
        "      - press: {at: 1s, signal: button}\n"
        "      - expect: {id: on, pin: lamp, level: on, after: 1s, within: 50ms}\n"
        "      - pin: {id: still, signal: lamp, level: on, at: 1s}\n"
    )
    assert bounces(presses, "30s") == 100
    assert twin_of(presses, "30s")
    texts = "".join(f'- send: {{at: {n}s, text: "{"x" * 1000}"}}\n' for n in range(2, 7))
    texts += "- press: {at: 1s, signal: button}\n"
    assert bounces(texts + EXPECT) == 2
    more = texts + f'- send: {{at: 7s, text: "{"x" * 430}"}}\n'
    assert bounces(more + EXPECT) == 0


def test_a_window_that_would_be_empty_makes_no_sound_twin() -> None:
    steps = (
        "- press: {at: 1s, signal: button}\n"
        "- never: {id: short, pin: lamp, level: on, after: 500ms, until: 503ms}\n"
    )
    twin = scenario_of(bouncing(steps))
    assert "empty-window" in {f.code for f in check(twin)}
