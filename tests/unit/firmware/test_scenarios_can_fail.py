"""Generated scenarios pass for firmware that does what the design says, and fail for others."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.scenario import Outcome, evaluate, parse_scenario, resolve
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import BehaviourKind, Design

sys.path.insert(0, str(Path(__file__).parent))
from device_model import NONCE, DeviceModel

DESIGNER = OfflineDesigner()
DEMO = (
    "Blink the on-board LED at 2 Hz and report the temperature every second; switch a relay on "
    "above 30 C and off below 28 C; answer 'status' with the last temperature."
)
PROMPTS = [
    DEMO,
    *(
        " ".join(wish)
        for wish in (
            (
                "Blink the LED at 3 Hz, toggle the red LED when the button is pressed",
                "and count the presses, debounce 20 ms; answer 'n' with the count;",
                "print the uptime every second",
            ),
            (
                "Blink the LED 200 ms on and 50 ms off; heater on below 64.4 F and off above 68 F;",
                "report the temperature every 333 ms; echo every line",
            ),
            (
                "Switch the fan on when the voltage exceeds 2.5 V with a hysteresis of 100 mV;",
                "answer 'fan' with the state of the fan; report the voltage twice a second",
            ),
            (
                "Print a counter every 250 ms; reply 'pong' to 'ping'; print 'hey' when the button",
                "on PB7 is pressed; report the number of presses every 2 seconds",
            ),
            (
                "Turn the lamp on when the light level drops below 20 %;",
                "report the light level every 3 s",
            ),
            ("Blink the LED at 33 Hz and report the temperature every 12 seconds",),
            (
                "Turn the pump on at or above 60 % and off below 50 %;",
                "print the potentiometer every second",
            ),
        )
    ),
]


def design(prompt: str) -> Design:
    found = DESIGNER.plan(DesignRequest(prompt=prompt))
    assert isinstance(found, Design), found
    return found


def failures(asked: Design, built: Design, lies: frozenset[str], seed: int) -> list[str]:
    """Ids of assertions that fail when firmware for ``built`` runs the scenarios of ``asked``."""
    failed = []
    for scenario in asked.scenarios:
        plan = resolve(parse_scenario(scenario.yaml), seed)
        model = DeviceModel(built, plan, lies)
        result = evaluate(plan, model.events(), nonce=NONCE)
        assert result.outcome in (Outcome.PASSED, Outcome.FAILED), result
        failed += [a.id for a in result.assertions if a.outcome is not Outcome.PASSED]
    return failed


def changed(design: Design, kind: BehaviourKind, name: str, value: str) -> Design:
    """The design with one parameter of one kind of behaviour replaced."""

    def edit(behaviour):
        if behaviour.kind is not kind:
            return behaviour
        edited = [replace(p, value=value) if p.name == name else p for p in behaviour.parameters]
        return replace(behaviour, parameters=tuple(edited))

    return replace(design, behaviours=tuple(edit(b) for b in design.behaviours))


def swapped_pins(design: Design) -> Design:
    led, relay = design.pin_of("led").pin, design.pin_of("relay").pin
    swap = {"led": relay, "relay": led}
    pins = tuple(replace(p, pin=swap.get(p.signal, p.pin)) for p in design.pins)
    return replace(design, pins=pins)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_firmware_that_does_what_was_asked_passes(prompt: str, seed: int) -> None:
    asked = design(prompt)

    assert failures(asked, asked, frozenset(), seed) == []


MUTANTS = [
    ("threshold on +1", BehaviourKind.THRESHOLD, "on_value", "31", "relay_on_above"),
    ("threshold on -1", BehaviourKind.THRESHOLD, "on_value", "29", "relay_quiet_below"),
    ("threshold off +1", BehaviourKind.THRESHOLD, "off_value", "29", "relay_holds_in_band"),
    ("threshold off -1", BehaviourKind.THRESHOLD, "off_value", "27", "relay_off_below"),
    ("comparison on", BehaviourKind.THRESHOLD, "on_when", "<", "relay_quiet_below"),
    ("comparison off", BehaviourKind.THRESHOLD, "off_when", ">", "relay_holds_in_band"),
    ("no hysteresis", BehaviourKind.THRESHOLD, "off_value", "30", "relay_holds_in_band"),
    ("led rate", BehaviourKind.BLINK, "on", "265", "led_rate"),
    ("report period", BehaviourKind.REPORT, "period", "1050", "temperature_period"),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[m[0] for m in MUTANTS])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_wrong_number_fails_at_the_right_assertion(
    mutant: tuple[str, BehaviourKind, str, str, str], seed: int
) -> None:
    asked = design(DEMO)
    _, kind, name, value, expected = mutant

    assert expected in failures(asked, changed(asked, kind, name, value), frozenset(), seed)


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        ("silent", "status_reply"),
        ("inverted", "relay_on_above"),
        ("constant", "temperature_value"),
    ],
)
def test_a_lie_fails_at_the_right_assertion(lie: str, expected: str) -> None:
    asked = design(DEMO)

    assert expected in failures(asked, asked, frozenset({lie}), seed=9)


def test_values_without_a_sensor_fail_the_control_run() -> None:
    asked = design(DEMO)

    assert "no_temperature" in failures(asked, asked, frozenset({"constant"}), seed=1)


def test_swapped_pins_fail() -> None:
    asked = design(DEMO)

    assert "led_rate" in failures(asked, swapped_pins(asked), frozenset(), seed=1)


def test_a_button_without_debounce_fails() -> None:
    asked = design(PROMPTS[1])

    assert "n_after_one" in failures(asked, asked, frozenset({"bouncy"}), seed=1)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_debounce_time_that_is_too_short_fails(factor: int) -> None:
    asked = design(PROMPTS[1])
    short = changed(asked, BehaviourKind.BUTTON, "debounce", str(20 // factor))

    assert failures(asked, short, frozenset(), seed=1)
