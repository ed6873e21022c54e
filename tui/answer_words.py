"""The words and options of ``answer``. Imports nothing heavy."""

import argparse


def answer_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("session", metavar="SESSION", help="id, or the beginning of one")
    parser.add_argument(
        "words",
        nargs="*",
        default=[],  # without one, a missing SESSION is told as two missing words
        metavar="ID=TEXT",
        help='an answer, e.g. "blink_rate=at 2 Hz"; without any, the questions are shown',
    )


def check_answer(options: argparse.Namespace) -> str | None:
    """Take the answers apart; what is wrong with them, None when they are right."""
    options.answers = {}
    for word in options.words:
        key, sign, text = word.partition("=")
        if not sign or not key:
            return f"{word!r} is no answer: write ID=TEXT, in quotes where TEXT has spaces"
        if key in options.answers:
            return f"{key} is answered twice"
        options.answers[key] = text
    return None


def no_questions_option(parser: argparse.ArgumentParser) -> None:
    """Whether somebody is there to answer."""
    parser.add_argument(
        "--no-questions",
        action="store_true",
        help="refuse what only a person can answer, instead of asking and waiting",
    )
