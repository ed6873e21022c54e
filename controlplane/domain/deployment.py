"""Firmware onto boards: what was written, why, and what proved it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controlplane.domain.firmware_image import FirmwareImage
from controlplane.domain.session import SourceScenario
from controlplane.domain.verdict import Evidence, Outcome, ScenarioResult, State


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
    attempts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDeployment:
    """A firmware onto one board, proved by the session's scenarios."""

    session: str
    attempt: int
    board: str
    outcome: Outcome
    evidence: Evidence | None
    flashes: tuple[FlashRecord, ...]
    results: tuple[ScenarioResult, ...]
    left_image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """When no further wave is begun; a wave that was begun is finished.

    `stop_after` boards that did not pass (0: no such limit), or more than `max_failed_percent` of
    the boards that were begun.
    """

    stop_after: int = 0
    max_failed_percent: int = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRequest:
    """What the operator asked for; part of the deployment for ever."""

    images: tuple[FirmwareImage, ...] = ()
    selector: str = ""
    boards: tuple[str, ...] = ()
    waves: str = ""
    stop_rule: StopRule = StopRule()
    no_reset: bool = False
    scenarios: tuple[SourceScenario, ...] = ()
    board_wait: timedelta | None = None
    retry_of: str = ""
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardDeployment:
    """One board of a deployment as it stands; wave 0 is that of boards refused beforehand."""

    board: str
    part: str
    wave: int
    image: str = ""
    state: State = State.PENDING
    outcome: Outcome | None = None
    reason: str = ""
    message: str = ""
    next_action: str = ""
    lease: str = ""
    image_sha256: str = ""
    read_back_sha256: str = ""
    evidence: Evidence | None = None
    results: tuple[ScenarioResult, ...] = ()
    start_time: datetime | None = None
    end_time: datetime | None = None
    runs: int = 0

    @property
    def board_id(self) -> str:
        """Last part of the board's name."""
        return self.board.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentCounts:
    """Boards of a deployment by how they ended."""

    boards: int = 0
    passed: int = 0
    failed: int = 0
    broken: int = 0
    refused: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Images onto boards, in waves, without its boards: those are rows of their own."""

    name: str
    request: DeploymentRequest
    images: tuple[FirmwareImage, ...]
    state: State
    wave_count: int
    principal: str
    create_time: datetime
    update_time: datetime
    wave: int = 0
    outcome: Outcome | None = None
    message: str = ""
    seed: int = 0
    counts: DeploymentCounts = DeploymentCounts()
    cancel_requested: bool = False
    end_time: datetime | None = None
    last_sequence: int = 0

    @property
    def deployment_id(self) -> str:
        """The name without its collection."""
        return self.name.removeprefix("deployments/")
