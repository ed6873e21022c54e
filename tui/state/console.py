"""Console bytes as the lines that a person reads. Text of a device is never markup."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tui.wording import visible

MAX_LINE_CHARS = 2_000
"""A longer line is broken; nothing is left out."""

_RS = 0x1E
_NEWLINE = 0x0A


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """One line. ``record`` marks what the bench core says, ``gap`` a hole in the bytes."""

    text: str
    record: bool = False
    gap: bool = False
    start: int = 0


class ConsoleText:
    """Cuts console bytes into lines, as they come and in bounded memory.

    A record (0x1E ... newline, see docs/bench-core.md) may stand in the middle of a user line; the
    user line goes on after it. A doubled 0x1E is one that the user printed.
    """

    def __init__(self, *, max_lines: int = 50_000, start: int = 0) -> None:
        self._lines: deque[ConsoleLine] = deque(maxlen=max_lines)
        self._user = bytearray()
        self._user_start = start
        self._record: bytearray | None = None
        self._record_start = start
        self.offset = start
        self.total = 0
        self.gaps = 0

    def lines(self) -> list[ConsoleLine]:
        """All lines held, with the unfinished one at the end."""
        unfinished = [self.unfinished] if self._user else []
        return [*self._lines, *unfinished]

    @property
    def unfinished(self) -> ConsoleLine:
        """The user line that has no newline yet."""
        return ConsoleLine(_decode(self._user), start=self._user_start)

    def feed(self, data: bytes, *, offset: int, gap: str = "") -> list[ConsoleLine]:
        """Take bytes at an offset; gives the lines that they finished.

        Bytes that were seen before are dropped; a jump ahead is drawn as a gap.
        """
        fresh: list[ConsoleLine] = []
        if offset > self.offset or (gap and offset >= self.offset):
            fresh += self._break(offset - self.offset, gap)
            self.offset = offset
        skip = self.offset - offset
        base = offset
        data = data[skip:] if skip else data
        base += skip
        for line in self._split(data, base):
            fresh.append(line)
        self.offset = max(self.offset, base + len(data))
        self._lines.extend(fresh)
        self.total += len(fresh)
        return fresh

    def _break(self, lost: int, why: str) -> list[ConsoleLine]:
        if self.offset == 0 and not why:
            return []  # a tail begins somewhere; that is not a loss
        left = [self.unfinished] if self._user else []
        self._user.clear()
        self._record = None
        self.gaps += 1
        amount = f"{lost:,} bytes lost" if lost else "bytes may be lost"
        reason = f" ({visible(why)})" if why else ""
        return [*left, ConsoleLine(f"── {amount}{reason} ──", gap=True, start=self.offset)]

    def _split(self, data: bytes, base: int) -> Iterator[ConsoleLine]:
        position, size = 0, len(data)
        while position < size:
            if self._record is not None:
                position, line = self._in_record(data, position)
            else:
                position, line = self._in_user(data, position, base)
            if line is not None:
                yield line

    def _in_record(self, data: bytes, position: int) -> tuple[int, ConsoleLine | None]:
        assembled = self._record
        if assembled is None:
            return position, None
        if not assembled and data[position] == _RS:
            self._record = None
            self._user.append(_RS)
            return position + 1, None
        end = data.find(b"\n", position)
        stop = min(len(data) if end < 0 else end, position + MAX_LINE_CHARS - len(assembled))
        assembled += data[position:stop]
        ended = stop < len(data) and data[stop] == _NEWLINE
        if not ended and len(assembled) < MAX_LINE_CHARS:
            return stop, None
        self._record = None
        line = ConsoleLine(_decode(assembled), record=True, start=self._record_start)
        return (stop + 1 if ended else stop), line

    def _in_user(self, data: bytes, position: int, base: int) -> tuple[int, ConsoleLine | None]:
        ends = (data.find(b"\n", position), data.find(b"\x1e", position))
        stop = min([found for found in ends if found >= 0], default=len(data))
        stop = min(stop, position + MAX_LINE_CHARS - len(self._user))
        if not self._user:
            self._user_start = base + position
        self._user += data[position:stop]
        if stop < len(data) and data[stop] == _RS and len(self._user) < MAX_LINE_CHARS:
            self._record = bytearray()
            self._record_start = base + stop
            return stop + 1, None
        ended = stop < len(data) and data[stop] == _NEWLINE
        if not ended and len(self._user) < MAX_LINE_CHARS:
            return stop, None
        line = self.unfinished
        self._user.clear()
        return (stop + 1 if ended else stop), line


def _decode(data: bytes | bytearray) -> str:
    text = bytes(data).decode("utf-8", errors="replace")
    return visible(text.removesuffix("\r"))
