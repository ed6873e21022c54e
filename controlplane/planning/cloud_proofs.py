"""Proofs of what is published: at its moments, with values that firmware cannot know."""

from collections.abc import Sequence
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, DesignSignal
from controlplane.planning.intent import ValueKind
from controlplane.planning.limits import identifier
from controlplane.planning.messaging import (
    is_limit,
    is_periodic,
    published_outputs,
    published_presses,
)
from controlplane.planning.timeline import (
    PHASE_MS,
    REACTION_MS,
    SETTLED_MS,
    SHOWN_IN_MAIN_MS,
    START_MS,
    Timeline,
    detects_absence,
    gaps,
    quoted,
    step_of,
    upper_half,
)


def event(topic: str) -> str:
    """The selector of what is published on a topic."""
    return f"type: EVT, name: cloud.{topic}"


def _name(behaviour: Behaviour) -> str:
    return f"published_{identifier(behaviour.word('topic'))}"


def show_published(
    timeline: Timeline, behaviour: Behaviour, name: str, *, after: int, within: int
) -> None:
    """What is published shows the present stimulus."""
    signal = timeline.signals[behaviour.signals[0]]
    where = f"abs(value - {timeline.level[signal.id]}) <= {float(step_of(signal.unit) / 5):g}"
    topic = behaviour.word("topic")
    _comes(timeline, topic, name, f'where: "{where}"', after=after, within=within)


def _comes(
    timeline: Timeline, topic: str, name: str, said: str, *, after: int, within: int
) -> None:
    """A message comes in a window. Counted, so that the order of several does not matter."""
    timeline.add(
        after,
        f"expect_count: {{id: {name}, {event(topic)}, {said}, after: {after}ms, "
        f"until: {after + within}ms, min: 1}}",
    )
    timeline.until(after + within)


def prove_rate(timeline: Timeline, behaviour: Behaviour) -> None:
    """The period of what is published, and its first values."""
    period, topic, name = behaviour.number("period"), behaviour.word("topic"), _name(behaviour)
    begin = 0 if period >= 1000 else SETTLED_MS
    count = gaps(period)
    timeline.add(
        begin,
        f"expect_period: {{id: {name}_period, {event(topic)}, after: {begin}ms, "
        f"period: {round(period)}ms, tolerance: {timeline.tolerance(period)}, count: {count}}}",
    )
    timeline.until(begin + round(period * (count + 1)) + START_MS)
    timeline.proves.append(behaviour.id)
    kind = behaviour.word("value")
    if kind == ValueKind.SENSOR:
        show_published(timeline, behaviour, f"{name}_value", after=0, within=START_MS)
    elif kind == ValueKind.UPTIME:
        _uptime(timeline, behaviour, max(1000, round(period)), round(period))
    elif kind == ValueKind.PRESSES:
        _says(timeline, topic, f"{name}_first", "0", after=0, within=START_MS)


def _uptime(timeline: Timeline, behaviour: Behaviour, after: int, lasts: int) -> None:
    """One message within ``lasts`` tells the time it is sent at."""
    low, high = after // 1000, (after + lasts) // 1000 + 1
    said = f'where: "value >= {low} and value <= {high}"'
    topic, name = behaviour.word("topic"), f"{_name(behaviour)}_value"
    _comes(timeline, topic, name, said, after=after, within=lasts + START_MS)
    timeline.until(after + lasts + START_MS + 100)


def _says(
    timeline: Timeline, topic: str, name: str, value: str, *, after: int, within: int
) -> None:
    _comes(timeline, topic, name, f"value: {quoted(value)}", after=after, within=within)


def says_published(
    timeline: Timeline, behaviour: Behaviour, name: str, value: str, *, after: int, within: int
) -> None:
    """What is published says a value in a window."""
    name = f"{_name(behaviour)}_{name}"
    _says(timeline, behaviour.word("topic"), name, value, after=after, within=within)


def follow_published(
    timeline: Timeline, behaviours: Sequence[Behaviour], signal: DesignSignal, limit: int
) -> int:
    """What is published of a signal shows its present stimulus; gives the time that takes (ms)."""
    longest = 0
    for behaviour in behaviours:
        if not is_periodic(behaviour) or signal.id not in behaviour.signals:
            continue
        period, name = round(behaviour.number("period")), f"{_name(behaviour)}_follows"
        shown = behaviour.word("value") == ValueKind.SENSOR and period < limit
        if shown and not timeline.has(name):
            after, within = timeline.now + 100, period + START_MS
            show_published(timeline, behaviour, name, after=after, within=within)
            longest = max(longest, within + 200)
    return longest


def published_state(
    timeline: Timeline, behaviours: Sequence[Behaviour], output: str, state: str, *, after: int
) -> int:
    """Periodic messages of an output say its state; gives the time that takes (ms)."""
    longest = 0
    for behaviour in behaviours:
        shown = is_periodic(behaviour) and behaviour.signals == (output,)
        if shown and behaviour.number("period") <= SHOWN_IN_MAIN_MS:
            within = round(behaviour.number("period")) + START_MS
            name = f"{_name(behaviour)}_says_{state}"
            if not timeline.has(name):
                _says(timeline, behaviour.word("topic"), name, state, after=after, within=within)
                longest = max(longest, within)
    return longest


def published_change(
    timeline: Timeline, behaviours: Sequence[Behaviour], output: str, state: str, *, within: int
) -> None:
    """An output that switches at this moment publishes its new state, where that was asked for."""
    for behaviour in behaviours:
        if behaviour.kind is not BehaviourKind.PUBLISH or is_periodic(behaviour):
            continue
        if published_outputs([behaviour]).get(output):
            topic, name = behaviour.word("topic"), f"{_name(behaviour)}_{state}"
            number = sum(f"{{id: {name}" in step for _, _, step in timeline.placed) + 1
            _says(timeline, topic, f"{name}_{number}", state, after=timeline.now, within=within)
            if behaviour.id not in timeline.proves:
                timeline.proves.append(behaviour.id)


def published_press(
    timeline: Timeline, behaviours: Sequence[Behaviour], number: int, *, after: int, within: int
) -> None:
    """A press publishes the number of presses."""
    topic = published_presses(behaviours)
    if topic:
        name = f"published_press_{number}"
        _says(timeline, topic, name, str(timeline.presses), after=after, within=within)


def no_published_press(
    timeline: Timeline, behaviours: Sequence[Behaviour], after: int, until: int
) -> None:
    """What is no press publishes nothing."""
    topic = published_presses(behaviours)
    if topic:
        timeline.add(
            until,
            f"never: {{id: published_glitch, {event(topic)}, after: {after}ms, until: {until}ms}}",
        )


def presses_published(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """As many messages as presses, and after the last one what periodic messages say."""
    topic = published_presses(behaviours)
    if topic:
        timeline.add(
            timeline.now,
            f"expect_count: {{id: published_presses, {event(topic)}, until: {timeline.now}ms, "
            f"count: {timeline.presses}}}",
        )
        timeline.proves += [b.id for b in behaviours if b.word("topic") == topic]


def prove_limits(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """Everything that is published when it passes a number, one after the other."""
    for behaviour in filter(is_limit, behaviours):
        _prove_limit(timeline, behaviour)


def _prove_limit(timeline: Timeline, behaviour: Behaviour) -> None:
    """Just beside the number on both sides, and the step back that arms it again."""
    signal = timeline.signals[behaviour.signals[0]]
    at, back = behaviour.number("on_value"), behaviour.number("off_value")
    sign = 1 if behaviour.word("on_when").startswith(">") else -1
    unit, topic, name = step_of(signal.unit), behaviour.word("topic"), _name(behaviour)

    def stand(word: str, of: Fraction, direction: int) -> None:
        edges = sorted(of + direction * unit * Fraction(part, 10) for part in (3, 8))
        variable = timeline.draw(f"{name}_{word}"[:40], edges[0], edges[1], signal)
        timeline.set(signal.id, variable)

    def passes(word: str) -> None:
        stand(word, at, sign)
        show_published(
            timeline, behaviour, f"{name}_{word}", after=timeline.now, within=REACTION_MS
        )
        timeline.now += PHASE_MS

    def stays(word: str, of: Fraction, direction: int) -> None:
        start = timeline.now
        stand(word, of, direction)
        timeline.now += PHASE_MS
        timeline.add(
            timeline.now,
            f"never: {{id: {name}_{word}, {event(topic)}, after: {start}ms, "
            f"until: {timeline.now}ms}}",
        )

    stand("rests", back, -sign)
    timeline.now += PHASE_MS
    begin = timeline.now
    stays("near", at, -sign)
    passes("passes")
    stays("band", at, -sign)
    stays("not_armed", at, sign)
    stays("armed", back, -sign)
    passes("again")
    timeline.add(
        timeline.now,
        f"expect_count: {{id: {name}_count, {event(topic)}, after: {begin}ms, "
        f"until: {timeline.now}ms, count: 2}}",
    )
    timeline.until(timeline.now)
    timeline.proves.append(behaviour.id)


def last_published(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """At the end, periodic messages of presses show another value than at first."""
    for behaviour in behaviours:
        if not is_periodic(behaviour):
            continue
        if behaviour.word("value") == ValueKind.PRESSES:
            period = round(behaviour.number("period"))
            _says(
                timeline,
                behaviour.word("topic"),
                f"{_name(behaviour)}_last",
                str(timeline.presses),
                after=timeline.now,
                within=period + START_MS,
            )
            timeline.now += period + START_MS
    timeline.until(timeline.now)


def prove_slow_publish(timeline: Timeline, behaviour: Behaviour) -> None:
    """One interval of a long period, in a run of its own."""
    period, name = round(behaviour.number("period")), _name(behaviour)
    timeline.add(
        timeline.now,
        f"expect_period: {{id: {name}_period, {event(behaviour.word('topic'))}, "
        f"period: {period}ms, tolerance: {timeline.tolerance(period)}, count: 1}}",
    )
    kind = behaviour.word("value")
    if kind == ValueKind.SENSOR:
        signal = timeline.signals[behaviour.signals[0]]
        show_published(timeline, behaviour, f"{name}_value", after=0, within=START_MS)
        timeline.now = period // 2
        low, high = upper_half(signal)
        timeline.set(signal.id, timeline.draw(f"{signal.id}_second", low, high, signal))
        within = period - timeline.now + START_MS
        show_published(timeline, behaviour, f"{name}_follows", after=timeline.now, within=within)
    elif kind == ValueKind.UPTIME:
        _uptime(timeline, behaviour, period - START_MS, START_MS + period // 50)


def control_published(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """Without a stimulus nothing is published that a stimulus brings."""
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.PUBLISH:
            _control_publish(timeline, behaviour, behaviours)


def _control_publish(
    timeline: Timeline, behaviour: Behaviour, behaviours: Sequence[Behaviour]
) -> None:
    topic, kind = behaviour.word("topic"), behaviour.word("value")
    name = f"no_{_name(behaviour)}"
    where = ""
    if kind == ValueKind.SENSOR:
        signal = timeline.signals[behaviour.signals[0]]
        absent = detects_absence(signal)
        if is_limit(behaviour) and not absent and behaviour.word("on_when").startswith("<"):
            return  # 0 V is below the number, which is published
        where = "" if absent or is_limit(behaviour) else ', where: "value > 0"'
    elif kind == ValueKind.OUTPUT:
        if is_periodic(behaviour) or _on_at_zero(timeline, behaviour.signals[0], behaviours):
            return
    elif is_periodic(behaviour):
        if kind != ValueKind.PRESSES:
            return
        where = ', where: "value > 0"'
    timeline.add(timeline.now, f"never: {{id: {name}, {event(topic)}{where}}}")


def _on_at_zero(timeline: Timeline, output: str, behaviours: Sequence[Behaviour]) -> bool:
    """Whether a threshold switches an output on while its sensor gives 0 V."""
    return any(
        b.kind is BehaviourKind.THRESHOLD
        and b.signals[1] == output
        and not b.word("on_when").startswith(">")
        and not detects_absence(timeline.signals[b.signals[0]])
        for b in behaviours
    )
