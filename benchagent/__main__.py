"""`benchline-agent`: lends the boards of this PC to a control plane."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchagent.boards_verb import add_parser as add_boards_parser
from benchline.instance import current_instance

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_BROKEN = 3


def parser() -> argparse.ArgumentParser:
    """The command line."""
    instance = current_instance()
    found = argparse.ArgumentParser(prog="benchline-agent", description=__doc__)
    verbs = found.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="connect and serve until stopped")
    run.add_argument("--server", default=instance.target, help="control plane, unix:PATH")
    run.add_argument("--name", default="bench", help="name of this agent")
    run.add_argument("--dir", type=Path, default=instance.agent_dir, help="journal and spool")
    run.add_argument("--virtual-dir", type=Path, help="registry of virtual boards")
    run.add_argument("--grace", type=float, default=10.0, help="seconds to finish when stopped")
    # Only for tests: a tree of devices other than this PC's.
    run.add_argument("--sysfs-root", type=Path, default=Path("/sys"), help=argparse.SUPPRESS)
    run.add_argument("--dev-root", type=Path, default=Path("/dev"), help=argparse.SUPPRESS)
    run.add_argument("--uevent-fd", type=int, help=argparse.SUPPRESS)
    add_boards_parser(verbs, instance.agent_dir)
    doctor = verbs.add_parser("doctor", help="check what this PC needs")
    doctor.add_argument("--json", action="store_true", help="one JSON object a line")
    doctor.add_argument(
        "--udev-rules", action="store_true", help="print the udev rules for all known devices"
    )
    doctor.add_argument("--virtual", action="store_true", help="virtual boards are wanted here")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; gives the exit code."""
    options = parser().parse_args(argv)
    if options.verb == "boards":
        from benchagent.boards_verb import run

        return run(options)
    if options.verb == "doctor":
        from benchagent.doctor import report
        from benchagent.doctor.udev import udev_rules

        if options.udev_rules:
            sys.stdout.write(udev_rules())
            return EXIT_OK

        return report(sys.stdout, as_json=options.json, virtual=options.virtual)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    # Imported here, so that `--help` and `doctor` do not wait for gRPC.
    import asyncio
    import logging
    import sqlite3

    from benchagent.app import claimed, serve
    from benchagent.config import Config, pid_file_of_environment
    from benchagent.discovery import UsbTree
    from benchagent.flashers.registry import Flashers
    from benchline.errors import BenchlineError
    from benchline.logs import log_to_stderr

    log_to_stderr()
    log = logging.getLogger("benchagent")
    try:
        config = Config(
            server=options.server,
            name=options.name,
            folder=options.dir.absolute(),
            virtual_dir=options.virtual_dir.absolute() if options.virtual_dir else None,
            grace_s=options.grace,
            pid_file=pid_file_of_environment(),
            usb=UsbTree(
                sysfs=options.sysfs_root, dev=options.dev_root, uevent_fd=options.uevent_fd
            ),
        )
        with claimed(config):
            asyncio.run(serve(config, Flashers(config.folder)))
    except BenchlineError as error:
        log.log(logging.ERROR, error.message, extra={"reason": error.reason})
        return EXIT_USAGE if error.reason == "INVALID_NAME" else EXIT_BROKEN
    except (OSError, sqlite3.Error) as error:
        log.log(logging.ERROR, "cannot run", extra={"why": str(error)})
        return EXIT_BROKEN
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
