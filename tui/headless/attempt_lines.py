"""The attempts of a session as text: what each changed, spent and came to."""

import json

from google.protobuf.json_format import MessageToDict

from benchline.v1 import session_pb2
from tui.client.connection import Connection
from tui.client.translate import summary_of
from tui.coverage_wording import coverage_lines
from tui.headless.output import data
from tui.spending_words import against_ceiling, not_proved, spent_words
from tui.state.attempts import AttemptView, attempts_of, total_spent
from tui.state.run import RunView, begin
from tui.wording import attempt_line, visible

_SHORT_DIFF = 60


def worth_telling(session: session_pb2.Session) -> bool:
    """Whether anything was asked of a model, or repaired."""
    return len(session.attempts) > 1 or any(one.calls for one in session.attempts)


def run_of_session(session: session_pb2.Session) -> RunView:
    """What a session alone says of its attempts."""
    return begin(summary_of(session))


async def tell_attempts(
    connection: Connection, session: session_pb2.Session, *, whole: bool = False
) -> None:
    """Each attempt that is over with its difference; ``whole`` leaves nothing out."""
    run = run_of_session(session)
    attempts = attempts_of(run, session.best_attempt)
    for attempt in attempts:
        if whole:
            await _tell_reason(connection, session, attempt)
        told = next((one for one in run.attempts if one.attempt == attempt.number), None)
        if told is None:
            data(f"  ▶ attempt {attempt.number}  {attempt.stage.value} {attempt.state.value}")
            continue
        data(f"  {visible(attempt_line(told))}")
        if told.message:
            data(f"    {visible(told.message)}")
        if told.coverage is not None:
            for line in coverage_lines(told.coverage):
                data(f"    {line}")
        await _tell_diff(connection, attempt, whole=whole)
    if any(one.calls for one in run.attempts):
        spent = total_spent(run)
        data(f"  together {spent_words(spent)}")
        data(f"  cost     {against_ceiling(spent, session.cost_ceiling_micro_usd)}")
    verdict = not_proved(attempts, run.state, run.message)
    if verdict:
        data(f"  {verdict}")
    if session.best_attempt:
        data(f"  stages, results and images are those of attempt {session.best_attempt}")


async def tell_attempts_json(connection: Connection, session: session_pb2.Session) -> None:
    """One object an attempt: what is told of it, with its difference and its evidence as text."""
    for wire in session.attempts:
        told = MessageToDict(wire, always_print_fields_with_no_presence=True)
        told["diff"] = await _text(connection, wire.diff_sha256)
        told["evidence"] = await _text(connection, evidence_of(session, wire.attempt))
        data(json.dumps(told))


def evidence_of(session: session_pb2.Session, attempt: int) -> str:
    """Digest of what an attempt was made from: what was seen of the one before; "" for none."""
    kind = f"evidence.{attempt - 1}"
    return next((one.sha256 for one in session.artifacts if one.kind == kind), "")


async def _tell_reason(
    connection: Connection, session: session_pb2.Session, attempt: AttemptView
) -> None:
    text = await _text(connection, evidence_of(session, attempt.number))
    if text:
        data(f"  attempt {attempt.number} was made from this evidence:")
        for line in text.splitlines():
            data(f"    | {visible(line)}")


async def _tell_diff(connection: Connection, attempt: AttemptView, *, whole: bool) -> None:
    lines = (await _text(connection, attempt.diff_sha256)).splitlines()
    shown = lines if whole else lines[:_SHORT_DIFF]
    for line in shown:
        data(f"    {visible(line)}")
    if len(lines) > len(shown):
        data(f"    … and {len(lines) - len(shown)} more lines (--attempts prints them)")


async def _text(connection: Connection, sha256: str) -> str:
    if not sha256:
        return ""
    return (await connection.download(sha256)).decode("utf-8", "replace")
