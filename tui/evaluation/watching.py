"""Small questions to one run: levels, presses, settled values, lines after a line."""

import math
import re
from dataclasses import dataclass
from itertools import pairwise

from tui.evaluation.binding import Bound
from tui.evaluation.evidence import Run
from tui.evaluation.transcript import Line

SETTLE_MS = 250
"""A device has so long to follow an input; sensors are read less often than the processor turns."""

REPLY_MS = 600
"""An answer comes within so long."""

NUMBER = re.compile(r"(?<![\w.])[-+]?[0-9]{1,12}(?:\.[0-9]{1,9})?")
_SLACK = {"C": 0.5, "F": 0.9, "%": 0.6, "mV": 6.0, "cm": 1.0, "hPa": 1.0}
_CONVERSIONS = {("V", "mV"): 1000.0, ("m", "cm"): 100.0, ("Pa", "hPa"): 0.01, ("kPa", "hPa"): 10.0}


@dataclass(frozen=True, slots=True)
class Level:
    """From ``at_ms`` on a thing is on or off."""

    at_ms: int
    on: bool


@dataclass(slots=True)
class Seen:
    """What one check says of one run: whether the run shows it, and what contradicts it."""

    shown: bool = False
    problems: tuple[str, ...] = ()


def wrong(message: str) -> Seen:
    """A run that contradicts a label."""
    return Seen(problems=(message,))


def levels(run: Run, bound: Bound) -> list[Level]:
    """The states of an output: the first one, then each change."""
    if bound.pin is None:
        return []
    found: list[Level] = []
    for edge in run.edges(bound.pin.pin):
        on = edge.high == bound.on_high
        if not found or found[-1].on != on:
            found.append(Level(edge.at_ms, on))
    return found


def is_on(states: list[Level], at_ms: float) -> bool:
    """Whether it is on at a time; an output that has said nothing is off."""
    before = [one.on for one in states if one.at_ms <= at_ms]
    return before[-1] if before else False


def changes(states: list[Level]) -> list[Level]:
    """The changes alone. An output that starts off, as all do, begins without one."""
    if not states:
        return []
    return [
        after for before, after in pairwise([Level(-1, on=False), *states]) if before.on != after.on
    ]


def values_of(run: Run, bound: Bound) -> list[tuple[int, float]]:
    """What a sensor or an input was given, in the order of time."""
    return [(one.at_ms, one.value) for one in run.stimuli.given if one.signal == bound.signal]


def settled_value(given: list[tuple[int, float]], at_ms: float) -> float | None:
    """The value at a time, None when there is none or it has just changed."""
    if any(at_ms - SETTLE_MS < when <= at_ms + 5 for when, _ in given if when > 0):
        return None
    before = [value for when, value in given if when <= at_ms]
    return before[-1] if before and not math.isnan(before[-1]) else None


def in_unit(value: float, unit: str, wanted: str) -> float:
    """A value in the unit of the label; Celsius becomes Fahrenheit where that is asked for."""
    if (unit, wanted) == ("C", "F"):
        return value * 9 / 5 + 32
    return value * _CONVERSIONS.get((unit, wanted), 1.0)


def slack_of(unit: str) -> float:
    """How far a printed number may be from what the sensor was given."""
    return _SLACK.get(unit, 0.5)


def is_value(line: str, number: str, value: float, unit: str) -> bool:
    """Whether a number of a line tells a value, in its unit or in volts where the line says so."""
    found = float(number)
    if unit == "mV" and abs(found * 1000 - value) <= slack_of(unit) and re.search(r"\bV\b", line):
        return True
    return abs(found - value) <= slack_of(unit)


def skeleton(text: str) -> str:
    """A line with its numbers and switch words taken out: lines of one purpose look alike then."""
    return re.sub(r"\b(?:on|off)\b", "~", NUMBER.sub("#", text), flags=re.IGNORECASE)


def sends(run: Run, word: str) -> list[int]:
    """When a line was sent."""
    return [one.at_ms for one in run.stimuli.sent if one.text.rstrip("\r\n") == word]


def lines_after(run: Run, at_ms: int, span_ms: int = REPLY_MS) -> list[Line]:
    """Lines from a moment on."""
    return [line for line in run.lines if at_ms <= line.at_ms <= at_ms + span_ms]


def presses(run: Run, bound: Bound, debounce_ms: float) -> list[int]:
    """When a press began that stays for the debounce time, after a release that did."""
    given = values_of(run, bound)
    raw = [*given, (max(run.end_ms, given[-1][0]) if given else 0, 0.0)]
    steady, found, begun = False, [], 0
    for (at, value), (until, _) in pairwise(raw):
        on = value >= 0.5
        if until - at < debounce_ms or on == steady:
            continue
        steady = on
        if on:
            begun = at
            found.append(begun)
    return found


def short_pulses(run: Run, bound: Bound, debounce_ms: float) -> int:
    """How many states did not last for the debounce time."""
    given = values_of(run, bound)
    return sum(later - at < debounce_ms for (at, _), (later, _) in pairwise(given))


def is_period(times: list[int], period_ms: float) -> bool:
    """At least two gaps, or one of a long period; their mean within 2 %, each within 10 %."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if len(gaps) < (2 if period_ms < 2500 else 1):
        return False
    mean = sum(gaps) / len(gaps)
    if abs(mean - period_ms) > period_ms * 0.02 + 1.5 / len(gaps):
        return False
    return all(abs(gap - period_ms) <= period_ms * 0.1 + 3 for gap in gaps)


def unseen(run: Run, period_ms: float, message: str) -> Seen:
    """What a run says that does not show a period: nothing when it is too short to have to."""
    return wrong(message) if run.end_ms >= period_ms * 2.2 + 50 else Seen()
