"""The command line: every verb with its options, and where it lives. Imports nothing heavy."""

import argparse
import importlib
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import NoReturn

from benchline import __version__
from tui.answer_words import answer_options, check_answer
from tui.board_words import (
    boards_options,
    check_boards,
    check_console,
    console_options,
    lease_options,
)
from tui.design_words import check_design, design_options
from tui.eval_words import check_eval, eval_options
from tui.flash_words import check_flash, flash_options
from tui.scenario_words import scenario_options
from tui.session_words import (
    check_run,
    listing_options,
    project_options,
    run_options,
    session_option,
    show_options,
    watch_options,
)
from tui.simulate_words import check_simulate, simulate_options
from tui.stack_words import stack_options

NEVER_PARSED = ("serve", "agent")
"""Verbs whose words belong to another program."""

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
        """Usage and cause; of a verb that needs an action, what there is to choose from."""
        kind = argparse._SubParsersAction  # noqa: SLF001  # argparse has no public name for it
        nested = [one for one in self._actions if isinstance(one, kind)]
        if nested and message.endswith(f"required: {nested[0].metavar}"):
            message = f"say what: {', '.join(nested[0].choices)}"
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n")


VERBS = (
    Verb(name="up", help="start everything local, or attach to it", entry="instance_verbs:up"),
    Verb(name="down", help="stop everything local", entry="instance_verbs:down"),
    Verb(
        name="run",
        help="from a sentence (or a project) to a verdict",
        entry="run_verb:run",
        options=run_options,
        check=check_run,
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
        options=watch_options,
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
        options=listing_options,
    ),
    Verb(
        name="show",
        help="sketch, wiring, transcript and why it passed",
        entry="show_verb:show",
        options=show_options,
    ),
    Verb(
        name="cancel",
        help="ask a session to end",
        entry="session_verbs:cancel",
        options=session_option,
    ),
    Verb(
        name="boards",
        help="list the boards; reset, power, identify, recover, quarantine or return one",
        entry="bench_verbs:boards",
        options=boards_options,
        check=check_boards,
    ),
    Verb(
        name="console",
        help="follow a board's console, or type at it",
        entry="bench_verbs:console",
        options=console_options,
        check=check_console,
    ),
    Verb(
        name="flash",
        help="images onto boards, in waves",
        entry="flash_verb:flash",
        options=flash_options,
        check=check_flash,
    ),
    Verb(
        name="deployments",
        help="list what was flashed, newest first",
        entry="flash_verb:deployments",
        options=listing_options,
    ),
    Verb(
        name="stack",
        help="device clouds: plan, approve, apply, drift, outputs, destroy, list and more",
        entry="stack_verb:stack",
        options=stack_options,
    ),
    Verb(
        name="lease",
        help="acquire, release, list",
        entry="bench_verbs:lease",
        options=lease_options,
    ),
    Verb(
        name="scenario",
        help="scenario files: check, run, diff",
        entry="scenario_verb:scenario",
        options=scenario_options,
    ),
    Verb(
        name="eval",
        help="measure a designer with labelled sentences",
        entry="eval_verb:evaluate",
        options=eval_options,
        check=check_eval,
    ),
    Verb(
        name="project",
        help="export a session as files to change or to take elsewhere",
        entry="project_verb:export",
        options=project_options,
    ),
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
    parser.add_argument("--version", action="version", version=f"benchline {__version__}")
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
