"""``run``: from a sentence or a project to a verdict.

A repeat with nothing changed takes the server a blink, so what is not needed to ask is loaded late.
"""

import argparse
import asyncio
from pathlib import Path

import grpc

from benchline.v1 import session_pb2, verdict_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, is_away, new_request_id
from tui.headless import local
from tui.headless.output import EXIT_LEFT, data, talk
from tui.prompts import DEMO_PROMPT, EXAMPLES

_CREATE_TRIES = 20
STAGES = {
    "design": verdict_pb2.STAGE_DESIGN,
    "build": verdict_pb2.STAGE_BUILD,
    "simulate": verdict_pb2.STAGE_SIMULATE,
    "provision": verdict_pb2.STAGE_PROVISION,
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
            design=kept_name(options.design or ""),
            board_anyway=options.board_anyway,
            no_questions=options.no_questions,
            stack=options.stack or "",
            device=options.device or "",
            auto_approve=options.auto_approve,
        )
        if options.until:
            request.until = STAGES[options.until]
        if options.seed is not None:
            request.seed = options.seed
        if options.ceiling is not None:
            request.cost_ceiling_micro_usd = options.ceiling
        if options.source:
            from tui.headless.source import load_source

            paths = [Path(one) for one in options.scenario]
            request.source.CopyFrom(await load_source(connection, Path(options.source), paths))
        creating = asyncio.ensure_future(create(connection, request))
        await asyncio.sleep(0)
        # What follows a session is loaded while the server already works on it.
        from tui.headless.following import follow

        session = await creating
        talk(f"session {session.name.rpartition('/')[2]}")
        try:
            return await follow(connection, session.name, json=options.json, asks=True)
        except asyncio.CancelledError:
            await _leave(connection, session, options)
            return EXIT_LEFT


def kept_name(word: str) -> str:
    """``NAME@REVISION`` as the server names it."""
    name, _, revision = word.partition("@")
    return f"{name}/revisions/{revision}" if revision else name


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


async def _leave(
    connection: Connection, session: session_pb2.Session, options: argparse.Namespace
) -> None:
    short = session.name.rpartition("/")[2]
    if options.cancel_on_exit:
        await connection.cancel(session.name)
        talk(f"left; session {short} was asked to end")
    else:
        talk(f"left; session {short} goes on: `benchline watch {short}` shows it")
