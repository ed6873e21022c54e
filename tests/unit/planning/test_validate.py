"""The validator: every reason at once, whoever made the design."""

from dataclasses import replace

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.planning.validate import validate_design

CATALOGUE = load_catalogue()
BOARD = CATALOGUE.boards["olimex-stm32-h405"]
PART = CATALOGUE.part_of(BOARD)


def design() -> Design:
    found = OfflineDesigner().plan(
        DesignRequest(prompt="Switch a relay on above 30 C and off below 28 C.")
    )
    assert isinstance(found, Design)
    return found


def codes(design: Design) -> list[str]:
    return sorted(finding.code for finding in validate_design(design, BOARD, PART))


def moved(design: Design, signal: str, pin: str) -> Design:
    pins = tuple(replace(p, pin=pin) if p.signal == signal else p for p in design.pins)
    return replace(design, pins=pins)


def test_a_design_of_the_designer_is_sound() -> None:
    assert codes(design()) == []


def test_a_sensor_on_a_pin_without_a_converter_is_found() -> None:
    assert codes(moved(design(), "temperature", "PB6")) == ["E117"]


def test_a_pin_that_is_used_twice_is_found() -> None:
    assert codes(moved(design(), "relay", "PA4")) == ["E111"]


def test_reserved_and_missing_pins_are_found() -> None:
    assert codes(moved(design(), "relay", "PA14")) == ["E113"]
    assert codes(moved(design(), "relay", "PD9")) == ["E110"]


def test_a_behaviour_that_nothing_proves_is_found() -> None:
    assert codes(replace(design(), scenarios=())) == ["E150", "E150"]


def test_an_unknown_board_is_found() -> None:
    found = validate_design(design(), None, None)

    assert [finding.code for finding in found] == ["E101"]
