"""`benchline-server`: run the control plane."""

import argparse
import asyncio
import os
import sys

from benchline.errors import BenchlineError
from benchline.logs import log_to_stderr
from controlplane.config import load_config

_NOT_STARTED = 3  # exit code: the lab, not the firmware


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; 0 after a clean stop."""
    parser = argparse.ArgumentParser(prog="benchline-server", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("serve", help="serve the instance of BENCHLINE_DATA_DIR until SIGTERM")
    parser.parse_args(arguments)
    log_to_stderr(os.environ.get("BENCHLINE_LOG", "INFO"))
    try:
        _serve()
    except BenchlineError as error:
        sys.stderr.write(f"benchline-server: {error.reason}: {error}\n")
        return _NOT_STARTED
    return 0


def _serve() -> None:
    config = load_config()
    import uvloop

    from controlplane.app import serve

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(config))


if __name__ == "__main__":
    sys.exit(main())
