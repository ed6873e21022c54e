"""The words and options of ``eval``. Imports nothing heavy."""

import argparse

from tui.design_words import DESIGNERS
from tui.session_words import check_seed

_MOST = {"repeat": 100, "limit": 1000, "jobs": 32}


def eval_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("file", metavar="FILE", help="a prompt set; see docs/evaluation.md")
    parser.add_argument("--designer", choices=DESIGNERS, default="offline", help="who is evaluated")
    parser.add_argument(
        "--until",
        type=str.lower,
        choices=("design", "build", "simulate", "deploy"),
        default="simulate",
        help="last stage to run (simulate)",
    )
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="K", help="sessions of each sentence, for pass@K"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="draws stimulus values (1)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N sentences alone")
    parser.add_argument(
        "--case", action="append", default=[], metavar="ID", help="this sentence (repeatable)"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="sessions at a time (2)")
    parser.add_argument(
        "--out", metavar="PATH", help="result file; one that is there is gone on with"
    )
    parser.add_argument("--fresh", action="store_true", help="begin anew, over a result file")
    parser.add_argument("--page", metavar="PATH", help="renew the results in this page")


def check_eval(options: argparse.Namespace) -> str | None:
    """What is wrong with the options; None when nothing is."""
    for name, most in _MOST.items():
        number = getattr(options, name)
        if number is not None and not 1 <= number <= most:
            return f"--{name} is 1 to {most}"
    return check_seed(options)
