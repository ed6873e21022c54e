"""Which stages a session runs, and whether it goes on after one of them. Pure."""

from dataclasses import replace

from benchline.errors import InvalidRequestError
from controlplane.domain.session import Session, SessionRequest, StageRecord, stages_of
from controlplane.domain.verdict import Outcome, Stage, State


def planned_stages(request: SessionRequest) -> tuple[Stage, ...]:
    """The stages that a request runs, in order.

    Raises:
        InvalidRequestError: STAGE_NOT_AVAILABLE.
    """
    stages = stages_of(request)
    if request.until not in stages:
        names = ", ".join(stage.lower() for stage in stages)
        raise InvalidRequestError(
            "STAGE_NOT_AVAILABLE",
            f"this session cannot run until {request.until.lower()}; it has {names}",
            stage=request.until.value,
        )
    first = Stage.DESIGN
    if request.source is not None:
        first = Stage.SIMULATE if request.source.has_image else Stage.BUILD
        if request.source.is_design:
            first = Stage.DESIGN
    chosen = stages[stages.index(first) : stages.index(request.until) + 1]
    if not chosen:
        raise InvalidRequestError(
            "STAGE_NOT_AVAILABLE",
            f"the source starts at {first.lower()}, which is after {request.until.lower()}",
            stage=request.until.value,
        )
    return chosen


def with_stage(session: Session, record: StageRecord) -> Session:
    """The session with another record of a stage."""
    stages = tuple(record if r.stage is record.stage else r for r in session.stages)
    return replace(session, stages=stages)


def waits(session: Session) -> bool:
    """Whether a stage of the session waits for somebody."""
    return any(record.state is State.WAITING for record in session.stages)


def goes_on(session: Session, done: StageRecord | None) -> bool:
    """Whether the next stage makes sense after this one."""
    if done is None:
        return False
    if done.outcome in (Outcome.PASSED, Outcome.SKIPPED):
        return True
    failed = done.stage is Stage.SIMULATE and done.outcome is Outcome.FAILED
    return failed and session.request.board_anyway
