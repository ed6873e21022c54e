"""Finds the things of the labels in a design: which component, signal and pin each one is."""

from dataclasses import dataclass

from tui.evaluation.evidence import Component, DesignFacts, Pin
from tui.evaluation.labels import COLOURS, BoardFacts, Case, Level, Thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A thing of the labels as the design has it; ``pin`` is None where it has none."""

    thing: Thing
    signal: str
    pin: Pin | None
    on_high: bool

    def __str__(self) -> str:
        """Name it for a message."""
        return f"{self.thing.name} ({self.pin.pin})" if self.pin else self.thing.name


_ASKED_BY_A_PULSE = frozenset({"hc_sr04"})
"""Kinds of sensors that have a driven pin of their own, on which they are asked."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Everything that was found, and what is wrong about it."""

    bound: dict[str, Bound]
    problems: tuple[str, ...]


def bind(case: Case, design: DesignFacts, board: BoardFacts | None) -> Binding:
    """Find each thing of a case, the most closely described ones first."""
    pairs = [
        (component, signal)
        for component in design.components
        for signal in component.signals or ("",)
    ]
    bound: dict[str, Bound] = {}
    problems: list[str] = []
    for thing in sorted(case.things, key=lambda one: (not one.pin, not one.colours, one.name)):
        fits = [pair for pair in pairs if _is_kind(thing, pair[0])]
        if not fits:
            problems.append(f"the design has no {thing.kind} ({thing.name})")
            continue
        best = max(fits, key=lambda pair: _closeness(thing, pair[0], pair[1], design, board))
        pairs.remove(best)
        found = _bound(thing, best[1], design, board)
        bound[thing.name] = found
        problems += _problems(found, board)
    problems += _unasked(case, design, bound)
    return Binding(bound, tuple(problems))


def _is_kind(thing: Thing, component: Component) -> bool:
    if component.kind in thing.kinds:
        return True
    return (
        component.kind in {"custom", "load", "output", "sensor"} and thing.kind in component.words
    )


def _closeness(
    thing: Thing, component: Component, signal: str, design: DesignFacts, board: BoardFacts | None
) -> int:
    pin = design.pin_of(signal)
    name = pin.pin if pin else ""
    own = _own_level(thing, board)
    score = 8 * (bool(thing.pin) and name == thing.pin)
    if own is not None and name == own.pin:
        score += 4 if thing.may_be_on_board else -1
    score += 2 * (thing.name in signal or signal in thing.name)
    if thing.colours:
        score += 4 * all(colour in component.words for colour in thing.colours)
    else:
        score -= 2 * any(colour in component.id for colour in COLOURS)
    return score


def _own_level(thing: Thing, board: BoardFacts | None) -> Level | None:
    """The LED or the button that the board has of its own."""
    if board is None:
        return None
    return {"led": board.led, "button": board.button}.get(thing.kind)


def _bound(thing: Thing, signal: str, design: DesignFacts, board: BoardFacts | None) -> Bound:
    pin = design.pin_of(signal)
    own = _own_level(thing, board)
    said = pin.active if pin else ""
    if own is not None and pin is not None and pin.pin == own.pin:
        said = own.active
    active = thing.active or said
    return Bound(thing=thing, signal=signal, pin=pin, on_high=active != "low")


def _problems(bound: Bound, board: BoardFacts | None) -> list[str]:
    thing, pin = bound.thing, bound.pin
    if pin is None:
        return [] if not (thing.pin or thing.on_board) else [f"{thing.name} has no pin"]
    problems = []
    if thing.pin and pin.pin != thing.pin:
        problems.append(f"{thing.name} is on {pin.pin}, not on {thing.pin} as was said")
    if thing.active and pin.active != thing.active:
        problems.append(f"{thing.name} is active {pin.active}, not {thing.active} as was said")
    own = _own_level(thing, board)
    if own and pin.pin != own.pin and thing.on_board:
        problems.append(f"{thing.name} is on {pin.pin}; that of the board is on {own.pin}")
    if own and pin.pin == own.pin and pin.active != own.active:
        problems.append(f"{thing.name} on {pin.pin} is active {own.active}, not {pin.active}")
    return problems


def _unasked(case: Case, design: DesignFacts, bound: dict[str, Bound]) -> list[str]:
    """Driven pins of things that no label names; what cannot be judged may drive what it needs."""
    if case.unjudged:
        return []
    found = [(one.thing, one.pin) for one in bound.values() if one.pin]
    known = {pin.pin for _, pin in found}
    asked = {pin.component for thing, pin in found if thing.kinds & _ASKED_BY_A_PULSE}
    return [
        f"{pin.pin} is driven for {pin.component}, which nobody asked for"
        for pin in design.pins
        if pin.function in {"gpio_out", "pwm"}
        and pin.pin not in known
        and pin.component not in asked
    ]
