"""Reads what a device said: pin records and lines. Shares no code with the scenario engine."""

import re
from collections import defaultdict
from dataclasses import dataclass, field

MOST_RECORDS = 200_000

_RECORD = re.compile(
    rb"\x1e\x1e|\x1eBL ([0-9]{1,9}) ([A-Z]{2,8})(?: ([^\n\x1e]*))?\n|\x1e(CL) [^\n\x1e]*\n"
)
"""A record, one for the cloud, or a doubled 0x1E, which is one of the sketch's own text."""
_PIN = re.compile(r"(\S+) v=([01])")
_COUNTED = re.compile(r"(\S+) n=([0-9]{1,6}) last=([01])")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, with the device time of its first byte."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A level of a pin; ``count`` over 1 stands for so many changes that were only counted."""

    at_ms: int
    high: bool
    count: int = 1


@dataclass(slots=True)
class Transcript:
    """Everything that a device said in one run."""

    edges: dict[str, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    lines: list[Line] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    end_ms: int = 0
    design: str = ""
    ended: bool = False


def read_transcript(console: bytes) -> Transcript:
    """Read the bytes of a console. Never fails: what is no record is text."""
    read = _Reading()
    at = 0
    for number, match in enumerate(_RECORD.finditer(console)):
        if number >= MOST_RECORDS:
            break
        if match[1] is None and match[4] is None:
            continue
        read.take(console[at : match.start()])
        at = match.end()
        if match[1] is None:
            continue
        rest = (match[3] or b"").decode("utf-8", "replace")
        read.record(int(match[1]), match[2].decode(), rest)
    read.take(console[at:])
    read.finish()
    return read.found


class _Reading:
    def __init__(self) -> None:
        self.found = Transcript()
        self._line = bytearray()
        self._line_ms = 0
        self._next_ms = 0

    def record(self, at_ms: int, kind: str, rest: str) -> None:
        found = self.found
        found.end_ms = max(found.end_ms, at_ms)
        if kind == "OUT":
            self._next_ms = at_ms
        elif kind == "PIN":
            if match := _PIN.fullmatch(rest):
                found.edges[match[1]].append(Edge(at_ms, match[2] == "1"))
            elif match := _COUNTED.fullmatch(rest):
                found.edges[match[1]].append(Edge(at_ms, match[3] == "1", int(match[2])))
        elif kind == "FAULT":
            found.faults.append(f"{rest} at {at_ms} ms")
        elif kind == "BOOT":
            match = re.search(r"(?:^| )design=([0-9a-f]+|none)", rest)
            found.design = match[1] if match else ""
        elif kind == "END":
            found.ended = True

    def take(self, text: bytes) -> None:
        for piece in text.splitlines(keepends=True):
            if not self._line:
                self._line_ms = self._next_ms
            self._line += piece
            if piece.endswith((b"\n", b"\r")):
                self._end_line()

    def finish(self) -> None:
        self._end_line()

    def _end_line(self) -> None:
        text = bytes(self._line).rstrip(b"\r\n").replace(b"\x1e\x1e", b"\x1e")
        if text:
            self.found.lines.append(Line(self._line_ms, text.decode("utf-8", "replace")))
        self._line.clear()
