"""The words and options of ``stack``. Imports nothing heavy."""

import argparse
import re
from collections.abc import Callable

TARGETS = ("local", "aws-iot")
_SETTING = re.compile(r"[a-z_]+=.*")

_Add = Callable[[argparse.ArgumentParser], None]


def stack_option(parser: argparse.ArgumentParser) -> None:
    """The options of ``run`` that concern a stack."""
    parser.add_argument(
        "--stack",
        metavar="NAME",
        help="provision the device in this stack before it is deployed; `local` is made when "
        "there is none",
    )
    parser.add_argument("--device", metavar="ID", help="id of the device in the stack")
    parser.add_argument(
        "--auto-approve",
        action="store_true",
        help="with --stack: approve plans of target local that take nothing away",
    )


def check_run_stack(options: argparse.Namespace) -> str | None:
    """What is wrong with the options of ``run`` that concern a stack."""
    if not options.stack and (options.device or options.auto_approve):
        return "--device and --auto-approve go with --stack"
    if options.until == "provision" and not options.stack:
        return "--until provision needs --stack"
    return None


def stack_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `stack` does."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    declared: tuple[tuple[str, str, _Add], ...] = (
        ("plan", "what would be made or changed; makes the stack when there is none", _plan),
        ("approve", "approve a plan by its digest", _approve),
        ("reject", "give a plan up", _digest),
        ("apply", "apply what was approved", _apply),
        ("destroy", "plan the destruction, and with --confirm carry it out", _destroy),
        ("drift", "what was changed outside; exit code 1 when something was", _name),
        ("outputs", "what the stack gives to devices", _outputs),
        ("show", "a stack, its plan and its devices", _name),
        ("watch", "follow what happens to a stack", _watch),
        ("telemetry", "what the devices of a local cloud published lately", _telemetry),
        ("send", "publish a message to a device of a local cloud", _send),
        ("cancel", "ask the running operation to end", _name),
        ("delete", "forget an empty stack and its history", _name),
    )
    for name, words, add in declared:
        action = actions.add_parser(name, help=words, description=words)
        action.add_argument("name", metavar="NAME", help="name of the stack")
        add(action)
        action.add_argument("--json", action="store_true", help="proto3 JSON, one object a line")
    listing = actions.add_parser("list", help="all stacks, newest first")
    listing.add_argument("--json", action="store_true", help="proto3 JSON, one object a line")


def _name(_: argparse.ArgumentParser) -> None:
    return


def _plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target", choices=TARGETS, help="where it is made, of a new stack (local)"
    )
    parser.add_argument(
        "--device", action="append", default=[], metavar="ID", help="hold this too (repeatable)"
    )
    parser.add_argument(
        "--remove-device",
        action="append",
        default=[],
        metavar="ID",
        help="hold this no longer (repeatable)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        type=_setting,
        metavar="NAME=VALUE",
        help="a setting of the target, e.g. port=8883 or region=eu-central-1; an empty value is "
        "its default (repeatable)",
    )


def _setting(text: str) -> tuple[str, str]:
    if not _SETTING.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    name, _, value = text.partition("=")
    return name, value


def _digest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "digest", metavar="DIGEST", help="digest of the plan, 12 characters or more of it"
    )


def _approve(parser: argparse.ArgumentParser) -> None:
    _digest(parser)
    _confirm(parser, "where the plan takes something away")


def _confirm(parser: argparse.ArgumentParser, when: str) -> None:
    parser.add_argument("--confirm", default="", metavar="NAME", help=f"the stack's name, {when}")


def _apply(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--auto-approve",
        action="store_true",
        help="plan, and approve what is of target local and takes nothing away",
    )


def _destroy(parser: argparse.ArgumentParser) -> None:
    _confirm(parser, "to destroy it at once; else the plan waits for its approval")


def _outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sensitive",
        action="store_true",
        help="the sensitive ones too; who reads them is recorded",
    )


def _telemetry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="", metavar="ID", help="of this device alone")
    parser.add_argument("--follow", action="store_true", help="go on with what comes")


def _send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="id of the device")
    parser.add_argument("topic", metavar="TOPIC", help="below the device's prefix, e.g. lamp")
    parser.add_argument("text", metavar="TEXT", help="what the message says")


def _watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from-sequence", type=int, default=1, metavar="N", help="first event wanted"
    )
