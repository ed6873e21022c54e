"""``sessions``, ``cancel`` and ``design``."""

import argparse
import datetime

import grpc

from benchline.v1 import design_pb2, session_pb2, verdict_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, failure_of, new_request_id
from tui.client.translate import finding_of, outcome_of, summary_of
from tui.headless import local
from tui.headless.following import follow
from tui.headless.output import data, exit_code, json_line, table, talk
from tui.headless.progress import finding_lines
from tui.headless.run_verb import create
from tui.headless.summary import design_lines
from tui.state.fact import Outcome, State
from tui.wording import session_cells


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
        ended = await connection.cancel(session.name)
    if options.json:
        data(json_line(ended, whole=True))
    else:
        state = summary_of(ended).state
        done = state is State.CANCELLED
        talk("cancelled" if done else f"cancel was asked for; the session is {state.value}")
    return 0


async def design(options: argparse.Namespace) -> int:
    """Design without starting a session; what costs money is a session until DESIGN."""
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        if options.designer == "claude":
            return await _designed_by_session(connection, options)
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


async def _designed_by_session(connection: Connection, options: argparse.Namespace) -> int:
    """A session that ends with its design: what was asked and answered is kept with it."""
    request = session_pb2.CreateSessionRequest(
        request_id=new_request_id(),
        prompt=options.prompt,
        board=options.board or "",
        designer=options.designer,
        until=verdict_pb2.STAGE_DESIGN,
    )
    session = await create(connection, request)
    talk(f"session {session.name.rpartition('/')[2]}")
    code = await follow(connection, session.name, json=options.json)
    if code == 0 and not options.json:
        answer = await connection.sessions.GetSessionDesign(
            session_pb2.GetSessionDesignRequest(name=session.name), timeout=CALL_TIMEOUT_S
        )
        for line in design_lines(answer.design):
            data(line)
    return code
