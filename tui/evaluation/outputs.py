"""Checks of what pins are seen to do: blink, threshold, follow, pulse, set."""

import math
from itertools import pairwise

from tui.evaluation.binding import Bound
from tui.evaluation.evidence import Run
from tui.evaluation.labels import Blink, Follow, Limit, Pulse, Set, Threshold
from tui.evaluation.watching import (
    SETTLE_MS,
    Level,
    Seen,
    changes,
    in_unit,
    is_on,
    is_period,
    levels,
    presses,
    sends,
    unseen,
    values_of,
    wrong,
)

_EDGE = {"C": 1.05, "%": 1.05, "mV": 12.0, "cm": 2.0, "hPa": 2.0}
_DOUBT = {"C": 0.15, "%": 0.15, "mV": 2.0, "cm": 0.5, "hPa": 0.5}
_USUAL_DEBOUNCE_MS = 30.0


def sees_blink(does: Blink, thing: Bound, run: Run) -> Seen:
    """The pin goes on once in the period, and stays on for as long as was said."""
    if thing.pin and any(edge.count > 1 for edge in run.edges(thing.pin.pin)):
        return _counted_blink(does, thing, run)
    states = levels(run, thing)
    ups = [one.at_ms for one in states if one.on]
    if not is_period(ups, does.every_ms):
        message = f"{thing} goes on at {_some(ups)} ms, not every {does.every_ms:g} ms"
        return unseen(run, does.every_ms, message)
    widths = [after.at_ms - one.at_ms for one, after in pairwise(states) if one.on]
    mean = sum(widths) / len(widths) if widths else 0.0
    if does.on_ms is not None and abs(mean - does.on_ms) > does.on_ms * 0.02 + 1.5:
        return wrong(f"{thing} stays on for {mean:g} ms, not for {does.on_ms:g} ms")
    if not 0.1 <= mean / does.every_ms <= 0.9:
        return wrong(f"{thing} stays on for {mean:g} of {does.every_ms:g} ms, which is no blinking")
    return Seen(shown=True)


def _counted_blink(does: Blink, thing: Bound, run: Run) -> Seen:
    """Fast changes are only counted: what is left to see is their mean."""
    edges = run.edges(thing.pin.pin) if thing.pin else []
    span = edges[-1].at_ms - edges[0].at_ms
    mean = 2 * span / max(sum(edge.count for edge in edges[1:]), 1)
    if does.on_ms is not None:
        return wrong(f"{thing} changes too fast for its on time to be seen")
    if abs(mean - does.every_ms) > does.every_ms * 0.02 + 0.1:
        return wrong(f"{thing} goes on every {mean:g} ms, not every {does.every_ms:g} ms")
    return Seen(shown=True)


def _some(times: list[int]) -> str:
    return ", ".join(map(str, times[:6])) + (" …" if len(times) > 6 else "") if times else "no"


def sees_threshold(does: Threshold, of: Bound, unit: str, thing: Bound, run: Run) -> Seen:
    """After each value the output is what both limits make of it, and stays so."""
    states = levels(run, thing)
    given = [(at, in_unit(value, unit, does.on.unit)) for at, value in values_of(run, of)]
    if not given:
        return _stays_off(thing, states)
    state: bool | None = False
    seen = set()
    for (at, value), (until, _) in pairwise([*given, (run.end_ms, 0.0)]):
        state = _next_state(does, state, value)
        if until - at < SETTLE_MS + 20 or state is None:
            continue
        seen.add(state)
        now, later = is_on(states, at + SETTLE_MS), is_on(states, until - 5)
        late = [one for one in changes(states) if at + SETTLE_MS < one.at_ms < until - 5]
        if now != state or later != state or late:
            wanted, found = ("on", "off") if state else ("off", "on")
            return wrong(f"{thing} is {found}, not {wanted}, at {value:g} {does.on.unit} ({at} ms)")
    values = [value for _, value in given]
    return Seen(shown=len(seen) == 2 and _tries(values, does.on) and _tries(values, does.off))


def _next_state(does: Threshold, state: bool | None, value: float) -> bool | None:
    """None while a value is too close to a limit for the state to be told."""
    if math.isnan(value):
        return False  # nothing is measured
    doubt = _DOUBT.get(does.on.unit, 0.0)
    for limit, then in ((does.on, True), (does.off, False)):
        if abs(value - limit.value) < doubt:
            return state if state is then else None
        if limit.met_by(value):
            return then
    return state


def _tries(values: list[float], limit: Limit) -> bool:
    """A value just beyond the limit, and one just not."""
    edge = _EDGE.get(limit.unit, 1.0)
    close = [value for value in values if abs(value - limit.value) <= edge]
    return {limit.met_by(value) for value in close} == {True, False}


def _stays_off(thing: Bound, states: list[Level]) -> Seen:
    ups = [one.at_ms for one in states if one.on]
    return wrong(f"{thing} goes on at {ups[0]} ms without a cause") if ups else Seen()


def sees_follow(does: Follow, of: Bound, thing: Bound, run: Run) -> Seen:
    """The output is what the input is, once that has settled."""
    given = values_of(run, of)
    states = levels(run, thing)
    if not given:
        return _stays_off(thing, states)
    seen = set()
    for (at, value), (until, _) in pairwise([*given, (run.end_ms, 0.0)]):
        if until - at < SETTLE_MS + 20:
            continue
        on = value >= 0.5
        seen.add(on)
        if {is_on(states, at + SETTLE_MS), is_on(states, until - 5)} != {on}:
            return wrong(f"{thing} does not follow {does.of} at {at} ms")
    return Seen(shown=len(seen) == 2)


def sees_pulse(does: Pulse, by: Bound, thing: Bound, run: Run) -> Seen:
    """Each press turns it on, and it goes off after the time."""
    pressed = presses(run, by, _USUAL_DEBOUNCE_MS)
    states = levels(run, thing)
    if not pressed:
        return _stays_off(thing, states)
    shown = False
    for at, following in pairwise([*pressed, run.end_ms + 1]):
        if not is_on(states, at + SETTLE_MS):
            return wrong(f"{thing} is off after the press at {at} ms")
        end, play = at + does.for_ms, does.for_ms * 0.02 + SETTLE_MS
        if end + play >= min(following, run.end_ms):
            continue
        shown = True
        if not is_on(states, end - play) or is_on(states, end + play):
            return wrong(f"{thing} is not on for {does.for_ms:g} ms after the press at {at} ms")
    return Seen(shown=shown)


def sees_set(does: Set, thing: Bound, run: Run) -> Seen:
    """The line puts the output into the state."""
    states = levels(run, thing)
    shown = False
    for at in sends(run, does.to):
        if is_on(states, at + SETTLE_MS) != does.on:
            return wrong(
                f"{thing} is not {'on' if does.on else 'off'} after '{does.to}' at {at} ms"
            )
        shown = shown or is_on(states, at - 1) != does.on
    return Seen(shown=shown)
