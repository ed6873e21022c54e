"""Pins that a document leaves open: the solver gives them, and changes as few as it can."""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.design import Design, FixedBy, PinAssignment
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, Part
from controlplane.planning.pins import plan_pins
from controlplane.planning.suggest import demands_of

AUTO = "auto"
"""What a document writes where the solver has to choose."""


def solve_auto(
    design: Design, board: BoardModel, part: Part, previous: Design | None = None
) -> tuple[Design, tuple[Finding, ...]]:
    """The design with every ``auto`` pin given, and what could not be given.

    Pins that are named stay as they are, right or wrong: the validator judges them. ``previous`` is
    the design before an edit, whose pins are kept where they can.
    """
    mine = [pin for pin in design.pins if pin.component != "console"]
    if not any(pin.pin == AUTO for pin in mine):
        return design, ()
    demands = [
        replace(demand, pin="" if pin.pin == AUTO else pin.pin, fixed_by=_fixed_by(pin))
        for pin, demand in zip(mine, demands_of(design), strict=True)
    ]
    plan = plan_pins(part, board, demands, _pins_of(previous))
    given = {solved.demand.owner: solved for solved in plan.pins}
    pins = []
    waiting = iter(demands)
    for pin in design.pins:
        if pin.component == "console":
            pins.append(pin)
            continue
        demand = next(waiting)
        solved = given.get(demand.owner)
        if pin.pin != AUTO or solved is None:
            pins.append(pin)
            continue
        pins.append(
            replace(
                pin,
                pin=solved.pin,
                fixed_by=FixedBy.DESIGNER,
                reason=solved.reason,
                peripheral=solved.peripheral,
                alternate=solved.alternate,
            )
        )
    open_ones = {d.owner for p, d in zip(mine, demands, strict=True) if p.pin == AUTO}
    findings = tuple(each for each in plan.findings if each.subject in open_ones)
    return replace(design, pins=tuple(pins)), findings


def _fixed_by(pin: PinAssignment) -> FixedBy:
    return FixedBy.USER if pin.fixed_by is FixedBy.DESIGNER else pin.fixed_by


def _pins_of(design: Design | None) -> Mapping[str, str]:
    if design is None:
        return {}
    mine = [pin for pin in design.pins if pin.component != "console"]
    return {
        demand.owner: pin.pin
        for pin, demand in zip(mine, demands_of(design), strict=True)
        if pin.pin != AUTO
    }
