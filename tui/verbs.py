"""The command line: every verb with its options, and where it lives. Imports nothing heavy."""

import argparse
import importlib
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import NoReturn

from tui.answer_words import answer_options, check_answer, no_questions_option
from tui.design_words import ceiling_alone, check_design, design_options, designer_option
from tui.simulate_words import check_simulate, simulate_options
from tui.stack_words import check_run_stack, stack_option, stack_options

NEVER_PARSED = ("serve", "agent")
"""Verbs whose words belong to another program."""

_MAX_SEND_BYTES = 4096  # of one SendConsole, the newline included

_MOST_EVAL = {"repeat": 100, "limit": 1000, "jobs": 32}

Entry = Callable[[argparse.Namespace], Coroutine[None, None, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb: where its function is, its options, and what the options must satisfy."""

    name: str
    help: str
    entry: str
    options: Callable[[argparse.ArgumentParser], None] | None = None
    check: Callable[[argparse.Namespace], str | None] | None = None

    def load(self) -> Entry:
        """Import the verb's function."""
        module, _, function = self.entry.partition(":")
        entry: Entry = getattr(importlib.import_module(f"tui.headless.{module}"), function)
        return entry


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="what the device should do")
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
    _board_anyway(parser)
    designer_option(parser)
    stack_option(parser)
    no_questions_option(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the stimulus values")
    parser.add_argument("--demo", action="store_true", help="use the demonstration prompt")
    parser.add_argument("--examples", action="store_true", help="list prompts that work, and end")
    parser.add_argument(
        "--cancel-on-exit", action="store_true", help="leaving (Ctrl-C) cancels the session"
    )


def _board_anyway(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--board-anyway",
        action="store_true",
        help="judge on the board too when the simulation failed, to compare the two",
    )


def _check_run(options: argparse.Namespace) -> str | None:
    ways = [bool(options.prompt), bool(options.source), bool(options.design)]
    if sum([*ways, options.demo, options.examples]) != 1:
        return "give one of PROMPT, --from PATH, --design NAME, --demo or --examples"
    if options.scenario and not options.source:
        return "--scenario needs --from"
    if wrong := check_run_stack(options):
        return wrong
    if options.seed is not None and not 0 <= options.seed < 1 << 64:
        return "--seed is a number from 0 to 2^64-1"
    return ceiling_alone(options)


def _session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="id, or the beginning of one")


def _watch(parser: argparse.ArgumentParser) -> None:
    _session(parser)
    parser.add_argument(
        "--from-sequence", type=int, default=1, metavar="N", help="first event wanted"
    )
    parser.add_argument("--plain", action="store_true", help="one line an event, no moving line")


def _show(parser: argparse.ArgumentParser) -> None:
    _session(parser)
    parser.add_argument("--no-transcript", action="store_true", help="leave the consoles out")
    parser.add_argument(
        "--attempts",
        action="store_true",
        help="the attempts alone, each with its whole difference and the evidence it was made from",
    )


def _sessions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most this many")


BOARD_ACTIONS = ("reset", "power", "identify", "recover", "quarantine", "return", "health")
"""What `boards` does to one board, instead of listing them."""


def _boards(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[list] [SELECTOR] | ACTION BOARD",
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


def _check_boards(options: argparse.Namespace) -> str | None:
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
        return f"boards {action} takes one BOARD"
    for name, (of, used) in given.items():
        if used and of != action:
            return f"{name} go{'es' if name.count('--') == 1 else ''} with boards {of}"
    if action == "power" and not given["--on, --off and --cycle"][1]:
        return "say --on, --off or --cycle"
    if action == "quarantine" and not (options.reason or "").strip():
        return "say why: --reason TEXT"
    return None


def _console(parser: argparse.ArgumentParser) -> None:
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


def _check_console(options: argparse.Namespace) -> str | None:
    if options.seconds is not None and not options.seconds > 0:
        return "--for takes a number of seconds above 0"
    if options.lease and options.send is None:
        return "--lease needs --send"
    if options.send is not None and len(options.send.encode()) >= _MAX_SEND_BYTES:
        return f"--send takes less than {_MAX_SEND_BYTES} bytes"
    return None


def _flash(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "selector", nargs="?", default="", help='boards, e.g. "part=esp32c3,kind=virtual"'
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="[PART=]PATH",
        help="an image (.elf, .bin, .hex) or a flasher_args.json; repeatable, each board gets "
        "the one for its part",
    )
    parser.add_argument(
        "--board", action="append", default=[], metavar="BOARD", help="a board too (repeatable)"
    )
    parser.add_argument("--part", metavar="PART", help="part that the images are for")
    parser.add_argument(
        "--address", type=_address, metavar="ADDRESS", help="where a .bin goes, e.g. 0x10000"
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--wave", type=int, metavar="N", help="waves of N boards")
    sizes.add_argument("--waves", metavar="SIZES", help='sizes of the waves, e.g. "1,25%%,rest"')
    parser.add_argument(
        "--stop-after", type=int, metavar="N", help="begin no wave once N boards did not pass"
    )
    parser.add_argument(
        "--max-failed",
        type=_percent,
        metavar="SHARE",
        help="begin no wave when more than this share did not pass (25%%)",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="FILE",
        help="judge each board with this scenario (repeatable)",
    )
    parser.add_argument("--no-reset", action="store_true", help="leave the boards as they are")
    parser.add_argument(
        "--wait", type=int, metavar="SECONDS", help="wait so long for a board that is held or away"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the stimulus values")
    parser.add_argument("--retry", metavar="DEPLOYMENT", help="do again what did not pass")
    parser.add_argument("--watch", metavar="DEPLOYMENT", help="follow one that goes on")
    parser.add_argument("--cancel", metavar="DEPLOYMENT", help="ask one to end")
    parser.add_argument("--plain", action="store_true", help="no moving line")
    parser.add_argument(
        "--cancel-on-exit", action="store_true", help="leaving (Ctrl-C) cancels the deployment"
    )


def _eval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a prompt set; see docs/evaluation.md")
    parser.add_argument(
        "--designer", choices=("offline", "claude"), default="offline", help="who is evaluated"
    )
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


def _check_eval(options: argparse.Namespace) -> str | None:
    for name in ("repeat", "limit", "jobs"):
        number = getattr(options, name)
        if number is not None and not 1 <= number <= _MOST_EVAL[name]:
            return f"--{name} is 1 to {_MOST_EVAL[name]}"
    return None if 0 <= options.seed < 1 << 64 else "--seed is a number from 0 to 2^64-1"


def _check_flash(options: argparse.Namespace) -> str | None:
    ways = [bool(options.image), bool(options.retry), bool(options.watch), bool(options.cancel)]
    if sum(ways) != 1:
        return "give --image, or one of --retry, --watch and --cancel"
    if not options.image and (options.selector or options.board or options.scenario):
        return "boards and scenarios go with --image; the others take them from the deployment"
    numbers = {"--wave": options.wave, "--stop-after": options.stop_after}
    for name, number in numbers.items():
        if number is not None and number < 1:
            return f"{name} is at least 1"
    if options.wait is not None and not 0 <= options.wait <= 86_400:
        return "--wait is 0 to 86400 seconds"
    if options.seed is not None and not 0 <= options.seed < 1 << 64:
        return "--seed is a number from 0 to 2^64-1"
    if options.no_reset and options.scenario:
        return "a board that is not reset cannot be judged: leave --no-reset or --scenario out"
    return None


def _address(text: str) -> int:
    value = int(text, 0)
    if not 0 <= value < 1 << 32:
        raise argparse.ArgumentTypeError(f"{text} is not a 32-bit address")
    return value


def _percent(text: str) -> int:
    value = int(text.removesuffix("%"))
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a share of 0% to 100%")
    return value


def _lease(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    acquire = actions.add_parser("acquire", help="take a board")
    acquire.add_argument("selector", nargs="?", default="", help='e.g. "name=vf405-01"')
    acquire.add_argument("--ttl", type=int, default=60, metavar="SECONDS", help="1 to 3600")
    release = actions.add_parser("release", help="give a board back")
    release.add_argument("lease", metavar="LEASE")
    listing = actions.add_parser("list", help="leases that are held")
    for one in (acquire, release, listing):
        one.add_argument("--json", action="store_true", help="proto3 JSON, one object a line")


def _scenario(parser: argparse.ArgumentParser) -> None:
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
    _board_anyway(run)
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


def _project(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write a session's project into a directory")
    _session(export)
    export.add_argument("directory", metavar="DIR")


VERBS = (
    Verb(name="up", help="start everything local, or attach to it", entry="instance_verbs:up"),
    Verb(name="down", help="stop everything local", entry="instance_verbs:down"),
    Verb(
        name="run",
        help="from a sentence (or a project) to a verdict",
        entry="run_verb:run",
        options=_run,
        check=_check_run,
    ),
    Verb(
        name="design",
        help="what a sentence would become; list, show, edit, compare kept designs",
        entry="design_verb:design",
        options=design_options,
        check=check_design,
    ),
    Verb(
        name="simulate",
        help="run firmware live in a simulator; list, watch, send, set, reset, stop",
        entry="simulate_verb:simulate",
        options=simulate_options,
        check=check_simulate,
    ),
    Verb(
        name="watch",
        help="follow a session to its end",
        entry="following:watch",
        options=_watch,
    ),
    Verb(
        name="answer",
        help="show what a session asks, or answer it",
        entry="answer_verb:answer",
        options=answer_options,
        check=check_answer,
    ),
    Verb(
        name="sessions",
        help="list sessions, newest first",
        entry="session_verbs:sessions",
        options=_sessions,
    ),
    Verb(
        name="show",
        help="sketch, wiring, transcript and why it passed",
        entry="show_verb:show",
        options=_show,
    ),
    Verb(
        name="cancel", help="ask a session to end", entry="session_verbs:cancel", options=_session
    ),
    Verb(
        name="boards",
        help="list the boards; reset, power, identify, recover, quarantine or return one",
        entry="bench_verbs:boards",
        options=_boards,
        check=_check_boards,
    ),
    Verb(
        name="console",
        help="follow a board's console, or type at it",
        entry="bench_verbs:console",
        options=_console,
        check=_check_console,
    ),
    Verb(
        name="flash",
        help="images onto boards, in waves",
        entry="flash_verb:flash",
        options=_flash,
        check=_check_flash,
    ),
    Verb(
        name="deployments",
        help="list what was flashed, newest first",
        entry="flash_verb:deployments",
        options=_sessions,
    ),
    Verb(
        name="stack",
        help="device clouds: plan, approve, apply, drift, outputs, destroy, list and more",
        entry="stack_verb:stack",
        options=stack_options,
    ),
    Verb(name="lease", help="acquire, release, list", entry="bench_verbs:lease", options=_lease),
    Verb(
        name="scenario",
        help="check, run, diff",
        entry="scenario_verb:scenario",
        options=_scenario,
    ),
    Verb(
        name="eval",
        help="measure a designer with labelled sentences",
        entry="eval_verb:evaluate",
        options=_eval,
        check=_check_eval,
    ),
    Verb(name="project", help="export", entry="project_verb:export", options=_project),
    Verb(name="doctor", help="what is missing here", entry="instance_verbs:doctor"),
)
_WITHOUT_OWN_JSON = ("lease", "scenario", "project", "stack")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every verb."""
    parser = _Parser(
        prog="benchline",
        description="From a sentence to firmware that is proved. Without a verb: the console.",
        epilog="Exit codes: 0 PASSED, 1 FAILED, 2 usage, 3 BROKEN, 4 REFUSED, 5 SKIPPED, "
        "130 you left (the session goes on). BENCHLINE_DATA_DIR names the instance.",
    )
    parser.add_argument("--version", action="version", version="benchline 0.1.0")
    parser.add_argument("--demo", action="store_true", help="open the console on a demo session")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    for verb in VERBS:
        child = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
        child.set_defaults(verb_entry=verb)
        if verb.options is not None:
            verb.options(child)
        if verb.name not in _WITHOUT_OWN_JSON:
            child.add_argument("--json", action="store_true", help="proto3 JSON on stdout")
    verbs.add_parser("serve", help="the control plane in the foreground")
    verbs.add_parser("agent", help="run, doctor or boards: the program of a lab PC")
    return parser
