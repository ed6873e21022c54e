"""Serve a script until a signal: prints the address, then works."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.loopback_messages.script import load_script
from tests.loopback_messages.server import LoopbackMessages


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    script = load_script(options.script)
    async with LoopbackMessages(script, port=options.port, record=options.record) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.loopback_messages", description=__doc__)
    parser.add_argument("script", type=Path, help="YAML or JSON; see script.py")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--record", type=Path, help="append each request as a line of JSON")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
