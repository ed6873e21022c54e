"""`benchline agent boards`: what is on USB, names and enrolment, whether an agent runs or not."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

EXIT_OK = 0
EXIT_BROKEN = 3
EXIT_REFUSED = 4


def add_parser(verbs: Any, agent_dir: Path) -> None:
    """The command line of `boards`."""
    boards = verbs.add_parser("boards", help="boards on USB: list, enrol, name, ignore, forget")
    boards.add_argument("--dir", type=Path, default=agent_dir, help="the agent's folder")
    boards.add_argument("--json", action="store_true", help="one JSON object a line")
    boards.add_argument("--sysfs-root", type=Path, default=Path("/sys"), help=argparse.SUPPRESS)
    boards.add_argument("--dev-root", type=Path, default=Path("/dev"), help=argparse.SUPPRESS)
    actions = boards.add_subparsers(dest="action")
    actions.add_parser("list", help="what is on USB, and what is known but away (the default)")
    enrol = actions.add_parser("enrol", help="ask a board's chip who it is; this resets the board")
    enrol.add_argument("board")
    enrol.add_argument("--part", default="", help="its part, where parts look alike to the tool")
    enrol.add_argument("--model", default="", help="its board model, e.g. nucleo-f401re")
    enrol.add_argument("--unasked", action="store_true", help="believe --part, ask nothing")
    name = actions.add_parser("name", help="give a board a name of your own, which is kept")
    name.add_argument("board")
    name.add_argument("name")
    ignore = actions.add_parser("ignore", help="list something no more that is no board")
    ignore.add_argument("board")
    ignore.add_argument("--undo", action="store_true", help="list it again")
    forget = actions.add_parser("forget", help="forget name, part and chip of a board")
    forget.add_argument("board")


def run(options: argparse.Namespace) -> int:
    """Do one action; gives the exit code."""
    # Imported here, so that `--help` does not wait for it.
    import asyncio

    from benchagent.boards_desk import at_desk
    from benchagent.discovery import UsbTree
    from benchagent.enrolment import EnrolError
    from benchline.errors import BenchlineError

    tree = UsbTree(sysfs=options.sysfs_root, dev=options.dev_root)
    try:
        told = asyncio.run(at_desk(options.dir.absolute(), tree, _asked(options)))
    except EnrolError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    except (BenchlineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BROKEN
    for board in told.get("boards", [told["board"]] if "board" in told else []):
        sys.stdout.write(json.dumps(board) + "\n" if options.json else _text(board))
    if not options.json and told.get("boards") == []:
        sys.stdout.write(
            "nothing on USB looks like a board; `benchline agent doctor` checks this PC\n"
        )
    return EXIT_OK


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    match options.action:
        case "enrol":
            return {
                "verb": "enrol",
                "board": options.board,
                "part": options.part,
                "model": options.model,
                "ask": not options.unasked,
            }
        case "name":
            return {"verb": "name", "board": options.board, "name": options.name}
        case "ignore":
            return {"verb": "ignore", "board": options.board, "ignored": not options.undo}
        case "forget":
            return {"verb": "forget", "board": options.board}
        case _:
            return {"verb": "list"}


def _text(board: dict[str, Any]) -> str:
    usb, chip = board.get("usb"), board.get("chip")
    what = board["part"] or board["family"] or "?"
    lines = [f"{board['board']:<24} {what:<14} {board.get('port', '') or '-'}"]
    if usb:
        ids = f"{usb['vendor_id']:04x}:{usb['product_id']:04x}"
        lines.append(f"    {usb['known_as']} ({ids}) in socket {usb['location']}")
    if chip:
        size = f", {chip['flash_bytes'] // 1024} KiB flash" if chip["flash_bytes"] else ""
        lines.append(f"    {chip['name']} {chip['revision']}, {chip['identity'] or 'no id'}{size}")
    if "health" in board:
        lines.append(f"    {board['health']}")
    return "\n".join(lines) + "\n"
