"""What has to hold for a skill sheet, above all that every number in it has a source.

A number needs a mark such as ``[core]`` in its own sentence (or table row); ``[unverified]`` says
that nobody knows. Names (``GPIO34``, ``UART0``), code without a unit, and a 0 or 1 without a unit
are free.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from controlplane.skills.sheet import Evidence, Line, LineKind, Sheet, SheetKind

MAX_LINES = 60
"""Lines of a sheet's body: more is not read, and costs in every prompt."""
MAX_WIDTH = 110
UNVERIFIED = "unverified"
SECTIONS = ("Pitfalls", "Timing", "API", "Wiring", "Test hints")
"""Sections of every sheet but those on scenarios, in this order."""

_MARK = re.compile(r"\[([a-z][\w-]*(?:, [a-z][\w-]*)*)\]")
_NUMBER = re.compile(r"(?<![\w.#/+\[-])[-+±]?\d[\d_]*(?:[.,]\d+)*(?!\w)")
_WORDS = (
    "half|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty"
    "|fifty|hundred|thousand|dozen"
)
_UNITS = (
    r"(?:[numkµMG]?(?:s|Hz|V|A|W|F|m)|sec(?:ond)?s?|min(?:ute)?s?|hours?|milliseconds?|microseconds?"
    r"|[kM]?Ohm|Ω|kΩ|°C|°|C|K|%|percent|degrees?|lux|bits?|bytes?|[KM]i?B|baud|cm|mm|km|hPa|Pa|dB"
    r"|g|kg|volts?|amps?|LSB|counts?)"
)
_WITH_UNIT = re.compile(rf"(?<![\w.#/+\[-])[-+±]?\d[\d_]*(?:[.,]\d+)*[ -]?{_UNITS}(?![\w(])")
_IN_WORDS = re.compile(rf"\b(?:{_WORDS})[ -]{_UNITS}(?!\w)", re.IGNORECASE)
_CODE = re.compile(r"`[^`]*`")
_COMMENT = re.compile(r"//(.*)")
_ITEM = re.compile(r"\s*(?:[-*]|\d+[.)]) ")
_BARE = re.compile(r"\d[\d_.,]*\d|\d")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_TRIVIAL = frozenset({"0", "1", "-1"})
"""Numbers that need no source where no unit follows."""
_START_OF_RUN = "0ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a sheet."""

    sheet: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        """As compilers tell it."""
        return f"{self.sheet}.md:{self.line}: {self.code}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The keys that a sheet may apply to."""

    parts: Set[str]
    boards: Set[str]
    components: Set[str]
    frameworks: Set[str]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of text on one line."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class _Number:
    """A number, with its unit if that follows, and the marks of its sentence."""

    line: int
    text: str
    marks: tuple[str, ...]


def lint(sheet: Sheet, known: Known) -> tuple[Problem, ...]:
    """Everything that is wrong with a sheet, by line."""
    problems = [
        *_shape(sheet),
        *_applies(sheet, known),
        *_marks(sheet),
        *_numbers(sheet),
    ]
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.code)))


def _problem(sheet: Sheet, line: int, code: str, message: str) -> Problem:
    return Problem(sheet=sheet.id, line=line, code=code, message=message)


def _shape(sheet: Sheet) -> Iterator[Problem]:
    if re.fullmatch(r"[a-z][a-z0-9-]*", sheet.id) is None:
        yield _problem(sheet, 2, "bad-id", "an id is of lower case letters, digits and hyphens")
    lines = sheet.lines
    if (count := len(sheet.body.strip().split("\n"))) > MAX_LINES:
        yield _problem(sheet, lines[-1].number, "too-long", f"{count} lines, {MAX_LINES} at most")
    for line in lines:
        if len(line.text) > MAX_WIDTH:
            yield _problem(sheet, line.number, "too-wide", f"more than {MAX_WIDTH} characters")
    headings = [line for line in lines if line.kind is LineKind.TEXT and line.text.startswith("#")]
    found = tuple(line.text.removeprefix("## ") for line in headings)
    if sheet.kind is not SheetKind.SCENARIO and found != SECTIONS:
        told = ", ".join(SECTIONS)
        yield _problem(sheet, sheet.first_line, "sections", f"the sections are {told}")


def _applies(sheet: Sheet, known: Known) -> Iterator[Problem]:
    for what, named, keys in (
        ("part", sheet.parts, known.parts),
        ("board", sheet.boards, known.boards),
        ("component", sheet.components, known.components),
        ("framework", sheet.frameworks, known.frameworks),
    ):
        for key in named:
            if key not in keys:
                yield _problem(sheet, 2, "unknown-key", f"there is no {what} {key}")
    needed = {
        SheetKind.FRAMEWORK: sheet.frameworks,
        SheetKind.BOARD_FAMILY: sheet.parts,
        SheetKind.COMPONENT: sheet.components,
    }
    if sheet.kind in needed and not needed[sheet.kind]:
        yield _problem(sheet, 2, "applies-to-nothing", f"a {sheet.kind} sheet names what it is for")


def _marks(sheet: Sheet) -> Iterator[Problem]:
    keys = {source.key for source in sheet.sources}
    used = set()
    for line in sheet.lines:
        if line.kind is LineKind.FENCE or (line.kind is LineKind.CODE and line.language != "cpp"):
            continue
        text = line.text if line.kind is LineKind.TEXT else " ".join(_COMMENT.findall(line.text))
        for key in _keys(_CODE.sub("", text)):
            used.add(key)
            if key not in keys and key != UNVERIFIED:
                yield _problem(sheet, line.number, "unknown-source", f"no source is called {key}")
    for source in sheet.sources:
        if source.key not in used:
            yield _problem(sheet, 2, "unused-source", f"nothing is marked with {source.key}")
        if source.key == UNVERIFIED:
            yield _problem(sheet, 2, "unknown-source", f"{UNVERIFIED} is no name of a source")
        if source.evidence is Evidence.MANUAL and "not checked" in source.reference:
            yield _problem(sheet, 2, "said-twice", f"manual already says it: {source.key}")


def _keys(text: str) -> list[str]:
    return [key for group in _MARK.findall(text) for key in group.split(", ")]


def contradicted(sheet: Sheet, texts: Mapping[str, str]) -> tuple[Problem, ...]:
    """Numbers that are not in the files that they are said to come from.

    ``texts`` has the text of each source that is a file of the repository, by its reference. A
    number with another source too may come from that one.
    """
    sources = {source.key: source for source in sheet.sources}
    problems = []
    for number in _all_numbers(sheet):
        named = [sources[key] for key in number.marks if key in sources]
        if len(named) < len(number.marks) or not named:
            continue
        if any(source.evidence is not Evidence.REPO for source in named):
            continue
        bare = _BARE.search(number.text)
        if bare is None or bare[0] in _TRIVIAL:
            continue
        written = re.compile(rf"(?<![\d.]){re.escape(bare[0])}(?!\d)")
        if not any(written.search(texts[source.reference]) for source in named):
            told = ", ".join(source.reference for source in named)
            message = f"{number.text!r} is not in {told}"
            problems.append(_problem(sheet, number.line, "not-in-source", message))
    return tuple(problems)


def _numbers(sheet: Sheet) -> Iterator[Problem]:
    for number in _all_numbers(sheet):
        if not number.marks:
            message = f"{number.text!r} has no source: mark its sentence, or say [{UNVERIFIED}]"
            yield _problem(sheet, number.line, "number-without-source", message)


def _all_numbers(sheet: Sheet) -> Iterator[_Number]:
    for block in _blocks(sheet.lines):
        for sentence in _sentences(block):
            marks = _keys(_CODE.sub("", " ".join(piece.text for piece in sentence)))
            for piece in sentence:
                for number in _numbers_in(piece.text):
                    yield _Number(piece.line, number, tuple(marks))


def _numbers_in(text: str) -> list[str]:
    """The numbers of a text: all outside code, and those with a unit inside."""
    plain = _CODE.sub(lambda code: "`" * len(code[0]), text)
    found = {match.start(): match[0] for match in _NUMBER.finditer(plain)}
    found = {at: number for at, number in found.items() if number not in _TRIVIAL}
    found |= {match.start(): match[0] for match in _WITH_UNIT.finditer(text)}
    found |= {match.start(): match[0] for match in _IN_WORDS.finditer(plain)}
    return [found[at] for at in sorted(found) if found[at] != _START_OF_RUN]


def _blocks(lines: Iterable[Line]) -> Iterator[list[_Piece]]:
    """Paragraphs, items of lists, table rows and comments of code, each with its lines."""
    block: list[_Piece] = []
    for line in lines:
        if line.kind is LineKind.CODE:
            for comment in _COMMENT.findall(line.text) if line.language == "cpp" else ():
                yield [_Piece(line.number, comment)]
            continue
        if line.kind is LineKind.FENCE:
            yield block
            block = []
            continue
        item = _ITEM.match(line.text)
        if not line.text.strip() or item or line.text.startswith(("|", "#")):
            yield block
            block = []
        text = line.text[item.end() :] if item else line.text
        block.append(_Piece(line.number, text))
    yield block


def _sentences(block: list[_Piece]) -> Iterator[list[_Piece]]:
    """A block cut where sentences end, each with its lines."""
    sentence: list[_Piece] = []
    for piece in block:
        start = 0
        plain = _CODE.sub(lambda code: "`" * len(code[0]), piece.text)
        for end in _SENTENCE_END.finditer(plain):
            sentence.append(_Piece(piece.line, piece.text[start : end.end()]))
            yield sentence
            sentence, start = [], end.end()
        if piece.text[start:].strip():
            sentence.append(_Piece(piece.line, piece.text[start:]))
    if sentence:
        yield sentence
