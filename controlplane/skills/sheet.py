"""A skill sheet: one page of Markdown behind a small front matter, and what its lines are.

The front matter is YAML between two lines of ``---``; docs/skills.md describes it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import yaml

_FENCE = re.compile(r"```(.*)")
_BREAK = "---"


class SheetKind(StrEnum):
    """What a sheet is about, in the order in which sheets are given."""

    SCENARIO = "scenario"
    FRAMEWORK = "framework"
    BOARD_FAMILY = "board-family"
    COMPONENT = "component"


class Evidence(StrEnum):
    """How far the source of a number can be trusted."""

    REPO = "repo"
    """A file of this repository, which is tested or has sources of its own."""
    READ = "read"
    """A published document, read for the sheet."""
    MANUAL = "manual"
    """From memory of a manual, not checked against it."""


class LineKind(StrEnum):
    """How a line of a sheet's body is read."""

    TEXT = "text"
    CODE = "code"
    FENCE = "fence"


class SheetError(ValueError):
    """A sheet cannot be read; ``line`` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where numbers come from; text marks them with ``[key]``."""

    key: str
    evidence: Evidence
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the body; ``language`` is the first word of the code block it is in."""

    number: int
    text: str
    kind: LineKind
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock:
    """A block of code. ``absent`` names what the bench core lacks, so that it must not compile."""

    line: int
    language: str
    absent: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet, and what it applies to: any part, board, component or framework that it names."""

    id: str
    kind: SheetKind
    title: str
    parts: tuple[str, ...]
    boards: tuple[str, ...]
    components: tuple[str, ...]
    frameworks: tuple[str, ...]
    sources: tuple[Source, ...]
    body: str
    first_line: int
    """The line of the file on which the body begins."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The body, line by line."""
        return _lines(self.body, self.first_line)

    @property
    def code_blocks(self) -> tuple[CodeBlock, ...]:
        """The code blocks of the body."""
        return _code_blocks(self.lines)

    def rendered(self) -> str:
        """The page as a reader gets it: the body, and what its marks stand for."""
        sources = "".join(f"[{source.key}] {_told(source)}\n" for source in self.sources)
        return f"# {self.title}\n\n{self.body.strip()}\n" + (f"\n{sources}" if sources else "")


def parse_sheet(text: str) -> Sheet:
    """Read a sheet.

    Raises:
        SheetError: the front matter or a code block is not as it has to be.
    """
    lines = text.split("\n")
    if lines[0] != _BREAK or _BREAK not in lines[1:]:
        raise SheetError(1, "a sheet begins with a front matter between two lines of ---")
    end = lines.index(_BREAK, 1)
    try:
        front = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError as error:
        raise SheetError(2, f"the front matter is no YAML: {error}") from error
    if not isinstance(front, dict):
        raise SheetError(2, "the front matter is a mapping")
    unknown = sorted(set(map(str, front)) - {"id", "kind", "title", "applies_to", "sources"})
    if unknown:
        raise SheetError(2, f"unknown keys in the front matter: {', '.join(unknown)}")
    applies = _mapping(front, "applies_to")
    unknown = sorted(set(applies) - {"parts", "boards", "components", "frameworks"})
    if unknown:
        raise SheetError(2, f"unknown keys in applies_to: {', '.join(unknown)}")
    sheet = Sheet(
        id=_text(front, "id"),
        kind=_kind(_text(front, "kind")),
        title=_text(front, "title"),
        parts=_texts(applies, "parts"),
        boards=_texts(applies, "boards"),
        components=_texts(applies, "components"),
        frameworks=_texts(applies, "frameworks"),
        sources=tuple(_source(key, value) for key, value in _mapping(front, "sources").items()),
        body="\n".join(lines[end + 1 :]),
        first_line=end + 2,
    )
    _ = sheet.code_blocks  # raises for a block without an end
    return sheet


def _kind(word: str) -> SheetKind:
    try:
        return SheetKind(word)
    except ValueError as error:
        raise SheetError(2, f"kind is one of {', '.join(SheetKind)}, not {word!r}") from error


def _source(key: str, value: object) -> Source:
    if isinstance(value, dict) and len(value) == 1:
        [(evidence, reference)] = value.items()
        if evidence in set(Evidence) and isinstance(reference, str) and reference:
            return Source(key=key, evidence=Evidence(evidence), reference=reference)
    raise SheetError(2, f"source {key!r} is one of {', '.join(Evidence)} with a text")


def _told(source: Source) -> str:
    if source.evidence is Evidence.MANUAL:
        return f"{source.reference} (from the manual, not checked against it)"
    return source.reference


def _text(front: Mapping[object, object], key: str) -> str:
    value = front.get(key)
    if not isinstance(value, str) or not value:
        raise SheetError(2, f"{key} is a text")
    return value


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SheetError(2, f"{key} is a list of texts")
    return tuple(value)


def _mapping(front: Mapping[object, object], key: str) -> dict[str, object]:
    value = front.get(key, {})
    if not isinstance(value, dict):
        raise SheetError(2, f"{key} is a mapping")
    return {str(name): item for name, item in value.items()}


def _lines(body: str, first: int) -> tuple[Line, ...]:
    found = []
    language: str | None = None
    for number, text in enumerate(body.split("\n"), first):
        fence = _FENCE.match(text)
        if fence is not None:
            language = None if language is not None else fence[1].split(" ")[0]
            found.append(Line(number=number, text=text, kind=LineKind.FENCE))
        elif language is not None:
            found.append(Line(number=number, text=text, kind=LineKind.CODE, language=language))
        else:
            found.append(Line(number=number, text=text, kind=LineKind.TEXT))
    return tuple(found)


def _code_blocks(lines: tuple[Line, ...]) -> tuple[CodeBlock, ...]:
    blocks = []
    opened: Line | None = None
    inside: list[str] = []
    for line in lines:
        if line.kind is LineKind.CODE:
            inside.append(line.text)
        elif line.kind is LineKind.FENCE and opened is None:
            opened, inside = line, []
        elif line.kind is LineKind.FENCE and opened is not None:
            blocks.append(_code_block(opened, "\n".join(inside) + "\n"))
            opened = None
    if opened is not None:
        raise SheetError(opened.number, "this code block has no end")
    return tuple(blocks)


def _code_block(opened: Line, text: str) -> CodeBlock:
    language, *rest = opened.text.removeprefix("```").split(" ")
    absent = ""
    if rest:
        match = re.fullmatch(r"absent=(\w+)", " ".join(rest))
        if language != "cpp" or match is None:
            raise SheetError(opened.number, "after the language only absent=NAME is known")
        absent = match[1]
    if language not in {"cpp", "yaml", "text"}:
        raise SheetError(opened.number, "a code block is cpp, yaml or text")
    return CodeBlock(line=opened.number, language=language, absent=absent, text=text)
