"""Messages about stored designs, their differences and their drawings."""

from benchline.v1 import design_pb2
from controlplane.domain.stored_design import StoredDesign
from controlplane.domain.verdict import Stage
from controlplane.edge.render import design_message, finding_message
from controlplane.edge.translate import enum_numbers
from controlplane.planning.diff import Change
from controlplane.planning.layout import Box, Layout
from controlplane.planning.suggest import Suggestion

_KINDS = enum_numbers(design_pb2.DesignChange.Kind.DESCRIPTOR)


def problem_message(path: str, message: str) -> design_pb2.DesignProblem:
    """A problem of shape."""
    return design_pb2.DesignProblem(path=path, message=message)


def stored_design_message(stored: StoredDesign, *, brief: bool = False) -> design_pb2.StoredDesign:
    """One revision; ``brief`` leaves out what lists do not show."""
    message = design_pb2.StoredDesign(
        name=stored.name,
        revision=stored.revision,
        parent_revision=stored.parent_revision,
        head_revision=stored.head_revision,
        design=design_message(stored.design),
        note=stored.note,
        principal=stored.principal,
        etag=stored.etag,
    )
    message.create_time.FromDatetime(stored.create_time)
    message.update_time.FromDatetime(stored.update_time)
    if brief:
        message.design.ClearField("json")
        message.design.ClearField("scenarios")
        message.design.ClearField("prompt")
        message.design.ClearField("understood")
    return message


def change_message(change: Change) -> design_pb2.DesignChange:
    """One difference."""
    return design_pb2.DesignChange(
        path=change.path,
        kind=design_pb2.DesignChange.Kind.ValueType(_KINDS[change.kind.upper()]),
        before=change.before,
        after=change.after,
        text=change.text,
    )


def suggestion_message(suggestion: Suggestion) -> design_pb2.BoardSuggestion:
    """One board model with its reasons."""
    return design_pb2.BoardSuggestion(
        board_model=suggestion.board_model,
        fits=suggestion.fits,
        score=suggestion.score,
        reasons=suggestion.reasons,
        findings=[finding_message(item, Stage.DESIGN) for item in suggestion.findings],
    )


def layout_message(layout: Layout) -> design_pb2.DesignLayout:
    """A whole drawing."""
    return design_pb2.DesignLayout(
        width=layout.width,
        height=layout.height,
        board=_box(layout.board),
        boxes=map(_box, layout.boxes),
        pins=[design_pb2.DrawnPin(pin=p.pin, side=p.side, y=p.y) for p in layout.pins],
        wires=[
            design_pb2.DrawnWire(
                net=wire.net,
                label=wire.label,
                points=[number for point in wire.points for number in point],
            )
            for wire in layout.wires
        ],
    )


def _box(box: Box) -> design_pb2.DrawnBox:
    return design_pb2.DrawnBox(
        id=box.id,
        title=box.title,
        subtitle=box.subtitle,
        side=box.side,
        x=box.x,
        y=box.y,
        width=box.width,
        height=box.height,
        rows=[
            design_pb2.DrawnRow(terminal=row.terminal, y=row.y, supply=row.supply)
            for row in box.rows
        ],
    )
