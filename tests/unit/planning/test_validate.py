"""The validator: every reason at once, whoever made the design."""

from dataclasses import replace

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.planning.validate import is_sound, validate_design

CATALOGUE = load_catalogue()


def design(board: str = "") -> Design:
    found = OfflineDesigner().plan(
        DesignRequest(prompt="Switch a relay on above 30 C and off below 28 C.", board=board)
    )
    assert isinstance(found, Design)
    return found


def codes(design: Design) -> list[str]:
    board = CATALOGUE.boards[design.board.model]
    found = validate_design(design, board, CATALOGUE.part_of(board))
    return sorted(finding.code for finding in found)


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


def test_pins_of_an_esp32_are_judged_by_its_own_rules() -> None:
    c3, esp32 = design("esp32c3"), design("part=esp32")

    assert codes(c3) == codes(esp32) == []
    assert codes(moved(c3, "relay", "GPIO19")) == ["E113"]
    assert codes(moved(c3, "temperature", "GPIO7")) == ["E117"]
    assert codes(moved(esp32, "relay", "GPIO36")) == ["E112"]


def test_a_strapping_pin_and_the_second_converter_are_warnings() -> None:
    warned = moved(moved(design("esp32c3"), "relay", "GPIO2"), "temperature", "GPIO5")
    board = CATALOGUE.boards["esp32-c3-devkitm-1"]
    found = validate_design(warned, board, CATALOGUE.part_of(board))

    assert sorted(finding.code for finding in found) == ["W114", "W116"]
    assert is_sound(found)


def test_warnings_stay_with_the_design() -> None:
    prompt = "Blink an LED on GPIO2 at 2 Hz on an ESP32-C3."
    found = OfflineDesigner().plan(DesignRequest(prompt=prompt))

    assert isinstance(found, Design), found
    assert [finding.code for finding in found.findings] == ["W114"]
