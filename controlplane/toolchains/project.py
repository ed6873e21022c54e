"""Whether an uploaded project may be given to a compiler. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from controlplane.domain.build import SourceFile

MAX_FILES = 40
MAX_FILE_BYTES = 256 * 1024
SOURCE_SUFFIXES = frozenset({".ino", ".h", ".hpp", ".c", ".cpp", ".inc"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,62}")
_SPLICE = re.compile(r"\\[ \t]*\r?\n")
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_INCLUDE = re.compile(r"(?:#|%:|\?\?=)\s*(?:include|include_next|import|embed)\b[ \t]*(\S?[^\n]*)")
_QUOTED = re.compile(r'["<]([^">\n]*)[">]\s*(?://.*)?')
_ASSEMBLER = re.compile(r"\b(?:asm|__asm|__asm__)\b|\.inc(?:bin|lude)\b")


def project_findings(name: str, sources: Sequence[SourceFile]) -> list[str]:
    """What forbids building this project: names, paths, counts and sizes; empty when nothing."""
    findings: list[str] = []
    if not _NAME.fullmatch(name):
        findings.append(f"{name!r} is not a sketch name: letters, digits, _ and - only")
    if not any(source.path == f"{name}.ino" for source in sources):
        findings.append(f"the sketch file {name}.ino is missing")
    if len(sources) > MAX_FILES:
        findings.append(f"{len(sources)} files are more than {MAX_FILES}")
    seen: set[str] = set()
    for source in sources:
        findings += _file_findings(source)
        folded = source.path.casefold()
        if folded in seen:
            findings.append(f"{source.path!r} occurs twice")
        seen.add(folded)
    return findings


def _file_findings(source: SourceFile) -> list[str]:
    path = PurePosixPath(source.path)
    if source.path != unicodedata.normalize("NFC", source.path):
        return [f"{source.path!r} is not in Unicode normal form C"]
    if path.is_absolute() or str(path) != source.path:
        return [f"{source.path!r} is not a plain relative path"]
    if not path.parts or not all(_PART.fullmatch(part) for part in path.parts):
        return [f"{source.path!r} holds a part that is not allowed"]
    if path.suffix not in SOURCE_SUFFIXES:
        return [f"{source.path!r} is not a source file ({', '.join(sorted(SOURCE_SUFFIXES))})"]
    if len(source.content.encode("utf-8", "surrogatepass")) > MAX_FILE_BYTES:
        return [f"{source.path!r} is larger than {MAX_FILE_BYTES // 1024} KiB"]
    return []


def leak_findings(sources: Sequence[SourceFile]) -> list[str]:
    """What could make a compiler read files outside the project.

    For machines where the compiler is not hidden from the file system: absolute, parent and
    computed includes and inline assembly (`.incbin`) are refused there.
    """
    findings = []
    for source in sources:
        text = _BLOCK_COMMENT.sub(" ", _SPLICE.sub("", source.content))
        for match in _INCLUDE.finditer(text):
            target = _QUOTED.fullmatch(match[1].strip())
            if target is None:
                findings.append(f"{source.path}: an include must name its file directly")
            elif target[1].startswith(("/", "~")) or ".." in PurePosixPath(target[1]).parts:
                findings.append(f"{source.path}: {target[1]!r} lies outside the project")
        if _ASSEMBLER.search(text):
            findings.append(f"{source.path}: inline assembly is not allowed on this machine")
    return findings
