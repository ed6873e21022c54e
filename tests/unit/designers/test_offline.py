"""The offline designer: boards, assumptions, long periods, refusals."""

import pytest

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Design, FixedBy

DESIGNER = OfflineDesigner()


def design(prompt: str, board: str = "") -> Design:
    found = DESIGNER.plan(DesignRequest(prompt=prompt, board=board))
    assert isinstance(found, Design), found
    return found


async def test_designing_needs_no_waiting() -> None:
    request = DesignRequest(prompt="blink the LED at 2 Hz")

    assert await DESIGNER.design(request) == DESIGNER.plan(request)


def test_a_board_named_in_the_prompt_is_the_users_choice() -> None:
    assert design("Blink the LED at 2 Hz on an Olimex STM32-H405").board.fixed_by is FixedBy.USER


@pytest.mark.parametrize("board", ["stm32f405rg", "olimex-stm32-h405"])
def test_a_board_may_be_asked_for_by_part_or_model(board: str) -> None:
    assert design("blink the LED at 2 Hz", board).board.model == "olimex-stm32-h405"


def test_an_unknown_board_is_refused_together_with_other_problems() -> None:
    found = DESIGNER.plan(DesignRequest(prompt="blink the LED wildly", board="arduino uno"))

    assert isinstance(found, Refusal)
    assert {"E101", "E200"} <= {finding.code for finding in found.findings}


def test_defaults_are_stated_as_assumptions() -> None:
    said = " ".join(a.text for a in design("toggle the LED when the button is pressed").assumptions)

    assert "30 ms" in said
    assert "115200 baud" in said
    assert "on-board LED" in said


def test_a_converted_threshold_is_stated() -> None:
    said = [a.text for a in design("turn the fan on above 86 F").assumptions]

    assert "86 F is 30 C." in said


def test_a_long_period_gets_a_scenario_that_is_not_for_boards() -> None:
    found = design("report the temperature every minute and blink the LED at 2 Hz")
    slow = [s for s in found.scenarios if "fast_time" in s.requires]

    assert [s.proves for s in slow] == [("report_temperature",)]
    assert any("not run on boards" in a.text for a in found.assumptions)


def test_there_is_one_control_run_without_stimuli() -> None:
    found = design("switch a relay on above 30 C and off below 28 C")
    control = [s for s in found.scenarios if s.control]

    assert len(control) == 1
    assert "stimulus:" not in control[0].yaml
    assert "send:" not in control[0].yaml


def test_all_contradictions_are_named_at_once() -> None:
    found = DESIGNER.plan(
        DesignRequest(
            prompt="Blink the LED at 5 kHz. Switch a relay on above 25 C and off below 30 C. "
            "Answer 'a' with 'b'. Answer 'a' with 'c'. Report the temperature every 0 ms."
        )
    )

    assert isinstance(found, Refusal)
    assert {f.subject for f in found.findings} == {"led", "relay", "a", "temperature"}


def wiring(prompt: str, board: str) -> dict[str, tuple[str, str, str]]:
    return {
        pin.signal: (pin.pin, pin.active.value, pin.pull.value)
        for pin in design(prompt, board).pins
        if pin.signal != "console"
    }


@pytest.mark.parametrize(
    ("board", "led", "button"),
    [
        ("olimex-stm32-h405", ("PC12", "low", "none"), ("PA0", "high", "none")),
        ("nucleo-f446re", ("PA5", "high", "none"), ("PC13", "low", "up")),
        ("blackpill-f411ce", ("PC13", "low", "none"), ("PA0", "low", "up")),
        ("stm32f407g-disc1", ("PD12", "high", "none"), ("PA0", "high", "none")),
        ("esp32-c3-supermini", ("GPIO8", "low", "none"), ("GPIO9", "low", "up")),
        ("esp32-c3-devkitm-1", ("GPIO10", "high", "none"), ("GPIO9", "low", "up")),
        ("esp32-devkitc-v4", ("GPIO23", "high", "none"), ("GPIO0", "low", "up")),
    ],
)
def test_led_and_button_are_those_of_the_board(
    board: str, led: tuple[str, str, str], button: tuple[str, str, str]
) -> None:
    prompt = "Toggle the on-board LED when the button is pressed."

    assert wiring(prompt, board) == {"led": led, "button": button}


def test_a_board_without_a_plain_led_gets_an_external_one_and_says_why() -> None:
    said = [a.text for a in design("blink the on-board LED at 2 Hz", "esp32c3").assumptions]

    assert any("WS2812" in text and "external" in text for text in said)


def test_the_led_stays_where_the_bench_core_has_it_whatever_else_is_wired() -> None:
    prompt = "Blink the LED at 2 Hz; fan on above 30 C and off below 28 C; echo every line"

    assert wiring(prompt, "esp32c3")["led"][0] == "GPIO10"


def test_a_board_with_several_leds_has_them_by_colour_and_by_pin() -> None:
    found = wiring("Blink the blue LED at 2 Hz and the white LED at 3 Hz", "f407 discovery")

    assert found["blue_led"] == ("PD15", "high", "none")
    assert found["white_led"][0] not in ("PD12", "PD13", "PD14", "PD15")
    on_pin = wiring("Blink the LED on PD14 at 2 Hz", "f407 discovery")
    assert on_pin == {"led_pd14": ("PD14", "high", "none")}


def test_a_boot_button_is_only_where_there_is_one() -> None:
    prompt = "Count presses of the BOOT button."

    assert wiring(prompt, "esp32c3") == {"button": ("GPIO9", "low", "up")}
    refused = DESIGNER.plan(DesignRequest(prompt=prompt, board="nucleo-f446re"))
    assert isinstance(refused, Refusal)
    assert "E151" in {finding.code for finding in refused.findings}


@pytest.mark.parametrize("said", ["GPIO4", "gpio4", "IO4", "GPIO 4", "pin 4", "gpio pin 4"])
def test_pins_of_an_esp32_may_be_said_by_their_number(said: str) -> None:
    found = wiring(f"Blink a red LED on {said} at 2 Hz.", "esp32c3")

    assert found == {"red_led": ("GPIO4", "high", "none")}


def test_an_analog_pin_by_number_is_a_wish() -> None:
    found = wiring("Print the voltage on pin 3 every 2 seconds.", "esp32c3")

    assert found == {"voltage": ("GPIO3", "none", "none")}
