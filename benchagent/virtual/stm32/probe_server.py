"""A debug probe on a TCP port, speaking the remote-probe protocol of pyOCD (version 1).

One JSON object a line each way: `{"id", "request", "arguments"}` is answered by
`{"id", "status", "result" | "error"}`. Source: `pyocd/probe/tcp_probe_server.py`.
"""

from __future__ import annotations

import json
import logging
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

from benchagent.virtual.faults import Faults, Trouble
from benchagent.virtual.stm32.access_port import AccessPort, DebugPort
from benchagent.virtual.stm32.bus import BusFault
from benchagent.virtual.stm32.debug_core import DebugCore

log = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
MAX_LINE = 8 * 1024 * 1024
MAX_WORDS = 0x4_0000
"""The most words or bytes of one block request: all of flash, word by word."""
LOCK_WAIT_S = 10.0

STATUS_OK = 0
STATUS_GENERAL_ERROR = 1
STATUS_PROBE_DISCONNECTED = 2
STATUS_TRANSFER_ERROR = 10
STATUS_TRANSFER_TIMEOUT = 11
STATUS_TRANSFER_FAULT = 12


class ProbeUnpluggedError(Exception):
    """The probe is gone; every request is answered with status 2."""


class NoAnswerError(Exception):
    """The probe is there and the chip behind it says nothing."""


class ProbeBusyError(Exception):
    """Another client holds the probe's lock for too long."""


class ProbeClient:
    """One connection's view of the probe: its own DP and AP state over the shared core."""

    def __init__(self, *, core: DebugCore, uid: str, product: str, core_lock: Any) -> None:
        self._core = core
        self._core_lock = core_lock
        self._port = DebugPort()
        self._ap = AccessPort(core)
        self._wire: str | None = None
        self._properties: dict[str, Any] = {
            "vendor_name": "Benchline",
            "product_name": product,
            "unique_id": uid,
            "description": product,
            "supported_wire_protocols": ["DEFAULT", "SWD"],
            "capabilities": ["SWJ_SEQUENCE", "BANKED_DP_REGISTERS"],
            "associated_board_info": None,
            "is_open": True,
        }
        self._handlers = self._handler_table()

    def call(self, request: str, arguments: list[Any]) -> Any:
        """Perform one request. Raises BusFault, LookupError, TypeError or ValueError."""
        handler = self._handlers.get(request)
        if handler is None:
            raise LookupError(f"unknown request type {request!r}")
        with self._core_lock:
            return handler(*arguments)

    def _handler_table(self) -> dict[str, Callable[..., Any]]:
        core = self._core
        quiet = ("open", "close", "swj_sequence", "swd_sequence", "set_clock", "flush")
        table: dict[str, Callable[..., Any]] = dict.fromkeys(quiet, lambda *_: None)
        table |= {
            "hello": self._hello,
            "readprop": self._read_property,
            "connect": self._connect,
            "disconnect": self._disconnect,
            "reset": core.reset,
            "assert_reset": lambda held: core.hold_reset(bool(held)),
            "is_reset_asserted": lambda: core.nrst_held,
            "read_dp": lambda register: self._port.read(_word(register)),
            "write_dp": lambda register, value: self._port.write(_word(register), _word(value)),
            "read_ap": lambda register: self._read_ap(_word(register)),
            "write_ap": lambda register, value: self._write_ap(_word(register), _word(value)),
            "read_ap_multiple": self._read_ap_multiple,
            "write_ap_multiple": self._write_ap_multiple,
            "get_memory_interface_for_ap": lambda _version, number: 0 if number == 0 else None,
            "read_mem": lambda _h, address, bits: core.read(_word(address), _width(bits)),
            "write_mem": lambda _h, address, value, bits: core.write(
                _word(address), _width(bits), _word(value)
            ),
            "read_block32": self._read_words,
            "write_block32": self._write_words,
            "read_block8": lambda _h, address, count: list(
                core.read_block(_word(address), _count(count))
            ),
            "write_block8": lambda _h, address, data: core.write_block(_word(address), bytes(data)),
        }
        return table

    def _hello(self, version: int) -> None:
        if version != PROTOCOL_VERSION:
            raise ValueError(f"protocol version {version} is not supported")

    def _read_property(self, name: str) -> Any:
        return self._wire if name == "wire_protocol" else self._properties[name]

    def _connect(self, _protocol: str) -> None:
        self._wire = "SWD"

    def _disconnect(self) -> None:
        self._wire = None

    def _read_ap(self, register: int) -> int:
        return self._ap.read(register & 0xFC) if register >> 24 == 0 else 0

    def _write_ap(self, register: int, value: int) -> None:
        if register >> 24 == 0:
            self._ap.write(register & 0xFC, value)

    def _read_ap_multiple(self, register: int, count: int) -> list[int]:
        return [self._read_ap(_word(register)) for _ in range(_count(count))]

    def _write_ap_multiple(self, register: int, values: list[int]) -> None:
        for value in values:
            self._write_ap(_word(register), _word(value))

    def _read_words(self, _handle: int, address: int, count: int) -> list[int]:
        data = self._core.read_block(_word(address), 4 * _count(count))
        return list(struct.unpack(f"<{count}I", data))

    def _write_words(self, _handle: int, address: int, words: list[int]) -> None:
        self._core.write_block(_word(address), struct.pack(f"<{_count(len(words))}I", *words))


_ON_THE_WIRE = frozenset(
    {"read_dp", "write_dp", "read_ap", "write_ap", "read_ap_multiple"}
    | {"write_ap_multiple", "read_mem", "write_mem", "read_block32", "write_block32"}
    | {"read_block8", "write_block8"}
)
"""Requests that a probe can only answer when the chip does."""
_RESET_LINE = frozenset({"reset", "assert_reset"})


def _word(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= 0xFFFF_FFFF:
        raise ValueError("a 32-bit number is needed")
    return value


def _width(bits: Any) -> int:
    if bits not in (8, 16, 32):
        raise ValueError("a transfer has 8, 16 or 32 bits")
    return int(bits) // 8


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_WORDS * 4:
        raise ValueError(f"a block has at most {MAX_WORDS * 4} items")
    return value


class ProbeServer(socketserver.ThreadingTCPServer):
    """Serves the probe on the loopback address; several clients at once are safe.

    `lock` and `unlock` give one client the probe for a sequence of requests; another waits up to
    ten seconds and is then told that the transfer timed out. A client that leaves loses its lock.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        *,
        port: int,
        core: DebugCore,
        core_lock: Any,
        uid: str,
        product: str,
        faults: Faults,
    ) -> None:
        super().__init__(("127.0.0.1", port), _ClientHandler)
        self.faults = faults
        self.gone = False
        """Whether the board was unplugged: every request is answered with status 2."""
        self.powered = True
        """Whether the chip has power: without it nobody is on the wire."""
        self.probe_lock = threading.RLock()
        self._new_client: Callable[[], ProbeClient] = lambda: ProbeClient(
            core=core, uid=uid, product=product, core_lock=core_lock
        )

    @property
    def port(self) -> int:
        """The TCP port that is really listened on."""
        return int(self.server_address[1])

    def new_client(self) -> ProbeClient:
        """Debug port and access port state for a new connection."""
        return self._new_client()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is logged; the others go on."""
        log.warning("probe connection broke: %r", sys.exc_info()[1])


class _ClientHandler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: ProbeServer

    def setup(self) -> None:
        """Give the connection its own port state."""
        super().setup()
        self._client = self.server.new_client()
        self._locks_held = 0

    def handle(self) -> None:
        """Answer requests until the client leaves, the line is too long or a fault says hang."""
        try:
            while line := self.rfile.readline(MAX_LINE):
                if not line.endswith(b"\n"):
                    return
                trouble = self.server.faults.count()
                if trouble is Trouble.HANG:
                    self._swallow()
                    return
                self.wfile.write(json.dumps(self._answer(line, trouble)).encode() + b"\n")
        except OSError:
            return
        finally:
            while self._locks_held:
                self._unlock()

    def _swallow(self) -> None:
        while self.request.recv(65536):
            pass

    def _answer(self, line: bytes, trouble: Trouble) -> dict[str, Any]:
        answer: dict[str, Any] = {"id": -1, "status": STATUS_OK}
        try:
            message = json.loads(line)
            answer["id"] = message["id"]
            result = self._perform(message["request"], message.get("arguments", []), trouble)
            if result is not None:
                answer["result"] = result
        except BusFault as fault:
            answer.update(status=STATUS_TRANSFER_FAULT, error=str(fault))
        except ProbeUnpluggedError as gone:
            answer.update(status=STATUS_PROBE_DISCONNECTED, error=str(gone))
        except NoAnswerError as silent:
            answer.update(status=STATUS_TRANSFER_ERROR, error=str(silent))
        except ProbeBusyError as busy:
            answer.update(status=STATUS_TRANSFER_TIMEOUT, error=str(busy))
        except (LookupError, TypeError, ValueError, OverflowError, struct.error) as error:
            answer.update(status=STATUS_GENERAL_ERROR, error=f"{type(error).__name__}: {error}")
        return answer

    def _perform(self, request: str, arguments: list[Any], trouble: Trouble) -> Any:
        if self.server.gone or trouble is Trouble.UNPLUGGED:
            raise ProbeUnpluggedError("the probe was unplugged")
        if trouble is Trouble.WEDGED or not self.server.powered:
            if request in _ON_THE_WIRE:
                raise NoAnswerError("the chip does not answer")
            if request in _RESET_LINE:
                return None
        if request == "unlock":
            self._unlock()
            return None
        if not self.server.probe_lock.acquire(timeout=LOCK_WAIT_S):
            raise ProbeBusyError("another client holds the probe")
        if request == "lock":
            self._locks_held += 1
            return None
        try:
            return self._client.call(request, arguments)
        finally:
            self.server.probe_lock.release()

    def _unlock(self) -> None:
        if self._locks_held:
            self._locks_held -= 1
            self.server.probe_lock.release()

    def finish(self) -> None:
        """Close both directions; a client that already left is no error."""
        try:
            super().finish()
        except OSError:
            log.debug("client left before its answer")
