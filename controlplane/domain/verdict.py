"""States, outcomes and the results that carry evidence."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Life cycle of a session or of one of its stages."""

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
    """How something finished ended; the order of severity is `worst`'s."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    BROKEN = "BROKEN"
    SKIPPED = "SKIPPED"
    REFUSED = "REFUSED"


class Evidence(StrEnum):
    """Where the evidence of a verdict comes from, weakest first."""

    INJECTED = "INJECTED"
    SIMULATED = "SIMULATED"
    VIRTUAL = "VIRTUAL"
    PHYSICAL = "PHYSICAL"


class Stage(StrEnum):
    """The stages of a session, in their order."""

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


# What a person must know first comes first: a lab fault hides every other verdict, a wrong
# firmware hides a pass, and a pass next to a skip is still a pass.
_SEVEREST_FIRST = (
    Outcome.BROKEN,
    Outcome.FAILED,
    Outcome.REFUSED,
    Outcome.PASSED,
    Outcome.SKIPPED,
)


def worst(outcomes: list[Outcome]) -> Outcome:
    """The outcome of a whole from the outcomes of its parts; SKIPPED when there are none."""
    return next((o for o in _SEVEREST_FIRST if o in outcomes), Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinding:
    """One complaint as a session keeps it."""

    code: str
    subject: str
    message: str
    fix: str = ""
    severity: Severity = Severity.ERROR
    stage: Stage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """Bytes [start, end) of a console stream."""

    console: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionResult:
    """The verdict of one check of a scenario; `at_ms` is -1 when no event decided it."""

    assertion_id: str
    kind: str
    outcome: Outcome
    message: str
    expected: str = ""
    got: str = ""
    at_ms: int = -1
    evidence: tuple[ByteRange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """The verdict of one scenario on one runner."""

    scenario_id: str
    title: str
    stage: Stage
    outcome: Outcome
    evidence: Evidence | None
    runner: str
    seed: int
    device_ms: int
    wall_ms: int
    assertions: tuple[AssertionResult, ...] = ()
    message: str = ""
    console: ByteRange | None = None
    report_sha256: str = ""
    cached: bool = False
