"""What came of a run: outcomes, assertion results, the scenario's result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """FAILED: the firmware is wrong. BROKEN: the lab or a tool is at fault; nothing is known."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    BROKEN = "BROKEN"
    SKIPPED = "SKIPPED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ByteRange:
    """Bytes [start, end) of the console stream."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionResult:
    """The verdict of one assertion, with what was expected, what came, and where it is written.

    Ids of the scenario's own assertions match ``[a-z][a-z0-9_]*``; the built-in ones start with
    ``core.``. ``at_ms`` is the device time that decided, None when no moment did.
    """

    id: str
    kind: str
    outcome: Outcome
    message: str
    expected: str = ""
    got: str = ""
    at_ms: int | None = None
    evidence: tuple[ByteRange, ...] = ()


class RunEndReason(StrEnum):
    """Why a run's stream ended."""

    STREAM_CLOSED = "STREAM_CLOSED"
    TIME_CAP = "TIME_CAP"
    CANCELLED = "CANCELLED"
    TOOL_FAILED = "TOOL_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How the stream ended, as whoever ran it knows. ``detail`` names the tool or the cap."""

    reason: RunEndReason = RunEndReason.STREAM_CLOSED
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """The verdict of one run of a scenario. ``end_ms`` is the last device time seen."""

    scenario_id: str
    title: str
    outcome: Outcome
    assertions: tuple[AssertionResult, ...]
    seed: int
    values: Mapping[str, str]
    stimuli: tuple[tuple[int, str], ...] = ()
    proves: tuple[str, ...] = ()
    control: bool = False
    reason: str = ""
    end_ms: int = 0
    events: int = 0

    def with_outcome(self, *outcomes: Outcome) -> tuple[AssertionResult, ...]:
        """The assertions that ended so."""
        return tuple(found for found in self.assertions if found.outcome in outcomes)


def combine_outcomes(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of several scenarios: the firmware's fault first, then the lab's.

    PASSED needs at least one pass; all skipped, or none at all, is SKIPPED.
    """
    found = set(outcomes)
    for outcome in (Outcome.FAILED, Outcome.BROKEN, Outcome.REFUSED, Outcome.PASSED):
        if outcome in found:
            return outcome
    return Outcome.SKIPPED
