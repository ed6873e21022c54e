"""A bad connection between pyOCD and a virtual board: a TCP relay that loses what a wire loses."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

TRANSFERS = ("read_dp", "write_dp", "read_ap", "write_ap", "read_mem", "write_mem")
BLOCKS = ("read_block32", "write_block32", "read_block8", "write_block8")
STATUS_TRANSFER_FAULT = 12


@dataclass(slots=True)
class Session:
    """One connection of pyOCD."""

    frequency_hz: int = 0
    held_reset: bool = False
    requests: int = 0


Spoil = Callable[[Session, dict[str, Any], dict[str, Any]], dict[str, Any] | None]
"""Takes the session, a request and its answer; gives another answer, or None to let it pass."""


def silent_above(limit_hz: int) -> Spoil:
    """No transfer is acknowledged at a higher clock."""

    def spoil(
        session: Session, request: dict[str, Any], answer: dict[str, Any]
    ) -> dict[str, Any] | None:
        return no_ack(answer) if is_transfer(request) and session.frequency_hz > limit_hz else None

    return spoil


def silent_unless_held_in_reset() -> Spoil:
    """Firmware has taken the debug pins: only a held reset line brings them back."""

    def spoil(
        session: Session, request: dict[str, Any], answer: dict[str, Any]
    ) -> dict[str, Any] | None:
        return no_ack(answer) if is_transfer(request) and not session.held_reset else None

    return spoil


def flips_a_bit_above(limit_hz: int, address: int) -> Spoil:
    """What is read at `address` arrives with a flipped bit at a higher clock."""

    def spoil(
        session: Session, request: dict[str, Any], answer: dict[str, Any]
    ) -> dict[str, Any] | None:
        if request["request"] != "read_block32" or session.frequency_hz <= limit_hz:
            return None
        _, start, count = request["arguments"]
        if not start <= address < start + 4 * count or "result" not in answer:
            return None
        words = list(answer["result"])
        words[(address - start) // 4] ^= 1 << 8 * (address % 4)
        return {**answer, "result": words}

    return spoil


def is_transfer(request: dict[str, Any]) -> bool:
    """Whether a request goes over the two wires to the chip."""
    return str(request["request"]).removesuffix("_multiple") in (*TRANSFERS, *BLOCKS)


def no_ack(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of a probe that the chip did not answer."""
    return {"id": answer["id"], "status": STATUS_TRANSFER_FAULT, "error": "no ACK"}


@dataclass(slots=True)
class BadWire:
    """A running relay and the sessions that went through it."""

    address: str
    sessions: list[Session] = field(default_factory=list)


@contextmanager
def bad_wire(board_probe: str, spoil: Spoil) -> Iterator[BadWire]:
    """Relay to the probe at `board_probe` (`remote:HOST:PORT`), spoiling answers."""
    host, port = board_probe.removeprefix("remote:").rsplit(":", 1)

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            session = Session()
            wire.sessions.append(session)
            with socket.create_connection((host, int(port))) as board:
                stream = board.makefile("rb")
                for line in self.rfile:
                    request = json.loads(line)
                    session.requests += 1
                    if request["request"] == "set_clock":
                        session.frequency_hz = request["arguments"][0]
                    if request["request"] == "assert_reset" and request["arguments"][0]:
                        session.held_reset = True
                    board.sendall(line)
                    answer = json.loads(stream.readline())
                    answer = spoil(session, request, answer) or answer
                    self.wfile.write(json.dumps(answer).encode() + b"\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        wire = BadWire(address=f"remote:127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield wire
        finally:
            server.shutdown()
