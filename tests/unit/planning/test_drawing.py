"""Diff, layout, wiring and bill of materials: exact, stable, and safe with hostile text."""

import csv
import io
import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Active, Design, DesignComponent, PinAssignment, PinRole, Pull
from controlplane.domain.design import FixedBy as By
from controlplane.domain.hardware import Bus, BusKind, BusMember, PullUps
from controlplane.planning.autopins import AUTO, solve_auto
from controlplane.planning.bom import bom_csv
from controlplane.planning.diff import ChangeKind, diff_designs
from controlplane.planning.layout import Box, lay_out
from controlplane.planning.nets import nets_of
from controlplane.planning.suggest import suggest_boards
from controlplane.planning.validate import validate_design
from controlplane.planning.wiring import wiring_mermaid, wiring_svg, wiring_text

CATALOGUE = load_catalogue()
KINDS = CATALOGUE.electrical
PROMPTS = (
    "Blink the LED at 2 Hz.",
    "Switch a relay on above 30 C and off below 28 C; blink a red LED at 2 Hz.",
    "Toggle the LED on each button press; report the light level every second.",
    (
        "Switch the fan on above 30 C and off below 28 C; turn on the buzzer when the light level "
        "is above 50 %; print the potentiometer every second; blink a green LED at 1 Hz."
    ),
)
HOSTILE = (
    '<script>alert(1)</script>"]; c0 -- "x" --- b\n=cmd|calc',
    "]]>&lt;![CDATA[\x1b[31m\u202eevil\x00",
    '@SUM(A1)\r\n+1,"quoted"',
)


def designed(prompt: str, board: str = "") -> Design:
    found = OfflineDesigner(CATALOGUE).plan(DesignRequest(prompt=prompt, board=board))
    assert isinstance(found, Design), found
    return found


def with_bus(design: Design) -> Design:
    """Two sensors on I2C, the second one far down the column."""
    members = tuple(
        BusMember(component=name, address=address, cs_pin="")
        for name, address in (("air", "0x76"), ("tilt", "0x68"))
    )
    sensors = tuple(
        DesignComponent(
            id=name, kind=kind, part_number="", signals=(), note="", supply_mv=3300, supply_ma=4
        )
        for name, kind in (("air", "bme280"), ("tilt", "mpu6050"))
    )
    pins = tuple(
        PinAssignment(
            pin=AUTO,
            signal="bus",
            component="bus",
            function=role,
            active=Active.NONE,
            pull=Pull.NONE,
            fixed_by=By.DESIGNER,
            reason="",
        )
        for role in (PinRole.I2C_SDA, PinRole.I2C_SCL)
    )
    bus = Bus(
        id="bus",
        node="node",
        kind=BusKind.I2C,
        instance="",
        speed_hz=400_000,
        pullups=PullUps.EXTERNAL,
        members=members,
    )
    return replace(
        design,
        components=(*design.components, *sensors),
        pins=(*design.pins, *pins),
        buses=(bus,),
    )


def solved(design: Design) -> Design:
    board = CATALOGUE.boards[design.board.model]
    found, findings = solve_auto(design, board, CATALOGUE.part_of(board))
    assert findings == ()
    return found


def poisoned(design: Design, text: str) -> Design:
    return replace(
        design,
        title=text,
        components=tuple(
            replace(item, part_number=text, note=text, kind=text) for item in design.components
        ),
    )


DESIGNS = st.builds(
    designed, st.sampled_from(PROMPTS), st.sampled_from(["", *sorted(CATALOGUE.boards)])
)


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@settings(max_examples=40)
@given(DESIGNS, st.booleans())
def test_boxes_never_overlap_and_wires_end_at_terminals(design: Design, bus: bool) -> None:
    drawn = with_bus(design) if bus else design
    layout = lay_out(drawn, KINDS)
    boxes = [layout.board, *layout.boxes]

    assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []
    assert {box.id for box in layout.boxes} >= {item.id for item in drawn.components}
    for side in ("left", "right"):
        heights = [pin.y for pin in layout.pins if pin.side == side]
        assert len(heights) == len(set(heights))
    for box in boxes:
        assert box.x >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height
    ends = {(pin.y, pin.side) for pin in layout.pins}
    for wire in layout.wires:
        (x, _), (_, y) = wire.points[0], wire.points[-1]
        assert (y, "left" if x < layout.board.x else "right") in ends


@settings(max_examples=20)
@given(DESIGNS)
def test_a_component_that_is_added_moves_no_other(design: Design) -> None:
    before = {box.id: box for box in lay_out(design, KINDS).boxes}
    after = {box.id: box for box in lay_out(with_bus(design), KINDS).boxes}

    assert {key: after[key] for key in before} == before
    assert lay_out(design, KINDS) == lay_out(design, KINDS)


@settings(max_examples=40)
@given(DESIGNS, DESIGNS)
def test_a_difference_is_told_both_ways(left: Design, right: Design) -> None:
    there, back = diff_designs(left, right), diff_designs(right, left)

    assert diff_designs(left, left) == ()
    assert bool(there) is (left.design_hash != right.design_hash)
    added = {c.path for c in there if c.kind is ChangeKind.ADDED}
    assert added == {c.path for c in back if c.kind is ChangeKind.REMOVED}
    assert all(change.text and change.path for change in there)


def test_a_difference_is_said_in_words() -> None:
    design = designed(PROMPTS[1])
    pins = tuple(replace(p, pin="PB9") if p.signal == "relay" else p for p in design.pins)
    fewer = tuple(item for item in design.components if item.id != "red_led")
    changed = replace(design, pins=pins, components=fewer, summary="Shorter.")

    assert [(c.path, c.text) for c in diff_designs(design, changed)] == [
        ("components[red_led]", "component red_led was removed"),
        ("pins[relay].pin", f"relay moved from {design.pin_of('relay').pin} to PB9"),
        ("summary", f"summary was {design.summary[:59]}… and is Shorter."),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_drawing_takes_no_text_for_markup(text: str) -> None:
    svg = wiring_svg(poisoned(designed(PROMPTS[1]), text))
    root = ElementTree.fromstring(svg)
    names = {element.tag.rpartition("}")[2] for element in root.iter()}

    assert names <= {"svg", "title", "style", "rect", "text", "circle", "polyline"}
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_flowchart_takes_no_text_for_syntax(text: str) -> None:
    chart = wiring_mermaid(poisoned(designed(PROMPTS[1]), text))

    for line in chart.splitlines()[1:]:
        assert re.fullmatch(
            r'  (?:\w+\["[\w .,:/+%=#;-]*(?:<br/>[\w .,:/+%=#;-]*)?"\]'
            r'|b -- "[\w .,:/+%=#;-]*" --- \w+)',
            line,
        ), line


@pytest.mark.parametrize("text", HOSTILE)
def test_the_wiring_of_a_terminal_has_no_control_characters(text: str) -> None:
    shown = wiring_text(poisoned(designed(PROMPTS[1]), text))

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert shown.count("\n") == wiring_text(designed(PROMPTS[1])).count("\n")


@pytest.mark.parametrize("text", [*HOSTILE, "=1+1", " =1+1", "-5", "\t=x", "%PATH%"])
def test_no_cell_is_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(bom_csv(poisoned(designed(PROMPTS[1]), text)))))

    assert rows[0] == ["reference", "quantity", "kind", "part", "supply_mv", "note"]
    assert {len(row) for row in rows} == {6}
    for row in rows[1:]:
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "|", "%")), cell
            assert cell.isprintable()


def test_everything_that_is_wired_is_in_the_drawings() -> None:
    design = solved(with_bus(designed(PROMPTS[1])))
    nets = {net.id: net for net in nets_of(design, KINDS)}

    assert {end.ref for end in nets["bus_sda"].endpoints} == {"board", "air", "tilt"}
    assert nets["bus_sda"].pull_up
    assert nets["red_led"].series_ohm == 470
    assert {end.ref for end in nets["supply_5v"].endpoints} == {"board", "relay"}
    for shown in (wiring_text(design), wiring_mermaid(design), wiring_svg(design)):
        for pin in design.pins:
            assert pin.pin in shown
        for item in design.components:
            assert item.id in shown
    assert "bus_sda_pull_up,1,resistor,4.7 kOhm" in bom_csv(design)


def test_open_pins_are_solved_and_named_ones_stay() -> None:
    design = with_bus(designed(PROMPTS[1]))
    found = solved(design)
    pins = {(pin.signal, pin.function): pin for pin in found.pins}

    assert pins["relay", PinRole.GPIO_OUT] == design.pin_of("relay")
    sda, scl = pins["bus", PinRole.I2C_SDA], pins["bus", PinRole.I2C_SCL]
    assert sda.peripheral.partition("_")[0] == scl.peripheral.partition("_")[0]
    board = CATALOGUE.boards[design.board.model]
    assert validate_design(found, board, CATALOGUE.part_of(board), KINDS) == ()


def test_an_edit_keeps_the_pins_that_were_there() -> None:
    before = solved(with_bus(designed(PROMPTS[1])))
    opened = replace(
        before, pins=tuple(replace(p, pin=AUTO) if p.signal == "bus" else p for p in before.pins)
    )
    board = CATALOGUE.boards[before.board.model]
    again, findings = solve_auto(opened, board, CATALOGUE.part_of(board), before)

    assert findings == ()
    assert [p.pin for p in again.pins] == [p.pin for p in before.pins]


def test_boards_are_suggested_with_reasons() -> None:
    found = suggest_boards(solved(with_bus(designed(PROMPTS[3]))), CATALOGUE)

    assert {each.board_model for each in found} == set(CATALOGUE.boards)
    assert found[0].fits
    assert all(each.reasons for each in found)
    assert [each.fits for each in found] == sorted((each.fits for each in found), reverse=True)
    wanted = suggest_boards(designed(PROMPTS[1], "nucleo-f446re"), CATALOGUE)
    assert wanted[0].board_model == "nucleo-f446re"
    assert "it is the board that was asked for" in wanted[0].reasons


def test_a_board_without_enough_inputs_is_not_suggested() -> None:
    design = designed(PROMPTS[0])
    inputs = tuple(
        replace(design.pins[0], signal=f"in{n}", component=f"in{n}", function=PinRole.ADC)
        for n in range(7)
    )
    found = {s.board_model: s for s in suggest_boards(replace(design, pins=inputs), CATALOGUE)}

    assert found["olimex-stm32-h405"].fits
    assert not found["esp32-c3-devkitm-1"].fits
    assert any("cannot" in reason for reason in found["esp32-c3-devkitm-1"].reasons)
