"""``benchline``: the console without a verb, everything headless with one."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tui.verbs import NEVER_PARSED, Verb, build_parser

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; gives the exit code."""
    # gRPC's own log goes to the terminal as it is, over whatever is painted there.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in NEVER_PARSED:
        return _become(given[0], given[1:])
    options = build_parser().parse_args(given)
    verb: Verb | None = getattr(options, "verb_entry", None)
    if verb is None:
        return _console(demo=options.demo)
    problem = verb.check(options) if verb.check else None
    if problem:
        sys.stderr.write(f"benchline {verb.name}: {problem}\n")
        return EXIT_USAGE
    from tui.headless.verb import run_verb

    entry = verb.load()
    return run_verb(lambda: entry(options))


def _become(name: str, rest: list[str]) -> int:
    from tui.headless.instance_verbs import replace_with

    if name == "serve":
        return replace_with("controlplane", ["serve", *rest])
    if not rest or rest[0] not in ("run", "doctor", "boards", "-h", "--help"):
        sys.stderr.write("benchline agent: say what: run, doctor, boards\n")
        return EXIT_USAGE
    return replace_with("benchagent", rest)


def _console(*, demo: bool) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write(
            "the console needs a terminal; `benchline --help` lists what works without one\n"
        )
        return EXIT_USAGE
    try:
        import textual  # noqa: F401  # only to tell its absence from any other failure
    except ModuleNotFoundError:
        sys.stderr.write(
            "the console needs the extra `console` (pip install 'benchline[console]'); "
            "every verb works without it, see `benchline --help`\n"
        )
        return EXIT_USAGE
    from tui.app import run_console

    return run_console(demo=demo)


def _end(code: int) -> NoReturn:
    """End at once: taking the interpreter apart takes longer than many a verb."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass  # the reader left; the exit code still tells
    os._exit(code)


if __name__ == "__main__":
    _end(main())
