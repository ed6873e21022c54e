"""Compare two runs of one scenario: simulator and board, or two simulations."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from benchline.scenario.clock import ClockReading
from benchline.scenario.model import Scenario
from benchline.scenario.records import Event
from benchline.scenario.result import ByteRange, Outcome
from benchline.scenario.units import show_ms

DEFAULT_TOLERANCE_MS = 5
"""Device clocks agree on whole milliseconds; a tick and a line's transmission differ by less."""

_LINES = "lines like"
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_MASKED_FIELDS = frozenset({"nonce", "reset", "build"})
_MODEL_FIELDS = frozenset({"part", "clk", "design"})
"""Fields of BOOT that say which board model it is."""

_FLIPPED = {"0": "1", "1": "0"}
_ACTIVE_LOW = "!"

PinNames = Mapping[str, str]
"""What each pin is for: its signal, with "!" before it when the signal is active low."""

_NONCE = re.compile(rb"(\x1eBL [0-9]{1,10} BOOT [^\n\x1e]{0,300}?nonce=)[0-9A-Za-z]{1,8}")


class TraceVerdict(StrEnum):
    """How two runs compare. Of runs without an outcome only EQUAL and DIVERGED are said."""

    EQUAL = "EQUAL"
    BOTH_PASS = "BOTH_PASS"  # noqa: S105 - a verdict
    BOTH_FAIL = "BOTH_FAIL"
    SIM_ONLY = "SIM_ONLY"
    BOARD_ONLY = "BOARD_ONLY"
    DIVERGED = "DIVERGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first difference: event ``index`` of ``channel``; None stands for no event."""

    channel: str
    index: int
    first: str | None
    second: str | None
    first_ms: int | None
    second_ms: int | None
    first_range: ByteRange | None = None
    second_range: ByteRange | None = None

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"event {self.index} of {self.channel}: "
            f"{_said(self.first, self.first_ms)} against {_said(self.second, self.second_ms)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceDiff:
    """The comparison of two runs. ``compared`` counts the event pairs that were looked at."""

    verdict: TraceVerdict
    divergence: Divergence | None = None
    channels: int = 0
    compared: int = 0
    worst_ms: int = 0
    clock: ClockReading | None = None
    """The board's clock against the host's, where it could be read."""

    @property
    def equal(self) -> bool:
        """Whether the traces themselves agree, whatever the outcomes."""
        return self.divergence is None and not self.wrong_clock

    @property
    def wrong_clock(self) -> bool:
        """Whether the device's own times hide that they are wrong."""
        return self.clock is not None and self.clock.is_wrong

    @property
    def message(self) -> str:
        """One line for people."""
        if self.divergence is not None:
            wrong = f"; {self.clock}" if self.wrong_clock else ""
            return f"{self.verdict} at {self.divergence}{wrong}"
        if self.wrong_clock:
            return f"{self.verdict}: {self.clock}; else {self.compared} events agree"
        return f"{self.verdict}: {self.compared} events in {self.channels} channels agree"


def diff_traces(
    a: Iterable[Event],
    b: Iterable[Event],
    *,
    tolerance_ms: int = DEFAULT_TOLERANCE_MS,
    outcomes: tuple[Outcome, Outcome] | None = None,
    count_insensitive: bool = False,
    pins: tuple[PinNames, PinNames] | None = None,
    clock: ClockReading | None = None,
) -> TraceDiff:
    """Compare two runs event by event in each channel: value exactly, time within a tolerance.

    ``a`` is the simulator's, ``b`` the board's. A channel is a record's type and name, or all user
    lines. Nonce, build id and reset cause are masked. Events that only one run has are ignored when
    they came within the tolerance before its END. ``count_insensitive`` suits sketches that print
    in a free-running loop: of lines and values only the order of distinct values is compared, not
    how often each was repeated, nor when. With ``outcomes`` (a's, b's) the verdict also says who
    passed. With ``pins`` (a's, b's) the two may be of different board models: pins are compared by
    what they are for and by active and inactive, and what BOOT says of the model is masked.
    Events carry the device's own time, which cannot show that its clock is wrong: ``clock``, read
    from when the host heard the board, makes that a divergence.
    """
    ours, theirs = pins or (None, None)
    first, second = _Trace(a, ours), _Trace(b, theirs)
    divergence, compared, worst = None, 0, 0
    channels = sorted({*first.channels, *second.channels})
    for channel in channels:
        found, pairs, off = _diff_channel(
            channel, first, second, tolerance_ms, free=count_insensitive
        )
        compared, worst = compared + pairs, max(worst, off)
        if found is not None and (divergence is None or _moment(found) < _moment(divergence)):
            divergence = found
    differs = divergence is not None or (clock is not None and clock.is_wrong)
    return TraceDiff(
        verdict=_verdict(outcomes, differs=differs),
        divergence=divergence,
        channels=len(channels),
        compared=compared,
        worst_ms=worst,
        clock=clock,
    )


def masked_bytes(raw: bytes) -> bytes:
    """The stream with the nonce of each BOOT record blanked, for a comparison byte by byte."""
    return _NONCE.sub(lambda found: found[1] + b"*" * 8, raw)


def pin_names(scenario: Scenario) -> dict[str, str]:
    """What each pin of a scenario is for, as `diff_traces` takes it."""
    return {
        signal.spelling: ("" if signal.active_high else _ACTIVE_LOW) + name
        for name, signal in scenario.signals.items()
    }


class _Trace:
    """The events of one run by channel; with ``pins``, named by signal."""

    def __init__(self, events: Iterable[Event], pins: PinNames | None) -> None:
        self.channels: dict[str, list[Event]] = {}
        self.end_ms: int | None = None
        for event in events if pins is None else (_unbound(event, pins) for event in events):
            if event.type == "END":
                self.end_ms = event.at_ms
            elif event.type != "OUT":
                self.channels.setdefault(_channel(event), []).append(event)


def _unbound(event: Event, pins: PinNames) -> Event:
    """The event as it would be on any board model."""
    if event.type == "BOOT":
        return replace(event, fields={k: _masked(k, v) for k, v in event.fields.items()})
    name = pins.get(event.name) if event.type == "PIN" else None
    if name is None:
        return event
    fields = dict(event.fields)
    if name.startswith(_ACTIVE_LOW):
        for key in ("v", "last"):
            fields[key] = _FLIPPED.get(fields.get(key, ""), fields.get(key, ""))
    fields = {key: value for key, value in fields.items() if value}
    return replace(event, name=name.removeprefix(_ACTIVE_LOW), fields=fields)


def _masked(key: str, value: str) -> str:
    return "*" if key in _MODEL_FIELDS else value


def _channel(event: Event) -> str:
    if event.is_line:
        # Lines of different kinds that are due at the same moment may come in either order.
        return f"{_LINES} {_NUMBER.sub('#', event.text)[:80]!r}"
    if event.malformed:
        return "damaged records"
    return f"{event.type} {event.name}".rstrip()


def _value(event: Event) -> str:
    if event.is_line or event.malformed:
        return event.text
    return " ".join(
        f"{key}={'*' if key in _MASKED_FIELDS else value}" for key, value in event.fields.items()
    )


def _diff_channel(
    channel: str, a: _Trace, b: _Trace, tolerance_ms: int, *, free: bool
) -> tuple[Divergence | None, int, int]:
    first, second = a.channels.get(channel, []), b.channels.get(channel, [])
    loose = free and channel.startswith((_LINES, "VAL"))
    if loose:
        first, second = _without_repeats(first), _without_repeats(second)
    worst, pairs = 0, 0
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        off = abs(one.at_ms - other.at_ms)
        if _value(one) != _value(other) or (off > tolerance_ms and not loose):
            return _divergence(channel, index, one, other), pairs, worst
        worst, pairs = max(worst, 0 if loose else off), pairs + 1
    for index in range(pairs, max(len(first), len(second))):
        trace, events = (a, first) if index < len(first) else (b, second)
        extra = events[index]
        near_end = trace.end_ms is not None and extra.at_ms >= trace.end_ms - tolerance_ms
        if not near_end:
            mine = extra if trace is a else None
            return _divergence(channel, index, mine, extra if mine is None else None), pairs, worst
    return None, pairs, worst


def _without_repeats(events: Sequence[Event]) -> list[Event]:
    return [
        event
        for index, event in enumerate(events)
        if index == 0 or _value(event) != _value(events[index - 1])
    ]


def _divergence(channel: str, index: int, one: Event | None, other: Event | None) -> Divergence:
    return Divergence(
        channel=channel,
        index=index,
        first=None if one is None else _value(one)[:200],
        second=None if other is None else _value(other)[:200],
        first_ms=None if one is None else one.at_ms,
        second_ms=None if other is None else other.at_ms,
        first_range=None if one is None else ByteRange(start=one.start, end=one.end),
        second_range=None if other is None else ByteRange(start=other.start, end=other.end),
    )


def _moment(found: Divergence) -> int:
    return min(ms for ms in (found.first_ms, found.second_ms) if ms is not None)


_PASSES: Mapping[tuple[bool, bool], TraceVerdict] = {
    (True, True): TraceVerdict.BOTH_PASS,
    (False, False): TraceVerdict.BOTH_FAIL,
    (True, False): TraceVerdict.SIM_ONLY,
    (False, True): TraceVerdict.BOARD_ONLY,
}


def _verdict(outcomes: tuple[Outcome, Outcome] | None, *, differs: bool) -> TraceVerdict:
    if outcomes is not None:
        passes = _PASSES[outcomes[0] is Outcome.PASSED, outcomes[1] is Outcome.PASSED]
        if passes in {TraceVerdict.SIM_ONLY, TraceVerdict.BOARD_ONLY}:
            return passes
        return TraceVerdict.DIVERGED if differs else passes
    return TraceVerdict.DIVERGED if differs else TraceVerdict.EQUAL


def _said(value: str | None, at_ms: int | None) -> str:
    if value is None or at_ms is None:
        return "nothing"
    return f"{value!r} at {show_ms(at_ms)}"
