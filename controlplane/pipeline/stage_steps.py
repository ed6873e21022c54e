"""How a stage of a session begins, waits and ends; each is one transaction with its events."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from controlplane.domain.event import Fact, Note, SessionChanged, StageChanged
from controlplane.domain.question import QuestionRound, QuestionsAsked
from controlplane.domain.session import Session, StageRecord
from controlplane.domain.verdict import Stage, State
from controlplane.pipeline.stage import (
    SessionChange,
    StageAsks,
    StageResult,
    StageRun,
    StageWaits,
    unchanged,
)
from controlplane.pipeline.stage_order import with_stage
from controlplane.storage.sessions import SessionStore

log = logging.getLogger(__name__)


async def begin_stage(
    store: SessionStore,
    session: Session,
    stage: Stage,
    *,
    owner: str,
    cancel_requested: Callable[[], bool],
    stopping: Callable[[], bool],
) -> StageRun:
    """Claim a stage and say that it runs, or that it goes on.

    Raises:
        ConflictError: STALE_FENCE, somebody else claimed it in the same moment.
    """
    fence = await store.claim_stage(session.session_id, stage, owner)
    before = _record_of(session, stage)
    waited = before.state is State.WAITING
    runs = before.runs if waited else before.runs + 1
    facts: tuple[Fact, ...] = (StageChanged(stage=stage, state=State.RUNNING, runs=runs),)
    if waited:
        facts = (SessionChanged(state=State.RUNNING), *facts)
    elif runs > 1:
        why = f"{stage.lower()} was interrupted; run {runs} resumes it"
        facts = (Note(text=why), *facts)
    run = StageRun(
        store=store,
        session=session,
        stage=stage,
        fence=fence,
        runs=runs,
        cancel_requested=cancel_requested,
        stopping=stopping,
    )
    record = replace(before, state=State.RUNNING, runs=runs, outcome=None)
    await run.record(*facts, change=lambda s: with_stage(replace(s, state=State.RUNNING), record))
    return run


async def wait_for_answers(run: StageRun, asks: StageAsks) -> None:
    """Let the session wait for a person: nothing of it is in work, and nothing is held."""
    number = len(run.session.question_rounds) + 1
    asked = QuestionRound(round=number, questions=asks.questions)
    log.info("session waits", extra={"session": run.session.name, "round": number})
    await _wait(
        run,
        asks.message,
        QuestionsAsked(round=number, questions=asks.questions),
        change=lambda s: replace(s, question_rounds=(*s.question_rounds, asked)),
    )


async def wait_outside(run: StageRun, waits: StageWaits) -> None:
    """Let the session wait for something that happens elsewhere."""
    await _wait(run, waits.message)


async def _wait(
    run: StageRun, message: str, *asked: Fact, change: SessionChange = unchanged
) -> None:
    record = replace(_record_of(run.session, run.stage), state=State.WAITING, message=message)
    await run.record(
        StageChanged(stage=run.stage, state=State.WAITING, message=message, runs=record.runs),
        *asked,
        SessionChanged(state=State.WAITING, message=message),
        change=lambda s: change(
            replace(with_stage(s, record), state=State.WAITING, message=message)
        ),
    )


async def end_stage(run: StageRun, result: StageResult, spent: timedelta) -> None:
    """Store how a stage ended, and what it changes about the session."""
    record = StageRecord(
        stage=run.stage,
        state=State.DONE,
        outcome=result.outcome,
        duration=spent,
        cached=result.cached,
        message=result.message,
        runs=run.runs,
        inputs_hash=result.inputs_hash,
    )
    closing = StageChanged(
        stage=run.stage,
        state=State.DONE,
        outcome=result.outcome,
        message=result.message,
        cached=result.cached,
        runs=run.runs,
        duration_ms=round(spent.total_seconds() * 1000),
    )
    await run.record(closing, change=lambda s: result.change(with_stage(s, record)))


def _record_of(session: Session, stage: Stage) -> StageRecord:
    return session.stage_record(stage) or StageRecord(stage=stage)
