"""Pin assignment. Pure: the same demands give the same plan, and each pin comes with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.design import FixedBy, PinRole, Pull
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, Part, Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class PinDemand:
    """A wish for one pin. ``pin`` is the one that the user or the board fixed, or "".

    ``pull`` is the resistor that the pin itself has to bring.
    """

    owner: str
    role: PinRole
    pull: Pull = Pull.NONE
    pin: str = ""
    fixed_by: FixedBy = FixedBy.DESIGNER


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedPin:
    """The pin of a demand, and why it is this one."""

    demand: PinDemand
    pin: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinPlan:
    """Every solved pin in the order of the demands, and every demand that could not be met."""

    pins: tuple[SolvedPin, ...]
    findings: tuple[Finding, ...]


def plan_pins(part: Part, board: BoardModel, demands: Sequence[PinDemand]) -> PinPlan:
    """Give each demand a pin: fixed ones first, then the demand with the fewest choices.

    Free pins that can do the least are preferred, then the board's order of pins; strapping pins
    and inputs of a second converter come last. All unmet demands are reported.
    """
    findings: list[Finding] = []
    taken = {board.console.tx: "the console", board.console.rx: "the console"}
    solved: dict[str, SolvedPin] = {}
    for demand in demands:
        if demand.pin:
            problem = _fixed_problem(part, board, demand, taken)
            if problem is not None:
                findings.append(problem)
                continue
            taken[demand.pin] = demand.owner
            solved[demand.owner] = SolvedPin(
                demand=demand, pin=demand.pin, reason=_fixed_reason(board, demand)
            )
    closed = {name for name, _ in board.reserved} | {item.pin for item in board.onboard}
    free = [pin for pin in part.pins if not pin.kept_for and pin.name not in closed]
    free = [pin for pin in free if pin.name not in taken and pin.name in board.preferred]
    waiting = [demand for demand in demands if not demand.pin]
    for demand in sorted(waiting, key=lambda d: (_choices(part, d.role), d.owner != _LED, d.owner)):
        fits = [pin for pin in free if _suits(pin, demand)]
        if not fits:
            findings.append(
                Finding(
                    code="E110",
                    subject=demand.owner,
                    message=f"{board.name} has no free pin left that can do {demand.role}.",
                    fix="Leave something out.",
                )
            )
            continue
        best = min(fits, key=lambda pin: _rank(pin, demand, board))
        free.remove(best)
        solved[demand.owner] = SolvedPin(
            demand=demand, pin=best.name, reason=_reason(best, demand, part)
        )
    ordered = tuple(solved[demand.owner] for demand in demands if demand.owner in solved)
    return PinPlan(pins=ordered, findings=tuple(findings))


def _choices(part: Part, role: PinRole) -> int:
    return sum(role in pin.roles for pin in part.pins)


def _suits(pin: Pin, demand: PinDemand) -> bool:
    """Whether a pad can do what is asked; input-only pads have no resistors inside."""
    return demand.role in pin.roles and not (pin.input_only and demand.pull is not Pull.NONE)


def _rank(pin: Pin, demand: PinDemand, board: BoardModel) -> tuple[bool, bool, int, int]:
    second = demand.role is PinRole.ADC and pin.adc_unit != 1
    return bool(pin.strapping), second, len(pin.roles), board.preferred.index(pin.name)


def _reason(pin: Pin, demand: PinDemand, part: Part) -> str:
    if demand.role is PinRole.ADC:
        reason = f"free, on ADC{pin.adc_unit} channel {pin.adc}"
    else:
        reason = f"free, and can do little besides {demand.role}"
    reason += "; first in the board's connector order"
    if demand.role is PinRole.ADC and pin.adc_unit != 1:
        reason += f", though {part.adc2_reason}: no other analog input is left"
    if pin.strapping:
        reason += f", though a strapping pin ({pin.strapping}): no other pin is left"
    return reason


def _fixed_reason(board: BoardModel, demand: PinDemand) -> str:
    if demand.fixed_by is FixedBy.BOARD:
        item = next((item for item in board.onboard if item.pin == demand.pin), None)
        return f"the {item.label} of the {board.name}" if item else f"fixed on the {board.name}"
    return "named in the prompt"


def _fixed_problem(
    part: Part, board: BoardModel, demand: PinDemand, taken: dict[str, str]
) -> Finding | None:
    pin = part.pin(demand.pin)
    if pin is None:
        return _finding(
            demand,
            "E110",
            f"the {part.name} in {part.package} has no pin {demand.pin}.",
            f"{_usable(part, board, demand)} Or leave it out.",
        )
    if demand.pin in (board.console.tx, board.console.rx):
        return _finding(demand, "E115", f"{demand.pin} carries the console.", _OTHER)
    if demand.pin in taken:
        return _finding(
            demand,
            "E111",
            f"{demand.pin} is wanted for the {demand.owner} and for the {taken[demand.pin]}.",
            "Give each its own pin.",
        )
    reason = pin.kept_for or dict(board.reserved).get(demand.pin, "")
    if reason:
        return _finding(demand, "E113", f"{demand.pin} is kept for {reason}.", _OTHER)
    soldered = next((item for item in board.onboard if item.pin == demand.pin), None)
    if soldered is not None and demand.fixed_by is FixedBy.USER:
        return _finding(demand, "E111", f"{demand.pin} is wired to the {soldered.label}.", _OTHER)
    if not _suits(pin, demand) and pin.input_only:
        lacks = "drives nothing" if demand.role is PinRole.GPIO_OUT else "has no resistor inside"
        message = f"{demand.pin} is an input only and {lacks}."
        return _finding(demand, "E112", message, _usable(part, board, demand))
    if demand.role not in pin.roles:
        message = f"{demand.pin} cannot do {demand.role}."
        if demand.role is PinRole.ADC:
            message = f"{demand.pin} has no analog input."
            return _finding(demand, "E117", message, _usable(part, board, demand))
        return _finding(demand, "E120", message, _OTHER)
    return None


def _usable(part: Part, board: BoardModel, demand: PinDemand) -> str:
    """Which pins would do, a few of them at most."""
    pads = [pad for name in board.preferred if (pad := part.pin(name)) and _suits(pad, demand)]
    best = sorted(pads, key=lambda pad: _rank(pad, demand, board))[:_NAMED]
    names = [pad.name for pad in sorted(best, key=lambda pad: board.preferred.index(pad.name))]
    return f"Use a pin such as {', '.join(names)}." if names else f"{board.name} has none."


_LED = "led"
"""Takes the first pin on boards without an LED: that is their LED_BUILTIN."""

_NAMED = 6
_OTHER = "Use another pin, or let the designer choose."


def _finding(demand: PinDemand, code: str, message: str, fix: str) -> Finding:
    return Finding(code=code, subject=demand.owner, message=message, fix=fix)
