"""What a stage is given and what it gives back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from benchline.errors import InvalidRequestError
from controlplane.domain.artifact import Artifact
from controlplane.domain.event import Fact
from controlplane.domain.finding import Finding
from controlplane.domain.finding import Severity as FindingSeverity
from controlplane.domain.question import Question
from controlplane.domain.session import Session
from controlplane.domain.verdict import Evidence, Outcome, Severity, Stage, StageFinding
from controlplane.storage.sessions import Fence, SessionStore

_T = TypeVar("_T")
DEFAULT_DESIGNER = "offline"

SessionChange = Callable[[Session], Session]


def unchanged(session: Session) -> Session:
    """The change that changes nothing."""
    return session


def with_artifact(session: Session, artifact: Artifact) -> Session:
    """Add an artifact to a session; an older one of the same kind is replaced."""
    others = tuple(a for a in session.artifacts if a.kind != artifact.kind)
    return replace(session, artifacts=(*others, artifact))


class Recorder(Protocol):
    """Where the facts of some work are told: a stage of a session, or a board of a deployment."""

    async def record(self, *facts: Fact) -> None:
        """Append facts in one transaction.

        Raises:
            ConflictError: STALE_FENCE when somebody else has taken over.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """How a stage ended; `change` is applied to the session with the closing event."""

    outcome: Outcome
    message: str
    evidence: Evidence | None = None
    cached: bool = False
    inputs_hash: str = ""
    change: SessionChange = unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAsks:
    """A stage that goes on when a person has answered: the session waits, and holds nothing."""

    questions: tuple[Question, ...]

    @property
    def message(self) -> str:
        """One sentence for lists: the first question, and how many more there are."""
        first, more = self.questions[0], len(self.questions) - 1
        return f"asks: {first.text}" + (f" (and {more} more)" if more else "")


class SessionRecord(Protocol):
    """A session with what its stages kept."""

    @property
    def session(self) -> Session:
        """The session as it stands."""
        ...

    async def kept(self, key: str) -> str | None:
        """A small output that a stage stored."""
        ...


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session read from the store, outside its stages."""

    session: Session
    store: SessionStore

    async def kept(self, key: str) -> str | None:
        """A small output that a stage stored."""
        return await self.store.get_checkpoint(self.session.session_id, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWaits:
    """A stage that goes on when something outside has happened: the session waits, holds nothing.

    `until` returns as soon as the stage is to be run again; a restart runs it again too.
    """

    message: str
    until: Callable[[], Awaitable[None]]


class StageRun:
    """One run of one stage of one session, under its fence."""

    def __init__(
        self,
        *,
        store: SessionStore,
        session: Session,
        stage: Stage,
        fence: Fence,
        runs: int,
        cancel_requested: Callable[[], bool],
        stopping: Callable[[], bool],
    ) -> None:
        self.session = session
        self.stage = stage
        self.runs = runs
        # Whether an operator asked for the end of the session: the stage cleans up behind itself.
        self.cancel_requested = cancel_requested
        # Whether the control plane is being shut down: the stage will be resumed, and keeps what
        # it holds.
        self.stopping = stopping
        self._store = store
        self._fence = fence

    @property
    def session_id(self) -> str:
        """Id of the session, without its collection."""
        return self.session.session_id

    @property
    def attempt(self) -> int:
        """Turn of the repair loop, from 1."""
        return self.session.attempt

    async def record(self, *facts: Fact, change: SessionChange = unchanged) -> None:
        """Append facts and change the session in one transaction.

        Findings are also kept with the session.

        Raises:
            ConflictError: STALE_FENCE when another run of this stage has taken over.
        """
        findings = tuple(fact for fact in facts if isinstance(fact, StageFinding))

        def with_findings(session: Session) -> Session:
            return change(replace(session, findings=session.findings + findings))

        self.session = await self._store.record(
            self.session_id,
            facts,
            stage=self.stage,
            attempt=self.attempt,
            change=with_findings,
            fence=self._fence,
        )

    async def keep(self, key: str, value: str) -> None:
        """Store a small durable output of the stage, replacing an older one."""
        await self._store.put_checkpoint(self.session_id, key, value, fence=self._fence)

    async def kept(self, key: str) -> str | None:
        """A small output that this or an earlier stage stored."""
        return await self._store.get_checkpoint(self.session_id, key)


class StageWork(Protocol):
    """The work of one stage. Idempotent: it may be interrupted anywhere and run again."""

    async def run(self, run: StageRun) -> StageResult | StageAsks | StageWaits:
        """Do the work.

        Raises:
            BenchlineError: ends the stage BROKEN with the error's sentence.
        """
        ...


def chosen(among: Mapping[str, _T], name: str) -> _T:
    """The designer or author of a name; "" means the default.

    Raises:
        InvalidRequestError: UNKNOWN_DESIGNER.
    """
    found = among.get(name or DEFAULT_DESIGNER)
    if found is None:
        known = ", ".join(sorted(among))
        raise InvalidRequestError(
            "UNKNOWN_DESIGNER", f"there is no designer {name!r}; there is: {known}", designer=name
        )
    return found


def telling(run: StageRun) -> Callable[[Fact], Awaitable[None]]:
    """What a designer or author tells, told in the session, which keeps its artifacts."""

    async def tell(fact: Fact) -> None:
        if isinstance(fact, Artifact):
            await run.record(fact, change=lambda session: with_artifact(session, fact))
        else:
            await run.record(fact)

    return tell


def stage_findings(findings: tuple[Finding, ...], stage: Stage) -> tuple[StageFinding, ...]:
    """A designer's or author's findings as a session keeps them."""
    return tuple(
        StageFinding(
            code=finding.code,
            subject=finding.subject,
            message=finding.message,
            fix=finding.fix,
            severity=(
                Severity.ERROR if finding.severity is FindingSeverity.ERROR else Severity.WARNING
            ),
            stage=stage,
        )
        for finding in findings
    )
