"""The words and options of ``design``. Imports nothing heavy."""

import argparse

from tui.answer_words import no_questions_option

DESIGNERS = ("offline", "claude")


def designer_option(parser: argparse.ArgumentParser) -> None:
    """Who designs."""
    parser.add_argument(
        "--designer",
        choices=DESIGNERS,
        help="who designs and writes: offline (the default), or claude, which costs money",
    )
    parser.add_argument(
        "--ceiling",
        type=_dollars,
        metavar="USD",
        help="with --designer claude: what the session may cost at most, e.g. 0.50; the server has "
        "a ceiling of its own",
    )


def ceiling_alone(options: argparse.Namespace) -> str | None:
    """A ceiling goes with a designer that costs money; what is wrong, None when nothing is."""
    if options.ceiling is not None and options.designer != "claude":
        return "--ceiling goes with --designer claude; the other costs nothing"
    return None


def _dollars(text: str) -> int:
    from tui.spending_words import MOST_USD, micro_of

    found = micro_of(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not an amount of 0 to {MOST_USD} dollars")
    return found


DESIGN_ACTIONS = {
    "list": 0,
    "history": 1,
    "show": 1,
    "save": 1,
    "edit": 2,
    "validate": 1,
    "diff": 2,
    "boards": 1,
}
"""What `design` does with kept designs, and how many words each takes."""

_TAKEN = {
    "list": "list",
    "history": "history NAME",
    "edit": "edit NAME FILE",
    "diff": "diff DESIGN DESIGN",
}


def design_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.usage = (
        "%(prog)s [options] PROMPT\n"
        "       %(prog)s [options] list | history NAME | show DESIGN | save DESIGN\n"
        "       %(prog)s [options] edit NAME FILE | validate DESIGN | diff DESIGN DESIGN\n"
        "       %(prog)s [options] boards DESIGN"
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="PROMPT",
        help="what the device should do, in one quoted word; or list, history NAME, show DESIGN, "
        "save DESIGN, edit NAME FILE, validate DESIGN, diff DESIGN DESIGN, boards DESIGN. A DESIGN "
        "is a kept one (NAME or NAME@REVISION), a session, or a file of JSON or YAML (- is stdin)",
    )
    parser.add_argument("--board", metavar="BOARD", help="board model or part")
    designer_option(parser)
    no_questions_option(parser)
    parser.add_argument(
        "--wiring",
        choices=("svg", "mermaid", "text", "bom"),
        help="the wiring, or the bill of materials as CSV, instead",
    )
    parser.add_argument("--document", action="store_true", help="show: the document itself")
    parser.add_argument("--name", metavar="NAME", help="keep the design under this name")
    parser.add_argument("--note", metavar="TEXT", help="save, edit: what it is about")
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="FIELD",
        help="edit: take only this field of the file, e.g. pins (repeatable)",
    )
    parser.add_argument("--etag", metavar="ETAG", help="edit: of the revision that was edited")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most this many")


def check_design(options: argparse.Namespace) -> str | None:
    """Tell an action from a prompt; what is wrong with the words, None when they are right."""
    first, *rest = options.words
    takes = DESIGN_ACTIONS.get(first)
    options.action, options.prompt = "", first
    if takes is not None:
        options.action, options.words = first, rest
        if len(rest) != takes:
            return f"write `design {_TAKEN.get(first, f'{first} DESIGN')}`"
    elif rest:
        return "put what the device should do into quotes"
    elif not first.strip():
        return "say what the device should do"
    if options.limit < 1:
        return "--limit is at least 1"
    return _misplaced(options) or ceiling_alone(options)


def _misplaced(options: argparse.Namespace) -> str | None:
    """An option that the action does not have."""
    given = {
        "--wiring": (("", "show"), options.wiring),
        "--document": (("show",), options.document),
        "--name": (("", "save"), options.name),
        "--note": (("", "save", "edit"), options.note),
        "--field": (("edit",), options.field),
        "--etag": (("edit",), options.etag),
        "--board": (("",), options.board),
        "--designer": (("",), options.designer),
        "--no-questions": (("",), options.no_questions),
    }
    for name, (actions, used) in given.items():
        if used and options.action not in actions:
            named = " and ".join(f"design {one}" if one else "a PROMPT" for one in actions)
            return f"{name} goes with {named}"
    return None
