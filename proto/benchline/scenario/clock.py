"""How right a device's clock is, from when the host read what the device said.

A record carries the device's time; the host knows when it read the record's last byte. Reading can
only be late, never early, so the device's rate is the slope below all points: the lower edge of
their convex hull. A busy host is late by different amounts in different parts of a run: a clock is
called wrong only when every part of the run shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchline.scenario.records import Event

CLOCK_TOLERANCE = 0.01
"""A clock that is further off, by the part that shows the least of it, is worth telling."""

SHORTEST_MS = 3000
"""Device time that is needed for a reading."""

SHORTEST_FAST_MS = 5000
"""Device time that is needed to call a clock fast."""

_PARTS = 3
_FEWEST_POINTS = 4
_MOST_APART = 0.03
_NEAR_MS = 10.0
_NEAR_SHARE = 0.4
"""So many points lie close to the line, or the time between them was lost in steps."""
_NEAR_SHARE_FAST = 0.7
"""So many when it seems fast: an emulated board makes up for lost time, but unevenly."""

_MOST_POINTS = 20_000
_MOST_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """The device's clock against the host's: ``error`` is -0.02 for one that runs 2 % slow."""

    error: float
    spread: float
    """How far parts of the run are from the whole."""
    span_ms: int

    @property
    def is_wrong(self) -> bool:
        """Whether it is off by more than what a host can mistake.

        An emulated board that made up for a late start looks fast for its first seconds.
        """
        if self.error > 0 and self.span_ms < SHORTEST_FAST_MS:
            return False
        return abs(self.error) - self.spread > CLOCK_TOLERANCE

    def __str__(self) -> str:
        """Two words and a number for people."""
        return f"clock {abs(self.error) * 100:.1f} % {'slow' if self.error < 0 else 'fast'}"


class ClockMeter:
    """Collects when a device said something by its own clock, and when the host read it."""

    def __init__(self) -> None:
        self._points: list[tuple[int, float]] = []
        self._lost_ms = 0

    def hear(self, events: Sequence[Event], host_ms: float) -> None:
        """Take what was read at once; of it, END tells how many ticks were lost."""
        for event in events:
            if event.type == "END":
                self._lost_ms = _milliseconds(event.fields.get("lost", "0"))
        if events:
            self.add(events[-1].at_ms, host_ms)

    def add(self, device_ms: int, host_ms: float) -> None:
        """The latest record of what was read at once. Time that goes back begins a new run."""
        if self._points and device_ms < self._points[-1][0]:
            self._points.clear()
            self._lost_ms = 0
        if len(self._points) < _MOST_POINTS:
            self._points.append((device_ms, host_ms))

    def reading(self) -> ClockReading | None:
        """What the points say; None when they are too few, or do not agree with one another."""
        points = self._points
        span = points[-1][0] - points[0][0] if points else 0
        if span < SHORTEST_MS:
            return None
        overall = _error(points)
        if overall is None or not _steady(points, overall):
            return None
        start, spread = points[0][0], 0.0
        for part in range(_PARTS):
            low, high = start + span * part / _PARTS, start + span * (part + 1) / _PARTS
            error = _error([point for point in points if low <= point[0] <= high])
            if error is None:
                return None
            spread = max(spread, abs(error - overall))
        if spread > _MOST_APART:
            return None
        error = _without_lost(overall, self._lost_ms / span)
        return ClockReading(error=error, spread=spread, span_ms=span)


def _without_lost(error: float, lost: float) -> float:
    """The least error that is left when part of this share of lost time went by in the middle."""
    all_of_it = (1 + error) * (1 + lost) - 1
    return error if error >= 0 else min(all_of_it, 0.0)


def _milliseconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def _error(points: Sequence[tuple[int, float]]) -> float | None:
    """Error of the clock by the edge of the lower hull that spans the middle."""
    if len(points) < _FEWEST_POINTS:
        return None
    hull: list[tuple[int, float]] = []
    for point in points:
        while len(hull) >= 2 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        if hull and hull[-1][0] == point[0]:
            if point[1] >= hull[-1][1]:
                continue
            hull.pop()
        hull.append(point)
    middle = (points[0][0] + points[-1][0]) / 2
    for (device, host), (next_device, next_host) in pairwise(hull):
        if next_device >= middle:
            passed = next_host - host
            return None if passed <= 0 else (next_device - device) / passed - 1
    return None


def _steady(points: Sequence[tuple[int, float]], error: float) -> bool:
    """Whether the points lie along one line of this slope, not on the steps of a stair."""
    above = [host - device / (1 + error) for device, host in points]
    least = min(above)
    near = sum(late - least <= _NEAR_MS for late in above)
    return near >= (_NEAR_SHARE_FAST if error > 0 else _NEAR_SHARE) * len(points)


def _turns_down(
    first: tuple[int, float], second: tuple[int, float], third: tuple[int, float]
) -> bool:
    """Whether the second point lies on or above the line from the first to the third."""
    across = (second[0] - first[0]) * (third[1] - first[1])
    return across <= (third[0] - first[0]) * (second[1] - first[1])
