"""Immutable bytes named by their sha256."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Description of stored bytes; `sha256` is lower-case hex."""

    kind: str
    filename: str
    sha256: str
    size_bytes: int
    create_time: datetime | None = None
