"""A run while it happens: the console as it comes, the register log, and the limits."""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchline.scenario import Event, RecordSplitter
from controlplane.childproc.command import MIB, Limits
from controlplane.childproc.runner import Child
from controlplane.simulators.pads import RegisterLog
from controlplane.simulators.protocol import OnEvent

MEMORY_BYTES = 1024 * MIB
STALL_SECONDS = 5.0
STANDSTILL_BYTES = 24 * 1024
"""Console bytes within one millisecond of the device that no line carries, about 2 s at 115,200
baud: the device's clock has stopped, however fast the host is."""
BUSY_PATIENCE = 5
"""Times that the wall limit is granted while the host is busy."""

GATHER_SECONDS = 0.004
"""QEMU writes the console byte by byte; taking each alone would cost more than the run."""
LOG_PIPE_BYTES = MIB
READ_BYTES = 256 * 1024


class PieceReader(Protocol):
    """What reads a log piece by piece."""

    bytes_read: int

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the log, cut anywhere."""
        ...


@dataclass(slots=True, kw_only=True)
class Run:
    """What one run has given so far; `log` is None where the simulator keeps none."""

    log: RegisterLog | None
    console: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    last_byte_at: float = 0.0
    finished: bool = False
    console_full: bool = False
    standstill: bool = False
    """The firmware printed on and on, at one and the same time of its own."""
    log_full: bool = False
    timed_out: bool = False
    rc: int | None = None
    stderr: bytes = b""
    _told_ms: int = -1
    _told_from: int = 0

    @property
    def booted(self) -> bool:
        """Whether the firmware printed its BOOT record."""
        return any(event.type == "BOOT" for event in self.events)

    def look_at_clock(self, event: Event) -> None:
        """End the run when the device's clock stands still although records come."""
        if event.is_line or event.malformed:
            return
        if event.at_ms != self._told_ms:
            self._told_ms, self._told_from = event.at_ms, event.start
        elif event.end - self._told_from > STANDSTILL_BYTES:
            self.standstill = True
            self.stop.set()


def child_limits(wall_s: float, file_bytes: int = MIB) -> Limits:
    """The limits of a simulator that may run for `wall_s` on an idle host."""
    return Limits(
        wall_s=wall_s * BUSY_PATIENCE,
        cpu_s=int(wall_s * BUSY_PATIENCE) + 10,
        memory_bytes=MEMORY_BYTES,
        file_bytes=file_bytes,
    )


async def follow(child: Child, run: Run, console_cap: int, wall_s: float, take: OnEvent) -> None:
    """Read the console until the run is decided, the child ends, or a limit is reached."""
    run.last_byte_at = time.monotonic()
    reading = asyncio.ensure_future(_read_console(child, run, console_cap, take))
    stopping = asyncio.ensure_future(run.stop.wait())
    try:
        for _ in range(BUSY_PATIENCE):
            done, _ = await asyncio.wait(
                {reading, stopping}, timeout=wall_s, return_when=asyncio.FIRST_COMPLETED
            )
            run.timed_out = not done
            if done or not _host_is_busy():
                break
        if reading in done:
            reading.result()
            if not run.stop.is_set():
                async with asyncio.timeout(STALL_SECONDS):
                    run.rc = await child.wait()
    except TimeoutError:
        run.timed_out = True
    finally:
        for task in (reading, stopping):
            task.cancel()
        await asyncio.gather(reading, stopping, return_exceptions=True)
        await child.end()
        run.stderr = child.stderr


def _host_is_busy() -> bool:
    """Whether more programs want to run than there are processors: wall time says little then."""
    return os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)


async def _read_console(child: Child, run: Run, cap: int, take: OnEvent) -> None:
    splitter = RecordSplitter()
    while True:
        piece = await child.read(READ_BYTES)
        if not piece:
            for event in splitter.finish():
                take(event)
            return
        run.last_byte_at = time.monotonic()
        piece = piece[: cap - len(run.console)]
        run.console += piece
        for event in splitter.feed(piece):
            take(event)
            if run.finished:
                # What a later moment printed depends on the host's speed: it is not kept.
                del run.console[event.end :]
                return
            run.look_at_clock(event)
            if run.standstill:
                del run.console[event.end :]
                return
        if len(run.console) >= cap:
            run.console_full = True
            run.stop.set()
            return


@contextlib.contextmanager
def log_pipe(path: Path, log: PieceReader | None, run: Run, cap: int) -> Iterator[None]:
    """A named pipe that takes the log; read as it fills, so that it never fills a disk."""
    if log is None:
        yield
        return
    os.mkfifo(path, 0o600)
    # Opened for writing too, so that there is no end of file before the simulator opens it.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, LOG_PIPE_BYTES)
    loop = asyncio.get_running_loop()

    def wait() -> None:
        loop.remove_reader(descriptor)
        gathering.append(loop.call_later(GATHER_SECONDS, gathered))
        del gathering[:-1]

    def gathered() -> None:
        drain()
        loop.add_reader(descriptor, wait)

    def drain() -> None:
        while True:
            try:
                piece = os.read(descriptor, READ_BYTES)
            except BlockingIOError:
                return
            if log.bytes_read < cap:
                log.feed(piece)
            elif not run.finished:
                run.log_full = True
                run.stop.set()
            if len(piece) < READ_BYTES:
                return

    gathering: list[asyncio.TimerHandle] = []
    loop.add_reader(descriptor, wait)
    try:
        yield
        drain()
    finally:
        for timer in gathering:
            timer.cancel()
        loop.remove_reader(descriptor)
        os.close(descriptor)
