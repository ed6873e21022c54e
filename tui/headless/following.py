"""``watch``: follows a session to its end, and tells how it ended."""

import argparse
import asyncio
import contextlib

from benchline.v1 import session_pb2, verdict_pb2
from tui.client.connection import Connection
from tui.client.translate import event_of, outcome_of
from tui.client.watch import Back, watch_session
from tui.headless import local
from tui.headless.asking import TerminalAsker, at_terminal
from tui.headless.output import EXIT_LEFT, data, exit_code, is_one_stream, json_line, talk
from tui.headless.progress import Progress
from tui.headless.summary import session_lines
from tui.state.run import RunView


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


async def follow(
    connection: Connection,
    name: str,
    *,
    json: bool,
    from_sequence: int = 1,
    plain: bool = False,
    asks: bool = False,
) -> int:
    """Tell every event, then the finished session; gives the exit code of its outcome.

    ``asks``: what the session asks may be answered at the terminal.
    """
    session, seen = await to_its_end(
        connection, name, json=json, from_sequence=from_sequence, plain=plain, asks=asks
    )
    if json:
        data(json_line(session, whole=True))
    else:
        for line in session_lines(session, seen if is_one_stream() else None):
            data(line)
    return session_exit(session)


async def to_its_end(
    connection: Connection,
    name: str,
    *,
    json: bool,
    from_sequence: int = 1,
    plain: bool = False,
    asks: bool = False,
) -> tuple[session_pb2.Session, RunView]:
    """Tell every event, as `follow` does; gives the finished session, and what was seen of it."""
    view = RunView(name=name, last_sequence=max(from_sequence, 1) - 1)
    session = session_pb2.Session()
    gone = False
    async with contextlib.AsyncExitStack() as stack:
        progress = await stack.enter_async_context(Progress(view, plain=plain))
        asker: TerminalAsker | None = None
        if asks and not json and at_terminal():
            asker = await stack.enter_async_context(TerminalAsker(connection, name, progress.say))

        async def away(reason: str) -> None:
            nonlocal gone
            if not gone:
                progress.say("the server is away; the session goes on when it is back")
            gone = True
            await local.bring_back(reason)

        events = watch_session(connection, name, from_sequence=from_sequence, on_away=away)
        async for event in events:
            match event:
                case Back():
                    gone = False
                    progress.say("connected again")
                case session_pb2.Session():
                    session = event
                case _:
                    if json:
                        data(json_line(event))
                    progress.feed(event_of(event))
                    if asker is not None:
                        await asker.follow(progress.view)
    return session, progress.view


def session_exit(session: session_pb2.Session) -> int:
    """The exit code of a session; a cancelled one counts as left."""
    if session.state == verdict_pb2.STATE_CANCELLED:
        return EXIT_LEFT
    return exit_code(outcome_of(session.outcome))
