"""Runs one verb: its errors become a sentence and an exit code, Ctrl-C leaves politely."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine

import grpc

from benchline.errors import (
    BenchlineError,
    ConflictError,
    CorruptError,
    ExhaustedError,
    HistoryGoneError,
    InvalidRequestError,
    NotFoundError,
    NotPermittedError,
    NotReadyError,
    UnauthenticatedError,
)
from tui.client.connection import failure_of
from tui.headless.output import EXIT_LEFT, EXIT_USAGE, MISSING, exit_code, talk
from tui.wording import NO_BOARD, next_board

_BROKEN = 3
_REFUSED = 4
_EXIT_OF: dict[type[BenchlineError], int] = {
    InvalidRequestError: EXIT_USAGE,
    NotFoundError: EXIT_USAGE,
    HistoryGoneError: EXIT_USAGE,
    UnauthenticatedError: _REFUSED,
    NotPermittedError: _REFUSED,
    NotReadyError: _REFUSED,
    ConflictError: _REFUSED,
    ExhaustedError: _REFUSED,
    CorruptError: _BROKEN,
}


def run_verb(verb: Callable[[], Coroutine[None, None, int]]) -> int:
    """Run a verb to its exit code."""
    try:
        return asyncio.run(_guarded(verb))
    except KeyboardInterrupt:
        return EXIT_LEFT
    except BrokenPipeError:
        # The reader of stdout left; nothing more can be told, and flushing at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_LEFT


async def _guarded(verb: Callable[[], Coroutine[None, None, int]]) -> int:
    task = asyncio.ensure_future(verb())
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return EXIT_LEFT
    except grpc.aio.AioRpcError as error:
        return report(failure_of(error))
    except BenchlineError as error:
        return report(error)


def report(error: BenchlineError) -> int:
    """Say what went wrong on stderr; gives the exit code."""
    talk(f"{error.reason}: {error.message}")
    if error.reason == NO_BOARD:
        talk(next_board(error.facts.get("selector", "")))
    if error.reason in MISSING:
        return exit_code("SKIPPED")
    return _EXIT_OF.get(type(error), _BROKEN)
