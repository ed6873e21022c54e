"""Sketches: readable, with the numbers of the design on top."""

import pytest

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.firmware.offline import OfflineAuthor
from tests.sketch_mutants import mutants_of

DEMO = (
    "Blink the on-board LED at 2 Hz and report the temperature every second; switch a relay on "
    "above 30 C and off below 28 C; answer 'status' with the last temperature."
)


def sketch(prompt: str) -> str:
    design = OfflineDesigner().plan(DesignRequest(prompt=prompt))
    assert isinstance(design, Design), design
    return OfflineAuthor().render(design).sketch.content


@pytest.mark.parametrize(
    "line",
    [
        "const unsigned long LED_HALF_PERIOD_MS = 250;",
        "const float RELAY_ON_ABOVE_C = 30.0f;",
        "const float RELAY_OFF_BELOW_C = 28.0f;",
        "const unsigned long TEMPERATURE_REPORT_MS = 1000;",
        "const int LED_PIN = PC12;  // on-board LED, active low",
    ],
)
def test_the_numbers_of_the_demo_are_constants(line: str) -> None:
    assert line in sketch(DEMO).splitlines()


def test_a_fractional_period_is_counted_in_microseconds() -> None:
    text = sketch("blink the LED at 3 Hz")

    assert "const unsigned long LED_HALF_PERIOD_US = 166667;" in text
    assert "micros()" in text


def test_the_loop_ends_by_idling_for_a_tick() -> None:
    assert sketch(DEMO).endswith("  delay(1);\n}\n")


def test_texts_cannot_leave_their_string_or_comment() -> None:
    text = sketch("answer 'a\"b\\c' with '\"; while(1); //\\'")

    assert 'strcmp(line, "a\\"b\\\\c")' in text
    assert 'Serial.println("\\"; while(1); //\\\\");' in text
    assert not any(line.endswith("\\") for line in text.splitlines())


def test_the_same_design_gives_the_same_project() -> None:
    assert sketch(DEMO) == sketch(DEMO)


def test_the_project_carries_its_design_and_scenarios() -> None:
    design = OfflineDesigner().plan(DesignRequest(prompt=DEMO))
    assert isinstance(design, Design)
    project = OfflineAuthor().render(design)

    paths = [file.path for file in project.files]
    assert paths[1:] == ["design.json", "scenarios/main.yaml", "scenarios/control.yaml"]
    assert Design.from_json(project.files[1].content) == design
    assert [file.path for file in project.sources] == [f"{project.name}.ino"]


def test_the_demo_has_every_kind_of_mutant() -> None:
    names = {mutant.name for mutant in mutants_of(sketch(DEMO))}

    assert names == {
        "threshold_constant_relay_on_+1",
        "threshold_constant_relay_on_-1",
        "threshold_constant_relay_off_+1",
        "threshold_constant_relay_off_-1",
        "comparison_relay_on",
        "comparison_relay_off",
        "hysteresis_removed_relay",
        "inverted_relay",
        "led_rate_led_half_period",
        "report_period_temperature",
        "dropped_reply_status",
        "swapped_pins",
        "constant_reading_temperature",
    }
