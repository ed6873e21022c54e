"""Console bytes of firmware that knows nothing of BL records: lines with the host's times."""

import re

from benchline.scenario.plan import RunPlan
from benchline.scenario.records import MAX_LINE_BYTES, Event, EventKind
from benchline.scenario.references import selector_of

# Colours and other attributes (ECMA-48 SGR), which ESP-IDF's log prints around each line.
_ATTRIBUTES = re.compile(rb"\x1b\[[0-9;]{0,16}m")


class TextSplitter:
    """Turns stream bytes into line events, whatever the sizes of the pieces they come in.

    ``offset`` is the stream position of the first byte fed. A line has the time of the piece in
    which its first byte came.
    """

    def __init__(self, *, offset: int = 0) -> None:
        self._position = offset
        self._line = bytearray()
        self._line_open = False
        self._line_cut = False
        self._line_start = offset
        self._line_ms = 0
        self._now_ms = 0

    def feed(self, data: bytes, at_ms: int) -> list[Event]:
        """Take the next bytes, which came at ``at_ms``, and return the lines that they end."""
        self._now_ms = max(self._now_ms, at_ms)
        events: list[Event] = []
        start = 0
        while start < len(data):
            stop = data.find(b"\n", start)
            end = len(data) if stop < 0 else stop
            self._add(data[start:end], self._position + start)
            if stop < 0:
                break
            events.append(self._end(self._position + stop + 1, partial=False))
            start = stop + 1
        self._position += len(data)
        return events

    def finish(self, end_ms: int) -> list[Event]:
        """End the run at ``end_ms``: an unfinished line is flagged as such, then comes END."""
        events = [self._end(self._position, partial=True)] if self._line_open else []
        end = Event(
            kind=EventKind.RECORD,
            at_ms=end_ms,
            start=self._position,
            end=self._position,
            type="END",
        )
        return [*events, end]

    def _add(self, piece: bytes, start: int) -> None:
        if not self._line_open:
            self._line_open = True
            self._line_cut = False
            self._line_start = start
            self._line_ms = self._now_ms
        room = MAX_LINE_BYTES - len(self._line)
        self._line_cut |= len(piece) > room
        self._line += piece[: max(room, 0)]

    def _end(self, end: int, *, partial: bool) -> Event:
        text = _ATTRIBUTES.sub(b"", bytes(self._line).rstrip(b"\r")).rstrip(b"\r")
        event = Event(
            kind=EventKind.LINE,
            at_ms=self._line_ms,
            start=self._line_start,
            end=end,
            text=text.decode("utf-8", "replace"),
            truncated=self._line_cut,
            partial=partial,
        )
        self._line.clear()
        self._line_open = False
        return event


def beyond_text(plan: RunPlan) -> tuple[str, ...]:
    """What a run needs that text alone cannot give: stimuli, pins, records.

    Words as a scenario's ``requires`` lists them.
    """
    needs = ["inject"] if plan.moments else []
    selectors = [selector for a in plan.assertions if (selector := selector_of(a)) is not None]
    needs += ["pin.read"] if any(selector.pin for selector in selectors) else []
    needs += ["records"] if any(selector.type for selector in selectors) else []
    return tuple(needs)
