"""What the child process of every flasher does around its operation: request in, result out."""

from __future__ import annotations

import base64
import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchagent.flashers.child_talk import OperationError, Talk
from benchagent.flashers.plan import BLANK, Bytes, PlanError, check_digest
from benchagent.flashers.protocol import Reason

MAX_REQUEST = 64 * 1024 * 1024
EXIT_OK = 0
WATCHDOG_MARGIN_S = 5.0

Request = dict[str, Any]
Result = dict[str, Any]

Perform = Callable[[Request, Talk, Result], Result]
"""Performs the operation that `request["op"]` names and gives its result. What it puts into its
last argument is told even when it fails."""
Judge = Callable[[Exception, Request, Talk], tuple[Reason, str]]
"""The reason of anything that went wrong, and a message."""


def serve(perform: Perform, judge: Judge) -> int:
    """Perform the request on stdin; the exit code is 0 whenever there is a result line.

    Cancelled by SIGTERM, bounded by its own watchdog, and its result is kept in the request's
    `record`, so that it may outlive its parent.
    """
    line = sys.stdin.buffer.readline(MAX_REQUEST)
    if not line:  # the parent was gone before it asked
        return EXIT_OK
    request = json.loads(line)
    start_s = time.time()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    talk = Talk(watchdog_s=float(request.get("watchdog_s", 15.0)) + WATCHDOG_MARGIN_S)
    signal.signal(signal.SIGTERM, lambda *_: talk.cancel())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    result: Result = {"reason": None, "message": ""}
    try:
        result |= perform(request, talk, result)
    except Exception as error:  # the root of the process: every failure becomes a typed result
        reason, message = judge(error, request, talk)
        result |= {"reason": reason, "message": message[:1000]}
        if reason is Reason.TOOL_CRASHED:
            logging.getLogger(__name__).exception("operation failed")
    result |= {"start_s": start_s, "end_s": time.time()}
    if request.get("record"):
        record = Path(request["record"])
        fresh = record.with_suffix(".new")
        fresh.write_text(json.dumps(result))
        fresh.replace(record)
    talk.say("result", **result)
    return EXIT_OK


def known_failure(error: Exception, talk: Talk) -> tuple[Reason, str] | None:
    """The reason of a failure that needs no knowledge of the tool."""
    if isinstance(error, (OperationError, PlanError)):
        return error.reason, str(error)
    return (Reason.CANCELLED, "cancelled") if talk.cancelled else None


def segments_from(described: Sequence[Request], *, largest: int) -> list[Bytes]:
    """The segments of a request, none larger than `largest` bytes, each with its digest.

    Raises OperationError or PlanError.
    """
    checked: list[Bytes] = []
    for segment in described:
        if segment.get("path") is not None:
            data = _contents(Path(segment["path"]), largest)
        else:
            data = base64.b64decode(segment["data"], validate=True)
        checked.append(check_digest(int(segment["address"]), data, str(segment["sha256"])))
    return checked


def blank_from(described: Sequence[Sequence[int]]) -> list[Bytes]:
    """Erased flash for the addresses of a request."""
    return [Bytes(address=int(a), data=bytes([BLANK]) * (int(b) - int(a))) for a, b in described]


def _contents(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(largest + 1)
    except OSError as error:
        raise OperationError(Reason.BAD_REQUEST, f"{path}: {error}") from error
    if len(data) > largest:
        raise OperationError(Reason.IMAGE_TOO_LARGE, f"{path} is too large")
    return data
