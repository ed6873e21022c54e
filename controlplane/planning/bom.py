"""The bill of materials as CSV that no spreadsheet can take for formulas."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.domain.design import Design
from controlplane.domain.part import Electrical
from controlplane.planning.nets import NetKind, nets_of, soldered_components

_NO_KINDS: Mapping[str, Electrical] = {}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_HEAD = ("reference", "quantity", "kind", "part", "supply_mv", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class BomLine:
    """One thing to have at hand."""

    reference: str
    quantity: int
    kind: str
    part: str
    supply_mv: int
    note: str


def bill_of_materials(
    design: Design, kinds: Mapping[str, Electrical] = _NO_KINDS
) -> tuple[BomLine, ...]:
    """The board, every component that it does not bring, and the small parts between."""
    soldered = soldered_components(design)
    lines = [
        BomLine(
            reference="board",
            quantity=1,
            kind="board",
            part=design.board.model,
            supply_mv=0,
            note=design.board.part,
        )
    ]
    lines += [
        BomLine(
            reference=item.id,
            quantity=1,
            kind=item.kind,
            part=item.part_number,
            supply_mv=item.supply_mv,
            note=item.note,
        )
        for item in design.components
        if item.id not in soldered
    ]
    for net in nets_of(design, kinds):
        if net.kind is not NetKind.SIGNAL or net.onboard:
            continue
        if net.series_ohm:
            lines.append(_resistor(f"{net.id}_series", f"{net.series_ohm} Ohm", "in series"))
        if net.pull_up:
            lines.append(_resistor(f"{net.id}_pull_up", "4.7 kOhm", "to the supply"))
    return tuple(lines)


def _resistor(reference: str, value: str, note: str) -> BomLine:
    return BomLine(
        reference=reference, quantity=1, kind="resistor", part=value, supply_mv=0, note=note
    )


def bom_csv(design: Design, kinds: Mapping[str, Electrical] = _NO_KINDS) -> str:
    """RFC 4180. A cell that a spreadsheet would calculate begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(_HEAD)
    for line in bill_of_materials(design, kinds):
        writer.writerow(
            [
                _cell(line.reference),
                line.quantity,
                _cell(line.kind),
                _cell(line.part),
                line.supply_mv or "",
                _cell(line.note),
            ]
        )
    return text.getvalue()


def _cell(text: str) -> str:
    plain = "".join(ch if ch.isprintable() else " " for ch in text)
    risky = text.startswith(_FORMULA) or plain.lstrip().startswith(_FORMULA)
    return f"'{plain}" if risky else plain
