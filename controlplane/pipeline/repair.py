"""Leads a session from a failed attempt to the next one, or to its end with the best of them.

Everything that an attempt begins with is stored before it begins: after a crash the author is asked
with the same conversation, to which an answer that was received is already there.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchline.errors import BenchlineError
from controlplane.claude.prompting import as_data
from controlplane.domain.artifact import Artifact
from controlplane.domain.attempt import AttemptChanged
from controlplane.domain.build import Build
from controlplane.domain.session import Session, StageRecord
from controlplane.domain.verdict import Outcome, Severity, Stage, State
from controlplane.firmware.protocol import FirmwareAuthor
from controlplane.pipeline.attempt_account import Account
from controlplane.pipeline.attempts import (
    RepairTurn,
    Snapshot,
    snapshot_key,
    turn_key,
)
from controlplane.pipeline.coverage import CoverageMeter
from controlplane.pipeline.failure import FailureReader
from controlplane.pipeline.stage import SessionChange, chosen, unchanged, with_artifact
from controlplane.planning.evidence import Failure, digest
from controlplane.planning.repair import (
    Candidate,
    Decision,
    Verb,
    best_of,
    decide,
    failing_checks,
    failure_fingerprint,
)
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.database import Database, Transaction
from controlplane.storage.model_calls import ModelCallStore
from controlplane.storage.sessions import SessionStore

log = logging.getLogger(__name__)

_REPAIRED = (Stage.BUILD, Stage.SIMULATE, Stage.DEPLOY)
_WHAT = {
    Stage.BUILD: "The sources of attempt {n} do not build.",
    Stage.SIMULATE: "The firmware of attempt {n} fails its scenarios in the simulator.",
    Stage.DEPLOY: "The firmware of attempt {n} passes in the simulator and fails on a board.",
}
_ASK = (
    "The scenarios cannot be changed. Find the cause, then answer with the files that change, "
    "each whole."
)
_REPEATED = "This attempt failed exactly as an earlier one did: what was changed had no effect."


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairParts:
    """What repairs work with."""

    artifacts: ArtifactStore
    authors: Mapping[str, FirmwareAuthor]
    calls: ModelCallStore
    console_log: ConsoleLog
    database: Database
    store: SessionStore
    coverage: CoverageMeter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the newest attempt ended, and what a session that is over says besides."""

    attempt: AttemptChanged
    told: str = ""
    change: SessionChange = unchanged


class Repairs:
    """Decides after each attempt."""

    def __init__(self, parts: RepairParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._account = Account(parts.artifacts, parts.calls, parts.store)
        self._reader = FailureReader(parts.artifacts, parts.console_log, parts.store)

    async def following(self, session: Session) -> Session | None:
        """The session at the beginning of its next attempt; None when there is none."""
        author = self._author(session)
        failed = _failed_stage(session)
        if failed is None or author is None:
            return None
        try:
            snapshot = await self._snapshot(session, failed, repairs=author.repairs)
            decision = await self._decide(session, author)
            if decision.verb is Verb.STOP:
                return None
            return await self._begin(session, author, snapshot, decision)
        except BenchlineError as error:
            log.warning("no repair", extra={"session": session.name, "why": str(error)})
            return None

    async def ending(self, session: Session, outcome: Outcome, message: str) -> Ending:
        """What there is to say at the end, with the best candidate where none passed."""
        ended = await self._account.ended(session, outcome, message, _ending_stage(session))
        text = await self._store.get_checkpoint(session.session_id, snapshot_key(session.attempt))
        if text is not None:
            ended = replace(ended, coverage=from_json(Snapshot, text).coverage)
        try:
            return await self._ending(session, outcome, ended)
        except BenchlineError as error:
            log.warning("attempts not told", extra={"session": session.name, "why": str(error)})
            return Ending(attempt=ended)

    async def _ending(self, session: Session, outcome: Outcome, ended: AttemptChanged) -> Ending:
        candidates = await self._candidates(session)
        if not candidates or (session.attempt == 1 and not self._repairs(session)):
            return Ending(attempt=ended)
        if outcome is Outcome.PASSED:
            return Ending(attempt=ended)
        best = best_of(candidates)
        why = await self._why_over(session, candidates)
        if outcome is Outcome.BROKEN or best.attempt == session.attempt:
            told = "" if best.attempt == session.attempt else f", the best is {best.attempt}"
            return Ending(attempt=ended, told=f"{why}{told}" if why else "")
        change = await self._restored(session, best.attempt)
        return Ending(attempt=ended, told=f"{why}; this is attempt {best.attempt}", change=change)

    async def _why_over(self, session: Session, candidates: list[Candidate]) -> str:
        """Why there is no further attempt."""
        if candidates[-1].attempt == session.attempt:
            author = self._author(session)
            return "" if author is None else (await self._decide(session, author)).why
        record = next((r for r in session.stages if r.outcome not in (None, Outcome.PASSED)), None)
        said = record.message if record else ""
        return f"attempt {session.attempt} brought no firmware ({said})"

    def _author(self, session: Session) -> FirmwareAuthor | None:
        if session.request.source is not None:
            return None
        return chosen(self._parts.authors, session.request.designer)

    def _repairs(self, session: Session) -> bool:
        author = self._author(session)
        return author is not None and author.repairs

    async def _candidates(self, session: Session) -> list[Candidate]:
        kept = [
            await self._store.get_checkpoint(session.session_id, snapshot_key(number))
            for number in range(1, session.attempt + 1)
        ]
        return [from_json(Snapshot, text).candidate for text in kept if text is not None]

    async def _decide(self, session: Session, author: FirmwareAuthor) -> Decision:
        return decide(
            await self._candidates(session),
            repairs=author.repairs,
            stronger=author.stronger is not None,
        )

    async def _snapshot(self, session: Session, failed: StageRecord, *, repairs: bool) -> Snapshot:
        """The failed attempt as it is kept; made once."""
        key = snapshot_key(session.attempt)
        kept = await self._store.get_checkpoint(session.session_id, key)
        if kept is not None:
            return from_json(Snapshot, kept)
        failure = await self._reader.failure(session, failed)
        build = await self._account.build(session)
        meter = self._parts.coverage
        if meter is not None and repairs and failed.stage is Stage.SIMULATE:
            coverage = await meter.measure(session, build)
            failure = replace(failure, coverage=coverage)
        errors = sum(d.severity is Severity.ERROR for d in failure.diagnostics)
        begun = await self._turn(session)
        texts = {
            name: await self._store.get_checkpoint(session.session_id, name) or ""
            for name in ("build", "simulation", "deployment")
        }
        evidence = _evidence_text(session.attempt, failed.stage, failure)
        stored = await self._keep_text(session, "evidence", "txt", evidence)
        snapshot = Snapshot(
            candidate=Candidate(
                attempt=session.attempt,
                stage=failed.stage,
                failing_checks=failing_checks(failure.results) or max(1, errors),
                warnings=_warnings(build),
                fingerprint=failure_fingerprint(failed.stage, failure.diagnostics, failure.results),
                escalated=begun.escalated if begun else False,
            ),
            message=failed.message,
            evidence=evidence,
            stages=session.stages,
            results=session.scenario_results,
            artifacts=(*session.artifacts, stored),
            coverage=failure.coverage,
            **texts,
        )
        await self._store.put_checkpoint(session.session_id, key, to_json(snapshot))
        return snapshot

    async def _turn(self, session: Session) -> RepairTurn | None:
        text = await self._store.get_checkpoint(session.session_id, turn_key(session.attempt))
        return None if text is None else from_json(RepairTurn, text)

    async def _keep_text(self, session: Session, kind: str, ending: str, text: str) -> Artifact:
        name = f"{kind}.{session.attempt}"
        stored = await self._parts.artifacts.put(
            text.encode("utf-8", "replace"), kind=name, filename=f"{name}.{ending}"
        )
        await self._store.record(
            session.session_id,
            (stored,),
            attempt=session.attempt,
            change=lambda s: with_artifact(s, stored),
        )
        return stored

    async def _begin(
        self, session: Session, author: FirmwareAuthor, snapshot: Snapshot, decision: Decision
    ) -> Session:
        """Store what the next attempt begins with, then move the session to it."""
        number = session.attempt + 1
        before = await self._turn(session)
        turn = RepairTurn(evidence=snapshot.evidence)
        if before is not None and before.escalated:
            turn = replace(before, evidence=snapshot.evidence)
        why = f"{snapshot.candidate.stage.lower()} failed: {snapshot.message}"
        if decision.verb is Verb.ESCALATE and author.stronger is not None:
            turn = RepairTurn(
                evidence=f"{_REPEATED}\n\n{snapshot.evidence}",
                model=author.stronger.model,
                effort=author.stronger.effort,
                escalated=True,
            )
            why = f"{decision.why}; {author.stronger} tries it"
        await self._store.put_checkpoint(session.session_id, turn_key(number), to_json(turn))
        ended = await self._account.ended(
            session, Outcome.FAILED, snapshot.message, snapshot.candidate.stage
        )
        ended = replace(
            ended,
            failing_checks=snapshot.candidate.failing_checks,
            coverage=snapshot.coverage,
        )
        begun = AttemptChanged(attempt=number, state=State.RUNNING, message=why)
        return await self._parts.database.transact(
            lambda tx: self._move(tx, session.session_id, ended, begun)
        )

    def _move(
        self, tx: Transaction, session_id: str, ended: AttemptChanged, begun: AttemptChanged
    ) -> Session:
        self._store.record_in(
            tx,
            session_id,
            (ended,),
            attempt=ended.attempt,
            change=lambda s: with_attempt(s, ended),
        )
        return self._store.record_in(
            tx,
            session_id,
            (begun,),
            attempt=begun.attempt,
            change=lambda s: _begun(s, begun.attempt),
        )

    async def _restored(self, session: Session, attempt: int) -> SessionChange:
        """Make the session show an earlier attempt: its stages, results and images."""
        text = await self._store.get_checkpoint(session.session_id, snapshot_key(attempt))
        snapshot = from_json(Snapshot, text or "")
        for name in ("build", "simulation", "deployment"):
            kept: str = getattr(snapshot, name)
            await self._store.put_checkpoint(session.session_id, name, kept)

        def restored(current: Session) -> Session:
            for artifact in snapshot.artifacts:
                current = with_artifact(current, artifact)
            return replace(
                current,
                stages=snapshot.stages,
                scenario_results=snapshot.results,
                best_attempt=attempt,
            )

        return restored


def with_attempt(session: Session, ended: AttemptChanged) -> Session:
    """Add an attempt that is over to its session; once."""
    others = tuple(a for a in session.attempts if a.attempt != ended.attempt)
    return replace(session, attempts=(*others, ended))


def _begun(session: Session, attempt: int) -> Session:
    """The session whose stages from BUILD on are to be run anew."""
    stages = tuple(
        StageRecord(stage=r.stage) if r.stage in _REPAIRED else r for r in session.stages
    )
    return replace(session, attempt=attempt, stages=stages, scenario_results=())


def _failed_stage(session: Session) -> StageRecord | None:
    """The stage that failed by the firmware; a fault of the lab is nothing to repair."""
    outcomes = [r.outcome for r in session.stages]
    if Outcome.BROKEN in outcomes or Outcome.REFUSED in outcomes:
        return None
    return next(
        (r for r in session.stages if r.outcome is Outcome.FAILED and r.stage in _REPAIRED), None
    )


def _ending_stage(session: Session) -> Stage | None:
    ended = [r.stage for r in session.stages if r.outcome is not None]
    return ended[-1] if ended else None


def _warnings(build: Build | None) -> int:
    return sum(d.severity is Severity.WARNING for d in build.diagnostics) if build else 0


def _evidence_text(attempt: int, stage: Stage, failure: Failure) -> str:
    """The turn that the author gets: our words, and everybody else's as data."""
    framed = [as_data(section.name, section.text) for section in digest(failure)]
    return "\n\n".join([f"{_WHAT[stage].format(n=attempt)} What was seen:", *framed, _ASK])
