"""Projects as Wokwi opens them."""

import itertools
import json
from typing import Any

import pytest
import yaml

from benchline.scenario import parse_scenario
from controlplane.catalog.loader import load_catalogue
from controlplane.domain.part import BoardModel
from controlplane.exporters.wiring import Thing, ThingKind, wiring_of_signals
from controlplane.exporters.wokwi_diagram import diagram
from controlplane.exporters.wokwi_scenario import WokwiScenario, wokwi_scenario

CATALOGUE = load_catalogue()
C3 = CATALOGUE.boards["esp32-c3-devkitm-1"]
DRAWN_BY_WOKWI = [board for board in CATALOGUE.boards.values() if board.wokwi is not None]
# Pixels, larger than what Wokwi draws (a board: wokwi-boards, board.json, in mm at 96 dpi).
SIZES = {
    "wokwi-led": (40, 60),
    "wokwi-resistor": (60, 14),
    "wokwi-pushbutton": (75, 60),
    "wokwi-potentiometer": (80, 80),
    "wokwi-hc-sr04": (175, 100),
}
BOARD_SIZE = (110, 270)

SCENARIO = """
scenario: 1
id: lamp
title: 'The lamp: "on"'
duration: 5s
signals:
  knob: {kind: analog, pin: GPIO1, unit: "%", mv_at_zero: 0, mv_per_unit: 33, min: 0, max: 100}
  button: {kind: digital_in, pin: GPIO9, active: low}
  lamp: {kind: digital_out, pin: GPIO10, active: high}
vars:
  half: 50
steps:
  - stimulus: {at: 0ms, signal: knob, value: $half}
  - press: {at: 1s, signal: button, for: 80ms}
  - expect: {id: told, line: '^lamp is on\\.$', after: 1s, within: 500ms}
  - pin: {id: lit, signal: lamp, level: on, at: 2s}
  - send: {at: 3s, text: "status\\n"}
  - expect: {id: answer, line: '^status (?P<v>[0-9]+)$', where: "v == half", after: 3s, within: 1s}
  - never: {id: calm, type: FAULT}
"""


def things() -> tuple[Thing, ...]:
    return wiring_of_signals(parse_scenario(SCENARIO).signals.values())


def drawn(board: BoardModel, wired: tuple[Thing, ...]) -> dict[str, Any]:
    assert board.wokwi is not None
    document = json.loads(diagram(board, board.wokwi, wired))
    assert isinstance(document, dict)
    return document


def written() -> WokwiScenario:
    assert C3.wokwi is not None
    return wokwi_scenario(parse_scenario(SCENARIO), things(), C3.wokwi)


@pytest.mark.parametrize("board", DRAWN_BY_WOKWI, ids=lambda board: board.key)
def test_the_console_goes_to_the_serial_monitor(board: BoardModel) -> None:
    connections = drawn(board, ())["connections"]
    assert ["esp:TX", "$serialMonitor:RX", "", []] in connections
    assert ["esp:RX", "$serialMonitor:TX", "", []] in connections


def test_every_end_of_a_wire_belongs_to_a_part() -> None:
    document = drawn(C3, things())
    ids = {part["id"] for part in document["parts"]} | {"$serialMonitor"}
    assert len(ids) == len(document["parts"]) + 1
    for near, far, *_ in document["connections"]:
        assert {near.partition(":")[0], far.partition(":")[0]} <= ids


def test_an_led_that_is_on_at_low_hangs_at_the_supply() -> None:
    low = Thing(id="led", signal="led", kind=ThingKind.LED, pin="GPIO10", active_high=False)
    wires = [wire[:2] for wire in drawn(C3, (low,))["connections"]]
    assert ["esp:3V3.1", "led_R:1"] in wires
    assert ["led:C", "esp:10"] in wires


def test_a_button_that_is_pressed_at_low_closes_to_ground() -> None:
    wires = [wire[:2] for wire in drawn(C3, things())["connections"]]
    assert ["esp:9", "button:1.l"] in wires
    assert ["button:2.l", "esp:GND.1"] in wires


def test_parts_do_not_overlap() -> None:
    wired = tuple(
        Thing(id=f"thing_{i}", signal=f"thing_{i}", kind=kind, pin=f"GPIO{i}", active_high=True)
        for i, kind in enumerate(list(ThingKind) * 4)
    )
    boxes = []
    for part in drawn(C3, wired)["parts"]:
        width, height = SIZES.get(part["type"], BOARD_SIZE)
        boxes.append((part["left"], part["top"], part["left"] + width, part["top"] + height))
    for one, other in itertools.combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)


def test_the_same_wiring_gives_the_same_bytes() -> None:
    assert C3.wokwi is not None
    assert diagram(C3, C3.wokwi, things()) == diagram(C3, C3.wokwi, things())


def test_a_signal_called_like_the_board_gets_another_id() -> None:
    scenario = parse_scenario(
        SCENARIO.replace("lamp:", "esp:").replace("signal: lamp", "signal: esp")
    )
    parts = drawn(C3, wiring_of_signals(scenario.signals.values()))["parts"]
    ids = [part["id"] for part in parts]
    assert len(ids) == len(set(ids))


def test_pins_whose_name_is_not_their_number_have_wokwis_name() -> None:
    board = CATALOGUE.boards["esp32-devkitc-v4"]
    knob = Thing(
        id="knob", signal="knob", kind=ThingKind.POTENTIOMETER, pin="GPIO36", active_high=True
    )
    assert ["knob:SIG", "esp:VN"] in [wire[:2] for wire in drawn(board, (knob,))["connections"]]


def test_a_scenario_keeps_the_order_and_the_distances_of_its_steps() -> None:
    steps = yaml.safe_load(written().text)["steps"]
    assert steps == [
        {"set-control": {"part-id": "knob", "control": "position", "value": 0.5001}},
        {"delay": "1000ms"},
        {"set-control": {"part-id": "button", "control": "pressed", "value": 1}},
        {"wait-serial": "lamp is on."},
        {"delay": "80ms"},
        {"set-control": {"part-id": "button", "control": "pressed", "value": 0}},
        {"delay": "920ms"},
        {"expect-pin": {"part-id": "esp", "pin": "10", "value": 1}},
        {"delay": "1000ms"},
        {"write-serial": "status\n"},
        {"delay": "2000ms"},
    ]


def test_what_cannot_be_said_is_listed() -> None:
    made = written()
    assert made.unmapped == ("expect answer", "never calm")
    for line in ("#   expect answer", "#   never calm", "half = 50"):
        assert line in made.text


def test_a_title_cannot_break_out_of_its_line() -> None:
    assert yaml.safe_load(written().text)["name"] == 'The lamp: "on"'


def test_a_distance_sensor_has_both_of_its_wires_and_is_moved() -> None:
    distance = (
        "  distance: {kind: echo, pin: GPIO4, trigger: GPIO5, us_per_unit: 58}\n"
        "  trigger: {kind: digital_out, pin: GPIO5}\n"
    )
    steps = (
        "  - stimulus: {at: 2s, signal: distance, value: 20}\n"
        "  - stimulus: {at: 3s, signal: distance, value: none}\n"
    )
    text = SCENARIO.replace("signals:\n", f"signals:\n{distance}") + steps
    scenario = parse_scenario(text)
    wired = wiring_of_signals(scenario.signals.values())
    document = drawn(C3, wired)
    wires = [wire[:2] for wire in document["connections"]]
    assert "wokwi-hc-sr04" in [part["type"] for part in document["parts"]]
    assert "trigger" not in [part["id"] for part in document["parts"]]
    assert ["esp:5", "distance:TRIG"] in wires
    assert ["distance:ECHO", "esp:4"] in wires

    assert C3.wokwi is not None
    moved = yaml.safe_load(wokwi_scenario(scenario, wired, C3.wokwi).text)["steps"]
    controls = [step["set-control"] for step in moved if "set-control" in step]
    assert [c["value"] for c in controls if c["part-id"] == "distance"] == [400, 20, 400]
