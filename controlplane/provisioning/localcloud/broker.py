"""One Mosquitto under supervision: started, listened to, started again, and never left behind.

It ends with this process, however that ends (PR_SET_PDEATHSIG), and is started again from the
desired state by the next one. A broker that crashes or gives up is started again after a pause.
One that is ended by a signal from outside is not: somebody, or the kernel for want of memory, meant
it. It then shows as drift, and a plan repairs it.
"""

import asyncio
import contextlib
import logging
import signal
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from benchline.errors import NotReadyError
from controlplane.childproc.command import MIB, Command, Confinement, Limits
from controlplane.childproc.confinement import ConfinementMissingError
from controlplane.childproc.runner import Child, stream
from controlplane.provisioning.localcloud.log import CappedLog
from controlplane.provisioning.localcloud.mosquitto import (
    PORT_TAKEN_LINE,
    READY_LINE,
    RELOAD_LINE,
)
from controlplane.provisioning.localcloud.strays import end_strays

log = logging.getLogger(__name__)

START_SECONDS = 10.0
RELOAD_SECONDS = 5.0
STOP_SECONDS = 5.0
_HANG_UP_AGAIN_S = 0.25
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
_TEN_YEARS_S = 315_360_000
_LIMITS = Limits(cpu_s=_TEN_YEARS_S, memory_bytes=256 * MIB, file_bytes=256 * MIB, open_files=2048)
STEADY_S = 10.0
"""A broker that ran this long is started again without a longer pause."""

# Mosquitto answers SIGTERM and SIGINT with an orderly end, exit code 0.
_OUTSIDE = {0, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGQUIT}
_LAST_LINES = 3
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSetup:
    """What a broker runs with: its program, the file it reads, the port that the file names."""

    program: Path
    config: Path
    port: int


class Broker:
    """Supervises one broker; `trouble` says why it does not run."""

    def __init__(self, log_path: Path) -> None:
        self._log = CappedLog(log_path)
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._running = False
        self._stopping = False
        self._decided = asyncio.Event()
        self._decided.set()
        self._reloaded = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._reloads_begun = 0
        self._last: deque[bytes] = deque(maxlen=_LAST_LINES)
        self.trouble = "it was not started"

    @property
    def running(self) -> bool:
        """Whether it said that it runs and has not ended since."""
        return self._running

    async def decided(self) -> None:
        """Wait while it is being started, until it runs or does not; not longer than a start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await self._decided.wait()

    async def start(self, setup: BrokerSetup) -> None:
        """Start it and wait until it listens; from then on it is supervised.

        Raises:
            NotReadyError: BROKER_PORT_IN_USE or BROKER_NOT_STARTED; nothing is left running.
        """
        await self.stop()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping = False
        self._decided.clear()
        self._task = asyncio.create_task(self._supervise(setup, ready), name="broker")
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.shield(ready)
        except TimeoutError:
            await self.stop()
            raise NotReadyError(
                "BROKER_NOT_STARTED",
                f"the broker said nothing for {START_SECONDS:g} s; its log is {self._log.path}",
                log=str(self._log.path),
            ) from None
        except BaseException:
            await self.stop()
            raise

    def resume(self, setup: BrokerSetup) -> None:
        """Supervise it from now on; a start that fails is repeated after a pause."""
        if self._task is not None:
            return
        self._stopping = False
        self._decided.clear()
        self._task = asyncio.create_task(self._supervise(setup, None), name="broker")

    async def reload(self) -> None:
        """Have it read its access list and the revoked certificates again; none runs: nothing.

        Whoever asks while others wait shares one reading with them, which begins after this call.

        Raises:
            NotReadyError: BROKER_NOT_STARTED, it does not answer.
        """
        asked_after = self._reloads_begun
        async with self._reloading:
            if self._reloads_begun > asked_after:
                return
            self._reloads_begun += 1
            try:
                async with asyncio.timeout(RELOAD_SECONDS):
                    await self._hang_up_until_heard()
            except TimeoutError:
                raise NotReadyError(
                    "BROKER_NOT_STARTED",
                    f"the broker did not read its access list within {RELOAD_SECONDS:g} s;"
                    f" its log is {self._log.path}",
                    log=str(self._log.path),
                ) from None

    async def _hang_up_until_heard(self) -> None:
        """Mosquitto forgets a SIGHUP that comes while it is still busy with the one before."""
        self._reloaded.clear()
        while self._child is not None and self._running and not self._reloaded.is_set():
            self._child.send_signal(signal.SIGHUP)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HANG_UP_AGAIN_S):
                    await self._reloaded.wait()

    async def stop(self) -> None:
        """End it in good order, or by force after a while; it is not supervised any more."""
        task, self._task, self._stopping = self._task, None, True
        self._decided.set()
        if task is None:
            return
        try:
            if self._child is not None:
                self.trouble = "it was stopped"
                self._child.send_signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS):
                        await self._child.wait()
        finally:
            # Also when this call is cancelled: nobody else would see the program end.
            task.cancel()
            await asyncio.wait([task])

    async def _supervise(self, setup: BrokerSetup, ready: asyncio.Future[None] | None) -> None:
        pause_s, clock = FIRST_PAUSE_S, asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                code = await self._run(setup, ready)
            except (OSError, ConfinementMissingError) as error:
                code = None
                self._last.append(f"it could not be started: {error}".encode())
            if self._stopping:
                return
            self.trouble = self._told(code)
            self._decided.set()
            if ready is not None and not ready.done():
                ready.set_exception(self._refusal(setup))
                return
            log.warning("broker ended", extra={"config": str(setup.config), "why": self.trouble})
            if code in _OUTSIDE:
                return
            if clock() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _run(self, setup: BrokerSetup, ready: asyncio.Future[None] | None) -> int:
        """One life of the broker, from start to return code."""
        await asyncio.to_thread(end_strays, setup.config)
        command = Command(
            argv=(str(setup.program), "-c", str(setup.config)),
            cwd=setup.config.parent,
            join_output=True,
        )
        self._last.clear()
        try:
            # A namespace without a network would hide it from the devices.
            async with stream(command, _LIMITS, confinement=Confinement.RLIMITS) as child:
                self._child = child
                async for line in _lines(child):
                    self._log.append(line)
                    if line.endswith(READY_LINE):
                        self._running = True
                        self._decided.set()
                        if ready is not None and not ready.done():
                            ready.set_result(None)
                    elif line.endswith(RELOAD_LINE):
                        self._reloaded.set()
                    self._last.append(line)
                return await child.wait()
        finally:
            self._running, self._child = False, None
            self._reloaded.set()  # nobody is left to wait for

    def _told(self, code: int | None) -> str:
        if code is not None and code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        if any(PORT_TAKEN_LINE in line for line in self._last):
            return "its port is taken by another program"
        if code == 0:
            return "it was told to end by another program"
        last = self._last[-1].decode("utf-8", "replace") if self._last else "it said nothing"
        return f"it gave up: {last}"

    def _refusal(self, setup: BrokerSetup) -> NotReadyError:
        if any(PORT_TAKEN_LINE in line for line in self._last):
            return NotReadyError(
                "BROKER_PORT_IN_USE",
                f"port {setup.port} of this machine is taken by another program; end that one, or"
                " give the stack another port (its setting `port`)",
                port=str(setup.port),
            )
        return NotReadyError(
            "BROKER_NOT_STARTED",
            f"the broker does not run: {self.trouble}; its log is {self._log.path}",
            log=str(self._log.path),
            why=self.trouble,
        )


async def _lines(child: Child) -> AsyncIterator[bytes]:
    rest = b""
    while data := await child.read():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line[:_LONGEST_LINE]
        rest = rest[:_LONGEST_LINE]
    if rest:
        yield rest
