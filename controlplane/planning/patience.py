"""Long periods and hold times: a run of its own for each, in which what is told changes once."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.planning.cloud_proofs import prove_slow_publish, says_published
from controlplane.planning.colour_proofs import prove_cycle
from controlplane.planning.messaging import is_periodic
from controlplane.planning.motion_proofs import prove_hold_patiently
from controlplane.planning.proofs import Proofs
from controlplane.planning.timeline import (
    REACTION_MS,
    START_MS,
    beyond_range,
    single_quoted,
    spoken,
    upper_half,
)
from controlplane.planning.turning_proofs import turned_meanwhile


def prove_patiently(
    timeline: Proofs, behaviour: Behaviour, behaviours: Sequence[Behaviour]
) -> None:
    """One interval of a long period, or one long hold time, in a run of its own."""
    timeline.begin()
    timeline.proves.append(behaviour.id)
    match behaviour.kind:
        case BehaviourKind.FOLLOW:
            prove_hold_patiently(timeline, behaviour)
            return
        case BehaviourKind.CYCLE:
            prove_cycle(timeline, behaviour)
            return
        case BehaviourKind.BLINK:
            timeline.ambient([behaviour])
            _blinks(timeline, behaviour)
        case _:
            driver = _driver(behaviour, behaviours)
            timeline.ambient([driver or behaviour])
            _tells(timeline, behaviour, behaviours)
            if driver is not None:
                _switched(timeline, behaviour, driver)
    timeline.until(round(behaviour.number("period") * 102 / 100) + 2 * START_MS)


def _blinks(timeline: Proofs, behaviour: Behaviour) -> None:
    led, period = behaviour.signals[0], round(behaviour.number("period"))
    timeline.add(
        timeline.now,
        f"expect_period: {{id: {led}_rate, pin: {led}, edge: rising, period: {period}ms, "
        f"tolerance: {timeline.tolerance(period)}, count: 1}}",
    )


def _tells(timeline: Proofs, behaviour: Behaviour, behaviours: Sequence[Behaviour]) -> None:
    """What is reported or published again and again: its period, and that it changes."""
    period, value = round(behaviour.number("period")), behaviour.word("value")
    if is_periodic(behaviour):
        prove_slow_publish(timeline, behaviour)
    else:
        name, regex = timeline.report_line(behaviour)
        timeline.add(
            timeline.now,
            f"expect_period: {{id: {name}_period, line: {single_quoted(regex)}, "
            f"period: {period}ms, tolerance: {timeline.tolerance(period)}, count: 1}}",
        )
        if value == "position":
            counting = next(b.id for b in behaviours if b.kind is BehaviourKind.TURN)
            turned_meanwhile(timeline, behaviour, counting)
        elif value == "sensor":
            _changed(timeline, behaviour, period)
        elif value == "uptime":
            _aged(timeline, period)
        elif value == "counter":
            _counted(timeline, period)
    if value == "presses":
        _pressed(timeline, behaviour, behaviours)


def _late(period: int) -> int:
    """How much later than its period a second line may come (ms)."""
    return START_MS + period // 50


def _changed(timeline: Proofs, behaviour: Behaviour, period: int) -> None:
    signal = timeline.signals[behaviour.signals[0]]
    timeline.show_value(f"{signal.id}_value", signal, behaviour, after=0, within=START_MS)
    timeline.now = period // 2
    low, high = upper_half(signal)
    timeline.set(signal.id, timeline.draw(f"{signal.id}_second", low, high, signal))
    within = period - timeline.now + START_MS
    name, after = f"{signal.id}_follows", timeline.now
    timeline.show_value(name, signal, behaviour, after=after, within=within)


def _aged(timeline: Proofs, period: int) -> None:
    """The second report of the uptime tells the time it is printed at."""
    after, end = period - START_MS, period + _late(period)
    timeline.add(
        after,
        f"expect: {{id: uptime_value, line: '^uptime (?P<v>[0-9]+) s$', after: {after}ms, "
        f'where: "v >= {after // 1000} and v <= {end // 1000}", within: {end - after}ms}}',
    )


def _counted(timeline: Proofs, period: int) -> None:
    for number in (1, 2):
        timeline.add(
            period * (number - 1),
            f"expect: {{id: counter_{number}, line: '^counter {number}$', "
            f"within: {period + START_MS}ms}}",
        )


def _pressed(timeline: Proofs, behaviour: Behaviour, behaviours: Sequence[Behaviour]) -> None:
    """None at first; after two presses the next that is told are two."""
    period = round(behaviour.number("period"))
    _says(timeline, behaviour, "none", "0", after=0, within=START_MS)
    timeline.now = START_MS + 200
    button = next(b for b in behaviours if b.kind is BehaviourKind.BUTTON)
    timeline.button(button, [])
    told = period if timeline.now < period - START_MS else 2 * period
    within = told + _late(period) - timeline.now
    _says(timeline, behaviour, "value", str(timeline.presses), after=timeline.now, within=within)


def _driver(behaviour: Behaviour, behaviours: Sequence[Behaviour]) -> Behaviour | None:
    """What switches the output whose state is told, where a stimulus of one moment does."""
    if behaviour.word("value") != "output":
        return None
    kinds = (BehaviourKind.THRESHOLD, BehaviourKind.BUTTON, BehaviourKind.FOLLOW)
    output = behaviour.signals[0]
    return next((b for b in behaviours if b.kind in kinds and output in b.signals[1:]), None)


def _switched(timeline: Proofs, behaviour: Behaviour, driver: Behaviour) -> None:
    """Off at first; switched on half-way, the next that is told is on."""
    period = round(behaviour.number("period"))
    _says(timeline, behaviour, "said_off", "off", after=0, within=START_MS)
    timeline.now = period // 2
    source = timeline.signals[driver.signals[0]]
    if driver.kind is BehaviourKind.THRESHOLD:
        low, high = beyond_range(driver, source)
        timeline.set(source.id, timeline.draw(f"{source.id}_second", low, high, source))
    elif driver.kind is BehaviourKind.BUTTON:
        hold = 2 * round(driver.number("debounce")) + 100
        timeline.add(
            timeline.now, f"press: {{at: {timeline.now}ms, signal: {source.id}, for: {hold}ms}}"
        )
    else:
        timeline.add(
            timeline.now, f"stimulus: {{at: {timeline.now}ms, signal: {source.id}, value: on}}"
        )
    after = timeline.now + REACTION_MS
    within = period - after + _late(period)
    _says(timeline, behaviour, "said_on", "on", after=after, within=within)


def _says(
    timeline: Proofs, behaviour: Behaviour, name: str, value: str, *, after: int, within: int
) -> None:
    """A report or a message tells a value in a window."""
    if is_periodic(behaviour):
        says_published(timeline, behaviour, name, value, after=after, within=within)
        return
    told, line = "presses", f"presses {value}"
    if behaviour.signals:
        told, line = behaviour.signals[0], f"{spoken(behaviour.signals[0])} is {value}"
    timeline.add(
        after,
        f"expect: {{id: {told}_{name}, line: '^{line}$', after: {after}ms, within: {within}ms}}",
    )
    timeline.until(after + within)
