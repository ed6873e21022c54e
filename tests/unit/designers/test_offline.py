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
