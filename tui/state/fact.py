"""Facts of a session as the console knows them, free of wire types."""

from dataclasses import dataclass
from enum import StrEnum

from tui.state.model_call import ModelCalled
from tui.state.question import Answered, Asked
from tui.state.stack import StackFacts

UPLOADED = "uploaded project"
"""Title of a session that was not started from a sentence."""


class State(StrEnum):
    """Life cycle of a session or of one of its stages."""

    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self in (State.DONE, State.CANCELLED)


class Outcome(StrEnum):
    """How something ended; NONE while it has not."""

    NONE = "NONE"
    PASSED = "PASSED"
    FAILED = "FAILED"
    BROKEN = "BROKEN"
    SKIPPED = "SKIPPED"
    REFUSED = "REFUSED"


class Stage(StrEnum):
    """The stages of a session, in their order."""

    NONE = "NONE"
    DESIGN = "DESIGN"
    BUILD = "BUILD"
    SIMULATE = "SIMULATE"
    PROVISION = "PROVISION"
    DEPLOY = "DEPLOY"


class Severity(StrEnum):
    """How bad a finding is."""

    NOTE = "NOTE"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """A half-open byte range of one console."""

    console: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """The verdict of one check. ``at_ms`` is device time, negative when no event decided it."""

    assertion_id: str
    kind: str = ""
    outcome: Outcome = Outcome.NONE
    message: str = ""
    expected: str = ""
    got: str = ""
    at_ms: int = -1
    evidence: tuple[Bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMoved:
    """The session changed its state."""

    state: State
    outcome: Outcome = Outcome.NONE
    evidence: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMoved:
    """A stage changed its state. ``duration_ms`` is wall time, 0 while it runs."""

    stage: Stage
    state: State
    outcome: Outcome = Outcome.NONE
    message: str = ""
    cached: bool = False
    runs: int = 1
    duration_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRange:
    """Lines of a file that follow one another; ``text`` is how they begin."""

    file: str
    first: int
    last: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of a sketch a failed scenario reached; ``unknown`` says why that is not known."""

    scenario_id: str
    runner: str
    executed: int = 0
    executable: int = 0
    never_ran: tuple[LineRange, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptMoved:
    """A turn of the repair loop began or ended; numbers are there when it ended.

    ``cost_micro_usd`` is in millionths of a dollar, None when it is not known. ``why`` is what it
    was begun for.
    """

    attempt: int
    state: State
    outcome: Outcome = Outcome.NONE
    message: str = ""
    why: str = ""
    stage: Stage = Stage.NONE
    files_changed: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    failing_checks: int = 0
    warnings: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int | None = None
    model: str = ""
    diff_sha256: str = ""
    coverage: Coverage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignMade:
    """The design is there."""

    design_hash: str
    title: str
    board_model: str
    scenarios: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One complaint with the way forward."""

    code: str
    subject: str = ""
    message: str = ""
    fix: str = ""
    severity: Severity = Severity.ERROR
    stage: Stage = Stage.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One message of the compiler. ``line`` counts from 1, 0 when unknown."""

    file: str
    line: int
    message: str
    severity: Severity = Severity.ERROR
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactStored:
    """Something was stored."""

    kind: str
    filename: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioBegan:
    """A scenario began. ``device_ms`` is its length in device time."""

    scenario_id: str
    title: str
    runner: str
    device_ms: int = 0
    assertion_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionDecided:
    """A check was decided."""

    scenario_id: str
    runner: str
    assertion: Assertion


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioEnded:
    """A scenario ended; carries all of its checks."""

    scenario_id: str
    title: str
    runner: str
    outcome: Outcome
    evidence: str = ""
    message: str = ""
    device_ms: int = 0
    seed: int = 0
    cached: bool = False
    assertions: tuple[Assertion, ...] = ()
    console: Bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseMoved:
    """A board was lent or given back."""

    lease: str
    board: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashMoved:
    """A write to flash began (no outcome) or ended."""

    command_id: str
    board: str
    image: str
    reason: str = ""
    outcome: Outcome = Outcome.NONE
    message: str = ""
    sectors_erased: int = 0
    sectors_skipped: int = 0
    bytes_programmed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashAdvanced:
    """How far a write to flash is; ``fraction`` is 0 to 1 of the phase."""

    command_id: str
    board: str
    image: str
    phase: str
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleGrew:
    """Console bytes were stored."""

    range: Bytes
    epoch: int = 0
    gap_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something that a person should know."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentMoved:
    """A deployment changed its state."""

    state: State
    outcome: Outcome = Outcome.NONE
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveMoved:
    """A wave of a deployment began, ended, or is not begun (CANCELLED)."""

    wave: int
    wave_count: int
    state: State
    boards: int
    not_passed: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardMoved:
    """A board of a deployment as it stands now; wave 0 is that of boards refused beforehand."""

    board: str
    part: str = ""
    wave: int = 0
    image: str = ""
    state: State = State.UNKNOWN
    outcome: Outcome = Outcome.NONE
    reason: str = ""
    message: str = ""
    next_action: str = ""
    evidence: str = ""
    image_sha256: str = ""
    runs: int = 0

    @property
    def board_id(self) -> str:
        """The last part of the board's name."""
        return self.board.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A fact of a newer server; kept so that the sequence stays whole."""

    kind: str = ""


Fact = (
    SessionMoved
    | StageMoved
    | AttemptMoved
    | DesignMade
    | Finding
    | Diagnostic
    | ArtifactStored
    | ScenarioBegan
    | AssertionDecided
    | ScenarioEnded
    | LeaseMoved
    | FlashMoved
    | FlashAdvanced
    | ConsoleGrew
    | Noted
    | DeploymentMoved
    | WaveMoved
    | BoardMoved
    | ModelCalled
    | Asked
    | Answered
    | StackFacts
    | Unknown
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact with its place in the session. ``time_ms`` is Unix time in milliseconds."""

    sequence: int
    fact: Fact
    time_ms: int = 0
    stage: Stage = Stage.NONE
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """One row of the list of sessions. Times are Unix milliseconds, 0 when not set.

    ``ceiling_micro_usd`` is what its model calls may cost, 0 for no limit; ``best_attempt`` the one
    that it shows, 0 when that is the newest, ``design`` the kept one that it started from.
    """

    name: str
    title: str
    state: State = State.UNKNOWN
    outcome: Outcome = Outcome.NONE
    evidence: str = ""
    message: str = ""
    board: str = ""
    board_model: str = ""
    create_ms: int = 0
    end_ms: int = 0
    stages: tuple[StageMoved, ...] = ()
    last_sequence: int = 0
    attempt: int = 1
    asks: bool = False
    """Whether it waits until somebody answers its questions."""
    ceiling_micro_usd: int = 0
    best_attempt: int = 0
    attempts: tuple[AttemptMoved, ...] = ()
    design: str = ""
    stack: str = ""
    """The stack that its device belongs to; "" without a cloud."""

    @property
    def session_id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]
