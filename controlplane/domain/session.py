"""One operator intent, from a sentence to a verdict."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controlplane.domain.artifact import Artifact
from controlplane.domain.attempt import AttemptChanged
from controlplane.domain.build import SourceFile
from controlplane.domain.firmware_image import FirmwareImage
from controlplane.domain.question import QuestionRound
from controlplane.domain.verdict import (
    Evidence,
    Outcome,
    ScenarioResult,
    Stage,
    StageFinding,
    State,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScenario:
    """A scenario file brought along by the operator."""

    scenario_id: str
    yaml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A project uploaded, or a design taken from the store, instead of a prompt.

    ``design`` is the name and revision of a stored design; its document is in ``design_json``.
    """

    files: tuple[SourceFile, ...] = ()
    image_sha256: str = ""
    image_filename: str = ""
    scenarios: tuple[SourceScenario, ...] = ()
    design_json: str = ""
    title: str = ""
    image: FirmwareImage | None = None
    design: str = ""

    @property
    def is_design(self) -> bool:
        """Whether nothing but a design came along: its firmware has to be written."""
        return bool(self.design_json) and not self.files and not self.has_image

    @property
    def has_image(self) -> bool:
        """Whether a finished image came along, in one file or in several."""
        return bool(self.image_digests)

    @property
    def image_digests(self) -> tuple[str, ...]:
        """Digests of the files of the image."""
        if self.image is not None:
            return tuple(file.sha256 for file in self.image.files)
        return (self.image_sha256,) if self.image_sha256 else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """What the operator asked for; part of the session for ever."""

    prompt: str
    source: Source | None
    board_wish: str
    until: Stage
    designer: str
    seed: int | None
    board_anyway: bool = False
    """Judge on the board too when the simulation failed."""
    cost_ceiling_micro_usd: int = 0
    """What calls of a language model may cost at most, in millionths of a dollar; 0 is no limit."""
    no_questions: bool = False
    """What only a person can say refuses the session, instead of letting it wait."""
    stack: str = ""
    """Id of the stack that its device belongs to; "" provisions nothing."""
    device: str = ""
    """Id of its device in the stack; "" makes one that is its own."""
    auto_approve: bool = False
    """A plan of target local that takes nothing away needs no person."""


def stages_of(request: SessionRequest) -> tuple[Stage, ...]:
    """The stages that a session can have, in order: it provisions only where a stack is named."""
    return tuple(stage for stage in Stage if stage is not Stage.PROVISION or request.stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One stage of a session; `runs` over 1 means that it was interrupted and resumed."""

    stage: Stage
    state: State = State.PENDING
    outcome: Outcome | None = None
    duration: timedelta = timedelta(0)
    cached: bool = False
    message: str = ""
    runs: int = 0
    inputs_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as it stands now; every change of it is also an event."""

    name: str
    request: SessionRequest
    state: State
    stages: tuple[StageRecord, ...]
    principal: str
    create_time: datetime
    update_time: datetime
    seed: int
    outcome: Outcome | None = None
    evidence: Evidence | None = None
    message: str = ""
    design_hash: str = ""
    board_model: str = ""
    board: str = ""
    artifacts: tuple[Artifact, ...] = ()
    findings: tuple[StageFinding, ...] = ()
    scenario_results: tuple[ScenarioResult, ...] = ()
    end_time: datetime | None = None
    last_sequence: int = 0
    attempt: int = 1
    attempts: tuple[AttemptChanged, ...] = ()
    best_attempt: int = 0
    question_rounds: tuple[QuestionRound, ...] = ()

    @property
    def session_id(self) -> str:
        """The name without its collection."""
        return self.name.removeprefix("sessions/")

    @property
    def device(self) -> str:
        """Id of its device in the stack that it provisions."""
        return self.request.device or f"device-{self.session_id}"

    @property
    def open_round(self) -> QuestionRound | None:
        """The questions that it waits for, if any; it may be WAITING for a board instead."""
        newest = self.question_rounds[-1] if self.question_rounds else None
        waits = newest is not None and newest.open and self.state is State.WAITING
        return newest if waits else None

    def stage_record(self, stage: Stage) -> StageRecord | None:
        """The record of a stage, or None when the session does not run it."""
        return next((r for r in self.stages if r.stage is stage), None)
