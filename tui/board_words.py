"""The words and options of verbs about boards: ``boards``, ``console``, ``lease``.

Imports nothing heavy.
"""

import argparse

BOARD_ACTIONS = ("reset", "power", "identify", "recover", "quarantine", "return", "health")
"""What `boards` does to one board, instead of listing them."""

_MAX_SEND_BYTES = 4096  # of one SendConsole, the newline included


def boards_options(parser: argparse.ArgumentParser) -> None:
    """Declare those of ``boards``."""
    parser.usage = "%(prog)s [options] [SELECTOR]\n       %(prog)s [options] ACTION BOARD"
    parser.add_argument(
        "words",
        nargs="*",
        metavar="SELECTOR",
        help='list what matches, e.g. "model=olimex-stm32-h405,kind=virtual"; or do something to '
        f"one board: {', '.join(BOARD_ACTIONS)}",
    )
    parser.add_argument("--bootloader", action="store_true", help="reset: into the bootloader")
    power = parser.add_mutually_exclusive_group()
    power.add_argument("--on", action="store_true", help="power: on")
    power.add_argument("--off", action="store_true", help="power: off")
    power.add_argument("--cycle", action="store_true", help="power: off and on again")
    parser.add_argument("--reason", metavar="TEXT", help="quarantine: why")
    parser.add_argument("--lease", metavar="LEASE", help="a lease of yours, to work under")


def check_boards(options: argparse.Namespace) -> str | None:
    """Tell an action from a selector; what is wrong, None when nothing is."""
    action = options.words[0] if options.words else ""
    given = {
        "--bootloader": ("reset", options.bootloader),
        "--on, --off and --cycle": ("power", options.on or options.off or options.cycle),
        "--reason": ("quarantine", options.reason is not None),
    }
    if action not in BOARD_ACTIONS:
        options.selector = ",".join(options.words[1:] if action == "list" else options.words)
        if options.lease or any(used for _, used in given.values()):
            return f"that goes with one of {', '.join(BOARD_ACTIONS)}, and a BOARD"
        return None
    if len(options.words) != 2:
        return f"{action} takes one BOARD; `benchline boards` lists them"
    for name, (of, used) in given.items():
        if used and of != action:
            return f"{name} go{'es' if name.count('--') == 1 else ''} with boards {of}"
    if action == "power" and not given["--on, --off and --cycle"][1]:
        return "say --on, --off or --cycle"
    if action == "quarantine" and not (options.reason or "").strip():
        return "say why: --reason TEXT"
    return None


def console_options(parser: argparse.ArgumentParser) -> None:
    """Declare those of ``console``."""
    parser.add_argument("board", metavar="BOARD", help="board name, or its last part")
    parser.add_argument(
        "--tail", type=int, metavar="BYTES", help="begin this early (4096; with --send: 0)"
    )
    parser.add_argument("--records", action="store_true", help="show records of the bench core")
    parser.add_argument("--raw", action="store_true", help="bytes as they came, to stdout")
    parser.add_argument("--send", metavar="TEXT", help="type a line at the board first")
    parser.add_argument("--lease", metavar="LEASE", help="a lease of yours, to send under")
    parser.add_argument(
        "--for",
        dest="seconds",
        type=float,
        metavar="SECONDS",
        help="end after this long, instead of at Ctrl-C",
    )


def check_console(options: argparse.Namespace) -> str | None:
    """What is wrong with the options of ``console``; None when nothing is."""
    if options.seconds is not None and not options.seconds > 0:
        return "--for takes a number of seconds above 0"
    if options.lease and options.send is None:
        return "--lease needs --send"
    if options.send is not None and len(options.send.encode()) >= _MAX_SEND_BYTES:
        return f"--send takes less than {_MAX_SEND_BYTES} bytes"
    return None


def lease_options(parser: argparse.ArgumentParser) -> None:
    """Declare what ``lease`` does."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    acquire = actions.add_parser("acquire", help="take a board")
    acquire.add_argument("selector", nargs="?", default="", help='e.g. "name=vf405-01"')
    acquire.add_argument("--ttl", type=int, default=60, metavar="SECONDS", help="1 to 3600")
    release = actions.add_parser("release", help="give a board back")
    release.add_argument("lease", metavar="LEASE")
    listing = actions.add_parser("list", help="leases that are held")
    for one in (acquire, release, listing):
        one.add_argument("--json", action="store_true", help="proto3 JSON, one object a line")
