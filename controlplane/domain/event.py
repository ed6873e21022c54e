"""Facts that happened in a session, deployment or stack. Order and numbers are the journal's."""

from dataclasses import dataclass
from datetime import datetime

from controlplane.domain.artifact import Artifact
from controlplane.domain.attempt import AttemptChanged
from controlplane.domain.bench import Lease
from controlplane.domain.build import Diagnostic
from controlplane.domain.deployment import BoardDeployment, FlashRecord
from controlplane.domain.model_call import ModelCall
from controlplane.domain.provisioning import (
    OutputsKnown,
    PlannedChange,
    ProvisioningDiagnostic,
    ResourceDrift,
    ResourceProgress,
)
from controlplane.domain.question import QuestionsAnswered, QuestionsAsked
from controlplane.domain.stack import Operation, Plan, SensitiveRead, StackChanged
from controlplane.domain.verdict import (
    AssertionResult,
    ByteRange,
    Evidence,
    Outcome,
    ScenarioResult,
    Stage,
    StageFinding,
    State,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged:
    """The session moved."""

    state: State
    outcome: Outcome | None = None
    evidence: Evidence | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChanged:
    """A stage moved."""

    stage: Stage
    state: State
    outcome: Outcome | None = None
    message: str = ""
    cached: bool = False
    runs: int = 0
    duration_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignMade:
    """The design is there."""

    design_hash: str
    title: str
    board_model: str
    scenarios: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStarted:
    """A scenario began."""

    scenario_id: str
    title: str
    runner: str
    seed: int
    device_ms: int
    assertion_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionDecided:
    """A check was decided."""

    scenario_id: str
    runner: str
    result: AssertionResult


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseChanged:
    """A board was lent or given back; `change` is granted, released, expired or revoked."""

    lease: str
    board: str
    change: str
    fencing_token: int

    @classmethod
    def of(cls, lease: Lease, change: str) -> "LeaseChanged":
        """What became of a lease."""
        return cls(
            lease=lease.name,
            board=lease.board,
            change=change,
            fencing_token=lease.fencing_token,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashProgress:
    """How far a write to flash is; `fraction` is 0 to 1 of the phase."""

    command_id: str
    board: str
    phase: str
    fraction: float
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRange:
    """Console bytes were stored."""

    range: ByteRange
    epoch: int
    gap_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that a person should know."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentChanged:
    """The deployment moved."""

    state: State
    outcome: Outcome | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveChanged:
    """A wave of a deployment began, ended, or is not begun (CANCELLED)."""

    wave: int
    wave_count: int
    state: State
    boards: int
    not_passed: int = 0
    message: str = ""


Fact = (
    SessionChanged
    | StageChanged
    | AttemptChanged
    | DesignMade
    | StageFinding
    | Diagnostic
    | Artifact
    | ScenarioStarted
    | AssertionDecided
    | ScenarioResult
    | LeaseChanged
    | FlashRecord
    | FlashProgress
    | ConsoleRange
    | Note
    | DeploymentChanged
    | WaveChanged
    | BoardDeployment
    | ModelCall
    | QuestionsAsked
    | QuestionsAnswered
    | StackChanged
    | Operation
    | Plan
    | PlannedChange
    | ResourceDrift
    | ResourceProgress
    | ProvisioningDiagnostic
    | OutputsKnown
    | SensitiveRead
)

# Name of each kind of fact: the discriminator in the journal and the field of the wire's `Event`.
FACT_NAMES: dict[type[Fact], str] = {
    SessionChanged: "session_changed",
    StageChanged: "stage_changed",
    AttemptChanged: "attempt_changed",
    DesignMade: "design_made",
    StageFinding: "finding",
    Diagnostic: "diagnostic",
    Artifact: "artifact",
    ScenarioStarted: "scenario_started",
    AssertionDecided: "assertion_decided",
    ScenarioResult: "scenario_finished",
    LeaseChanged: "lease_changed",
    FlashRecord: "flash",
    FlashProgress: "flash_progress",
    ConsoleRange: "console_range",
    Note: "note",
    DeploymentChanged: "deployment_changed",
    WaveChanged: "wave_changed",
    BoardDeployment: "board_deployment",
    ModelCall: "model_call",
    QuestionsAsked: "questions_asked",
    QuestionsAnswered: "questions_answered",
    StackChanged: "stack_changed",
    Operation: "stack_operation",
    Plan: "stack_plan",
    PlannedChange: "planned_change",
    ResourceDrift: "resource_drift",
    ResourceProgress: "resource_progress",
    ProvisioningDiagnostic: "provisioning_diagnostic",
    OutputsKnown: "outputs_known",
    SensitiveRead: "sensitive_read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact with its position in its session, deployment or stack, from 1 without gaps."""

    sequence: int
    session: str
    time: datetime
    fact: Fact
    stage: Stage | None = None
    attempt: int = 1
    deployment: str = ""
    stack: str = ""
