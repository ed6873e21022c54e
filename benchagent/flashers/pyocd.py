"""The parent side of the pyOCD flasher: one child per operation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchagent.flashers.fallback import Attempt, SwdRung, next_rung, swd_ladder
from benchagent.flashers.nursery import Nursery
from benchagent.flashers.operation import (
    Listener,
    Observed,
    Operations,
    blank_request,
    identity_from,
    request_for,
    segment_request,
)
from benchagent.flashers.protocol import (
    BeforeReset,
    FlasherError,
    FlashPlan,
    FlashResult,
    OnProgress,
    ProbeRef,
    Reason,
    ResetWay,
    TargetIdentity,
    VisibleProbe,
)

_CHILD = "benchagent.flashers.pyocd_child"
_TOOL = "pyocd (pip install 'benchline[agent]')"


class PyocdFlasher:
    """Flashes STM32 boards through pyOCD, in a child process per operation.

    The children are forked from a helper process that has imported pyOCD; it is started when it
    is needed and ends when it was idle for a minute. `state_dir` keeps the locks of the probes.
    `watchdog_s` is the longest time without progress (a 128 KiB sector of an STM32F4 takes up to
    4 s to erase; STM32F405 data sheet DS8626, table 40). `lock_wait_s` is how long an operation
    waits for the one before it. `nursery` is where its children come from.
    """

    has_soft_reset = True
    has_bootloader = False
    takes_the_port = False

    def __init__(
        self,
        *,
        state_dir: Path,
        watchdog_s: float = 15.0,
        lock_wait_s: float = 30.0,
        grace_s: float = 2.0,
        nursery: Nursery | None = None,
    ) -> None:
        self._operations = Operations(
            tool=_TOOL,
            nursery=nursery or Nursery(_CHILD),
            locks=state_dir / "probe-locks",
            watchdog_s=watchdog_s,
            lock_wait_s=lock_wait_s,
            grace_s=grace_s,
        )

    def warm_up(self) -> None:
        """An operation comes soon: be ready for it."""
        self._operations.warm_up()

    def close(self) -> None:
        """Give back what `warm_up` and operations left ready; an operation that runs goes on."""
        self._operations.close()

    async def flash(
        self,
        probe: ProbeRef,
        plan: FlashPlan,
        *,
        on_progress: OnProgress | None = None,
        before_reset: BeforeReset | None = None,
        cancel: asyncio.Event | None = None,
    ) -> FlashResult:
        """Write what differs, read it back, and start it when the plan says so.

        Where a slower or harsher connection may help, it is tried: `swd_ladder`. Never raises for
        what a board or a tool does. Setting `cancel`, or cancelling the task, ends the child; a
        board that was being written then needs another flash.
        """
        listener = Listener(on_progress=on_progress, before_reset=before_reset)
        ladder = swd_ladder(under_reset=plan.under_reset)
        climb = _Climb(rungs=ladder[-1:] if plan.gentle else ladder)
        try:
            await self._climb(probe, _flash_request(plan), climb, listener, cancel)
        except FlasherError as error:
            return climb.observed.flash_result(error.reason, str(error))
        return climb.observed.flash_result(None, "")

    async def reset(
        self,
        probe: ProbeRef,
        part: str,
        *,
        way: ResetWay = ResetWay.ANY,
        before_reset: BeforeReset | None = None,
    ) -> None:
        """Restart the firmware, climbing the ladder as a flash does. Raises FlasherError.

        A soft reset only attaches; a hard one only connects while the reset line is held.
        """
        listener = Listener(before_reset=before_reset)
        request = {"op": "reset", "part": part, "soft": way is ResetWay.SOFT}
        rungs = swd_ladder(under_reset=way is ResetWay.HARD)
        climb = _Climb(rungs=rungs[:1] if way is ResetWay.SOFT else rungs)
        await self._climb(probe, request, climb, listener)

    async def bootloader(self, probe: ProbeRef, part: str) -> None:
        """A debug probe needs no bootloader. Raises FlasherError BAD_REQUEST."""
        raise FlasherError(
            Reason.BAD_REQUEST, f"a {part} is flashed through its probe, not through a bootloader"
        )

    async def settled(self, probe: ProbeRef) -> None:
        """Wait until no operation uses the probe, also none of an earlier process.

        Raises FlasherError PROBE_BUSY.
        """
        await self._operations.settled(probe)

    async def read(self, probe: ProbeRef, part: str, address: int, length: int) -> bytes:
        """Read memory without halting the core. Raises FlasherError."""
        observed = Observed()
        request = {"op": "read", "part": part, "address": address, "length": length}
        await self._operations.run(probe, request, observed)
        if len(observed.data) != length:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave a part of the bytes")
        return bytes(observed.data)

    async def identify(self, probe: ProbeRef, part: str = "") -> TargetIdentity:
        """Ask the board who it is, without halting it. Raises FlasherError.

        `part` only decides between parts that look the same.
        """
        request = {"op": "identify", "part": part}
        result = await self._operations.run(probe, request, Observed())
        try:
            return identity_from(result["identity"])
        except (KeyError, TypeError, ValueError) as error:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave no identity") from error

    async def probes(self) -> tuple[VisibleProbe, ...]:
        """The probes on USB that pyOCD can see (experimental). Raises FlasherError."""
        result = await self._operations.converse({"op": "probes"}, Observed())
        try:
            return tuple(VisibleProbe(**probe) for probe in result["probes"])
        except (KeyError, TypeError) as error:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave no list") from error

    async def _climb(
        self,
        probe: ProbeRef,
        request: dict[str, Any],
        climb: _Climb,
        listener: Listener,
        cancel: asyncio.Event | None = None,
    ) -> None:
        """One operation, in one way after the other while that may help. Raises FlasherError."""
        request = request_for(probe, request)
        async with self._operations.lock(probe) as lock:
            rung: SwdRung | None = climb.rungs[0]
            while rung is not None:
                way = {"under_reset": rung.under_reset, "frequency_hz": rung.frequency_hz}
                try:
                    await self._operations.converse(
                        request | way, climb.observed, listener, cancel, (lock,)
                    )
                except FlasherError as error:
                    climb.note(rung, error)
                    following = next_rung(climb.rungs, rung, climb.attempts)
                    if following is None:
                        raise
                    climb.observed = climb.observed.again()
                    rung = following
                else:
                    climb.note(rung, None)
                    rung = None


@dataclass(slots=True, kw_only=True)
class _Climb:
    """The rungs of an operation, how those that were tried ended, and what was observed."""

    rungs: tuple[SwdRung, ...]
    attempts: list[Attempt] = field(default_factory=list)
    observed: Observed = field(default_factory=Observed)

    def note(self, rung: SwdRung, error: FlasherError | None) -> None:
        """Take how the attempt on a rung ended."""
        attempt = Attempt(
            rung=rung.words,
            reason=error.reason if error else None,
            message=str(error) if error else "",
            connected=self.observed.connected,
            committed=self.observed.committed,
        )
        self.attempts.append(attempt)
        self.observed.attempts.append(attempt.words)


def _flash_request(plan: FlashPlan) -> dict[str, Any]:
    return {
        "op": "flash",
        "part": plan.part,
        "segments": [segment_request(segment) for segment in plan.segments],
        "blank": blank_request(plan.blank),
        "reset_after": plan.reset_after,
        "device_uid": plan.expect_device_uid,
        "record": str(plan.record) if plan.record is not None else None,
    }
