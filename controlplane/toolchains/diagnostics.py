"""Compiler and linker output as diagnostics that name the operator's files. Pure.

GCC prints one JSON array a translation unit (`-fdiagnostics-format=json`); the assembler and the
linker print text. Everything is bounded: the text comes from hostile sketches.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.domain.build import Diagnostic
from controlplane.domain.verdict import Severity

MAX_DIAGNOSTICS = 50
MAX_MESSAGE = 500
EXCERPT_LINES = 3
MAX_EXCERPT_LINE = 160

_SEVERITIES = {
    "error": Severity.ERROR,
    "fatal error": Severity.ERROR,
    "sorry, unimplemented": Severity.ERROR,
    "warning": Severity.WARNING,
    "note": Severity.NOTE,
}
_UNDEFINED = re.compile(r"([^\s:]*):(?:(\d+)|\([^)]*\)): (undefined reference to [^\n]{1,300})")
_MULTIPLE = re.compile(r"([^\s:]*):(?:(\d+)|\([^)]*\)): (multiple definition of [^\n;]{1,300})")
_OVERFLOW = re.compile(r"(region `[^']{1,60}' overflowed by \d+ bytes)")
_ASSEMBLER = re.compile(r"^([^\s:]+):(\d+): (Error: [^\n]{1,300})", re.MULTILINE)
_TEXT = re.compile(
    r"^([^\s:][^:\n]{0,300}):(\d{1,9}):(?:(\d{1,9}):)? "
    r"(fatal error|error|warning): ([^\n]{1,1000})$",
    re.MULTILINE,
)
_LIMIT_SIGNS = (
    "virtual memory exhausted",
    "out of memory allocating",
    "CPU time limit exceeded",
    "File size limit exceeded",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerOutput:
    """What one compiler run said."""

    diagnostics: tuple[Diagnostic, ...]
    rest: str

    @property
    def has_errors(self) -> bool:
        """Whether the compiler found the source wrong."""
        return any(found.severity is Severity.ERROR for found in self.diagnostics)


def read_compiler_output(stderr: bytes, files: Mapping[str, str]) -> CompilerOutput:
    """Take one run's stderr apart; `files` are the operator's files for excerpts."""
    found: list[Diagnostic] = []
    rest: list[str] = []
    for line in stderr.decode("utf-8", "replace").splitlines():
        entries = _json_array(line)
        if entries is None:
            rest.append(line)
        else:
            found += (d for entry in entries for d in _of_gcc(entry, files))
    text = "\n".join(rest)
    found += _of_assembler(text, files)
    return CompilerOutput(diagnostics=tuple(found[:MAX_DIAGNOSTICS]), rest=text)


def read_text_output(text: str, files: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Messages of a compiler in its usual form, "file:line:column: error: text"."""
    found = dict.fromkeys(_of_text(match, files) for match in _TEXT.finditer(text))
    return tuple(found)[:MAX_DIAGNOSTICS]


def read_linker_output(stderr: bytes, files: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Undefined and doubly defined symbols and overflowed regions; empty for anything else."""
    text = stderr.decode("utf-8", "replace")
    found: dict[tuple[str, int, str], Diagnostic] = {}
    for pattern in (_UNDEFINED, _MULTIPLE):
        for match in pattern.finditer(text):
            name, line = _operator_name(match[1], files), int(match[2] or 0)
            found[name, line, match[3]] = _error(name, line, match[3], files)
    for match in _OVERFLOW.finditer(text):
        found["", 0, match[1]] = _error("", 0, match[1], files)
    return tuple(found.values())[:MAX_DIAGNOSTICS]


def limit_named(stderr: bytes) -> bool:
    """Whether the compiler says that a resource limit ended it."""
    text = stderr.decode("utf-8", "replace")
    return any(sign in text for sign in _LIMIT_SIGNS)


def _of_text(match: re.Match[str], files: Mapping[str, str]) -> Diagnostic:
    name, line = _operator_name(match[1], files), int(match[2])
    return Diagnostic(
        file=name,
        line=line,
        column=int(match[3] or 0),
        severity=_SEVERITIES[match[4]],
        message=match[5][:MAX_MESSAGE],
        excerpt=_excerpt(files.get(name), line),
    )


def _json_array(line: str) -> list[Any] | None:
    if not line.startswith("["):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _of_gcc(entry: object, files: Mapping[str, str]) -> Iterator[Diagnostic]:
    if not isinstance(entry, dict):
        return
    severity = _SEVERITIES.get(str(entry.get("kind")))
    if severity is None:
        return
    file, line, column = _caret(entry)
    name = _operator_name(file, files)
    yield Diagnostic(
        file=name,
        line=line,
        column=column,
        severity=severity,
        message=str(entry.get("message", ""))[:MAX_MESSAGE],
        excerpt=_excerpt(files.get(name), line),
    )


def _caret(entry: Mapping[str, Any]) -> tuple[str, int, int]:
    try:
        caret = entry["locations"][0]["caret"]
        return str(caret["file"]), int(caret["line"]), int(caret["column"])
    except (KeyError, IndexError, TypeError, ValueError):
        return "", 0, 0


def _of_assembler(text: str, files: Mapping[str, str]) -> Iterator[Diagnostic]:
    for match in _ASSEMBLER.finditer(text):
        yield _error("", 0, f"assembler: {match[3]}", files)


def _error(name: str, line: int, message: str, files: Mapping[str, str]) -> Diagnostic:
    return Diagnostic(
        file=name,
        line=line,
        column=0,
        severity=Severity.ERROR,
        message=message[:MAX_MESSAGE],
        excerpt=_excerpt(files.get(name), line),
    )


def _operator_name(file: str, files: Mapping[str, str]) -> str:
    """The operator's name of a file: without the directory that it was built in."""
    for name in files:
        if file == name or file.endswith(f"/{name}"):
            return name
    return file.removeprefix("./")


def _excerpt(text: str | None, line: int) -> str:
    if text is None or line < 1:
        return ""
    first = max(1, line - EXCERPT_LINES // 2)
    rows = text.splitlines()[first - 1 : first - 1 + EXCERPT_LINES]
    return "\n".join(
        f"{'>' if number == line else ' '} {number:4} | {row[:MAX_EXCERPT_LINE]}"
        for number, row in enumerate(rows, first)
    )
