"""Runs sessions: takes them from the work queue and leads each through its stages."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from benchline.errors import BenchlineError, ConflictError, InvalidRequestError, NotReadyError
from benchline.names import session_name
from controlplane.domain.attempt import AttemptChanged
from controlplane.domain.event import SessionChanged, StageChanged
from controlplane.domain.question import Answer
from controlplane.domain.session import Session, SessionRequest, StageRecord
from controlplane.domain.verdict import Outcome, Stage, State
from controlplane.ops.incident import log_incident
from controlplane.pipeline.answering import answer_session
from controlplane.pipeline.repair import Ending, Repairs, with_attempt
from controlplane.pipeline.stage import (
    StageAsks,
    StageResult,
    StageRun,
    StageWaits,
    StageWork,
)
from controlplane.pipeline.stage_order import goes_on, planned_stages, waits
from controlplane.pipeline.stage_steps import (
    begin_stage,
    end_stage,
    wait_for_answers,
    wait_outside,
)
from controlplane.pipeline.summary import session_evidence, session_message, session_outcome
from controlplane.storage.database import Database, Transaction
from controlplane.storage.sessions import SessionStore
from controlplane.storage.work_queue import Delivery, Job, WorkQueue

log = logging.getLogger(__name__)

_KIND = "session"
# Stages resume after a restart, so there is nothing to wait for.
_SHUTDOWN_GRACE = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """What the engine works with."""

    database: Database
    store: SessionStore
    queue: WorkQueue
    stages: Mapping[Stage, StageWork]
    new_session_id: Callable[[], str]
    owner: str
    session_slots: int
    repairs: Repairs | None = None


class Engine:
    """Starts, runs, resumes and cancels sessions."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._cancelled: set[str] = set()
        self._running: set[str] = set()
        # What sessions wait for that is no answer of a person to a question.
        self._outside: dict[str, Callable[[], Awaitable[None]]] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._stop = asyncio.Event()

    async def start(self, request: SessionRequest, principal: str, request_id: str) -> Session:
        """Accept a session; it is PENDING and will be run.

        Raises:
            InvalidRequestError: STAGE_NOT_AVAILABLE, BOARD_UNKNOWN or DESIGNER_UNKNOWN.
        """
        stages = planned_stages(request)
        now = datetime.now(UTC)
        session = Session(
            name=session_name(self._parts.new_session_id()),
            request=request,
            state=State.PENDING,
            stages=tuple(StageRecord(stage=stage) for stage in stages),
            principal=principal,
            create_time=now,
            update_time=now,
            seed=request.seed or 0,
        )
        facts = (SessionChanged(state=State.PENDING, message="accepted"),)
        stored = await self._store.create(session, request_id, facts)
        await self._enqueue(stored.session_id)
        return stored

    async def cancel(self, session_id: str) -> Session:
        """Ask a session to end.

        Raises:
            NotReadyError: SESSION_ENDED.
        """
        session = await self._store.get(session_id)
        if session.state.ended:
            raise NotReadyError(
                "SESSION_ENDED", f"{session.name} is already over", session=session.name
            )
        self._cancelled.add(session_id)
        await self._parts.database.transact(lambda tx: self._parts.queue.cancel(tx, session_id))
        if session_id not in self._running:
            await self._finish_cancelled(session_id)
            if watcher := self._watchers.pop(session_id, None):
                watcher.cancel()
        return await self._store.get(session_id)

    async def answer(
        self, session_id: str, given: Sequence[Answer], round_number: int, principal: str
    ) -> Session:
        """Answer what a session asks; it goes on where it waited.

        Raises:
            NotReadyError: NOT_WAITING.
            InvalidRequestError: an answer that is none, see :func:`answer_session`.
        """
        return await answer_session(
            self._parts.database,
            self._store,
            session_id,
            given,
            round_number=round_number,
            answered_by=principal,
            work_on=self._enqueue_in,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop. Sessions in work are resumed by the next start."""
        self._stop = stop
        for session in await self._store.unfinished():
            if session.open_round is None:
                await self._enqueue(session.session_id)
        try:
            await self._parts.queue.work(
                self._deliver,
                kinds={_KIND},
                concurrency=self._parts.session_slots,
                stop=stop,
                grace=_SHUTDOWN_GRACE,
            )
        finally:
            for task in self._watchers.values():
                task.cancel()

    async def _enqueue(self, session_id: str) -> None:
        await self._parts.database.transact(lambda tx: self._enqueue_in(tx, session_id))

    def _enqueue_in(self, tx: Transaction, session_id: str) -> None:
        self._parts.queue.put(tx, Job(key=session_id, kind=_KIND))

    async def _deliver(self, delivery: Delivery) -> None:
        session_id = delivery.job.key
        if session_id in self._running:
            return
        self._running.add(session_id)
        try:
            await self._lead(session_id)
        except asyncio.CancelledError:
            if session_id in self._cancelled:
                await self._finish_cancelled(session_id)
            raise
        except ConflictError as error:
            log.warning("session taken over", extra={"session": session_id, "why": str(error)})
        finally:
            self._running.discard(session_id)
            self._cancelled.discard(session_id)
            if until := self._outside.pop(session_id, None):
                # Not before: a job that comes while the session is in work is dropped.
                task = asyncio.create_task(self._wake(session_id, until), name=f"wake {session_id}")
                self._watchers[session_id] = task

    async def _wake(self, session_id: str, until: Callable[[], Awaitable[None]]) -> None:
        """Work on a session again once what it waits for has happened."""
        await until()
        self._watchers.pop(session_id, None)
        await self._enqueue(session_id)

    async def _lead(self, session_id: str) -> None:
        session = await self._store.get(session_id)
        if session.state.ended or session.open_round is not None:
            return
        if session.state is State.PENDING:
            session = await self._store.record(
                session_id,
                (
                    SessionChanged(state=State.RUNNING),
                    AttemptChanged(attempt=session.attempt, state=State.RUNNING),
                ),
                change=lambda s: replace(s, state=State.RUNNING),
            )
        repairs = self._parts.repairs
        while True:
            session = await self._run_stages(session)
            if waits(session):
                return
            following = await repairs.following(session) if repairs else None
            if following is None:
                break
            session = following
        await self._finish(session)

    async def _run_stages(self, session: Session) -> Session:
        """Run what is not done yet of an attempt, up to the first stage that does not pass."""
        for record in session.stages:
            done = session.stage_record(record.stage)
            if done is None or done.state is not State.DONE:
                session = await self._run_stage(session, record.stage)
                done = session.stage_record(record.stage)
            if not goes_on(session, done):
                break
        return session

    async def _run_stage(self, session: Session, stage: Stage) -> Session:
        session_id = session.session_id
        run = await begin_stage(
            self._store,
            session,
            stage,
            owner=self._parts.owner,
            cancel_requested=lambda: session_id in self._cancelled,
            stopping=self._stop.is_set,
        )
        began = time.monotonic()
        result = await self._guarded(run, self._parts.stages[stage])
        spent = timedelta(seconds=time.monotonic() - began)
        match result:
            case StageAsks():
                await wait_for_answers(run, result)
            case StageWaits():
                await wait_outside(run, result)
                self._outside[session_id] = result.until
            case StageResult():
                await end_stage(run, result, spent)
        return run.session

    async def _guarded(
        self, run: StageRun, work: StageWork
    ) -> StageResult | StageAsks | StageWaits:
        """Run a stage; whatever it throws that is not ours to handle is the lab's fault."""
        try:
            return await work.run(run)
        except BenchlineError as error:
            if error.reason == "STALE_FENCE":
                raise
            # What was given cannot be used: nobody's lab is broken, and no retry helps.
            given = isinstance(error, InvalidRequestError)
            outcome = Outcome.REFUSED if given else Outcome.BROKEN
            return StageResult(outcome=outcome, message=f"{error.reason}: {error}")
        except Exception as error:
            message = log_incident(
                log, error, "a stage threw", session=run.session_id, stage=run.stage
            )
            return StageResult(outcome=Outcome.BROKEN, message=message)

    async def _finish(self, session: Session) -> None:
        outcome = session_outcome(session)
        message = session_message(session, outcome)
        ending = Ending(
            attempt=AttemptChanged(
                attempt=session.attempt, state=State.DONE, outcome=outcome, message=message
            )
        )
        if self._parts.repairs is not None:
            ending = await self._parts.repairs.ending(session, outcome, message)
        shown = ending.change(session)
        outcome, evidence = session_outcome(shown), session_evidence(shown)
        message = session_message(shown, outcome)
        message = f"{message} ({ending.told})" if ending.told else message
        now = datetime.now(UTC)
        facts = (
            ending.attempt,
            SessionChanged(state=State.DONE, outcome=outcome, evidence=evidence, message=message),
        )
        await self._store.record(
            session.session_id,
            facts,
            attempt=session.attempt,
            change=lambda s: replace(
                with_attempt(ending.change(s), ending.attempt),
                state=State.DONE,
                outcome=outcome,
                evidence=evidence,
                message=message,
                end_time=now,
            ),
        )
        log.info("session ended", extra={"session": session.name, "outcome": outcome.value})

    async def _finish_cancelled(self, session_id: str) -> None:
        now = datetime.now(UTC)
        message = "cancelled on request"

        def cancelled(session: Session) -> Session:
            stages = tuple(
                r if r.state is State.DONE else replace(r, state=State.CANCELLED)
                for r in session.stages
            )
            return replace(
                session, state=State.CANCELLED, stages=stages, message=message, end_time=now
            )

        session = await self._store.get(session_id)
        facts = [
            StageChanged(stage=r.stage, state=State.CANCELLED, message=message, runs=r.runs)
            for r in session.stages
            if r.state in (State.RUNNING, State.WAITING)
        ]
        with contextlib.suppress(BenchlineError):  # it ended by itself in the meantime
            await self._store.record(
                session_id,
                (*facts, SessionChanged(state=State.CANCELLED, message=message)),
                change=cancelled,
            )
