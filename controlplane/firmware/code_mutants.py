"""Wrong variants of any sketch, whoever wrote it: one plausible mistake each, where it matters.

Only the code outside of setup(), comments and texts is changed, and only in ways that rarely mean
the same: levels, times, comparisons, readings, texts that are printed, calls that are left out.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest

from controlplane.firmware.mutant import Mutant

_SKIPPED = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#[^\n]*",
    re.DOTALL | re.MULTILINE,
)
_SETUP = re.compile(r"\bvoid\s+setup\s*\(\s*(?:void)?\s*\)\s*\{")
_LEVEL = re.compile(r"\bdigitalWrite\s*\([^;]*?\b(\w+)_(ON|OFF)\b")
_WRITE = re.compile(r"\bdigitalWrite\s*\([^;{}]*\)\s*;")
_TIME = re.compile(r"(?<![\w.])([1-9]\d{2,6})(?=[uUlL]*\b)(?![\w.]*\.)")
_CALLED_DEBOUNCE = r"\w*(?i:bounce|settle|stable)\w*"
_CALLED_CHANGE = r"\w*(?i:bounce|chang|edge|flip|press|raw|settle|stable)\w*"
_WHOLE = r"(?=[uUlL]*\b)(?![\w.]*\.)"
_NAMED = rf"([5-9]|[1-9]\d{{1,2}}){_WHOLE}"
_DEBOUNCE = re.compile(rf"\b{_CALLED_DEBOUNCE}\s*[={{]\s*{_NAMED}")
_DEFINED = re.compile(rf"^[ \t]*#[ \t]*define[ \t]+{_CALLED_DEBOUNCE}[ \t]+{_NAMED}", re.MULTILINE)
_SINCE = rf"-\s*{_CALLED_CHANGE}\s*\)*\s*(?:>=|>|<=|<)\s*"
_SHORT = re.compile(rf"{_SINCE}([5-9]|[1-9]\d){_WHOLE}")
_DEBOUNCING = re.compile(rf"{_SINCE}(?:[1-9]\d?{_WHOLE}|{_CALLED_DEBOUNCE})")
_LIMIT = re.compile(r"(?<![\w.])(\d+\.\d+)(?=f?\b)")
_COMPARISON = re.compile(r"(?<=[\w)\s])(>=|<=|>|<|==|!=)(?=\s)")
_READING = re.compile(r"\b(?:analogRead|pulseIn)\s*\([^()]*\)")
_PRINTED = re.compile(r"\bSerial\s*\.\s*print(?:ln|f)?\s*\([^;]*?\"([^\"\\\n]+)\"")
_SWAPPED = {">": "<", "<": ">", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
_SCALES = frozenset({"0.0", "115200", "4095", "1023", "4095.0", "1000.0"})


def code_mutants(sketch: str, most: int) -> tuple[Mutant, ...]:
    """At most so many mutants, of all kinds in turn; the same ones each time."""
    kinds = (
        _levels(sketch),
        _numbers(sketch, _TIME, "time"),
        _comparisons(sketch),
        _debounces(sketch),
        _numbers(sketch, _LIMIT, "limit"),
        _replaced(sketch, _READING, "reading", "900"),
        _left_out(sketch),
        _texts(sketch),
    )
    mixed = chain.from_iterable(zip_longest(*kinds))
    found: dict[str, Mutant] = {}
    for mutant in mixed:
        if mutant is not None and mutant.text != sketch:
            found.setdefault(mutant.text, mutant)
        if len(found) == most:
            break
    return tuple(found.values())


def _quiet(sketch: str) -> list[tuple[int, int]]:
    """Where nothing is changed: comments, texts, directives and the body of setup()."""
    spans = [(m.start(), m.end()) for m in _SKIPPED.finditer(sketch)]
    bare = _SKIPPED.sub(lambda m: " " * len(m[0]), sketch)
    head = _SETUP.search(bare)
    if head is not None:
        depth, at = 1, head.end()
        while at < len(bare) and depth:
            depth += {"{": 1, "}": -1}.get(bare[at], 0)
            at += 1
        spans.append((head.start(), at))
    return spans


def _matches(
    sketch: str, pattern: re.Pattern[str], group: int = 0, *, texts: bool = False
) -> Iterator[re.Match[str]]:
    quiet = _quiet(sketch)
    for match in pattern.finditer(sketch):
        at = match.start() if texts else match.start(group)
        if not any(start <= at < end for start, end in quiet):
            yield match


def _changed(sketch: str, start: int, end: int, new: str, kind: str) -> Mutant:
    line = sketch.count("\n", 0, start) + 1
    was = " ".join(sketch[start:end].split())[:60]
    name = f"{kind} in line {line}: {was!r} became {new.strip()!r}"
    return Mutant(name=name, text=sketch[:start] + new + sketch[end:], expected=())


def _levels(sketch: str) -> Iterator[Mutant]:
    for match in _matches(sketch, _LEVEL):
        new = "OFF" if match[2] == "ON" else "ON"
        yield _changed(sketch, match.start(2), match.end(2), new, f"level of {match[1].lower()}")


def _numbers(sketch: str, pattern: re.Pattern[str], kind: str) -> Iterator[Mutant]:
    debounces = {match.start(1) for match in _debounce_times(sketch)}
    for match in _matches(sketch, pattern, 1):
        if match[1] in _SCALES or sketch[match.end(1) : match.end(1) + 1] == "]":
            continue
        if match.start(1) in debounces:
            continue  # half as long again is as good
        new = f"{float(match[1]) * 1.5 + 1:.2f}" if "." in match[1] else str(int(match[1]) * 3 // 2)
        yield _changed(sketch, match.start(1), match.end(1), new, kind)


def _debounces(sketch: str) -> Iterator[Mutant]:
    """No debouncing: the time that a contact has to rest is nothing."""
    for match in _debounce_times(sketch):
        yield _changed(sketch, match.start(1), match.end(1), "0", "debounce time")


def _debounce_times(sketch: str) -> Iterator[re.Match[str]]:
    yield from _DEFINED.finditer(sketch)
    yield from _matches(sketch, _DEBOUNCE, 1)
    yield from _matches(sketch, _SHORT, 1)


def _comparisons(sketch: str) -> Iterator[Mutant]:
    debouncing = [(m.start(), m.end()) for m in _DEBOUNCING.finditer(sketch)]
    for match in _matches(sketch, _COMPARISON, 1):
        line = sketch[sketch.rfind("\n", 0, match.start()) + 1 : match.start()]
        if re.search(r"\bfor\s*\(|\b(?:template|static_cast|while)\b\s*[<(]?[^)]*$", line):
            continue  # loops that never end and casts
        if any(start < match.start(1) < end for start, end in debouncing):
            continue  # mostly the same as no debouncing, which counts once
        new = _SWAPPED[match[1]]
        yield _changed(sketch, match.start(1), match.end(1), new, "comparison")


def _replaced(sketch: str, pattern: re.Pattern[str], kind: str, new: str) -> Iterator[Mutant]:
    for match in _matches(sketch, pattern):
        yield _changed(sketch, match.start(), match.end(), new, kind)


def _left_out(sketch: str) -> Iterable[Mutant]:
    return _replaced(sketch, _WRITE, "call", ";")


def _texts(sketch: str) -> Iterator[Mutant]:
    for match in _matches(sketch, _PRINTED, texts=True):
        yield _changed(sketch, match.start(1), match.end(1), f"{match[1]}#", "text")
