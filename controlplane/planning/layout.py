"""Where to draw what: boxes that never overlap, and that stay where they are when others come.

The board stands in the middle. What it reads stands on its left, what it drives on its right, each
side in the order of the document. A component's terminals are rows of its box; the board has its
pin at the height of the first terminal that is joined with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.domain.design import Design, PinRole
from controlplane.domain.part import Electrical
from controlplane.planning.nets import BOARD, HOST, Net, NetKind, nets_of, supply_name

BOX_WIDTH = 220
BOARD_WIDTH = 200
ROW = 22
HEADER = 46
GAP = 28
CHANNEL = 130
"""Room for wires between a column and the board."""

_LANE = 10
_LEFT, _RIGHT = "left", "right"
_DRIVEN = frozenset({PinRole.GPIO_OUT, PinRole.PWM, PinRole.CAN_TX, PinRole.SPI_MOSI})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One terminal of a box: its text, and the height of its wire."""

    terminal: str
    y: int
    supply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One thing that is drawn; (x, y) is its upper left corner."""

    id: str
    title: str
    subtitle: str
    side: str
    x: int
    y: int
    width: int
    height: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRow:
    """A pin of the board, on the side where it is joined."""

    pin: str
    side: str
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A line from a terminal to a pin of the board, through the points in their order."""

    net: str
    label: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A whole drawing."""

    width: int
    height: int
    board: Box
    boxes: tuple[Box, ...]
    pins: tuple[PinRow, ...]
    wires: tuple[Wire, ...]


_NO_KINDS: Mapping[str, Electrical] = {}


def lay_out(design: Design, kinds: Mapping[str, Electrical] = _NO_KINDS) -> Layout:
    """Place everything. The same design is always laid out alike."""
    nets = nets_of(design, kinds)
    boxes = _columns(design, nets)
    pins, wires = _wires(boxes, nets)
    bottom = max([box.y + box.height for box in boxes] + [GAP + HEADER + ROW])
    bottom = max([bottom] + [pin.y + ROW for pin in pins])
    board = Box(
        id=BOARD,
        title=design.board.model,
        subtitle=design.board.part,
        side="",
        x=GAP + BOX_WIDTH + CHANNEL,
        y=GAP,
        width=BOARD_WIDTH,
        height=bottom - GAP,
        rows=(),
    )
    return Layout(
        width=2 * (GAP + BOX_WIDTH + CHANNEL) + BOARD_WIDTH,
        height=bottom + GAP,
        board=board,
        boxes=tuple(boxes),
        pins=tuple(pins),
        wires=tuple(wires),
    )


def _columns(design: Design, nets: tuple[Net, ...]) -> list[Box]:
    driven = {pin.component for pin in design.pins if pin.function in _DRIVEN}
    members = {member.component for bus in design.buses for member in bus.members}
    # Below the board's header, so that a pin is never drawn into it.
    bottoms = {_LEFT: GAP, _RIGHT: GAP}
    things = [(item.id, item.id, f"{item.kind} {item.part_number}") for item in design.components]
    if any(end.ref == HOST for net in nets for end in net.endpoints):
        things.insert(0, (HOST, "console", "the host"))
    boxes = []
    for ref, title, subtitle in things:
        side = _RIGHT if ref in driven - members else _LEFT
        rows = _rows(ref, nets, bottoms[side] + HEADER)
        height = HEADER + ROW * max(1, len(rows))
        x = GAP if side == _LEFT else GAP + BOX_WIDTH + 2 * CHANNEL + BOARD_WIDTH
        boxes.append(
            Box(
                id=ref,
                title=title,
                subtitle=subtitle.strip(),
                side=side,
                x=x,
                y=bottoms[side],
                width=BOX_WIDTH,
                height=height,
                rows=rows,
            )
        )
        bottoms[side] += height + GAP
    return boxes


def _rows(ref: str, nets: tuple[Net, ...], top: int) -> tuple[Row, ...]:
    rows: list[Row] = []
    for net in nets:
        for end in net.endpoints:
            if end.ref != ref:
                continue
            supply = ""
            if net.kind is NetKind.POWER:
                supply = supply_name(net.voltage_mv)
            elif net.kind is NetKind.GROUND:
                supply = "GND"
            y = top + ROW * len(rows) + ROW // 2
            rows.append(Row(terminal=end.terminal, y=y, supply=supply))
    return tuple(rows)


def _wires(boxes: list[Box], nets: tuple[Net, ...]) -> tuple[list[PinRow], list[Wire]]:
    """Signal wires; a net with several components has a lane that its wires share."""
    by_id = {box.id: box for box in boxes}
    pins: list[PinRow] = []
    wires: list[Wire] = []
    lanes = 0
    for net in nets:
        if net.kind is not NetKind.SIGNAL or len(net.endpoints) < 2:
            continue
        near, *far = net.endpoints
        ends = [
            (by_id[end.ref], row)
            for end in far
            if end.ref in by_id
            for row in by_id[end.ref].rows
            if row.terminal == end.terminal and not row.supply
        ]
        if not ends:
            continue
        first_box, first_row = ends[0]
        pins.append(PinRow(pin=near.terminal, side=first_box.side, y=first_row.y))
        if len(ends) > 1:
            lanes += 1
        for box, row in ends:
            wires.append(_wire(net, box, row, first_row.y, lanes))
    return pins, wires


def _wire(net: Net, box: Box, row: Row, pin_y: int, lane: int) -> Wire:
    left = box.side == _LEFT
    start = box.x + box.width if left else box.x
    end = start + CHANNEL if left else start - CHANNEL
    points: tuple[tuple[int, int], ...] = ((start, row.y), (end, pin_y))
    if row.y != pin_y:
        offset = _LANE * (1 + lane % (CHANNEL // _LANE - 2))
        middle = start + offset if left else start - offset
        points = ((start, row.y), (middle, row.y), (middle, pin_y), (end, pin_y))
    notes = [f"{net.series_ohm} Ohm"] if net.series_ohm else []
    notes += ["driver"] if net.driver else []
    notes += ["pull-up"] if net.pull_up else []
    return Wire(net=net.id, label=", ".join(notes), points=points)
