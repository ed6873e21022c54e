"""The parent side of the pyOCD flasher: one child per operation, watched and bounded."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchagent.flashers.nursery import Child, Nursery, NurseryError
from benchagent.flashers.probe_lock import probe_lock
from benchagent.flashers.protocol import (
    BeforeReset,
    FlasherError,
    FlashPlan,
    FlashProgress,
    FlashResult,
    FlashSegment,
    OnProgress,
    Phase,
    ProbeRef,
    Reason,
    TargetIdentity,
    VerifiedSegment,
    VisibleProbe,
    combined_digest,
    outcome_of,
)

_CHILD = "benchagent.flashers.pyocd_child"
_TOOL = "pyocd (pip install 'benchline[agent]')"


@dataclass(slots=True, kw_only=True)
class _Observed:
    """What a child said so far; survives the child."""

    erased: list[int] = field(default_factory=list)
    programmed: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    programmed_bytes: int = 0
    data: bytearray = field(default_factory=bytearray)
    identity: TargetIdentity | None = None
    result: dict[str, Any] | None = None
    last_event: float = 0.0
    holding: bool = False

    def take(self, event: dict[str, Any], on_progress: OnProgress | None) -> None:
        """Take one event. Raises KeyError, TypeError or ValueError for nonsense."""
        match event["event"]:
            case "progress":
                progress = FlashProgress(
                    phase=Phase(event["phase"]),
                    fraction=min(max(float(event["fraction"]), 0.0), 1.0),
                    done_bytes=int(event["done"]),
                    total_bytes=int(event["total"]),
                )
                if progress.phase is Phase.PROGRAM:
                    self.programmed_bytes = progress.done_bytes
                if on_progress is not None:
                    on_progress(progress)
            case "erasing":
                self.erased.append(int(event["sector"]))
            case "programmed":
                self.programmed.append(int(event["sector"]))
            case "skipped":
                self.skipped.append(int(event["sector"]))
            case "identity":
                self.identity = _identity(event)
            case "holding":
                self.holding = True
            case "data":
                self.data += base64.b64decode(event["base64"], validate=True)
            case "result":
                self.result = event


@dataclass(frozen=True, slots=True, kw_only=True)
class _Talk:
    """What the caller wants to hear of an operation, and to do in it."""

    on_progress: OnProgress | None = None
    before_reset: BeforeReset | None = None


class PyocdFlasher:
    """Flashes STM32 boards through pyOCD, in a child process per operation.

    The children are forked from a helper process that has imported pyOCD; it is started when it
    is needed and ends when it was idle for a minute. `state_dir` keeps the locks of the probes.
    `watchdog_s` is the longest time without progress (a 128 KiB sector of an STM32F4 takes up to
    4 s to erase; STM32F405 data sheet DS8626, table 40). `lock_wait_s` is how long an operation
    waits for the one before it. `nursery` is where its children come from.
    """

    def __init__(
        self,
        *,
        state_dir: Path,
        watchdog_s: float = 15.0,
        lock_wait_s: float = 30.0,
        grace_s: float = 2.0,
        nursery: Nursery | None = None,
    ) -> None:
        self._locks = state_dir / "probe-locks"
        self._watchdog_s = watchdog_s
        self._lock_wait_s = lock_wait_s
        self._grace_s = grace_s
        self._nursery = nursery or Nursery(_CHILD)

    def warm_up(self) -> None:
        """An operation comes soon: be ready for it."""
        with contextlib.suppress(NurseryError):  # the operation will say so
            self._nursery.warm_up()

    def close(self) -> None:
        """Give back what `warm_up` and operations left ready; an operation that runs goes on."""
        self._nursery.close()

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

        Never raises for what a board or a tool does. Setting `cancel`, or cancelling the task,
        ends the child; a board that was being written then needs another flash.
        """
        talk = _Talk(on_progress=on_progress, before_reset=before_reset)
        started = time.monotonic()
        observed = _Observed()
        reason: Reason | None = None
        message = ""
        try:
            request = _flash_request(plan)
            await self._operate(probe, request, observed, talk, cancel)
        except FlasherError as error:
            reason, message = error.reason, str(error)
        result = observed.result or {}
        verified = tuple(VerifiedSegment(**segment) for segment in result.get("verified", ()))
        return FlashResult(
            outcome=outcome_of(reason),
            reason=reason,
            message=message,
            erased=tuple(observed.erased),
            programmed=tuple(observed.programmed),
            skipped=tuple(observed.skipped),
            programmed_bytes=observed.programmed_bytes,
            verified=verified,
            digest=combined_digest(verified) if verified else "",
            identity=observed.identity,
            was_reset=bool(result.get("was_reset")),
            duration_s=time.monotonic() - started,
        )

    async def reset(
        self, probe: ProbeRef, part: str, *, before_reset: BeforeReset | None = None
    ) -> None:
        """Restart the firmware. Raises FlasherError."""
        talk = _Talk(before_reset=before_reset)
        await self._operate(probe, {"op": "reset", "part": part}, _Observed(), talk)

    async def settled(self, probe: ProbeRef) -> None:
        """Wait until no operation uses the probe, also none of an earlier process.

        Raises FlasherError PROBE_BUSY.
        """
        async with probe_lock(self._locks, probe, wait_s=self._lock_wait_s):
            return

    async def read(self, probe: ProbeRef, part: str, address: int, length: int) -> bytes:
        """Read memory without halting the core. Raises FlasherError."""
        observed = _Observed()
        request = {"op": "read", "part": part, "address": address, "length": length}
        await self._operate(probe, request, observed)
        if len(observed.data) != length:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave a part of the bytes")
        return bytes(observed.data)

    async def identify(self, probe: ProbeRef, part: str) -> TargetIdentity:
        """Ask the board who it is, without halting it. Raises FlasherError."""
        observed = _Observed()
        result = await self._operate(probe, {"op": "identify", "part": part}, observed)
        try:
            return _identity(result["identity"])
        except (KeyError, TypeError, ValueError) as error:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave no identity") from error

    async def probes(self) -> tuple[VisibleProbe, ...]:
        """The probes on USB that pyOCD can see (experimental). Raises FlasherError."""
        result = await self._converse({"op": "probes"}, _Observed(), _Talk(), None, ())
        try:
            return tuple(VisibleProbe(**probe) for probe in result["probes"])
        except (KeyError, TypeError) as error:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave no list") from error

    async def _operate(
        self,
        probe: ProbeRef,
        request: dict[str, Any],
        observed: _Observed,
        talk: _Talk | None = None,
        cancel: asyncio.Event | None = None,
    ) -> dict[str, Any]:
        request = {**request, "probe": probe.address, "probe_uid": probe.uid}
        async with probe_lock(self._locks, probe, wait_s=self._lock_wait_s) as lock:
            return await self._converse(request, observed, talk or _Talk(), cancel, (lock,))

    async def _converse(
        self,
        request: dict[str, Any],
        observed: _Observed,
        talk: _Talk,
        cancel: asyncio.Event | None,
        kept_open: tuple[int, ...],
    ) -> dict[str, Any]:
        """Run one child to its end; gives its result or raises FlasherError with the reason."""
        try:
            child = await self._nursery.start(kept_open)
        except NurseryError as error:
            raise FlasherError(Reason.TOOL_MISSING, f"{_TOOL}: {error}") from error
        hold = talk.before_reset is not None
        line = json.dumps({**request, "watchdog_s": self._watchdog_s, "hold": hold}).encode()
        reader = asyncio.create_task(_take_events(child, observed, talk))
        try:
            child.writer.write(line + b"\n")
            await self._watch(reader, observed, cancel)
        finally:
            end = await asyncio.shield(self._end(child, reader, observed))
        reader.result()
        if observed.result is not None:
            return _checked(observed.result)
        raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} {end}")

    async def _watch(
        self, reader: asyncio.Task[None], observed: _Observed, cancel: asyncio.Event | None
    ) -> None:
        """Wait for the last event. Raises FlasherError TOOL_HUNG or CANCELLED."""
        cancelled = asyncio.create_task((cancel or asyncio.Event()).wait())
        observed.last_event = time.monotonic()
        try:
            while not reader.done():
                left = observed.last_event + self._watchdog_s - time.monotonic()
                if left <= 0:
                    raise FlasherError(
                        Reason.TOOL_HUNG, f"{_TOOL} made no progress for {self._watchdog_s:g} s"
                    )
                await asyncio.wait(
                    (reader, cancelled), timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if cancelled.done() and not reader.done():
                    raise FlasherError(Reason.CANCELLED, "cancelled")
        finally:
            cancelled.cancel()

    async def _end(self, child: Child, reader: asyncio.Task[None], observed: _Observed) -> str:
        """TERM, then KILL: when this returns the child is gone and its last events are taken.

        A child that holds a halted board resets it at the end of its stdin. Gives how it ended.
        """
        with contextlib.suppress(OSError):
            child.writer.write_eof()
        if observed.result is None:
            child.signal(signal.SIGTERM)
        if not await child.ended(self._grace_s):
            child.signal(signal.SIGKILL)
            await child.ended()
        await asyncio.wait((reader,), timeout=self._grace_s)
        reader.cancel()
        await asyncio.wait((reader,))
        last = (await child.errors).strip().splitlines()[-1:] or ["no message"]
        code = None if observed.result is not None else await child.exit_code()
        await child.close()
        return f"ended with code {code}: {last[0][:300]}"


async def _take_events(child: Child, observed: _Observed, talk: _Talk) -> None:
    """Take events up to the result or the end. Raises FlasherError TOOL_CRASHED for nonsense."""
    while observed.result is None:
        try:
            line = await child.reader.readline()
        except ConnectionError:
            return
        except ValueError as error:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} wrote an endless line") from error
        if not line:
            return
        try:
            observed.take(json.loads(line), talk.on_progress)
        except (KeyError, TypeError, ValueError) as error:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} wrote {line[:80]!r}") from error
        observed.last_event = time.monotonic()
        if observed.holding and talk.before_reset is not None:
            observed.holding = False
            await talk.before_reset()
            child.writer.write(b"go\n")


def _checked(result: dict[str, Any]) -> dict[str, Any]:
    if result.get("reason") is not None:
        raise FlasherError(Reason(result["reason"]), str(result.get("message", "")))
    return result


def _identity(raw: dict[str, Any]) -> TargetIdentity:
    return TargetIdentity(
        probe_uid=str(raw["probe_uid"]),
        part=str(raw["part"]),
        device_id=int(raw["device_id"]),
        revision_id=int(raw["revision_id"]),
        device_uid=str(raw["device_uid"]),
        flash_kib=int(raw["flash_kib"]),
    )


def _flash_request(plan: FlashPlan) -> dict[str, Any]:
    return {
        "op": "flash",
        "part": plan.part,
        "segments": [_segment_request(segment) for segment in plan.segments],
        "reset_after": plan.reset_after,
        "device_uid": plan.expect_device_uid,
        "under_reset": plan.under_reset,
        "record": str(plan.record) if plan.record is not None else None,
    }


def _segment_request(segment: FlashSegment) -> dict[str, Any]:
    request: dict[str, Any] = {"address": segment.address, "sha256": segment.sha256}
    if segment.path is not None:
        request["path"] = str(segment.path.absolute())
    elif segment.data is not None:
        request["data"] = base64.b64encode(segment.data).decode()
    else:
        raise FlasherError(
            Reason.BAD_REQUEST, f"the segment at {segment.address:#010x} has neither data nor path"
        )
    return request
