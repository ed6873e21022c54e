"""Running confined children: whole (`run`) or while they talk (`stream`).

Leaving either one, by result, error or cancellation, kills the child's process group, waits for
it and for the end of its pipes, so that nothing stays behind.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import cast

from controlplane.childproc.command import Command, Completed, Confinement, LimitHit, Limits
from controlplane.childproc.confinement import confined_argv, strongest_confinement

STDIN, STDOUT, STDERR = 0, 1, 2
STREAM_BUFFER_BYTES = 256 * 1024
INPUT_BUFFER_BYTES = 64 * 1024
SIGNAL_EXIT_BASE = 128
END_GRACE_SECONDS = 5.0


class Child(asyncio.SubprocessProtocol):
    """A running child: its output as bounded pipes, its end as a future."""

    def __init__(
        self,
        confinement: Confinement,
        stderr_cap: int,
        stdout_cap: int | None,
        gather_s: float = 0.0,
    ) -> None:
        self.confinement = confinement
        self._gather_s = gather_s
        self.truncated = False
        self._caps = {STDOUT: stdout_cap, STDERR: stderr_cap}
        self._buffers = {STDOUT: bytearray(), STDERR: bytearray()}
        self._ended_pipes: set[int] = set()
        self._paused = False
        self._news = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.SubprocessTransport | None = None

    @property
    def stderr(self) -> bytes:
        """What the child wrote to stderr so far, up to the cap."""
        return bytes(self._buffers[STDERR])

    @property
    def stdout(self) -> bytes:
        """What was collected from stdout; empty when the output is read as a stream."""
        return bytes(self._buffers[STDOUT])

    @property
    def rc(self) -> int | None:
        """The return code, negative for a signal; None while the child runs."""
        code = self._subprocess.get_returncode()
        wrapped = self.confinement is Confinement.BUBBLEWRAP
        if code is not None and wrapped and code > SIGNAL_EXIT_BASE:
            # bwrap reports a child killed by signal n as exit code 128 + n.
            return SIGNAL_EXIT_BASE - code
        return code

    async def read(self, max_bytes: int = 65536) -> bytes:
        """The next bytes of stdout; empty at its end."""
        buffer = self._buffers[STDOUT]
        while not buffer and STDOUT not in self._ended_pipes:
            self._news.clear()
            await self._news.wait()
        taken = bytes(buffer[:max_bytes])
        del buffer[:max_bytes]
        if not self._gather_s:
            self._resume()
        return taken

    def write(self, data: bytes) -> bool:
        """Put bytes into its standard input; False when it has not taken what it was given before,
        or has ended.
        """
        pipe = cast("asyncio.WriteTransport", self._subprocess.get_pipe_transport(STDIN))
        full = pipe.get_write_buffer_size() + len(data) > INPUT_BUFFER_BYTES
        if full or pipe.is_closing() or STDIN in self._ended_pipes:
            return False
        pipe.write(data)
        return True

    def _resume(self) -> None:
        """Read on, unless the reader has not kept up: then a later read does."""
        if not self._paused or STDOUT in self._ended_pipes:
            return
        if len(self._buffers[STDOUT]) < STREAM_BUFFER_BYTES // 2:
            self._paused = False
            self._pipe(STDOUT).resume_reading()
        elif self._gather_s:
            asyncio.get_running_loop().call_later(self._gather_s, self._resume)

    @property
    def pid(self) -> int:
        """The process itself, which leads its group; below bubblewrap that is bubblewrap."""
        return self._subprocess.get_pid()

    async def wait(self) -> int:
        """Wait for the exit of the child itself and return its code."""
        await asyncio.shield(self._exited)
        code = self.rc
        if code is None:
            raise RuntimeError("the event loop reported an exit without a code")
        return code

    async def wait_closed(self) -> None:
        """Wait until the child and all holders of its pipes have ended."""
        await asyncio.shield(self._closed)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the child itself, not what it started; harmless when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._subprocess.send_signal(number)

    async def end(self) -> None:
        """Kill the process group and wait for it; harmless when everything has ended."""
        self._kill_group()
        if self._caps[STDOUT] is None:
            self._buffers[STDOUT].clear()
            self._caps[STDOUT] = 0
        self._resume()
        # A process that left the group may still hold a pipe: then our end is let go of.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_GRACE_SECONDS):
                await self.wait_closed()
        self._subprocess.close()
        # Members that outlive the leader of the group die here.
        self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._subprocess.get_pid(), signal.SIGKILL)

    @property
    def _subprocess(self) -> asyncio.SubprocessTransport:
        if self._transport is None:
            raise RuntimeError("the child was not started")
        return self._transport

    def _pipe(self, fd: int) -> asyncio.ReadTransport:
        return cast("asyncio.ReadTransport", self._subprocess.get_pipe_transport(fd))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop when the child runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by the event loop with output; keeps at most the cap of it."""
        buffer, cap = self._buffers[fd], self._caps[fd]
        if cap is None:
            buffer += data
            if len(buffer) >= STREAM_BUFFER_BYTES and not self._paused:
                self._paused = True
                self._pipe(fd).pause_reading()
            elif self._gather_s and not self._paused:
                self._paused = True
                self._pipe(fd).pause_reading()
                asyncio.get_running_loop().call_later(self._gather_s, self._resume)
        else:
            buffer += data[: max(0, cap - len(buffer))]
            self.truncated = self.truncated or len(buffer) >= cap
        self._news.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Called by the event loop at the end of a pipe."""
        self._ended_pipes.add(fd)
        self._news.set()

    def process_exited(self) -> None:
        """Called by the event loop when the exit code is known."""
        if not self._exited.done():
            self._exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop when the child has exited and its pipes are closed."""
        if not self._closed.done():
            self._closed.set_result(None)


async def run(
    command: Command, limits: Limits, *, confinement: Confinement | None = None
) -> Completed:
    """Run a child to its end and return its output; the wall limit kills it.

    Raises:
        OSError: the program cannot be started.
        ConfinementMissingError: util-linux is not installed.
    """
    started = time.monotonic()
    limit = LimitHit.NONE
    async with _child(command, limits, confinement, stdout_cap=limits.output_bytes) as child:
        try:
            async with asyncio.timeout(limits.wall_s):
                await child.wait_closed()
        except TimeoutError:
            limit = LimitHit.WALL
            await child.end()
        rc = child.rc
        if rc is None:
            rc = -signal.SIGKILL
        if limit is LimitHit.NONE:
            limit = {-signal.SIGXCPU: LimitHit.CPU, -signal.SIGXFSZ: LimitHit.FILE_SIZE}.get(
                rc, LimitHit.NONE
            )
        return Completed(
            rc=rc,
            stdout=child.stdout,
            stderr=child.stderr,
            wall_s=time.monotonic() - started,
            truncated=child.truncated,
            limit_hit=limit,
            confinement=child.confinement,
        )


@asynccontextmanager
async def stream(
    command: Command,
    limits: Limits,
    *,
    confinement: Confinement | None = None,
    gather_s: float = 0.0,
) -> AsyncIterator[Child]:
    """A running child whose stdout is read with `Child.read`; ends with the block.

    With `gather_s` output is taken at most once in that many seconds: a child that writes byte
    by byte then costs few wake-ups.

    The wall limit is the caller's to watch, since only the caller knows what progress is.

    Raises:
        OSError: the program cannot be started.
        ConfinementMissingError: util-linux is not installed.
    """
    async with _child(command, limits, confinement, stdout_cap=None, gather_s=gather_s) as child:
        yield child


@asynccontextmanager
async def _child(
    command: Command,
    limits: Limits,
    confinement: Confinement | None,
    *,
    stdout_cap: int | None,
    gather_s: float = 0.0,
) -> AsyncIterator[Child]:
    level = confinement or await strongest_confinement()
    child = Child(level, limits.output_bytes, stdout_cap, gather_s)
    starting = asyncio.ensure_future(_start(child, confined_argv(command, limits, level), command))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The fork may have happened: wait for it, so that there is something to end.
        with contextlib.suppress(OSError):
            await starting
            await child.end()
        raise
    try:
        yield child
    finally:
        await _uninterrupted(child.end())


async def _start(child: Child, argv: tuple[str, ...], command: Command) -> None:
    await asyncio.get_running_loop().subprocess_exec(
        lambda: child,
        *argv,
        stdin=asyncio.subprocess.PIPE if command.hold_input else asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.STDOUT if command.join_output else asyncio.subprocess.PIPE,
        cwd=command.cwd,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", **command.env},
        start_new_session=True,
    )


async def _uninterrupted(ending: Coroutine[None, None, None]) -> None:
    """Finish the clean-up even when the waiting task is cancelled again meanwhile."""
    task = asyncio.ensure_future(ending)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
