"""Which board models a design can be built on, best first, each with its reasons."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.catalog.loader import Catalogue
from controlplane.domain.design import Design, FixedBy, PinRole
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, Family
from controlplane.planning.boards import DEFAULT_MODEL
from controlplane.planning.pins import PinDemand, PinPlan, plan_pins

_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A board model, whether it can carry the design, and why it stands where it stands."""

    board_model: str
    fits: bool
    score: int
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]


def demands_of(design: Design) -> tuple[PinDemand, ...]:
    """What a design asks of pins, wherever they are. Console pins are the board's own."""
    buses = {bus.id for bus in design.buses}
    return tuple(
        PinDemand(
            owner=f"{pin.signal}_{pin.function}" if pin.signal in buses else pin.signal,
            role=pin.function,
            pull=pin.pull,
            group=pin.signal if pin.signal in buses else "",
            frequency_hz=pin.frequency_hz,
        )
        for pin in design.pins
        if pin.component != "console"
    )


def suggest_boards(design: Design, catalogue: Catalogue) -> tuple[Suggestion, ...]:
    """Every board model: those that fit first, then by points, then by name."""
    demands = demands_of(design)
    found = [_judge(design, board, catalogue, demands) for board in catalogue.boards.values()]
    return tuple(sorted(found, key=lambda each: (not each.fits, -each.score, each.board_model)))


def _judge(
    design: Design, board: BoardModel, catalogue: Catalogue, demands: Sequence[PinDemand]
) -> Suggestion:
    part = catalogue.part_of(board)
    owned = {item.kind: item.pin for item in board.onboard if item.kind != "rgb_led"}
    kinds = {pin.signal: pin.component for pin in design.pins}
    of_kind = {item.id: item.kind for item in design.components}
    loose = []
    used = []
    for demand in demands:
        kind = of_kind.get(kinds.get(demand.owner, ""), "")
        if kind in owned and demand.owner in ("led", "button") and kind not in used:
            used.append(kind)
        else:
            loose.append(demand)
    plan = plan_pins(part, board, loose)
    findings = list(plan.findings)
    score, reasons = 0, []
    points = _memory(design, part.flash_bytes, part.ram_bytes, part.name)
    findings += points
    if any(node.radio for node in design.nodes) and part.family is not Family.ESP32:
        message = f"the {part.name} has no radio."
        findings.append(Finding(code="E170", subject=board.key, message=message, fix=""))
    for weight, reason in _points(design, board, catalogue, used, plan):
        score += weight
        reasons.append(reason)
    reasons += [f"cannot: {finding.message}" for finding in findings]
    return Suggestion(
        board_model=board.key,
        fits=not findings,
        score=score,
        reasons=tuple(reasons),
        findings=tuple(findings),
    )


def _memory(design: Design, flash_bytes: int, ram_bytes: int, name: str) -> list[Finding]:
    findings = []
    for node in design.nodes:
        for asked, there, what in (
            (node.min_flash_kib, flash_bytes, "flash"),
            (node.min_ram_kib, ram_bytes, "RAM"),
        ):
            if asked * _KIB > there:
                message = f"{asked} KiB of {what} are asked for; {name} has {there // _KIB}."
                findings.append(Finding(code="E180", subject=node.id, message=message, fix=""))
    return findings


def _points(
    design: Design, board: BoardModel, catalogue: Catalogue, used: Sequence[str], plan: PinPlan
) -> list[tuple[int, str]]:
    """Points, each with its reason in words."""
    part = catalogue.part_of(board)
    points = []
    if board.key == design.board.model and design.board.fixed_by is FixedBy.USER:
        points.append((50, "it is the board that was asked for"))
    if part.bench_core:
        points.append((40, "firmware for it is built here"))
    else:
        points.append((0, "building for it takes a vendor toolchain"))
    if board.simulators:
        points.append((20, f"there is a simulator for it ({board.simulators[0].backend})"))
    if used:
        points.append((5 * len(used), f"its own {' and '.join(used)} can be used"))
    straps = _straps(plan, board, catalogue)
    if straps:
        points.append((-5 * straps, f"{straps} signals would be on strapping pins"))
    roles = Counter(pin.demand.role for pin in plan.pins)
    if roles[PinRole.ADC] and part.adc_highest_mv < part.adc_full_scale_mv:
        points.append((-5, f"its converter measures up to {part.adc_highest_mv} mV only"))
    if board.key == DEFAULT_MODEL:
        points.append((1, "it is the default board model"))
    return points


def _straps(plan: PinPlan, board: BoardModel, catalogue: Catalogue) -> int:
    part = catalogue.part_of(board)
    return sum(bool(pad and pad.strapping) for pad in (part.pin(pin.pin) for pin in plan.pins))
