"""The words and options of ``scenario``. Imports nothing heavy."""

import argparse

from tui.session_words import board_anyway_option


def scenario_options(parser: argparse.ArgumentParser) -> None:
    """Declare what ``scenario`` does."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="read scenario files and list what is wrong")
    check.add_argument("files", nargs="+", metavar="FILE")
    run = actions.add_parser("run", help="judge an image or a project with a scenario")
    run.add_argument("file", metavar="FILE")
    run.add_argument("--from", dest="source", required=True, metavar="PATH")
    run.add_argument("--board", metavar="BOARD")
    run.add_argument(
        "--until", type=str.lower, choices=("simulate", "deploy"), help="last stage to run"
    )
    board_anyway_option(run)
    run.add_argument("--seed", type=int, metavar="N")
    run.add_argument("--cancel-on-exit", action="store_true")
    diff = actions.add_parser("diff", help="compare what the simulator and the board did")
    diff.add_argument("left", metavar="SESSION|FILE")
    diff.add_argument("right", nargs="?", metavar="SCENARIO|FILE")
    diff.add_argument(
        "--tolerance",
        type=int,
        default=50,
        metavar="MS",
        help="how far the device times may be apart (50)",
    )
    diff.add_argument(
        "--signals",
        nargs=2,
        metavar=("LEFT", "RIGHT"),
        help="the scenarios of two files: pins are compared by their signals",
    )
    for one in (check, run, diff):
        one.add_argument("--json", action="store_true", help="JSON, one object a line")
