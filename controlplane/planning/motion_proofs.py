"""Proofs of what follows motion: motion that lasts, motion that comes again, and what is said."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.planning.proofs import Proofs
from controlplane.planning.timeline import (
    PHASE_MS,
    REACTION_MS,
    SETTLED_MS,
    START_MS,
    Timeline,
    exactly,
    single_quoted,
    spoken,
)

PULSE_MS = 200
"""A motion that is over before anything that follows it."""

GAP_MS = 30_000
"""Longest wait for the second motion: enough to tell which of the two a time was counted from."""


def prove_motion(
    timeline: Proofs, behaviours: Sequence[Behaviour], shown: Sequence[Behaviour]
) -> None:
    """Motion that lasts, then two short ones; the times of ``shown`` are judged as well."""
    follows = [b for b in behaviours if b.kind is BehaviourKind.FOLLOW]
    notices = [b for b in behaviours if b.kind is BehaviourKind.NOTICE]
    if not follows and not notices:
        return
    source = (follows or notices)[0].signals[0]
    timed = [b for b in follows if b in shown]
    longest = max((hold_of(b) for b in timed), default=0)
    _at_rest(timeline, follows, behaviours)
    begun = timeline.now
    _lasting(timeline, source, follows, timed, behaviours)
    for behaviour in notices:
        _said_once(timeline, behaviour, begun, timeline.now)
    timeline.now += longest + PHASE_MS
    for behaviour in timed:
        _asked_again(timeline, behaviour.signals[1], behaviours, "off", "after_motion")
    held = [b for b in timed if hold_of(b)]
    gap = min((hold_of(b) * 3 // 5 for b in held), default=PHASE_MS)
    coming_again(timeline, source, held, gap)
    timeline.now += max(longest, REACTION_MS) + PHASE_MS
    _counted(timeline, follows, notices, timed, begun)
    timeline.until(timeline.now)
    timeline.proves += [behaviour.id for behaviour in (*follows, *notices)]


def hold_of(behaviour: Behaviour) -> int:
    """How long an output stays on after motion (ms)."""
    return round(behaviour.number("hold"))


def _slack(timeline: Timeline, hold: int) -> int:
    return max(5 + timeline.held_up_ms, hold // 50)


def _at_rest(
    timeline: Proofs, follows: Sequence[Behaviour], behaviours: Sequence[Behaviour]
) -> None:
    """Before any motion outputs are off, and said to be."""
    for behaviour in follows:
        output = behaviour.signals[1]
        timeline.states(behaviours, output, "off", after=0)
        _asked_again(timeline, output, behaviours, "off", "at_rest")
    for behaviour in follows:
        output = behaviour.signals[1]
        timeline.add(
            timeline.now,
            f"never: {{id: {output}_quiet, pin: {output}, level: on, after: {SETTLED_MS}ms, "
            f"until: {timeline.now}ms}}",
        )


def _asked_again(
    timeline: Proofs, output: str, behaviours: Sequence[Behaviour], state: str, when: str
) -> None:
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.COMMAND and behaviour.signals == (output,):
            text = f"{behaviour.word('command')} {spoken(output)} {state}"
            timeline.ask_again(behaviour, exactly(text), "", of=when)


def _lasting(
    timeline: Proofs,
    source: str,
    follows: Sequence[Behaviour],
    timed: Sequence[Behaviour],
    behaviours: Sequence[Behaviour],
) -> None:
    """While motion lasts outputs are on; after it for as long as was said."""
    begun = timeline.now
    timeline.add(begun, f"stimulus: {{at: {begun}ms, signal: {source}, value: on}}")
    for behaviour in follows:
        output = behaviour.signals[1]
        timeline.add(
            begun,
            f"expect: {{id: {output}_on_at_{source}, pin: {output}, edge: rising, "
            f"after: {begun}ms, within: {REACTION_MS}ms}}",
        )
    timeline.now += 2 * PHASE_MS
    for behaviour in follows:
        output = behaviour.signals[1]
        timeline.now += timeline.states(behaviours, output, "on", after=timeline.now)
        timeline.answers(behaviours, "", output)
    ended = timeline.now
    timeline.add(
        ended, f"stimulus: {{id: {source}_ends, at: {ended}ms, signal: {source}, value: off}}"
    )
    for behaviour in follows:
        output = behaviour.signals[1]
        timeline.add(
            begun,
            f"never: {{id: {output}_stays_on, pin: {output}, level: off, "
            f"after: {begun + REACTION_MS}ms, until: {ended}ms}}",
        )
    for behaviour in timed:
        _goes_off(timeline, behaviour, f"{source}_ends", ended, 0)


def _goes_off(timeline: Timeline, behaviour: Behaviour, since: str, at: int, more: int) -> None:
    """It goes off the hold time after the end of motion, ``more`` ms after the stimulus."""
    output, hold = behaviour.signals[1], hold_of(behaviour)
    name = f"{output}_off_after_{since}"
    slack = _slack(timeline, hold) if hold else REACTION_MS
    timeline.add(
        at,
        f"expect: {{id: {name}, pin: {output}, edge: falling, after: {at}ms, "
        f"within: {more + hold + REACTION_MS}ms}}",
        f"expect_latency: {{id: {output}_time_after_{since}, from: {since}, to: {name}, "
        f"max: {more + hold + slack}ms, min: {max(0, more + hold - slack)}ms}}",
    )
    timeline.until(at + more + hold + slack + REACTION_MS)


def coming_again(timeline: Timeline, source: str, held: Sequence[Behaviour], gap: int) -> None:
    """A second motion ``gap`` ms after the first: the time is counted from the second."""
    first = timeline.now
    again = first + PULSE_MS + gap
    timeline.add(
        first,
        f"press: {{at: {first}ms, signal: {source}, for: {PULSE_MS}ms}}",
        f"press: {{id: {source}_again, at: {again}ms, signal: {source}, for: {PULSE_MS}ms}}",
    )
    for behaviour in held:
        output, hold = behaviour.signals[1], hold_of(behaviour)
        until = again + PULSE_MS + hold - _slack(timeline, hold)
        timeline.add(
            first,
            f"expect: {{id: {output}_on_at_short_{source}, pin: {output}, edge: rising, "
            f"after: {first}ms, within: {REACTION_MS}ms}}",
            f"never: {{id: {output}_extended, pin: {output}, level: off, "
            f"after: {first + REACTION_MS}ms, until: {until}ms}}",
        )
        _goes_off(timeline, behaviour, f"{source}_again", again, PULSE_MS)
    timeline.now = again + PULSE_MS


def _counted(
    timeline: Proofs,
    follows: Sequence[Behaviour],
    notices: Sequence[Behaviour],
    timed: Sequence[Behaviour],
    begun: int,
) -> None:
    """How often outputs went on and lines were printed, in all three motions."""
    until = timeline.now
    for behaviour in follows:
        output = behaviour.signals[1]
        if behaviour in timed:
            times = 2 if hold_of(behaviour) else 3
            timeline.add(
                until,
                f"expect_count: {{id: {output}_times_on, pin: {output}, edge: rising, "
                f"after: {begun}ms, until: {until}ms, count: {times}}}",
            )
    for behaviour in notices:
        for name in ("began", "ended"):
            if behaviour.word(name):
                timeline.add(
                    until,
                    f"expect_count: {{id: {name}_times, "
                    f"line: {single_quoted(exactly(behaviour.word(name)))}, until: {until}ms, "
                    "count: 3}",
                )


def _said_once(timeline: Timeline, behaviour: Behaviour, begun: int, ended: int) -> None:
    """The line comes when motion begins, not when it ends; the other one the other way round."""
    for name, at in (("began", begun), ("ended", ended)):
        if not behaviour.word(name):
            continue
        line = single_quoted(exactly(behaviour.word(name)))
        timeline.add(
            at,
            f"expect: {{id: motion_{name}, line: {line}, after: {at}ms, within: {REACTION_MS}ms}}",
        )
    began = single_quoted(exactly(behaviour.word("began")))
    timeline.add(
        ended,
        f"never: {{id: motion_began_once, line: {began}, after: {begun + REACTION_MS}ms, "
        f"until: {ended + PHASE_MS}ms}}",
    )


def prove_hold_patiently(timeline: Timeline, behaviour: Behaviour) -> None:
    """A long hold time, in a run of its own."""
    timeline.now = START_MS + 200
    hold = hold_of(behaviour)
    coming_again(timeline, behaviour.signals[0], [behaviour], min(hold * 3 // 5, GAP_MS))
    timeline.until(timeline.now + hold + _slack(timeline, hold) + PHASE_MS)


def control_motion(timeline: Timeline, behaviour: Behaviour) -> None:
    """Without motion nothing goes on, and no line is printed."""
    if behaviour.kind is BehaviourKind.FOLLOW:
        output = behaviour.signals[1]
        timeline.add(timeline.now, f"never: {{id: {output}_stays_off, pin: {output}, level: on}}")
        return
    for name in ("began", "ended"):
        if behaviour.word(name):
            line = single_quoted(exactly(behaviour.word(name)))
            timeline.add(timeline.now, f"never: {{id: no_motion_{name}, line: {line}}}")
