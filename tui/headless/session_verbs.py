"""``sessions`` and ``cancel``."""

import argparse
import datetime

from tui.client.translate import summary_of
from tui.headless import local
from tui.headless.output import data, json_line, table, talk
from tui.state.fact import State
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
    if any(summary_of(session).asks for session in found):
        talk("`benchline answer SESSION` shows what a session that waits for you asks")
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
