"""`diagram.json`: a board and what is wired to it, as Wokwi draws and simulates it. Pure."""

import json
from collections.abc import Sequence

from controlplane.domain.part import BoardModel, WokwiBoard
from controlplane.exporters.wiring import BOARD_ID, Thing, ThingKind

DIAGRAM = "diagram.json"
SERIES_OHM = 220

Part = dict[str, object]
Connection = list[object]

# Pixels. Boards are less than 120 wide (wokwi-boards gives millimetres; a pixel is 1/96 inch), so
# everything right of that is free; a row holds the tallest part (HC-SR04, 95) with room.
_COLUMN, _SECOND_COLUMN, _ROW = 240, 320, 110
_PART_TYPES = {
    ThingKind.LED: "wokwi-led",
    ThingKind.BUTTON: "wokwi-pushbutton",
    ThingKind.POTENTIOMETER: "wokwi-potentiometer",
    ThingKind.RANGER: "wokwi-hc-sr04",
}
_SUPPLY_COLOUR, _GROUND_COLOUR, _SIGNAL_COLOURS = "red", "black", ("green", "blue", "orange")


def diagram(board: BoardModel, wokwi: WokwiBoard, things: Sequence[Thing]) -> str:
    """The diagram's text: the same wiring gives the same bytes."""
    parts: list[Part] = [_part(wokwi.board, BOARD_ID, 0, 0)]
    connections: list[Connection] = [
        [f"{BOARD_ID}:{wokwi.pin(board.console.tx)}", "$serialMonitor:RX", "", []],
        [f"{BOARD_ID}:{wokwi.pin(board.console.rx)}", "$serialMonitor:TX", "", []],
    ]
    for row, thing in enumerate(things):
        colour = _SIGNAL_COLOURS[row % len(_SIGNAL_COLOURS)]
        parts += _parts_of(thing, row * _ROW)
        connections += _wires_of(thing, wokwi, colour)
    document = {
        "version": 1,
        "author": "Benchline",
        "editor": "wokwi",
        "parts": parts,
        "connections": connections,
        "dependencies": {},
    }
    return json.dumps(document, indent=2) + "\n"


def _parts_of(thing: Thing, top: int) -> list[Part]:
    attributes: dict[str, str] = {}
    if thing.kind is ThingKind.LED:
        attributes = {"color": "red", "label": thing.signal}
    elif thing.kind is ThingKind.BUTTON:
        # Without it every press bounces, which the scenario says itself where it wants it.
        attributes = {"color": "green", "bounce": "0", "label": thing.signal}
    parts = [_part(_PART_TYPES[thing.kind], thing.id, top, _COLUMN, attributes)]
    if thing.kind is ThingKind.LED:
        value = {"value": str(SERIES_OHM)}
        parts.append(_part("wokwi-resistor", _resistor(thing), top + 20, _SECOND_COLUMN, value))
    return parts


def _wires_of(thing: Thing, wokwi: WokwiBoard, colour: str) -> list[Connection]:
    pin = f"{BOARD_ID}:{wokwi.pin(thing.pin)}"
    ground = f"{BOARD_ID}:{wokwi.ground}"
    supply = f"{BOARD_ID}:{wokwi.supply}"
    match thing.kind:
        case ThingKind.LED:
            anode, cathode = (pin, ground) if thing.active_high else (supply, pin)
            near, far = f"{_resistor(thing)}:1", f"{_resistor(thing)}:2"
            return [
                [anode, near, colour if thing.active_high else _SUPPLY_COLOUR, []],
                [far, f"{thing.id}:A", colour, []],
                [f"{thing.id}:C", cathode, _GROUND_COLOUR if thing.active_high else colour, []],
            ]
        case ThingKind.BUTTON:
            other, other_colour = (
                (supply, _SUPPLY_COLOUR) if thing.active_high else (ground, _GROUND_COLOUR)
            )
            return [
                [pin, f"{thing.id}:1.l", colour, []],
                [f"{thing.id}:2.l", other, other_colour, []],
            ]
        case ThingKind.POTENTIOMETER:
            return [
                [ground, f"{thing.id}:GND", _GROUND_COLOUR, []],
                [supply, f"{thing.id}:VCC", _SUPPLY_COLOUR, []],
                [f"{thing.id}:SIG", pin, colour, []],
            ]
        case ThingKind.RANGER:
            trigger = f"{BOARD_ID}:{wokwi.pin(thing.trigger)}"
            return [
                [ground, f"{thing.id}:GND", _GROUND_COLOUR, []],
                [supply, f"{thing.id}:VCC", _SUPPLY_COLOUR, []],
                [trigger, f"{thing.id}:TRIG", colour, []],
                [f"{thing.id}:ECHO", pin, colour, []],
            ]


def _part(
    kind: str, name: str, top: int, left: int, attributes: dict[str, str] | None = None
) -> Part:
    return {"type": kind, "id": name, "top": top, "left": left, "attrs": attributes or {}}


def _resistor(thing: Thing) -> str:
    # No signal has a capital letter in its name, so this id is free.
    return f"{thing.id}_R"
