"""How much of a sketch ran: pieces of code that ran, against the lines they came from. Pure."""

import bisect
from collections.abc import Iterable, Mapping, Sequence

from controlplane.domain.coverage import Coverage, LineRange

MOST_RANGES = 40
_SHOWN_LINES = 4
_LONGEST_TEXT = 400

Span = tuple[int, int]
Row = tuple[str, int, int, int]
"""File, line, and the first and the one after the last address of code that came from it."""


def coverage_of(
    scenario_id: str,
    runner: str,
    rows: Iterable[Row],
    ran: Sequence[Span],
    sources: Mapping[str, str],
) -> Coverage:
    """What of the sketch ran; `ran` is sorted and apart. A line ran when any of its code did."""
    starts = [start for start, _ in ran]
    lines: dict[tuple[str, int], bool] = {}
    for file, line, start, end in rows:
        at = bisect.bisect_left(starts, end) - 1
        reached = at >= 0 and ran[at][1] > start
        lines[file, line] = lines.get((file, line), False) or reached
    if not lines:
        return Coverage(
            scenario_id=scenario_id,
            runner=runner,
            unknown="the image does not say which lines its code came from",
        )
    return Coverage(
        scenario_id=scenario_id,
        runner=runner,
        executed=sum(lines.values()),
        executable=len(lines),
        never_ran=tuple(_ranges(lines, sources))[:MOST_RANGES],
    )


def _ranges(lines: Mapping[tuple[str, int], bool], sources: Mapping[str, str]) -> list[LineRange]:
    """Neighbouring lines that never ran, together; what is no code between them does not count."""
    found: list[LineRange] = []
    before: tuple[str, int] | None = None
    for (file, line), reached in sorted(lines.items()):
        if not reached and before is not None and before[0] == file:
            found[-1] = LineRange(file=file, first=found[-1].first, last=line)
        elif not reached:
            found.append(LineRange(file=file, first=line, last=line))
        before = None if reached else (file, line)
    texts = {file: text.splitlines() for file, text in sources.items()}
    return [
        LineRange(file=r.file, first=r.first, last=r.last, text=_text(texts.get(r.file, []), r))
        for r in found
    ]


def _text(lines: Sequence[str], found: LineRange) -> str:
    shown = lines[found.first - 1 : min(found.last, found.first + _SHOWN_LINES - 1)]
    return "\n".join(shown)[:_LONGEST_TEXT]


def told(coverage: Coverage) -> str:
    """The measure in words."""
    name = coverage.scenario_id
    if coverage.unknown:
        return f"which lines ran in {name} is not known: {coverage.unknown}"
    ratio = f"{coverage.executed} of {coverage.executable} lines with code ran"
    return f"{ratio} in {name} on {coverage.runner}"
