"""One Terraform process: its lines while it runs, and an end in good order.

Terraform saves its state and gives its lock back when it is interrupted once; a second interrupt
makes it leave at once. So the way down is: interrupt, patience, interrupt, a little patience,
kill. A caller that cancels, a timeout, a listener that fails: all go that way, and what is said
meanwhile is still read.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from controlplane.childproc.command import MIB, Command, Confinement, Limits
from controlplane.childproc.runner import Child, stream

OnLine = Callable[[bytes], Awaitable[None]]

LAST_PATIENCE_S = 10.0
MAX_LINE_BYTES = MIB
MAX_DOCUMENT_BYTES = 64 * MIB
# Bounds against a run that went wild, far above what a real one needs.
_LIMITS = Limits(
    cpu_s=4 * 3600,
    memory_bytes=8192 * MIB,
    file_bytes=2048 * MIB,
    open_files=4096,
    output_bytes=MIB,
)
# State, plan and lock hold secrets: Terraform creates them with what the umask leaves.
_PRIVATE = ("/bin/sh", "-c", 'umask 077; exec "$@"', "terraform")


class UnstartableError(Exception):
    """The program cannot be started; the message is the system's."""


class StopCause(StrEnum):
    """Why a run was ended from here."""

    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"
    LISTENER_FAILED = "listener-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended; `stop` is set when it was asked to."""

    rc: int
    stderr: str
    stop: StopCause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a run may take, and how long to end when asked. Seconds."""

    timeout_s: float
    grace_s: float


class TerraformChild:
    """Runs one command, once. `stop` may be called from anywhere in the event loop."""

    def __init__(
        self, command: Command, patience: Patience, *, max_line_bytes: int = MAX_LINE_BYTES
    ) -> None:
        self._command = command
        self._patience = patience
        self._max_line_bytes = max_line_bytes
        self._asked = asyncio.Event()
        self._cause: StopCause | None = None

    def stop(self, cause: StopCause = StopCause.CANCELLED) -> None:
        """Ask the run to come to an end; the first cause stays."""
        self._cause = self._cause or cause
        self._asked.set()

    async def follow(self, on_start: Callable[[int], Awaitable[None]], on_line: OnLine) -> Ended:
        """Run to the end. `on_start` gets the pid, `on_line` each line of stdout.

        Cancelling the caller takes the way down too, and is told when the process is gone.

        Raises:
            Exception: what `on_start` or `on_line` raised, after the process is gone.
            UnstartableError: the program cannot be started.
        """
        cancelled: asyncio.CancelledError | None = None
        async with contextlib.AsyncExitStack() as stack:
            try:
                child = await stack.enter_async_context(
                    stream(self._private(), _LIMITS, confinement=Confinement.RLIMITS)
                )
            except OSError as error:
                raise UnstartableError(error.strerror or str(error)) from error
            work = asyncio.create_task(self._read(child, on_start, on_line))
            ladder = asyncio.create_task(self._descend(child))
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError as error:
                    cancelled = error
                    self.stop()
            ladder.cancel()
            failure = work.exception()
        if cancelled is not None:
            raise cancelled
        if failure is not None:
            raise failure
        return Ended(
            rc=work.result(), stderr=child.stderr.decode("utf-8", "replace"), stop=self._cause
        )

    def _private(self) -> Command:
        return Command(
            argv=(*_PRIVATE, *self._command.argv), cwd=self._command.cwd, env=self._command.env
        )

    async def _read(
        self, child: Child, on_start: Callable[[int], Awaitable[None]], on_line: OnLine
    ) -> int:
        """Hand on what the run says, to its end even when nobody takes it any more."""
        failure: Exception | None = None
        try:
            await on_start(child.pid)
        except Exception as error:
            failure = error
            self.stop(StopCause.LISTENER_FAILED)
        async for line in _lines(child, self._max_line_bytes):
            if failure is not None:
                continue
            try:
                await on_line(line)
            except Exception as error:
                failure = error
                self.stop(StopCause.LISTENER_FAILED)
        rc = await child.wait()
        if failure is not None:
            raise failure
        return rc

    async def _descend(self, child: Child) -> None:
        try:
            async with asyncio.timeout(self._patience.timeout_s):
                await self._asked.wait()
        except TimeoutError:
            self.stop(StopCause.TIMED_OUT)
        child.send_signal(signal.SIGINT)
        await asyncio.sleep(self._patience.grace_s)
        child.send_signal(signal.SIGINT)
        await asyncio.sleep(LAST_PATIENCE_S)
        await child.end()


async def _lines(child: Child, max_bytes: int) -> AsyncIterator[bytes]:
    """Lines of stdout; one that is longer than a line may be is passed over."""
    buffer = bytearray()
    while block := await child.read():
        searched = len(buffer)
        buffer += block
        while (end := buffer.find(b"\n", searched)) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            searched = 0
            if len(line) <= max_bytes:
                yield line
        # The rest of a line that is too long already is not kept, but its end is waited for.
        del buffer[max_bytes + 1 :]
    if 0 < len(buffer) <= max_bytes:
        yield bytes(buffer)
