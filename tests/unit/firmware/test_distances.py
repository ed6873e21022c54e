"""Designs and sketches that measure by echoes."""

from dataclasses import replace

import pytest

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.firmware.board_pins import board_pins
from controlplane.firmware.offline import OfflineAuthor
from controlplane.planning.timeline import ECHO_WAIT_MS
from controlplane.planning.validate import validate_design

CATALOGUE = load_catalogue()
STM32, ESP32C3 = "olimex-stm32-h405", "esp32-c3-devkitm-1"
NEAR = "Blink the LED at 1 Hz; sound the buzzer when something is closer than 20 cm."


def design(prompt: str, board: str = STM32) -> Design:
    found = OfflineDesigner().plan(DesignRequest(prompt=prompt, board=board))
    assert isinstance(found, Design), found
    return found


def sketch(prompt: str) -> str:
    return OfflineAuthor().render(design(prompt)).sketch.content


def codes(found: Design) -> set[str]:
    board = CATALOGUE.boards[found.board.model]
    part = CATALOGUE.part_of(board)
    return {f.code for f in validate_design(found, board, part, CATALOGUE.electrical)}


@pytest.mark.parametrize("board", [STM32, ESP32C3])
def test_the_echo_of_5_volts_is_divided_before_the_pin(board: str) -> None:
    found = design(NEAR, board)

    sensor = next(c for c in found.components if c.kind == "hc_sr04")
    assert (sensor.supply_mv, sensor.logic_mv) == (5000, 3333)
    assert "1 kOhm" in sensor.note
    assert found.findings == ()


def test_without_a_divider_the_pin_of_an_esp32_is_driven_too_high() -> None:
    found = design(NEAR, ESP32C3)
    straight = tuple(replace(c, logic_mv=0) if c.kind == "hc_sr04" else c for c in found.components)

    assert codes(replace(found, components=straight)) == {"E140"}


def test_both_of_its_pins_are_its_own() -> None:
    found = design(NEAR)
    signal = found.signal("distance")

    assert (signal.trigger, signal.us_per_unit) == ("distance_trigger", "58")
    pins = [found.pin_of(name) for name in ("distance", "distance_trigger")]
    assert [pin.function for pin in pins] == ["gpio_in", "gpio_out"]
    assert {pin.component for pin in pins} == {"distance"}
    assert Design.from_json(found.to_json()) == found


def test_designs_without_a_distance_are_written_as_before() -> None:
    text = design("Print the temperature every second.").to_json()

    assert "us_per_unit" not in text
    assert "trigger" not in text


def test_measuring_comes_last_so_that_what_is_due_is_on_time() -> None:
    text = sketch(NEAR)

    loop = text[text.index("void loop()") :]
    assert loop.index("blinkLed") < loop.index("sampleSensors")
    assert "analogReadResolution" not in text


def test_a_sketch_waits_as_long_as_proofs_and_limits_reckon_with() -> None:
    assert f"DISTANCE_TIMEOUT_US = {ECHO_WAIT_MS * 1000};" in sketch(NEAR)


def test_no_echo_is_no_distance() -> None:
    text = sketch(NEAR + " Print the distance every second.")

    assert "distanceIsValid = echo > 0;" in text
    assert 'Serial.println("distance out of range");' in text


def test_the_header_for_written_sketches_has_both_pins_and_the_scale() -> None:
    found = design(NEAR)
    text = board_pins(found)

    assert "constexpr float DISTANCE_US_PER_UNIT = 58.0f;" in text
    assert "constexpr int DISTANCE_TRIGGER_ON = HIGH;" in text
    assert "DISTANCE_PRESSED" not in text


def test_what_would_be_late_beside_a_distance_says_so() -> None:
    prompt = "Print the distance every 150 ms."
    found = OfflineDesigner().plan(DesignRequest(prompt=prompt, board=STM32))

    assert not isinstance(found, Design)
    assert [(f.code, f.fix) for f in found.findings] == [
        ("E152", "Use a period of at least 200 ms.")
    ]
