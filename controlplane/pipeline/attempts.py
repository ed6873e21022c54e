"""What is kept of the attempts of a session, so that a repair may be interrupted anywhere."""

from dataclasses import dataclass

from controlplane.domain.artifact import Artifact
from controlplane.domain.coverage import Coverage
from controlplane.domain.session import StageRecord
from controlplane.domain.verdict import ScenarioResult
from controlplane.planning.repair import Candidate

SCENARIOS_KEY = "scenarios.sha256"


def written_key(attempt: int) -> str:
    """Where the sources that an author wrote for an attempt are kept, with its conversation."""
    return f"written.{attempt}"


def turn_key(attempt: int) -> str:
    """Where the evidence that an attempt begins with is kept."""
    return f"repair.{attempt}"


def snapshot_key(attempt: int) -> str:
    """Where a failed attempt is kept whole."""
    return f"attempt.{attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairTurn:
    """What the author is told at the beginning of an attempt; a model or effort other than ""
    replaces the configured one."""

    evidence: str
    model: str = ""
    effort: str = ""
    escalated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A failed attempt: by what it is judged, and all that the session shows of it."""

    candidate: Candidate
    message: str
    evidence: str
    stages: tuple[StageRecord, ...]
    results: tuple[ScenarioResult, ...]
    artifacts: tuple[Artifact, ...]
    build: str
    simulation: str
    deployment: str
    coverage: Coverage | None = None
