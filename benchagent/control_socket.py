"""Talks to the control socket of a virtual board: what reset lines and a power switch do for a
board on a desk."""

import contextlib
import json
import socket
from typing import Any

ANSWER_S = 10.0
_MAX_ANSWER_BYTES = 64 * 1024


class ControlError(Exception):
    """The board did not do it; the message says why."""


def ask(path: str, request: dict[str, Any], timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """Send one request and give its answer; blocks.

    Raises:
        ControlError: nobody answers, or the answer is a refusal.
    """
    what = f"{request.get('op')} at {path}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            talk.settimeout(timeout_s)
            talk.connect(path)
            talk.sendall(json.dumps(request).encode() + b"\n")
            answer = _line(talk)
    except OSError as error:
        raise ControlError(f"{what}: {error.strerror or error}") from error
    found: Any = None
    with contextlib.suppress(ValueError):
        found = json.loads(answer)
    if not isinstance(found, dict):
        raise ControlError(f"{what}: no answer" if not answer else f"{what}: not an answer")
    if found.get("ok") is not True:
        raise ControlError(f"{what}: {str(found.get('message') or 'refused')[:200]}")
    return found


def reset(path: str, mode: str) -> None:
    """Restart a virtual board into `app` or `download`; blocks. Raises ControlError."""
    ask(path, {"op": "reset", "mode": mode})


def _line(talk: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\n") and len(found) < _MAX_ANSWER_BYTES:
        piece = talk.recv(4096)
        if not piece:
            break
        found += piece
    return found
