"""Proofs of what a sensor of echoes says when none comes: no distance, and nothing that is near."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind, DesignSignal, SignalKind
from controlplane.planning.proofs import Proofs
from controlplane.planning.timeline import (
    PHASE_MS,
    REACTION_MS,
    START_MS,
    absent_line,
    beyond_range,
    exactly,
    single_quoted,
)

_SHOWN_MS = 2000
"""Longest report that is waited for here; without a stimulus none shows a distance either."""


def prove_out_of_range(timeline: Proofs, behaviours: Sequence[Behaviour]) -> None:
    """Something was in range, and is not any more."""
    for signal in timeline.signals.values():
        if signal.kind is SignalKind.ECHO:
            _prove(timeline, signal, behaviours)


def _prove(timeline: Proofs, signal: DesignSignal, behaviours: Sequence[Behaviour]) -> None:
    # Periods are seen by lines with a value: there has to be one until they are proved.
    timeline.now = max(timeline.now, timeline.end_ms)
    before = timeline.level[signal.id]
    switched = _switched_on(timeline, signal, behaviours)
    timeline.add(
        timeline.now, f"stimulus: {{at: {timeline.now}ms, signal: {signal.id}, value: none}}"
    )
    for output in switched:
        timeline.add(
            timeline.now,
            f"expect: {{id: {output}_off_out_of_range, pin: {output}, level: off, "
            f"after: {timeline.now}ms, within: {REACTION_MS}ms}}",
        )
    timeline.now += PHASE_MS
    longest = 0
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.REPORT and behaviour.signals == (signal.id,):
            period = round(behaviour.number("period"))
            if period <= _SHOWN_MS:
                line, within = exactly(absent_line(signal)), period + START_MS
                timeline.add(
                    timeline.now,
                    f"expect: {{id: {signal.id}_out_of_range, line: {single_quoted(line)}, "
                    f"after: {timeline.now}ms, within: {within}ms}}",
                )
                longest = max(longest, within)
    timeline.now += longest
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.COMMAND and behaviour.signals == (signal.id,):
            line = absent_line(signal, f"{behaviour.word('command')} ")
            timeline.ask_again(behaviour, exactly(line), "", of="out_of_range")
    timeline.set(signal.id, before)
    timeline.now += PHASE_MS
    timeline.until(timeline.now)


def _switched_on(
    timeline: Proofs, signal: DesignSignal, behaviours: Sequence[Behaviour]
) -> list[str]:
    """Put the signal where an output that follows it is on, and give that output."""
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.THRESHOLD and behaviour.signals[0] == signal.id:
            output = behaviour.signals[1]
            low, high = beyond_range(behaviour, signal)
            variable = timeline.draw(f"{output}_in_range"[:40], low, high, signal)
            timeline.set(signal.id, variable)
            timeline.add(
                timeline.now,
                f"expect: {{id: {output}_on_in_range, pin: {output}, level: on, "
                f"after: {timeline.now}ms, within: {REACTION_MS}ms}}",
            )
            timeline.now += PHASE_MS
            return [output]
    return []
