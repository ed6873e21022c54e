"""Children for a flasher, each a process of its own, forked from one that is warm.

Importing pyOCD takes longer than flashing a sector. A helper process (`nursery_process`) imports
it once and forks; it ends by itself when it was idle for a while, and is started again when needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import benchagent

IDLE_S = 60.0
"""How long a nursery without work keeps its memory."""
START_S = 30.0
MAX_LINE = 1024 * 1024
"""The longest line that a child may say."""
_TAIL_BYTES = 4096
_STATUS_S = 1.0
_PROCESS = "benchagent.flashers.nursery_process"


class NurseryError(Exception):
    """No child could be started; the message says why."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One running child: what it says, what it is told, and how it ends."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    errors: asyncio.Task[str]
    """The end of what it writes to stderr."""
    _status: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    _pidfd: int | None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it ended."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def ended(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; False when it still runs after `timeout_s` seconds."""
        if self._pidfd is None:
            return True
        loop = asyncio.get_running_loop()
        end = asyncio.Event()
        loop.add_reader(self._pidfd, end.set)
        try:
            async with asyncio.timeout(timeout_s):
                await end.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._pidfd)
        return True

    async def exit_code(self) -> int | None:
        """Its exit code once it ended, negative for a signal; None when nobody knows."""
        with contextlib.suppress(TimeoutError, ValueError, OSError):
            async with asyncio.timeout(_STATUS_S):
                return int(await self._status[0].readline())
        return None

    async def close(self) -> None:
        """Give everything back; a child that still runs is told by the end of its stdin."""
        for writer in (self.writer, self._status[1]):
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


class Nursery:
    """Starts children that run `main()` of `module` after its `warm()`.

    Not bound to an event loop.
    """

    def __init__(self, module: str, *, idle_s: float = IDLE_S) -> None:
        self._module = module
        self._idle_s = idle_s
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._errors: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The helper process, when there is one."""
        return None if self._process is None else self._process.pid

    def warm_up(self) -> None:
        """Start the helper process when it does not run. Raises NurseryError."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        words = (sys.executable, "-P", "-m", _PROCESS, self._module, str(self._idle_s))
        try:
            self._process = subprocess.Popen(
                words,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
                env=_environment(),
            )
        except OSError as error:
            ours.close()
            raise NurseryError(f"it cannot be started: {error}") from error
        finally:
            theirs.close()
        self._control = ours

    async def start(self, kept_open: Sequence[int] = ()) -> Child:
        """Fork a child that keeps these descriptors open. Raises NurseryError."""
        said = ""
        for _ in range(2):  # a nursery may end for idleness just when it is asked
            self.warm_up()
            child = await self._ask(kept_open)
            if child is not None:
                return child
            said = self._said()
            self.close()  # its socket may be closed before its end can be seen: never ask it twice
        raise NurseryError(said)

    def close(self) -> None:
        """End the helper process; children that run go on."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    async def _ask(self, kept_open: Sequence[int]) -> Child | None:
        """One try; None when the helper ended instead."""
        if self._control is None:
            return None
        pairs = [socket.socketpair() for _ in range(3)]
        try:
            handed = [theirs.fileno() for _, theirs in pairs]
            socket.send_fds(self._control, [b"!"], [*handed, *kept_open])
        except OSError:
            for ours, _ in pairs:
                ours.close()
            return None
        finally:
            for _, theirs in pairs:
                theirs.close()
        streams = [
            await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE) for ours, _ in pairs
        ]
        talk, errors, status = streams
        try:
            async with asyncio.timeout(START_S):
                line = await status[0].readline()
        except BaseException as error:
            for _, writer in streams:
                writer.close()
            if isinstance(error, TimeoutError):
                raise NurseryError(f"it did not start in {START_S:g} s") from error
            raise
        if not line:
            for _, writer in streams:
                writer.close()
            return None
        return Child(
            pid=int(line),
            reader=talk[0],
            writer=talk[1],
            errors=asyncio.create_task(_tail(*errors)),
            _status=status,
            _pidfd=_pidfd_of(int(line)),
        )

    def _said(self) -> str:
        if self._process is None or self._errors is None:
            return "it did not start"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_STATUS_S)
        code = self._process.returncode
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TAIL_BYTES))
        last = self._errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        return f"it ended with code {code}: {(last or ['no message'])[0][:300]}"


def _pidfd_of(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _environment() -> dict[str, str]:
    root = str(Path(benchagent.__file__).resolve().parents[1])
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    paths = [root, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "LC_ALL": "C.UTF-8"}


async def _tail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    tail = b""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_TAIL_BYTES):
            tail = (tail + chunk)[-_TAIL_BYTES:]
    writer.close()
    return tail.decode("utf-8", "replace")
