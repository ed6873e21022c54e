"""What cannot stand beside a sensor that holds the program up while it waits for its echo."""

from collections.abc import Sequence
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.domain.units import decimal_text
from controlplane.planning.intent import Intent
from controlplane.planning.resolve import Resolver

SHORTEST_BESIDE_MS = Fraction(200)
"""Shortest period beside it: an echo takes up to 25 ms, which is an eighth of it."""

_TIMES = ("period", "step")
_FIX = "Use another board for one of them."


def complain_of_held_up(resolver: Resolver, behaviours: Sequence[Behaviour]) -> None:
    """Refuse what would be late or missed while a distance is measured."""
    if not any(thing.kind.has_trigger for thing in resolver.things.values()):
        return
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.TURN:
            message = "notches are missed while a distance is measured, which takes up to 25 ms."
            resolver.complain("E152", behaviour.id, message, _FIX, Intent())
            continue
        times = [p.number for p in behaviour.parameters if p.name in _TIMES]
        if behaviour.kind is BehaviourKind.BLINK:
            times.append(2 * min(behaviour.number("on"), behaviour.number("off")))
        if times and min(times) < SHORTEST_BESIDE_MS:
            resolver.complain(
                "E152",
                behaviour.id,
                "beside a distance, which takes up to 25 ms to measure, it would come too late.",
                f"Use a period of at least {decimal_text(SHORTEST_BESIDE_MS)} ms.",
                Intent(),
            )
