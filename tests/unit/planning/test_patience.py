"""What is told at long periods changes in its own run, and the main run does not wait for it."""

import pytest

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design, DesignScenario

BUTTON = "bounce: {at: 500ms, signal: button"


def design(prompt: str) -> Design:
    found = OfflineDesigner().plan(DesignRequest(prompt=prompt))
    assert isinstance(found, Design), found
    return found


def scenario(found: Design, name: str) -> DesignScenario:
    return next(s for s in found.scenarios if s.id == name)


@pytest.mark.parametrize(
    ("prompt", "slow", "stimulus", "before", "after"),
    [
        (
            "Count the button presses and print the count every 10 seconds",
            "slow_report_presses",
            BUTTON,
            "line: '^presses 0$'",
            "line: '^presses 2$'",
        ),
        (
            "Publish the number of button presses every minute",
            "slow_publish_presses",
            BUTTON,
            'name: cloud.presses, value: "0"',
            'name: cloud.presses, value: "2"',
        ),
        (
            "Toggle the LED when the button is pressed; report the state of the LED every 20 s",
            "slow_report_led",
            "press: {at: 10000ms, signal: button",
            "line: '^led is off$'",
            "line: '^led is on$'",
        ),
        (
            "Fan on above 30 C and off below 28 C; publish the state of the fan every 30 s",
            "slow_publish_fan",
            "stimulus: {at: 15000ms, signal: temperature, value: $temperature_second}",
            'name: cloud.fan, value: "off"',
            'name: cloud.fan, value: "on"',
        ),
        (
            "Lamp on for 2 s when motion is detected; report the state of the lamp every 15 s",
            "slow_report_lamp",
            "stimulus: {at: 7500ms, signal: motion, value: on}",
            "line: '^lamp is off$'",
            "line: '^lamp is on$'",
        ),
        ("Print a counter every 15 s", "slow_report_counter", "", "counter 1$", "counter 2$"),
        ("Print the uptime every 12 s", "slow_report_uptime", "", "ready", "v >= 11 and v <= 12"),
    ],
)
def test_a_slow_run_shows_another_value_after_a_stimulus(
    prompt: str, slow: str, stimulus: str, before: str, after: str
) -> None:
    found = design(prompt)
    steps = scenario(found, slow).yaml

    assert steps.index(before) < steps.index(after)
    assert stimulus in steps
    assert scenario(found, "main").duration_ms <= 10_000


def test_a_count_that_is_told_slowly_is_proved_by_the_run_that_tells_it() -> None:
    found = design("Count the button presses and print the count every 10 seconds")

    assert scenario(found, "main").proves == ()
    assert scenario(found, "slow_report_presses").proves == ("report_presses", "button_press")


@pytest.mark.parametrize("debounce", [5, 1000])
def test_the_presses_are_over_before_the_report_that_counts_them(debounce: int) -> None:
    wish = f"Print the number of button presses every 8.1 s; debounce the button for {debounce} ms"
    steps = scenario(design(wish), "slow_report_presses").yaml
    last = [line for line in steps.splitlines() if "bounce:" in line][-1]
    pressed = int(last.partition("at: ")[2].partition("ms")[0])
    told = next(line for line in steps.splitlines() if "presses_value" in line)

    assert int(told.partition("after: ")[2].partition("ms")[0]) > pressed + debounce


def test_commands_of_the_same_letters_are_told_apart() -> None:
    found = design("Answer 'go' with 'left'; answer 'go!' with 'right'; answer 'GO' with 'up'")

    assert [b.id for b in found.behaviours] == ["command_go", "command_go_2", "command_go_3"]
    assert "id: go_2_reply, line: '^right$'" in scenario(found, "main").yaml
