"""The words and options of ``simulate``. Imports nothing heavy."""

import argparse

from tui.design_words import designer_option

SIMULATE_ACTIONS = {
    "list": (0, 1),
    "watch": (1, 1),
    "send": (2, 2),
    "set": (2, 2),
    "reset": (1, 1),
    "stop": (1, 1),
}
"""What `simulate` does with simulations that run, and how many words each takes."""

_TAKEN = {
    "list": "list [SESSION]",
    "watch": "watch NAME",
    "send": "send NAME TEXT",
    "set": "set NAME SIGNAL=VALUE",
    "reset": "reset NAME",
    "stop": "stop NAME",
}
_MAX_SEND_BYTES = 4096
_STARTING = ("board", "designer", "keep")


def simulate_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.usage = (
        "%(prog)s [options] WHAT\n"
        "       %(prog)s [options] list [SESSION] | watch NAME | send NAME TEXT\n"
        "       %(prog)s [options] set NAME SIGNAL=VALUE | reset NAME | stop NAME"
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="WHAT",
        help="start the firmware of WHAT and type at it: a session, a project directory, a sketch "
        "(.ino), an image (.elf, .bin, .hex), a design, or a quoted sentence. Or: list [SESSION], "
        "watch NAME, send NAME TEXT, set NAME SIGNAL=VALUE, reset NAME, stop NAME",
    )
    parser.add_argument("--board", metavar="BOARD", help="board model, part or selector")
    designer_option(parser)
    parser.add_argument(
        "--for",
        dest="seconds",
        type=float,
        metavar="SECONDS",
        help="end after this long, instead of at Ctrl-C",
    )
    parser.add_argument("--keep", action="store_true", help="leaving leaves the simulation running")
    parser.add_argument("--records", action="store_true", help="show records of the bench core")
    parser.add_argument("--raw", action="store_true", help="bytes as they came, to stdout")
    parser.add_argument(
        "--tail", type=int, default=4096, metavar="BYTES", help="watch: begin this early (4096)"
    )
    parser.add_argument(
        "--limit", type=int, default=50, metavar="N", help="list: at most this many (50)"
    )


def check_simulate(options: argparse.Namespace) -> str | None:
    """What is wrong with the words, or None."""
    action, *rest = options.words
    if options.seconds is not None and not options.seconds > 0:
        return "--for takes a number of seconds above 0"
    if min(options.tail, options.limit) < 0:
        return "--tail and --limit are not below 0"
    if action not in SIMULATE_ACTIONS:
        return "WHAT is one word: quote a sentence" if rest else None
    least, most = SIMULATE_ACTIONS[action]
    if not least <= len(rest) <= most:
        return f"write `simulate {_TAKEN[action]}`; `benchline simulate list` lists the names"
    if any(getattr(options, name) for name in _STARTING):
        return "--board, --designer and --keep go with what is started"
    return _check_input(action, rest)


def _check_input(action: str, rest: list[str]) -> str | None:
    if action == "send" and len(rest[1].encode()) >= _MAX_SEND_BYTES:
        return f"send takes less than {_MAX_SEND_BYTES} bytes"
    if action == "set" and not all(rest[1].partition("=")):
        return "set takes SIGNAL=VALUE, e.g. temperature=31.5, button=on or PA1=2048"
    return None
