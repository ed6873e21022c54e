"""The control socket of a virtual board: what a hand at the bench would do to a real one.

One JSON object a line, answered by `{"ok": true, …}` or `{"ok": false, "message": "…"}`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socketserver
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchline.instance import runtime_dir

log = logging.getLogger(__name__)

SOCKET_FILE = "control"
MAX_LINE = 4096
_STOP_POLL_S = 0.25
# A unix socket's path must fit into sockaddr_un.sun_path: 108 bytes with the final zero on Linux.
_LONGEST_PATH = 100

Obey = Callable[[dict[str, object]], dict[str, object]]


class ControlError(Exception):
    """An order that the board does not carry out; the message says why."""


class ControlServer:
    """Takes orders on a unix socket in the board's directory, each client in its own thread."""

    def __init__(self, directory: Path, obey: Obey) -> None:
        self.path = socket_path(directory)
        self.path.unlink(missing_ok=True)
        self._server = _Server(str(self.path), _Handler)
        self._server.obey = obey
        self.path.chmod(0o600)

    def start(self) -> None:
        """Begin to take orders."""
        threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_S,), name="control", daemon=True
        ).start()
        self._server.serving = True

    def close(self) -> None:
        """Take no more orders and remove the socket."""
        if self._server.serving:
            self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)


def socket_path(directory: Path) -> Path:
    """Where the socket of a board is: in its directory, or where a long path leaves room.

    The second place is a folder of this user alone, in the runtime directory.
    """
    inside = directory.absolute() / SOCKET_FILE
    if len(os.fsencode(inside)) <= _LONGEST_PATH:
        return inside
    base = runtime_dir()
    folder = base / "boards"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in (base, folder):
        found = place.lstat()
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
            raise OSError(f"{place} is not a folder of this user alone")
    digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return folder / f"{digest}.sock"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    serving = False
    obey: Obey

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is logged; the others go on."""
        log.warning("control connection broke: %r", sys.exc_info()[1])


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Answer orders until the client leaves or its line is too long."""
        while line := self.rfile.readline(MAX_LINE):
            if not line.endswith(b"\n"):
                return
            self.wfile.write(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            return {"ok": True, **self.server.obey(_order(line))}
        except ControlError as error:
            return {"ok": False, "message": str(error)}
        except ValueError as error:
            return {"ok": False, "message": f"not JSON: {error}"}


def _order(line: bytes) -> dict[str, object]:
    order = json.loads(line)
    if not isinstance(order, dict):
        raise ControlError("an order is a JSON object")
    return order
