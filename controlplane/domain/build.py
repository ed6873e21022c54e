"""What a compiler made of a sketch, as a session keeps it."""

from dataclasses import dataclass

from controlplane.domain.artifact import Artifact
from controlplane.domain.verdict import Outcome, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One text file of a project; `path` is relative."""

    path: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One message of the compiler or linker; line and column from 1, 0 when unknown."""

    file: str
    line: int
    column: int
    severity: Severity
    message: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One compile of one sketch."""

    session: str
    attempt: int
    outcome: Outcome
    build_id: str
    toolchain: str
    part: str
    artifacts: tuple[Artifact, ...]
    diagnostics: tuple[Diagnostic, ...]
    flash_used_bytes: int
    flash_limit_bytes: int
    ram_used_bytes: int
    ram_limit_bytes: int
    confinement: str
    sources: tuple[SourceFile, ...]
