"""One live simulation from its first boot to its end: what is asked of it, and its limits."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from controlplane.domain.live_simulation import EndReason, LiveLimits, LiveSimulation
from controlplane.domain.verdict import Outcome, State
from controlplane.simulators.protocol import LiveRun, LiveSimulator, Target
from controlplane.storage.console_log import ConsoleLog, chunk_of
from controlplane.storage.live_simulations import LiveSimulationStore

_READ_BYTES = 16 * 1024
_BYTES_A_SECOND = 128 * 1024
"""Ten times a line of 115,200 baud; firmware that prints more waits, as for a slow UART."""


class Wish(Enum):
    """What somebody asked a running simulation to do next."""

    RESET = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How it ends; `outcome` is set when something is at fault."""

    reason: EndReason
    message: str
    outcome: Outcome | None = None
    fix: str = ""


@dataclass(slots=True, kw_only=True)
class Held:
    """A simulation that this process runs."""

    live: LiveSimulation
    began: float
    touched: float
    run: LiveRun | None = None
    wish: Wish | None = None
    watchers: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def ask(self, wish: Wish) -> None:
        """Tell its task; a stop is never taken back."""
        if self.wish is not Wish.STOP:
            self.wish = wish
        self.news.set()

    def touch(self) -> None:
        """Somebody used it."""
        self.touched = time.monotonic()
        self.news.set()


class LiveBoots:
    """Leads live simulations through their boots."""

    def __init__(
        self, store: LiveSimulationStore, console_log: ConsoleLog, limits: LiveLimits
    ) -> None:
        self._store = store
        self._console_log = console_log
        self._limits = limits

    async def lead(self, held: Held, simulator: LiveSimulator, target: Target, image: Path) -> End:
        """Boot after boot until it ends.

        Raises:
            ToolBrokenError, UnloadableImageError: as `LiveSimulator.boot` and `LiveRun.ending`.
        """
        while True:
            held.wish = None if held.wish is Wish.RESET else held.wish
            ended = await self._boot(held, simulator, target, image)
            if isinstance(ended, str):
                ended = await self._stand_still(held, ended)
            if ended is not None:
                return ended

    async def _boot(
        self, held: Held, simulator: LiveSimulator, target: Target, image: Path
    ) -> End | str | None:
        """One boot: how all ends, why the processor stopped, or None when it is reset."""
        cpu_s = int(self._limits.time.total_seconds()) * 2 + 60
        async with simulator.boot(target, image, cpu_s=cpu_s) as run:
            held.live = await self._store.change(held.live.live_id, lambda live: _booted(live, run))
            held.run = run
            reading = asyncio.create_task(self._read(held, run))
            try:
                end = await self._next(held, reading)
                if end is None and reading.done():
                    return reading.result() or await run.ending()
            finally:
                held.run = None
                reading.cancel()
                # What is being stored is stored, so that the next boot knows where it begins.
                await asyncio.gather(reading, return_exceptions=True)
        return end

    async def _stand_still(self, held: Held, why: str) -> End | None:
        """The processor has stopped: wait for a reset, or for the end."""
        held.live = await self._store.change(
            held.live.live_id,
            lambda live: replace(
                live, state=State.WAITING, message=why, fix="only a reset starts it again"
            ),
        )
        return await self._next(held, None)

    async def _next(self, held: Held, reading: "asyncio.Task[End | None] | None") -> End | None:
        """What ends this boot: how all ends, or None for a reset or the end of the console."""
        while reading is None or not reading.done():
            if held.wish is not None:
                return STOPPED if held.wish is Wish.STOP else None
            left, end = self._left(held)
            if left <= 0:
                return end
            held.news.clear()
            waiting = asyncio.create_task(held.news.wait())
            await asyncio.wait(
                {waiting} if reading is None else {waiting, reading},
                timeout=left,
                return_when=asyncio.FIRST_COMPLETED,
            )
            waiting.cancel()
        return None

    def _left(self, held: Held) -> tuple[float, End]:
        """Seconds until the first limit in time, and which it is."""
        limits, now = self._limits, time.monotonic()
        whole = limits.time.total_seconds() - (now - held.began)
        if held.watchers:
            return whole, _too_long(limits)
        idle = limits.idle.total_seconds() - (now - held.touched)
        return (idle, _idle(limits)) if idle < whole else (whole, _too_long(limits))

    async def _read(self, held: Held, run: LiveRun) -> End | None:
        """Store what it says; how all ends when that is too much, else None at its end."""
        offset = (await self._console_log.head(held.live.console)).offset
        while piece := await run.read(_READ_BYTES):
            chunk = chunk_of(piece, offset=offset, epoch=held.live.epoch)
            storing = self._console_log.append(held.live.console, [chunk])
            offset = await _to_its_end(storing)
            if offset >= self._limits.console_bytes:
                return _too_loud(self._limits)
            await asyncio.sleep(len(piece) / _BYTES_A_SECOND)
        return None


async def _to_its_end(storing: Coroutine[None, None, int]) -> int:
    """A result that a cancelled waiter waits for as well."""
    task = asyncio.ensure_future(storing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _booted(live: LiveSimulation, run: LiveRun) -> LiveSimulation:
    return replace(
        live,
        state=State.RUNNING,
        epoch=live.epoch + 1,
        simulator=run.simulator,
        confinement=run.confinement,
        message="",
        fix="",
        start_time=live.start_time or datetime.now(UTC),
    )


STOPPED = End(reason=EndReason.STOPPED, message="stopped on request")


def _idle(limits: LiveLimits) -> End:
    what = f"nobody watched it or typed at it for {limits.idle.total_seconds():g} s"
    return End(reason=EndReason.IDLE, message=what)


def _too_long(limits: LiveLimits) -> End:
    what = f"it ran for {limits.time.total_seconds():g} s, as long as one may"
    return End(reason=EndReason.TIME_CAP, message=what)


def _too_loud(limits: LiveLimits) -> End:
    what = f"its console said {limits.console_bytes:,} bytes, as many as are kept of one"
    return End(reason=EndReason.BYTE_CAP, message=what)
