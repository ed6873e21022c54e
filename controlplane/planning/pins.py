"""Pin assignment. Pure: the same demands give the same plan, and each pin comes with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.design import FixedBy, PinRole, Pull
from controlplane.domain.finding import Finding
from controlplane.domain.part import PERIPHERAL_ROLES, BoardModel, Part, Pin, PinFunction
from controlplane.planning.solver import Choice, GaveUpError, Option, solve


@dataclass(frozen=True, slots=True, kw_only=True)
class PinDemand:
    """A wish for one pin. ``pin`` is the one that the user or the board fixed, or "".

    ``pull`` is the resistor that the pin itself has to bring. Demands of one ``group`` get pins of
    one peripheral, which nobody else gets; ``frequency_hz`` is that of a PWM output.
    """

    owner: str
    role: PinRole
    pull: Pull = Pull.NONE
    pin: str = ""
    fixed_by: FixedBy = FixedBy.DESIGNER
    group: str = ""
    frequency_hz: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedPin:
    """The pin of a demand, why it is this one, and what a peripheral does on it."""

    demand: PinDemand
    pin: str
    reason: str
    peripheral: str = ""
    alternate: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class PinPlan:
    """Every solved pin in the order of the demands, and every demand that could not be met."""

    pins: tuple[SolvedPin, ...]
    findings: tuple[Finding, ...]


def plan_pins(
    part: Part,
    board: BoardModel,
    demands: Sequence[PinDemand],
    previous: Mapping[str, str] | None = None,
) -> PinPlan:
    """Give each demand a pin: fixed ones first, then the demand with the fewest choices.

    Free pins that can do the least are preferred, then the board's order of pins; strapping pins
    and inputs of a second converter come last. ``previous`` are the pins of an earlier plan by
    owner: as many of them stay as can. All unmet demands are reported; a demand is unmet only when
    there is no way to meet it together with those before it.
    """
    findings: list[Finding] = []
    taken = {board.console.tx: "the console", board.console.rx: "the console"}
    waiting: list[PinDemand] = []
    for demand in demands:
        if not demand.pin:
            continue
        problem = _fixed_problem(part, board, demand, taken)
        if problem is not None:
            findings.append(problem)
            continue
        taken[demand.pin] = demand.owner
        waiting.append(demand)
    free = _free_pads(part, board, taken)
    waiting += sorted(
        (demand for demand in demands if not demand.pin),
        key=lambda d: (_choices(part, d.role), d.owner != _LED, d.owner),
    )
    choices = [_choice(demand, part, board, free, previous or {}) for demand in waiting]
    solved = _solved(waiting, choices, part, board, findings)
    by_owner = {pin.demand.owner: pin for pin in _with_channels(solved)}
    ordered = tuple(by_owner[demand.owner] for demand in demands if demand.owner in by_owner)
    return PinPlan(pins=ordered, findings=tuple(findings))


def _free_pads(part: Part, board: BoardModel, taken: Mapping[str, str]) -> list[Pin]:
    closed = {name for name, _ in board.reserved} | {item.pin for item in board.onboard}
    closed |= taken.keys()
    return [
        pin
        for pin in part.pins
        if not pin.kept_for and pin.name not in closed and pin.name in board.preferred
    ]


def _choice(
    demand: PinDemand,
    part: Part,
    board: BoardModel,
    free: Sequence[Pin],
    previous: Mapping[str, str],
) -> Choice:
    if demand.pin:
        pads = [pad] if (pad := part.pin(demand.pin)) else []
    else:
        fits = [pin for pin in free if _suits(pin, demand)]
        pads = sorted(fits, key=lambda pin: _rank(pin, demand, board))
    return Choice(
        role=demand.role,
        options=tuple(option for pad in pads for option in _options(pad, demand.role)),
        group=demand.group or demand.owner,
        frequency_hz=demand.frequency_hz,
        previous="" if demand.pin else previous.get(demand.owner, ""),
    )


def _options(pad: Pin, role: PinRole) -> list[Option]:
    if role not in PERIPHERAL_ROLES:
        return [Option(pad.name)]
    return [Option(pad.name, function) for function in pad.functions_for(role)]


def _solved(
    waiting: Sequence[PinDemand],
    choices: Sequence[Choice],
    part: Part,
    board: BoardModel,
    findings: list[Finding],
) -> list[SolvedPin]:
    """All demands when there is an answer, else those that have one together, in their order."""
    in_use = frozenset({board.console.uart})
    try:
        found = solve(choices, part.peripherals, in_use)
    except GaveUpError:
        found = None
    kept = list(range(len(choices)))
    if found is None:
        kept = []
        for number, demand in enumerate(waiting):
            tried = [choices[each] for each in (*kept, number)]
            try:
                answer = solve(tried, part.peripherals, in_use)
            except GaveUpError:
                findings.append(_finding(demand, "E118", _TOO_HARD, "Name some of the pins."))
                continue
            if answer is None:
                findings.append(_unmet(demand, choices[number], part, board))
                continue
            found = answer
            kept.append(number)
    return [
        _solved_pin(waiting[number], option, part, board)
        for number, option in zip(kept, found or (), strict=True)
    ]


def _solved_pin(demand: PinDemand, option: Option, part: Part, board: BoardModel) -> SolvedPin:
    function = option.function
    pad = part.pin(option.pin)
    if demand.pin or pad is None:
        reason = _fixed_reason(board, demand)
    else:
        reason = _reason(pad, demand, part, function)
    return SolvedPin(
        demand=demand,
        pin=option.pin,
        reason=reason,
        peripheral="" if function is None else function.name,
        alternate=-1 if function is None or function.alternate is None else function.alternate,
    )


def _with_channels(solved: Sequence[SolvedPin]) -> list[SolvedPin]:
    """Number the channels of a matrix: any of them reaches any pad, so they come in order."""
    numbered, number = [], 0
    for pin in solved:
        if pin.peripheral == "ledc":
            numbered.append(replace(pin, peripheral=f"ledc_ch{number}"))
            number += 1
        else:
            numbered.append(pin)
    return numbered


def _unmet(demand: PinDemand, choice: Choice, part: Part, board: BoardModel) -> Finding:
    if demand.role not in PERIPHERAL_ROLES:
        message = f"{board.name} has no free pin left that can do {demand.role}."
        return _finding(demand, "E110", message, "Leave something out.")
    if not choice.options and not any(demand.role in pin.roles for pin in part.pins):
        message = f"the {part.name} has no pin that can do {demand.role}."
        return _finding(demand, "E120", message, "Use another board.")
    if demand.role is PinRole.PWM:
        message = f"{board.name} has no timer left for {demand.frequency_hz} Hz on a free pin."
        return _finding(demand, "E122", message, "Use the frequency of another output.")
    message = f"{board.name} has no peripheral left whose {demand.role} is on a free pin."
    return _finding(demand, "E121", message, "Leave something out, or name other pins.")


def _choices(part: Part, role: PinRole) -> int:
    return sum(role in pin.roles for pin in part.pins)


def _suits(pin: Pin, demand: PinDemand) -> bool:
    """Whether a pad can do what is asked; input-only pads have no resistors inside."""
    return demand.role in pin.roles and not (pin.input_only and demand.pull is not Pull.NONE)


def _rank(pin: Pin, demand: PinDemand, board: BoardModel) -> tuple[bool, bool, int, int]:
    second = demand.role is PinRole.ADC and pin.adc_unit != 1
    order = board.preferred.index(pin.name)
    return bool(pin.strapping), second, len(pin.plain_roles), order


def _reason(pin: Pin, demand: PinDemand, part: Part, function: PinFunction | None) -> str:
    if function is not None:
        number = "" if function.alternate is None else f" (AF{function.alternate})"
        reason = f"free, and {function.name}{number} is on it"
    elif demand.role is PinRole.ADC:
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
_TOO_HARD = "no pin was found within the time that the solver takes."
_OTHER = "Use another pin, or let the designer choose."


def _finding(demand: PinDemand, code: str, message: str, fix: str) -> Finding:
    return Finding(code=code, subject=demand.owner, message=message, fix=fix)
