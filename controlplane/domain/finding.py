"""Findings: single complaints about a prompt, a design or a document."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs: an error forbids the design, a warning does not.

    Its words stand in stored designs and their hashes; those of `verdict.Severity`, which has
    notes besides, are a session's.
    """

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One complaint, with what it is about and what would settle it.

    ``start`` and ``end`` are character offsets in the prompt (0, 0 = no single place).
    """

    code: str
    subject: str
    message: str
    fix: str
    severity: Severity = Severity.ERROR
    start: int = 0
    end: int = 0

    def __str__(self) -> str:
        """Say it in one line."""
        advice = f" {self.fix}" if self.fix else ""
        return f"{self.code} {self.subject}: {self.message}{advice}"
