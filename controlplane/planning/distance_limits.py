"""What cannot stand beside a sensor that holds the program up while it waits for its echo."""

from collections.abc import Sequence
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.domain.units import decimal_text
from controlplane.planning.intent import Intent
from controlplane.planning.resolve import Resolver
from controlplane.planning.timeline import ECHO_WAIT_MS

SHORTEST_BESIDE_MS = Fraction(8 * ECHO_WAIT_MS)
"""Shortest period beside it."""

_TAKES = f"takes up to {ECHO_WAIT_MS} ms"
_TIMES = ("period", "step")
_FIX = "Use another board for one of them."


def complain_of_held_up(resolver: Resolver, behaviours: Sequence[Behaviour]) -> None:
    """Refuse what would be late or missed while a distance is measured."""
    if not any(thing.kind.has_trigger for thing in resolver.things.values()):
        return
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.TURN:
            message = f"notches are missed while a distance is measured, which {_TAKES}."
            resolver.complain("E152", behaviour.id, message, _FIX, Intent())
            continue
        times = [p.number for p in behaviour.parameters if p.name in _TIMES]
        if behaviour.kind is BehaviourKind.BLINK:
            times.append(2 * min(behaviour.number("on"), behaviour.number("off")))
        if times and min(times) < SHORTEST_BESIDE_MS:
            resolver.complain(
                "E152",
                behaviour.id,
                f"beside a distance, which {_TAKES} to measure, it would come too late.",
                f"Use a period of at least {decimal_text(SHORTEST_BESIDE_MS)} ms.",
                Intent(),
            )
