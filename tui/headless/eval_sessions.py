"""One case as a real session: starts it, waits for its end, and gathers what it shows."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
from google.protobuf.json_format import MessageToDict

from benchline.errors import InvalidRequestError, NotPermittedError, UnauthenticatedError
from benchline.v1 import session_pb2, verdict_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, failure_of, is_absent
from tui.client.instants import milliseconds_of
from tui.client.translate import outcome_of, stage_of
from tui.client.watch import Back, read_console, watch_session
from tui.evaluation.evidence import (
    Complaint,
    DesignFacts,
    Ending,
    Evidence,
    EvidenceError,
    Run,
    read_design,
    read_run,
)
from tui.evaluation.labels import Case, PromptSet
from tui.evaluation.oracle import Verdict, judge
from tui.evaluation.results import Reason, Results, Trial
from tui.evaluation.spending import spending_of
from tui.headless import local
from tui.headless.run_verb import STAGES, create
from tui.state.fact import Outcome

_LONGEST_REASON = 400
_HOPELESS = (InvalidRequestError, NotPermittedError, UnauthenticatedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One session that is to be run. ``request_id`` is the same whenever it is asked for again."""

    case: Case
    repeat: int
    seed: int
    request_id: str


def orders_of(prompts: PromptSet, results: Results) -> list[Order]:
    """Every session of a plan that is not judged yet: all cases once, then all of them again.

    What was broken is tried again, as another session.
    """
    plan = results.plan
    chosen = [case for case in prompts.cases if case.id in set(plan.cases)]
    return [
        Order(
            case=case,
            repeat=repeat,
            seed=_seed_of(plan.seed, case.id, repeat),
            request_id=_request_id(results, case.id, repeat),
        )
        for repeat in range(1, plan.repeat + 1)
        for case in chosen
        if _is_open(results.trials.get((case.id, repeat)))
    ]


def _is_open(trial: Trial | None) -> bool:
    return trial is None or trial.verdict is Verdict.BROKEN


def _request_id(results: Results, case: str, repeat: int) -> str:
    """The same id each time until the session is judged: it is never started, or paid, twice."""
    before = results.trials.get((case, repeat))
    tries = 0 if before is None else before.tries
    named = hashlib.sha256(f"{results.run_id} {case} {repeat} {tries}".encode()).digest()
    return str(uuid.UUID(bytes=named[:16], version=4))


def _seed_of(seed: int, case: str, repeat: int) -> int:
    named = uuid.uuid5(uuid.NAMESPACE_OID, f"benchline eval {seed} {case} {repeat}")
    return named.int >> 64


async def run_order(
    connection: Connection, prompts: PromptSet, results: Results, order: Order
) -> Trial:
    """Run one session to its end and judge it.

    Raises:
        BenchlineError: no session can be started in this way, whatever the sentence.
    """
    plan, before = results.plan, results.trials.get((order.case.id, order.repeat))
    request = session_pb2.CreateSessionRequest(
        request_id=order.request_id,
        prompt=order.case.prompt,
        board=order.case.board,
        until=STAGES[plan.until],
        designer=plan.designer,
        seed=order.seed,
        no_questions=True,
    )
    session, calls = session_pb2.Session(), list[dict[str, object]]()
    try:
        created = await create(connection, request)
        session = await _ended(connection, created.name, calls)
        evidence = await _evidence(
            connection, session, judged=plan.until not in {"design", "build"}
        )
    except grpc.aio.AioRpcError as error:
        evidence = _not_begun(error)
    except EvidenceError as error:
        evidence = Evidence(ending=Ending.BROKEN, message=str(error))
    verdict = judge(prompts, order.case, plan.designer, evidence)
    return Trial(
        case=order.case.id,
        repeat=order.repeat,
        seed=order.seed,
        tries=1 if before is None else before.tries + 1,
        session=session.name,
        verdict=verdict.verdict,
        ending=evidence.ending.value,
        stage=evidence.stage,
        problems=tuple(text[:_LONGEST_REASON] for text in verdict.problems),
        explained=verdict.explained,
        reasons=tuple(
            Reason(
                stage=one.stage,
                code=one.code,
                subject=one.subject[:_LONGEST_REASON],
                message=one.message[:_LONGEST_REASON],
            )
            for one in evidence.complaints
        ),
        repairs=max(session.attempt - 1, 0),
        wall_ms=_wall_ms(session),
        spending=spending_of(calls) if session.name else None,
    )


def _wall_ms(session: session_pb2.Session) -> int:
    """From when it was accepted to its end, on the server's clock."""
    if not session.HasField("end_time"):
        return 0
    return milliseconds_of(session.end_time) - milliseconds_of(session.create_time)


def _not_begun(error: grpc.aio.AioRpcError) -> Evidence:
    """A prompt that is refused at the door is refused; any other failure says nothing of it."""
    failure = failure_of(error)
    about_prompt = failure.reason.startswith("PROMPT")
    if isinstance(failure, _HOPELESS) and not about_prompt:
        raise failure from error
    ending = Ending.REFUSED if about_prompt else Ending.BROKEN
    complaint = Complaint(stage="", code=failure.reason, subject="", message=failure.message)
    return Evidence(
        ending=ending, message=f"{failure.reason}: {failure.message}", complaints=(complaint,)
    )


async def _ended(
    connection: Connection, name: str, calls: list[dict[str, object]]
) -> session_pb2.Session:
    """The session when it is over; what it tells of model calls on the way joins ``calls``."""
    async for event in watch_session(connection, name, on_away=local.bring_back):
        if isinstance(event, session_pb2.Session):
            return event
        if isinstance(event, Back):
            continue
        if event.WhichOneof("fact") == "model_call":
            calls.append(MessageToDict(event.model_call))
    raise AssertionError("a watch ends with the session")


async def _evidence(
    connection: Connection, session: session_pb2.Session, *, judged: bool
) -> Evidence:
    ending = _ending_of(session)
    design = await _design(connection, session.name) if ending is Ending.PASSED else None
    runs: list[Run] = []
    if judged and design is not None:
        runs = [run async for run in _runs(connection, session, design)]
    return Evidence(
        ending=ending,
        message=session.message,
        stage=_deciding_stage(session),
        complaints=tuple(
            Complaint(
                stage=stage_of(one.stage).value,
                code=one.code,
                subject=one.subject,
                message=one.message,
            )
            for one in session.findings
            if one.severity == verdict_pb2.Finding.SEVERITY_ERROR
        ),
        design=design,
        runs=tuple(runs),
        judged=judged,
    )


def _ending_of(session: session_pb2.Session) -> Ending:
    if session.state == verdict_pb2.STATE_CANCELLED:
        return Ending.CANCELLED
    outcome = outcome_of(session.outcome)
    return Ending.BROKEN if outcome is Outcome.NONE else Ending(outcome.value)


def _deciding_stage(session: session_pb2.Session) -> str:
    """The stage whose outcome is that of the session; "" when every stage passed."""
    if session.outcome == verdict_pb2.OUTCOME_PASSED:
        return ""
    for record in session.stages:
        if record.outcome == session.outcome:
            return stage_of(record.stage).value
    return ""


async def _design(connection: Connection, name: str) -> DesignFacts | None:
    request = session_pb2.GetSessionDesignRequest(name=name)
    try:
        answer = await connection.sessions.GetSessionDesign(request, timeout=CALL_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        if is_absent(error):
            return None
        raise
    return await asyncio.to_thread(read_design, answer.design.json)


async def _runs(
    connection: Connection, session: session_pb2.Session, design: DesignFacts
) -> AsyncIterator[Run]:
    """Each run that has a console; what was skipped has none."""
    by_id = {one.id: one for one in design.scenarios}
    for result in session.scenario_results:
        span = result.console
        if not span.console or span.end <= span.start:
            continue
        scenario = by_id.get(result.scenario_id)
        if scenario is None:
            raise EvidenceError(f"the design has no scenario {result.scenario_id}")
        report = await connection.download(result.report_sha256)
        console = await read_console(connection, span.console, start=span.start, end=span.end)
        yield await asyncio.to_thread(read_run, scenario, result.runner, report, console)
