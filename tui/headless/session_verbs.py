"""``run``, ``watch``, ``sessions``, ``cancel`` and ``design``."""

import argparse
import asyncio
import datetime
from pathlib import Path

import grpc

from benchline.v1 import design_pb2, session_pb2, verdict_pb2
from tui.client.connection import (
    CALL_TIMEOUT_S,
    Connection,
    failure_of,
    is_away,
    new_request_id,
)
from tui.client.translate import event_of, finding_of, outcome_of, summary_of
from tui.client.watch import Back, watch_session
from tui.headless import local
from tui.headless.output import EXIT_LEFT, data, exit_code, json_line, table, talk
from tui.headless.progress import Progress, finding_lines
from tui.headless.source import load_source
from tui.headless.summary import design_lines, session_lines
from tui.state.fact import Outcome, State
from tui.state.run import RunView
from tui.wording import DEMO_PROMPT, EXAMPLES, session_cells

_CREATE_TRIES = 20
STAGES = {
    "design": verdict_pb2.STAGE_DESIGN,
    "build": verdict_pb2.STAGE_BUILD,
    "simulate": verdict_pb2.STAGE_SIMULATE,
    "deploy": verdict_pb2.STAGE_DEPLOY,
}


async def run(options: argparse.Namespace) -> int:
    """Start a session and follow it to its end."""
    if options.examples:
        for example in EXAMPLES:
            data(example)
        return 0
    connection = await local.ensure_up()
    async with connection:
        request = session_pb2.CreateSessionRequest(
            request_id=new_request_id(),
            prompt=DEMO_PROMPT if options.demo else options.prompt or "",
            board=options.board or "",
            designer=options.designer or "",
        )
        if options.until:
            request.until = STAGES[options.until]
        if options.seed is not None:
            request.seed = options.seed
        if options.source:
            paths = [Path(one) for one in options.scenario]
            request.source.CopyFrom(await load_source(connection, Path(options.source), paths))
        session = await create(connection, request)
        talk(f"session {session.name.rpartition('/')[2]}")
        return await _follow_to_end(connection, session, options)


async def create(
    connection: Connection, request: session_pb2.CreateSessionRequest
) -> session_pb2.Session:
    """Create a session; safe to repeat while the server is away, by the request id."""
    for left in reversed(range(_CREATE_TRIES)):
        try:
            answer = await connection.sessions.CreateSession(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if not is_away(error) or not left:
                raise
            await local.bring_back("")
            await asyncio.sleep(0.25)
        else:
            return answer.session
    raise AssertionError("the last try returns or raises")


async def _follow_to_end(
    connection: Connection, session: session_pb2.Session, options: argparse.Namespace
) -> int:
    try:
        return await follow(connection, session.name, json=options.json)
    except asyncio.CancelledError:
        short = session.name.rpartition("/")[2]
        if options.cancel_on_exit:
            await _cancel(connection, session.name)
            talk(f"left; session {short} was asked to end")
        else:
            talk(f"left; session {short} goes on: `benchline watch {short}` shows it")
        return EXIT_LEFT


async def follow(
    connection: Connection, name: str, *, json: bool, from_sequence: int = 1, plain: bool = False
) -> int:
    """Tell every event, then the finished session; gives the exit code of its outcome."""
    view = RunView(name=name, last_sequence=max(from_sequence, 1) - 1)
    gone = False
    async with Progress(view, plain=plain) as progress:

        async def away(reason: str) -> None:
            nonlocal gone
            if not gone:
                progress.say("the server is away; the session goes on when it is back")
            gone = True
            await local.bring_back(reason)

        events = watch_session(connection, name, from_sequence=from_sequence, on_away=away)
        async for event in events:
            if isinstance(event, Back):
                gone = False
                progress.say("connected again")
                continue
            if json:
                data(json_line(event))
            progress.feed(event_of(event))
    session = await connection.session(name)
    if json:
        data(json_line(session, whole=True))
    else:
        for line in session_lines(session):
            data(line)
    return session_exit(session)


def session_exit(session: session_pb2.Session) -> int:
    """The exit code of a session; a cancelled one counts as left."""
    if session.state == verdict_pb2.STATE_CANCELLED:
        return EXIT_LEFT
    return exit_code(outcome_of(session.outcome))


async def watch(options: argparse.Namespace) -> int:
    """Follow a session to its end."""
    connection = await local.ensure_up()
    async with connection:
        session = await connection.session(options.session)
        short = session.name.rpartition("/")[2]
        try:
            return await follow(
                connection,
                session.name,
                json=options.json,
                from_sequence=options.from_sequence,
                plain=options.plain,
            )
        except asyncio.CancelledError:
            talk(f"left; session {short} goes on: `benchline watch {short}` shows it")
            return EXIT_LEFT


async def sessions(options: argparse.Namespace) -> int:
    """List sessions, newest first."""
    connection = await local.ensure_up()
    async with connection:
        found = await connection.all_sessions(options.limit)
    if options.json:
        for session in found:
            data(json_line(session, whole=True))
        return 0
    rows = []
    for session in found:
        created = datetime.datetime.fromtimestamp(
            session.create_time.seconds, tz=datetime.UTC
        ).astimezone()
        rows.append(session_cells(summary_of(session), f"{created:%Y-%m-%d %H:%M}"))
    for line in table(rows):
        data(line)
    if not found:
        talk("no sessions yet; `benchline run PROMPT` starts one, `run --examples` lists prompts")
    return 0


async def cancel(options: argparse.Namespace) -> int:
    """Ask a session to end."""
    connection = await local.ensure_up()
    async with connection:
        session = await connection.session(options.session)
        ended = await _cancel(connection, session.name)
    if options.json:
        data(json_line(ended, whole=True))
    else:
        state = summary_of(ended).state
        done = state is State.CANCELLED
        talk("cancelled" if done else f"cancel was asked for; the session is {state.value}")
    return 0


async def _cancel(connection: Connection, name: str) -> session_pb2.Session:
    request = session_pb2.CancelSessionRequest(name=name, request_id=new_request_id())
    answer = await connection.sessions.CancelSession(request, timeout=CALL_TIMEOUT_S)
    return answer.session


async def design(options: argparse.Namespace) -> int:
    """Design without starting a session."""
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        request = design_pb2.PreviewDesignRequest(prompt=options.prompt, board=options.board or "")
        try:
            answer = await connection.designs.PreviewDesign(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error
    outcome = outcome_of(answer.outcome)
    if options.json:
        data(json_line(answer, whole=True))
        return exit_code(outcome)
    for line in design_lines(answer.design) if outcome is Outcome.PASSED else []:
        data(line)
    for finding in answer.findings:
        for line in finding_lines(finding_of(finding)):
            talk(line)
    return exit_code(outcome)
