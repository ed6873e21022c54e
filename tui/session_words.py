"""The words and options of verbs about sessions. Imports nothing heavy."""

import argparse
import contextlib

from tui.answer_words import no_questions_option
from tui.design_words import ceiling_alone, designer_option
from tui.stack_words import check_run_stack, stack_option


def run_options(parser: argparse.ArgumentParser) -> None:
    """Declare those of ``run``."""
    parser.add_argument(
        "words", nargs="*", default=[], metavar="PROMPT", help="what the device should do, quoted"
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="PATH",
        help="a project directory, a sketch (.ino), an image (.elf, .bin, .hex), a "
        "flasher_args.json or a design (.json, .yaml) instead",
    )
    parser.add_argument(
        "--design", metavar="NAME", help="a kept design instead (NAME or NAME@REVISION)"
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="FILE",
        help="judge with this scenario too (with --from; repeatable)",
    )
    parser.add_argument("--board", metavar="BOARD", help="board model, part or selector")
    parser.add_argument(
        "--until",
        type=str.lower,
        choices=("design", "build", "simulate", "provision", "deploy"),
        help="last stage to run",
    )
    board_anyway_option(parser)
    designer_option(parser)
    stack_option(parser)
    no_questions_option(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the stimulus values")
    parser.add_argument("--demo", action="store_true", help="use the demonstration prompt")
    parser.add_argument("--examples", action="store_true", help="list prompts that work, and end")
    parser.add_argument(
        "--cancel-on-exit", action="store_true", help="leaving (Ctrl-C) cancels the session"
    )


def check_run(options: argparse.Namespace) -> str | None:
    """What is wrong with the options of ``run``; None when nothing is."""
    if len(options.words) > 1:
        return "put what the device should do into quotes"
    options.prompt = options.words[0] if options.words else None
    ways = [bool(options.prompt), bool(options.source), bool(options.design)]
    if sum([*ways, options.demo, options.examples]) != 1:
        return "give one of PROMPT, --from PATH, --design NAME, --demo or --examples"
    if options.scenario and not options.source:
        return "--scenario needs --from"
    if wrong := check_run_stack(options):
        return wrong
    return check_seed(options) or ceiling_alone(options)


def check_seed(options: argparse.Namespace) -> str | None:
    """What is wrong with the seed, where one is given; None when nothing is."""
    if options.seed is not None and not 0 <= options.seed < 1 << 64:
        return "--seed is a number from 0 to 2^64-1"
    return None


def watch_options(parser: argparse.ArgumentParser) -> None:
    """Declare those of ``watch``."""
    session_option(parser)
    parser.add_argument(
        "--from-sequence", type=int, default=1, metavar="N", help="first event wanted"
    )
    parser.add_argument("--plain", action="store_true", help="one line an event, no moving line")


def show_options(parser: argparse.ArgumentParser) -> None:
    """Declare those of ``show``."""
    session_option(parser)
    parser.add_argument("--no-transcript", action="store_true", help="leave the consoles out")
    parser.add_argument(
        "--attempts",
        action="store_true",
        help="the attempts alone, each with its whole difference and the evidence it was made from",
    )


def project_options(parser: argparse.ArgumentParser) -> None:
    """Declare what ``project`` does."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write a session's project into a directory")
    session_option(export)
    export.add_argument("directory", metavar="DIR")


def session_option(parser: argparse.ArgumentParser) -> None:
    """The session that is meant."""
    parser.add_argument("session", metavar="SESSION", help="id, or the beginning of one")


def listing_options(parser: argparse.ArgumentParser) -> None:
    """How much of a list is wanted."""
    parser.add_argument(
        "--limit", type=_at_least_one, default=50, metavar="N", help="at most this many"
    )


def _at_least_one(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (value := int(text)) >= 1:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")


def board_anyway_option(parser: argparse.ArgumentParser) -> None:
    """Whether a failed simulation keeps a session from the board."""
    parser.add_argument(
        "--board-anyway",
        action="store_true",
        help="judge on the board too when the simulation failed, to compare the two",
    )
