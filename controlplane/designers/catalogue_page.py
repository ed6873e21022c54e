"""The catalogue as a page for a prompt: the same catalogue gives the same bytes."""

from collections.abc import Iterator

from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import Catalogue
from controlplane.domain.design import PinRole, SignalKind
from controlplane.domain.part import BoardModel, ComponentKind, Part
from controlplane.domain.units import decimal_text


def catalogue_page(catalogue: Catalogue) -> str:
    """Boards with what is on them and what is free, and the kinds of components."""
    built = {model for port in PORTS.values() for model in port.variants}
    lines = ["# Boards", ""]
    for key in sorted(catalogue.boards):
        board = catalogue.boards[key]
        lines += _board(board, catalogue.part_of(board), builds=key in built)
    lines += ["", "# Kinds of components", ""]
    for key in sorted(catalogue.components):
        lines.append(_component(catalogue.components[key]))
    return "\n".join(lines) + "\n"


def _board(board: BoardModel, part: Part, *, builds: bool) -> Iterator[str]:
    state = "builds" if builds else "is designed only: nothing here builds for it"
    yield f"- `{board.key}`: {board.name}, {part.name} ({part.family.value}); {state}"
    own = [f"{i.label} ({i.kind}, {i.pin}, active {i.active})" for i in board.onboard]
    yield f"  on board: {'; '.join(own) if own else 'no LED or button that firmware can use'}"
    free = [pad for name in board.preferred if (pad := part.pin(name)) is not None]
    analog = [pad.name for pad in free if PinRole.ADC in pad.roles]
    yield f"  free pins: {len(free)}, of these analog inputs: {len(analog)}"


def _component(kind: ComponentKind) -> str:
    what = f"- `{kind.key}`: {kind.name}, {kind.role}"
    if kind.signal_kind is SignalKind.ANALOG:
        low, high = decimal_text(kind.minimum), decimal_text(kind.maximum)
        return f"{what}, {low} to {high} {kind.unit}; usual id {kind.signal}"
    if kind.has_trigger:
        low, high = decimal_text(kind.minimum), decimal_text(kind.maximum)
        return (
            f"{what}, {low} to {high} {kind.unit}; usual id {kind.signal}; its pins are the "
            "signals ID (the echo) and ID_trigger"
        )
    if kind.lines:
        return f"{what}; its pins are the signals {', '.join(f'ID_{line}' for line in kind.lines)}"
    return what
