"""Firmware onto boards: what was written, why, and what proved it."""

from dataclasses import dataclass
from datetime import datetime

from controlplane.domain.verdict import Evidence, Outcome, ScenarioResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashRecord:
    """One write to the flash of a board, recorded before it starts (outcome None) and after."""

    command_id: str
    board: str
    image: str
    image_sha256: str
    reason: str
    outcome: Outcome | None = None
    message: str = ""
    sectors_erased: int = 0
    sectors_skipped: int = 0
    bytes_programmed: int = 0
    read_back_sha256: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A firmware onto one board, proved by the session's scenarios."""

    session: str
    attempt: int
    board: str
    outcome: Outcome
    evidence: Evidence | None
    flashes: tuple[FlashRecord, ...]
    results: tuple[ScenarioResult, ...]
    left_image: str
