"""Split a console stream into BL records and the user's text lines.

A record is the byte 0x1E, the ASCII text ``BL <uptime_ms> <TYPE>[ <name>][ k=v ...]`` and a
newline. A 0x1E that the user printed arrives doubled. Records may stand in the middle of a user
line and do not break it. Everything before the first BOOT record is noise.

A cloud record (``CL ...``, see ``benchline.cloud_records``) is framed alike and gives an event of
the type CL, named after its verb and topic, with the payload's text as ``v``. It has no time of its
own: it gets that of the latest record.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from benchline.cloud_records import is_cloud_record, parse_cloud_record

MAX_LINE_BYTES = 4096
"""A longer user line is cut to this many bytes and flagged ``truncated``."""

MAX_RECORD_BYTES = 1024
"""A longer record is malformed; the bench core never prints one, payloads of 256 bytes included."""

MAX_RECORD_FIELDS = 32
"""More ``k=v`` fields than this make a record malformed."""

_RS = 0x1E
_RS_OR_NEWLINE = re.compile(rb"[\x1e\n]")
_HEAD = re.compile(r"BL ([0-9]{1,10}) ([A-Z][A-Z0-9_]{0,15})(?: (.*))?", re.DOTALL)
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


class EventKind(StrEnum):
    """What an event was made from."""

    RECORD = "RECORD"
    LINE = "LINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that the device said.

    ``at_ms`` is device time (uptime). A line has the time of the OUT record before its first
    byte; without one, that of the latest record, and ``timed`` is false. ``start`` and ``end``
    are the half-open byte range in the stream; a line's range includes records inside it.
    """

    kind: EventKind
    at_ms: int
    start: int
    end: int
    type: str = ""
    name: str = ""
    text: str = ""
    fields: Mapping[str, str] = field(default_factory=lambda: _NO_FIELDS)
    truncated: bool = False
    partial: bool = False
    malformed: bool = False
    timed: bool = True

    @property
    def value(self) -> str | None:
        """The record's ``v=`` field (or ``t=`` of an EVT record) as text."""
        return self.fields.get("v", self.fields.get("t"))

    @property
    def is_line(self) -> bool:
        """True for a user line, false for a record."""
        return self.kind is EventKind.LINE


def parse_record(text: str, *, start: int, end: int, fallback_ms: int = 0) -> Event:
    """Read the text of one record (without 0x1E and newline).

    The first word after the type that has no ``=`` is the name. A field ``t=`` takes the rest of
    the record, spaces included. Text that is not a record gives an event with ``malformed`` set
    and the time ``fallback_ms``.
    """
    head = _HEAD.fullmatch(text)
    if head is None or int(head[1]) > 0xFFFF_FFFF:
        return _malformed(text, start, end, fallback_ms)
    name, fields, rest = "", {}, head[3] or ""
    while rest:
        if rest.startswith("t="):
            fields["t"] = rest[2:]
            break
        word, _, rest = rest.partition(" ")
        key, equals, value = word.partition("=")
        if equals and key and len(fields) < MAX_RECORD_FIELDS:
            fields[key] = value
        elif word and not equals and not name and not fields:
            name = word
        else:
            return _malformed(text, start, end, fallback_ms)
    return Event(
        kind=EventKind.RECORD,
        at_ms=int(head[1]),
        start=start,
        end=end,
        type=head[2],
        name=name,
        text=text,
        fields=fields or _NO_FIELDS,
    )


def _cloud_event(text: str, *, start: int, end: int, at_ms: int) -> Event:
    """A cloud record as an event; what only looks like one is malformed."""
    record = parse_cloud_record(text)
    if record is None:
        return _malformed(text, start, end, at_ms)
    return Event(
        kind=EventKind.RECORD,
        at_ms=at_ms,
        start=start,
        end=end,
        type="CL",
        name=f"{record.verb}.{record.topic}",
        text=text,
        fields={"v": record.payload.decode("utf-8", "replace")},
        timed=False,
    )


def _malformed(text: str, start: int, end: int, at_ms: int) -> Event:
    return Event(
        kind=EventKind.RECORD, at_ms=at_ms, start=start, end=end, text=text, malformed=True
    )


class _State(StrEnum):
    USER = "USER"
    ESCAPE = "ESCAPE"  # a 0x1E was read, the next byte says what it means
    RECORD = "RECORD"


class RecordSplitter:
    """Turns stream bytes into events, whatever the sizes of the pieces they come in.

    ``offset`` is the stream position of the first byte fed. With ``expect_boot`` false the stream
    is taken from its first byte, for a reader that joins a running device.
    """

    def __init__(self, *, offset: int = 0, expect_boot: bool = True) -> None:
        self._position = offset
        self._state = _State.USER
        self._record = bytearray()
        self._record_start = offset
        self._record_cut = False
        self._line = bytearray()
        self._line_open = False
        self._line_cut = False
        self._line_start = offset
        self._line_end = offset
        self._line_ms: int | None = None
        self._now_ms = 0
        self._booted = not expect_boot
        self._events: list[Event] = []

    @property
    def position(self) -> int:
        """Stream position after the last byte fed."""
        return self._position

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events that they complete, in stream order."""
        index, size = 0, len(data)
        while index < size:
            if self._state is _State.USER:
                index = self._feed_user(data, index)
            elif self._state is _State.ESCAPE:
                index = self._feed_escape(data, index)
            else:
                index = self._feed_record(data, index)
        self._position += size
        return self._take()

    def finish(self) -> list[Event]:
        """End the stream: an unfinished line or record becomes an event flagged as such."""
        if self._state is _State.RECORD and self._booted:
            self._end_record(self._position, complete=False)
        self._state = _State.USER
        if self._line_open:
            self._end_line(partial=True)
        return self._take()

    def _take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _feed_user(self, data: bytes, index: int) -> int:
        found = _RS_OR_NEWLINE.search(data, index)
        stop = found.start() if found else len(data)
        if stop > index:
            self._add_user(data[index:stop], self._position + index)
        if found is None:
            return stop
        if data[stop] == _RS:
            self._state = _State.ESCAPE
            self._record_start = self._position + stop
        else:
            self._add_user(b"", self._position + stop)
            self._line_end = self._position + stop + 1
            self._end_line(partial=False)
        return stop + 1

    def _feed_escape(self, data: bytes, index: int) -> int:
        if data[index] == _RS:
            self._add_user(b"\x1e", self._record_start)
            self._line_end = self._position + index + 1
            self._state = _State.USER
            return index + 1
        self._record.clear()
        self._record_cut = False
        self._state = _State.RECORD
        return index

    def _feed_record(self, data: bytes, index: int) -> int:
        found = _RS_OR_NEWLINE.search(data, index)
        stop = found.start() if found else len(data)
        room = MAX_RECORD_BYTES - len(self._record)
        self._record_cut |= stop - index > room
        self._record += data[index : min(stop, index + max(room, 0))]
        if found is None:
            return stop
        if data[stop] == _RS:  # a reset or lost bytes cut this record; start over with the new one
            self._end_record(self._position + stop, complete=False)
            self._record_start = self._position + stop
            self._state = _State.ESCAPE
        else:
            self._end_record(self._position + stop + 1, complete=True)
            self._state = _State.USER
        return stop + 1

    def _add_user(self, piece: bytes, start: int) -> None:
        if not self._line_open:
            self._line_open = True
            self._line_cut = False
            self._line_start = start
        room = MAX_LINE_BYTES - len(self._line)
        self._line_cut |= len(piece) > room
        if room > 0:
            self._line += piece[:room]
        self._line_end = start + len(piece)

    def _end_line(self, *, partial: bool) -> None:
        if self._booted:
            timed = self._line_ms is not None
            self._events.append(
                Event(
                    kind=EventKind.LINE,
                    at_ms=self._now_ms if self._line_ms is None else self._line_ms,
                    start=self._line_start,
                    end=self._line_end,
                    text=bytes(self._line).rstrip(b"\r").decode("utf-8", "replace"),
                    truncated=self._line_cut,
                    partial=partial,
                    timed=timed,
                )
            )
        self._line.clear()
        self._line_open = False
        self._line_ms = None

    def _end_record(self, end: int, *, complete: bool) -> None:
        text = bytes(self._record).rstrip(b"\r").decode("ascii", "replace")
        if complete and not self._record_cut and is_cloud_record(text):
            event = _cloud_event(text, start=self._record_start, end=end, at_ms=self._now_ms)
        elif complete and not self._record_cut:
            event = parse_record(text, start=self._record_start, end=end, fallback_ms=self._now_ms)
        else:
            event = _malformed(text, self._record_start, end, self._now_ms)
        if event.type == "BOOT":
            self._end_line_before_boot()
        elif not self._booted:
            return
        if not event.malformed:
            self._now_ms = event.at_ms
        if event.type == "OUT" and not self._line_open:
            self._line_ms = event.at_ms
        self._events.append(event)

    def _end_line_before_boot(self) -> None:
        if self._line_open:
            self._end_line(partial=True)
        self._line_ms = None
        self._booted = True
