"""Whether an event is what a selector asks for, and what it captured."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchline.scenario.model import Edge, Selector, Signal
from benchline.scenario.reading import as_number, compile_regex
from benchline.scenario.records import Event
from benchline.scenario.result import ByteRange
from benchline.scenario.where import Env, Value, WhereError, compile_where

SHOWN_CHARS = 120
"""Device text is cut to this length in messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinChange:
    """What a PIN record says: the level before (None: unknown), after, and edges in between."""

    before: int | None
    after: int
    rises: int
    falls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One event as the assertions see it.

    ``change`` is set for PIN records of a signal, ``line`` has the UTF-8 text of a user line.
    """

    event: Event
    change: PinChange | None = None
    line: bytes = b""

    @property
    def at_ms(self) -> int:
        """Device time."""
        return self.event.at_ms

    @property
    def range(self) -> ByteRange:
        """Where it is written."""
        return ByteRange(start=self.event.start, end=self.event.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How well an event fits: ``full``, or only its shape with ``where`` not true."""

    full: bool
    captures: Mapping[str, Value]
    note: str = ""
    times: int = 1


class PinTracker:
    """Electrical level of one pin. Before its first record a pin is unknown."""

    def __init__(self) -> None:
        self.level: int | None = None

    def change(self, event: Event, inactive: int) -> PinChange | None:
        """Take a PIN record; None if it tells no level. Unknown counts as inactive for edges."""
        level, count = _bit(event.fields.get("v")), 1
        before = self.level
        if level is None:
            level = _bit(event.fields.get("last"))
            number = event.fields.get("n", "")
            if level is None or not (number.isascii() and number.isdigit() and len(number) < 10):
                return None
            count = int(number)
            # A summary's changes alternate; with the start unknown they end at ``last``.
            known = level ^ (count & 1)
        else:
            known = inactive if before is None else before
            count = int(known != level)
        into = (count + 1) // 2 if known != level else count // 2
        outof = count - into
        rises, falls = (into, outof) if level else (outof, into)
        self.level = level
        return PinChange(before=before, after=level, rises=rises, falls=falls)


def _bit(text: str | None) -> int | None:
    return {"0": 0, "1": 1}.get(text or "")


def captured(text: str | None) -> Value:
    """A captured text as a number if it is one."""
    number = as_number(text or "")
    return (text or "") if number is None else number


class Matcher:
    """A compiled selector."""

    def __init__(self, selector: Selector, signals: Mapping[str, Signal]) -> None:
        self.selector = selector
        self._regex = compile_regex(selector.regex, over_bytes=True) if selector.regex else None
        self._where = compile_where(selector.where) if selector.where else None
        signal = signals.get(selector.pin)
        self.inactive = 0 if signal is None or signal.active_high else 1
        self.pin_label = "" if signal is None else f"{signal.name} ({signal.spelling})"

    def match(self, seen: Seen, env: Env) -> Match | None:
        """None: not what is looked for. Pin levels match when a change reaches the level."""
        selector = self.selector
        if self._regex is not None:
            found = self._regex.search(seen.line)
            if found is None:
                return None
            captures = {
                name.decode(): captured((text or b"").decode("utf-8", "replace"))
                for name, text in found.groupdict().items()
            }
            return self._judge(seen, env, captures)
        if selector.type:
            return self._match_record(seen, env)
        change = seen.change
        if change is None:
            return None
        if selector.level is not None:
            times = change.rises if selector.level else change.falls
            full = change.after == selector.level or times > 0
        else:
            times = self._edges(change)
            full = times > 0
        return Match(full=True, captures={}, times=max(times, 1)) if full else None

    def _edges(self, change: PinChange) -> int:
        if self.selector.edge is Edge.ANY:
            return change.rises + change.falls
        rising = (self.selector.edge is Edge.RISING) == (self.inactive == 0)
        return change.rises if rising else change.falls

    def _match_record(self, seen: Seen, env: Env) -> Match | None:
        selector, event = self.selector, seen.event
        if event.type != selector.type or (selector.name and event.name != selector.name):
            return None
        captures: dict[str, Value] = {key: captured(text) for key, text in event.fields.items()}
        captures["value"] = captured(event.value)
        if selector.value is not None and captures["value"] != captured(selector.value):
            return Match(full=False, captures=captures, note=f"value {selector.value} not met")
        return self._judge(seen, env, captures)

    def _judge(self, seen: Seen, env: Env, captures: dict[str, Value]) -> Match:
        captures["at"] = float(seen.at_ms)
        if self._where is None:
            return Match(full=True, captures=captures)
        here = {**env, **captures}
        names = sorted(self._where.names & here.keys())
        known = ", ".join(f"{name}={_show(here[name])}" for name in names)
        note = f"{self._where.text} is false with {known}" if known else "where is false"
        try:
            full = self._where.holds(here)
        except WhereError as error:
            return Match(full=False, captures=captures, note=str(error)[:SHOWN_CHARS])
        return Match(full=full, captures=captures, note=note)

    def describe(self) -> str:
        """What is looked for, in words."""
        selector = self.selector
        if selector.regex:
            text = f"a line matching {selector.regex}"
        elif selector.type:
            text = f"a {selector.type} record"
            text += f" {selector.name}" if selector.name else ""
            text += f" with value {selector.value}" if selector.value is not None else ""
        elif selector.edge is not None:
            word = "" if selector.edge is Edge.ANY else f"{selector.edge} "
            return f"{word}edges of {self.pin_label}"
        else:
            return f"{self.pin_label} at level {selector.level_text or selector.level}"
        return f"{text} where {selector.where}" if selector.where else text

    def plural(self) -> str:
        """What is looked for, as several things."""
        text = self.describe()
        if self.selector.regex:
            return text.replace("a line", "lines", 1)
        if self.selector.type:
            return text.removeprefix("a ").replace(" record", " records", 1)
        return text


def show_event(seen: Seen) -> str:
    """Short text of an event for a message."""
    text = seen.event.text
    return repr(text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…")


def _show(value: Value) -> str:
    return repr(value[:40]) if isinstance(value, str) else f"{value:g}"
