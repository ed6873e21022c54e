"""What is wired to a board, as diagrams draw it: from a design, or from a scenario's signals."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from benchline.scenario import Signal
from benchline.scenario import SignalKind as ScenarioSignalKind
from controlplane.domain.design import Active, Design, SignalKind

BOARD_ID = "esp"
"""The board's id in a diagram."""


class ThingKind(StrEnum):
    """What a diagram shows for a signal."""

    LED = "led"
    BUTTON = "button"
    POTENTIOMETER = "potentiometer"
    RANGER = "ultrasonic sensor"


_KINDS = {
    "digital_out": ThingKind.LED,
    "digital_in": ThingKind.BUTTON,
    "analog": ThingKind.POTENTIOMETER,
    "echo": ThingKind.RANGER,
}
_STANDS_FOR_ITSELF = {
    ThingKind.LED: {"led"},
    ThingKind.BUTTON: {"button"},
    ThingKind.POTENTIOMETER: {"potentiometer"},
    ThingKind.RANGER: {"hc_sr04"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing on one pin; `active_high` is the level at which it is on or pressed.

    `trigger` is the second pin of one that is asked by a pulse, "" of others.
    `stands_for` is the component kind that the diagram has no better part for, "" if it has.
    """

    id: str
    signal: str
    kind: ThingKind
    pin: str
    active_high: bool
    trigger: str = ""
    stands_for: str = ""


def wiring_of_design(design: Design) -> tuple[Thing, ...]:
    """The things of a design, in its order."""
    kinds = {component.id: component.kind for component in design.components}
    triggers = {signal.trigger for signal in design.signals}
    things = []
    for signal in design.signals:
        if signal.id in triggers:
            continue
        pin = design.pin_of(signal.id)
        component = kinds.get(signal.component, "")
        trigger = design.pin_of(signal.trigger).pin if signal.trigger else ""
        active_high = pin.active is not Active.LOW
        things.append(_thing(signal.id, signal.kind, pin.pin, trigger, active_high, component))
    return tuple(things)


def wiring_of_signals(signals: Iterable[Signal]) -> tuple[Thing, ...]:
    """The things that a scenario names."""
    named = tuple(signals)
    triggers = {signal.trigger_spelling for signal in named}
    return tuple(
        _thing(s.name, s.kind, s.spelling, s.trigger_spelling, s.active_high, "")
        for s in named
        if s.spelling not in triggers
    )


def _thing(
    signal: str,
    kind: SignalKind | ScenarioSignalKind,
    pin: str,
    trigger: str,
    active_high: bool,
    component: str,
) -> Thing:
    shown = _KINDS[kind.value]
    own = not component or component in _STANDS_FOR_ITSELF[shown]
    return Thing(
        id=f"{signal}_" if signal == BOARD_ID else signal,
        signal=signal,
        kind=shown,
        pin=pin,
        active_high=active_high,
        trigger=trigger,
        stands_for="" if own else component,
    )
