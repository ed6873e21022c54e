"""What the author of a firmware is told about its failure: bounded, the most telling first. Pure.

Everything in it was said by a compiler or a device. It is cut to size here and framed as data by
whoever sends it.
"""

import difflib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.domain.build import Diagnostic
from controlplane.domain.coverage import Coverage
from controlplane.domain.verdict import Outcome, ScenarioResult, Severity
from controlplane.planning.coverage import told

MOST_CHARACTERS = 26_000
"""About 8,000 tokens, at a little over three characters a token."""

_MOST_DIAGNOSTICS = 10
_MOST_CHECKS = 40
_AROUND = 30
_LAST = 20
_MOST_TRANSCRIPTS = 2
_MOST_REGISTERS = 12
_MOST_DIFFERENCES = 60
_MOST_RANGES = 8
_LONGEST_RUN = 12
_LONGEST_LINE = 200
_LONGEST_FIELD = 300
_SHARE = {
    "compiler": 10_000,
    "checks": 7_000,
    "faults": 2_000,
    "registers": 1_500,
    "never_ran": 3_000,
}
_CUT = "… (cut)"
_TIME = re.compile(r"BL \d+ ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What a device printed in one scenario; `start` is the offset of its first byte."""

    scenario_id: str
    runner: str
    start: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """All that is known about why an attempt failed.

    `simulated` are transcripts of the simulator that passed what a board then failed.
    """

    message: str
    diagnostics: tuple[Diagnostic, ...] = ()
    results: tuple[ScenarioResult, ...] = ()
    transcripts: tuple[Transcript, ...] = ()
    simulated: tuple[Transcript, ...] = ()
    faults: tuple[str, ...] = ()
    registers: Mapping[str, int] = field(default_factory=dict)
    coverage: Coverage | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One text that somebody else wrote, under a name of ours."""

    name: str
    text: str


def digest(failure: Failure) -> tuple[Section, ...]:
    """The evidence in sections that fit together into the bound, quoted as they will be."""
    sections = [
        Section("compiler", _clip(_compiler(failure.diagnostics), _SHARE["compiler"])),
        Section("failed_checks", _clip(_checks(failure.results), _SHARE["checks"])),
        Section("faults", _clip("\n".join(failure.faults), _SHARE["faults"])),
        Section("never_ran", _clip(_never_ran(failure.coverage), _SHARE["never_ran"])),
        Section("unmodelled_registers", _clip(_registers(failure.registers), _SHARE["registers"])),
        *_differences(failure),
        *_transcripts(failure),
    ]
    sections = [section for section in sections if section.text]
    if not sections:
        sections = [Section("message", _clip(failure.message, 2_000))]
    kept: list[Section] = []
    left = MOST_CHARACTERS
    for section in sections:
        text = _clip(section.text, left)
        if text:
            kept.append(Section(section.name, text))
            left -= _quoted(text)
    return tuple(kept)


def _quoted(text: str) -> int:
    """How long a text is as a JSON string whose angle brackets and ampersands are escaped."""
    return len(json.dumps(text, ensure_ascii=False)) + 5 * sum(map(text.count, "<>&"))


def _clip(text: str, most: int) -> str:
    """Whole lines from the beginning, as many as fit when quoted."""
    if _quoted(text) <= most:
        return text
    kept: list[str] = []
    used = _quoted(_CUT)
    for line in text.splitlines():
        used += _quoted(line) + 2
        if used > most:
            break
        kept.append(line)
    return "\n".join([*kept, _CUT]) if kept else ""


def _compiler(diagnostics: Sequence[Diagnostic]) -> str:
    by_severity = sorted(diagnostics, key=lambda d: d.severity is not Severity.ERROR)
    distinct = {(d.file, d.line, d.message): d for d in reversed(by_severity)}
    blocks = []
    for found in [d for d in by_severity if distinct.get((d.file, d.line, d.message)) is d][
        :_MOST_DIAGNOSTICS
    ]:
        where = f"{found.file}:{found.line}:{found.column}" if found.line else found.file
        blocks.append(f"{where}: {found.severity.lower()}: {_short(found.message)}")
        blocks += [f"    {_line(line)}" for line in found.excerpt.splitlines()[:3]]
    return "\n".join(blocks)


def _checks(results: Sequence[ScenarioResult]) -> str:
    lines = []
    for result in results:
        failed = [a for a in result.assertions if a.outcome is Outcome.FAILED]
        for one in failed:
            at = f" at {one.at_ms} ms" if one.at_ms >= 0 else ""
            lines.append(
                f"{result.scenario_id}/{one.assertion_id} ({one.kind}) on {result.runner}{at}: "
                f"expected {_short(one.expected)}; got {_short(one.got)}; {_short(one.message)}"
            )
        if result.outcome is Outcome.FAILED and not failed:
            lines.append(f"{result.scenario_id} on {result.runner}: {_short(result.message)}")
    passed = sum(a.outcome is Outcome.PASSED for r in results for a in r.assertions)
    more = len(lines) - _MOST_CHECKS
    told = lines[:_MOST_CHECKS] + ([f"and {more} more"] if more > 0 else [])
    return "\n".join([*told, f"{passed} checks passed"]) if lines else ""


def _registers(registers: Mapping[str, int]) -> str:
    most = sorted(registers.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REGISTERS]
    return "\n".join(f"{name}: {count} times" for name, count in most)


def _never_ran(coverage: Coverage | None) -> str:
    """Lines of the sketch that the failed scenario never reached, with how they begin."""
    if coverage is None:
        return ""
    lines = [told(coverage)]
    if not coverage.unknown and not coverage.never_ran:
        lines.append("every line with code ran")
    for found in coverage.never_ran[:_MOST_RANGES]:
        end = f"-{found.last}" if found.last > found.first else ""
        lines.append(f"{found.file}:{found.first}{end} never ran")
        lines += [f"    {_line(text)}" for text in found.text.splitlines()]
    more = len(coverage.never_ran) - _MOST_RANGES
    return "\n".join([*lines, f"and {more} more places"] if more > 0 else lines)


def _transcripts(failure: Failure) -> list[Section]:
    failed = [r for r in failure.results if r.outcome is Outcome.FAILED]
    said = {t.scenario_id: t for t in failure.transcripts}
    chosen = [r for r in failed if r.scenario_id in said][:_MOST_TRANSCRIPTS]
    return [Section(f"transcript_{r.scenario_id}", _around(said[r.scenario_id], r)) for r in chosen]


def _around(transcript: Transcript, result: ScenarioResult) -> str:
    """Lines around the first failed check that points to bytes, and the last lines."""
    lines: list[str] = []
    offset, failing = transcript.start, -1
    wanted = _first_evidence(result)
    for raw in transcript.data.split(b"\n"):
        if failing < 0 <= wanted < offset + len(raw) + 1:
            failing = len(lines)
        offset += len(raw) + 1
        lines.append(_line(raw.decode("utf-8", "replace")))
    tail = max(0, len(lines) - _LAST)
    first, last = tail, len(lines)
    if failing >= 0:
        first, last = max(0, failing - _AROUND), min(len(lines), failing + _AROUND + 1)
    window = [
        f"> {line}" if number == failing else f"  {line}"
        for number, line in enumerate(lines[first:last], first)
    ]
    if first:
        window.insert(0, f"… ({first} lines before)")
    if last < len(lines):
        gap = tail - last
        window += [f"… ({gap} lines between)"] if gap > 0 else []
        window += [f"  {line}" for line in lines[max(tail, last) :]]
    return "\n".join(window)


def _first_evidence(result: ScenarioResult) -> int:
    starts = [
        found.start
        for one in result.assertions
        if one.outcome is Outcome.FAILED
        for found in one.evidence
    ]
    return min(starts, default=-1)


def _differences(failure: Failure) -> list[Section]:
    """Where a board said something else than the simulator did, without times."""
    simulated = {t.scenario_id: t for t in failure.simulated}
    failed = {r.scenario_id for r in failure.results if r.outcome is Outcome.FAILED}
    sections = []
    for transcript in failure.transcripts:
        twin = simulated.get(transcript.scenario_id)
        if twin is None or transcript.scenario_id not in failed:
            continue
        lines = list(
            difflib.unified_diff(
                _timeless(twin.data),
                _timeless(transcript.data),
                twin.runner,
                transcript.runner,
                n=2,
                lineterm="",
            )
        )
        if lines:
            text = _clip("\n".join(_folded(lines)[:_MOST_DIFFERENCES]), 5_000)
            sections.append(Section(f"board_differs_{transcript.scenario_id}", text))
    return sections[:_MOST_TRANSCRIPTS]


def _folded(lines: Sequence[str]) -> list[str]:
    """A difference whose long runs of lines of one side are told by their ends."""
    folded: list[str] = []
    for sign, run in itertools.groupby(lines, key=lambda line: line[:1]):
        found = list(run)
        if sign in ("+", "-") and len(found) > _LONGEST_RUN:
            gap = f"{sign} … ({len(found) - _LONGEST_RUN + 1} lines)"
            half = _LONGEST_RUN // 2
            found = [*found[:half], gap, *found[-half + 1 :]]
        folded += found
    return folded


def _timeless(data: bytes) -> list[str]:
    text = data[:200_000].decode("utf-8", "replace")
    return [_TIME.sub("BL ", _line(line)) for line in text.split("\n")][:2_000]


def _line(text: str) -> str:
    """A line without control characters."""
    clean = "".join(c if c.isprintable() else "·" for c in text.replace("\x1e", "").rstrip("\r"))
    return clean if len(clean) <= _LONGEST_LINE else f"{clean[:_LONGEST_LINE]}…"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_FIELD else f"{flat[:_LONGEST_FIELD]}…"
