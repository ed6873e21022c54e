"""``answer``: shows what a session asks, and answers it."""

import argparse

from tui.client.asking import answer_questions, open_round_of
from tui.client.translate import summary_of
from tui.headless import local
from tui.headless.output import data, json_line, talk
from tui.question_wording import question_lines


async def answer(options: argparse.Namespace) -> int:
    """Show the open questions of a session, or answer them."""
    connection = await local.ensure_up()
    async with connection:
        session = await connection.session(options.session)
        asked = open_round_of(session)
        short = summary_of(session).session_id
        if not options.answers:
            if asked is None:
                talk(f"session {short} asks nothing; it is {summary_of(session).state.value}")
            elif options.json:
                data(json_line(session.question_rounds[-1], whole=True))
            else:
                for line in question_lines(asked, short):
                    data(line)
            return 0
        number = asked.round if asked is not None else 0
        session = await answer_questions(connection, session.name, number, options.answers)
    if options.json:
        data(json_line(session, whole=True))
    else:
        talk(f"answered; session {short} goes on: `benchline watch {short}` shows it")
    return 0
