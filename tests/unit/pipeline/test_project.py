"""Scenarios are for boards that have their pins."""

import pytest

from benchline.errors import InvalidRequestError
from controlplane.catalog.loader import load_catalogue
from controlplane.pipeline.project import parsed_scenarios
from tests.unit.scenario.device import text_of

PARTS = load_catalogue().parts
SCENARIO = text_of("expect: {id: boot, type: READY, within: 1s}")


def test_a_scenario_of_another_family_is_refused_with_every_pin() -> None:
    assert parsed_scenarios([("demo", SCENARIO)], PARTS["stm32f405rg"])

    with pytest.raises(InvalidRequestError) as raised:
        parsed_scenarios([("demo", SCENARIO)], PARTS["esp32c3"])

    assert raised.value.reason == "SCENARIO_INVALID"
    for pin in ("PA1", "PB0", "PC12", "PA0"):
        assert f"the ESP32-C3 has no pin {pin}" in str(raised.value)


def test_a_pin_that_the_package_lacks_is_refused() -> None:
    text = SCENARIO.replace("pin: PB0", "pin: PE3")
    with pytest.raises(InvalidRequestError, match="the STM32F405RG has no pin PE3"):
        parsed_scenarios([("demo", text)], PARTS["stm32f405rg"])
