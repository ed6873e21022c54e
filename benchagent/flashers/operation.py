"""One child per operation of a flash tool: started, heard, watched, and ended by the parent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchagent.flashers.nursery import Child, Nursery, NurseryError
from benchagent.flashers.probe_lock import probe_lock
from benchagent.flashers.protocol import (
    BeforeReset,
    FlasherError,
    FlashProgress,
    FlashResult,
    FlashSegment,
    OnProgress,
    Phase,
    ProbeRef,
    Reason,
    TargetIdentity,
    VerifiedSegment,
    combined_digest,
    outcome_of,
)

_MAX_ATTEMPT = 300


@dataclass(slots=True, kw_only=True)
class Observed:
    """What a child said so far; survives the child."""

    erased: list[int] = field(default_factory=list)
    programmed: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    programmed_bytes: int = 0
    data: bytearray = field(default_factory=bytearray)
    identity: TargetIdentity | None = None
    result: dict[str, Any] | None = None
    last_event: float = 0.0
    connected: bool = False
    holding: bool = False
    in_bootloader: bool = False
    committed: bool = False
    """The firmware is being started: nothing may be repeated."""
    started: float = field(default_factory=time.monotonic)
    earlier_bytes: int = 0
    """Programmed by attempts before this one."""

    def again(self) -> Observed:
        """For another attempt: keeps what was done to the board, forgets the rest."""
        return Observed(
            erased=self.erased,
            programmed=self.programmed,
            attempts=self.attempts,
            programmed_bytes=self.programmed_bytes,
            earlier_bytes=self.programmed_bytes,
            started=self.started,
        )

    def take(self, event: dict[str, Any], on_progress: OnProgress | None) -> None:
        """Take one event. Raises KeyError, TypeError or ValueError for nonsense."""
        match event["event"]:
            case "progress":
                self._take_progress(event, on_progress)
            case "erasing":
                self.erased.append(int(event["sector"]))
            case "programmed":
                self.programmed.append(int(event["sector"]))
            case "skipped":
                self.skipped.append(int(event["sector"]))
            case "open":
                self.connected = True
            case "attempt":
                self.attempts.append(str(event["text"])[:_MAX_ATTEMPT])
            case "bootloader":
                self.in_bootloader = True
            case "identity":
                self.identity = identity_from(event)
            case "holding":
                self.holding = self.committed = True
            case "data":
                self.data += base64.b64decode(event["base64"], validate=True)
            case "result":
                self.result = event

    def _take_progress(self, event: dict[str, Any], on_progress: OnProgress | None) -> None:
        progress = FlashProgress(
            phase=Phase(event["phase"]),
            fraction=min(max(float(event["fraction"]), 0.0), 1.0),
            done_bytes=int(event["done"]),
            total_bytes=int(event["total"]),
        )
        if progress.phase is Phase.PROGRAM:
            self.programmed_bytes = self.earlier_bytes + progress.done_bytes
        if on_progress is not None:
            on_progress(progress)

    def flash_result(self, reason: Reason | None, message: str) -> FlashResult:
        """What all of it says of a flash that ended so."""
        result = self.result or {}
        verified = tuple(VerifiedSegment(**segment) for segment in result.get("verified", ()))
        return FlashResult(
            outcome=outcome_of(reason),
            reason=reason,
            message=message,
            erased=tuple(self.erased),
            programmed=tuple(self.programmed),
            skipped=tuple(self.skipped),
            programmed_bytes=max(self.programmed_bytes, int(result.get("programmed_bytes", 0))),
            verified=verified,
            digest=combined_digest(verified) if verified else "",
            identity=self.identity,
            was_reset=bool(result.get("was_reset")),
            in_bootloader=self.in_bootloader,
            duration_s=time.monotonic() - self.started,
            attempts=tuple(self.attempts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What the caller wants to hear of an operation, and to do in it."""

    on_progress: OnProgress | None = None
    before_reset: BeforeReset | None = None


class Operations:
    """Runs the operations of one tool, one at a time on each probe.

    `tool` names the tool and how to get it. `watchdog_s` is the longest time without progress,
    `lock_wait_s` how long an operation waits for the one before it, `grace_s` how long a child
    that was told to end may take. `locks` is the folder of the probes' locks.
    """

    def __init__(
        self,
        *,
        tool: str,
        nursery: Nursery,
        locks: Path,
        watchdog_s: float,
        lock_wait_s: float,
        grace_s: float,
        lock_by_address: bool = False,
    ) -> None:
        self._lock_by_address = lock_by_address
        self._tool = tool
        self._nursery = nursery
        self._locks = locks
        self._watchdog_s = watchdog_s
        self._lock_wait_s = lock_wait_s
        self._grace_s = grace_s

    def warm_up(self) -> None:
        """An operation comes soon: be ready for it."""
        with contextlib.suppress(NurseryError):  # the operation will say so
            self._nursery.warm_up()

    def close(self) -> None:
        """Give back what `warm_up` and operations left ready; an operation that runs goes on."""
        self._nursery.close()

    def lock(self, probe: ProbeRef) -> AbstractAsyncContextManager[int]:
        """Hold the probe for operations that belong together; gives what their children keep open.

        Raises FlasherError PROBE_BUSY.
        """
        held = ProbeRef(address=probe.address) if self._lock_by_address else probe
        return probe_lock(self._locks, held, wait_s=self._lock_wait_s)

    async def settled(self, probe: ProbeRef) -> None:
        """Wait until no operation uses the probe. Raises FlasherError PROBE_BUSY."""
        async with self.lock(probe):
            return

    async def run(
        self,
        probe: ProbeRef,
        request: dict[str, Any],
        observed: Observed,
        listener: Listener | None = None,
        cancel: asyncio.Event | None = None,
        kept_open: Sequence[int] = (),
    ) -> dict[str, Any]:
        """One operation on a probe; gives its result. `kept_open` is what its child has from this
        process besides the lock. Raises FlasherError."""
        request = request_for(probe, request)
        async with self.lock(probe) as lock:
            kept = (lock, *kept_open)
            return await self.converse(request, observed, listener, cancel, kept)

    async def converse(
        self,
        request: dict[str, Any],
        observed: Observed,
        listener: Listener | None = None,
        cancel: asyncio.Event | None = None,
        kept_open: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Run one child to its end; gives its result or raises FlasherError with the reason."""
        try:
            child = await self._nursery.start(kept_open)
        except NurseryError as error:
            raise FlasherError(Reason.TOOL_MISSING, f"{self._tool}: {error}") from error
        listener = listener or Listener()
        hold = listener.before_reset is not None
        line = json.dumps({**request, "watchdog_s": self._watchdog_s, "hold": hold}).encode()
        reader = asyncio.create_task(self._take_events(child, observed, listener))
        try:
            child.writer.write(line + b"\n")
            await self._watch(reader, observed, cancel)
        finally:
            end = await asyncio.shield(self._end(child, reader, observed))
        reader.result()
        if observed.result is not None:
            return _checked(observed.result)
        raise FlasherError(Reason.TOOL_CRASHED, f"{self._tool} {end}")

    async def _watch(
        self, reader: asyncio.Task[None], observed: Observed, cancel: asyncio.Event | None
    ) -> None:
        """Wait for the last event. Raises FlasherError TOOL_HUNG or CANCELLED."""
        cancelled = asyncio.create_task((cancel or asyncio.Event()).wait())
        observed.last_event = time.monotonic()
        try:
            while not reader.done():
                left = observed.last_event + self._watchdog_s - time.monotonic()
                if left <= 0:
                    raise FlasherError(
                        Reason.TOOL_HUNG,
                        f"{self._tool} made no progress for {self._watchdog_s:g} s",
                    )
                await asyncio.wait(
                    (reader, cancelled), timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                if cancelled.done() and not reader.done():
                    raise FlasherError(Reason.CANCELLED, "cancelled")
        finally:
            cancelled.cancel()

    async def _end(self, child: Child, reader: asyncio.Task[None], observed: Observed) -> str:
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

    async def _take_events(self, child: Child, observed: Observed, listener: Listener) -> None:
        """Take events up to the result or the end. Raises FlasherError TOOL_CRASHED."""
        while observed.result is None:
            try:
                line = await child.reader.readline()
            except ConnectionError:
                return
            except ValueError as error:
                raise FlasherError(
                    Reason.TOOL_CRASHED, f"{self._tool} wrote an endless line"
                ) from error
            if not line:
                return
            try:
                observed.take(json.loads(line), listener.on_progress)
            except (KeyError, TypeError, ValueError) as error:
                raise FlasherError(
                    Reason.TOOL_CRASHED, f"{self._tool} wrote {line[:80]!r}"
                ) from error
            observed.last_event = time.monotonic()
            if observed.holding and listener.before_reset is not None:
                observed.holding = False
                await listener.before_reset()
                child.writer.write(b"go\n")


def request_for(probe: ProbeRef, request: dict[str, Any]) -> dict[str, Any]:
    """The request with the probe that it is for."""
    return {**request, "probe": probe.address, "probe_uid": probe.uid}


def _checked(result: dict[str, Any]) -> dict[str, Any]:
    if result.get("reason") is not None:
        raise FlasherError(Reason(result["reason"]), str(result.get("message", "")))
    return result


def identity_from(raw: dict[str, Any]) -> TargetIdentity:
    """What a child said of a board. Raises KeyError, TypeError or ValueError for nonsense."""
    return TargetIdentity(
        probe_uid=str(raw["probe_uid"]),
        part=str(raw["part"]),
        device_id=int(raw["device_id"]),
        revision_id=int(raw["revision_id"]),
        device_uid=str(raw["device_uid"]),
        flash_kib=int(raw["flash_kib"]),
        chip=str(raw.get("chip", "")),
        features=tuple(str(word) for word in raw.get("features", ())),
        crystal_mhz=int(raw.get("crystal_mhz", 0)),
        flash_id=int(raw.get("flash_id", 0)),
        protections=tuple(str(word) for word in raw.get("protections", ())),
        candidates=tuple(str(word) for word in raw.get("candidates", ())),
    )


def blank_request(blank: Sequence[range]) -> list[list[int]]:
    """Addresses to erase for a child: the first, and the one after the last."""
    return [[addresses.start, addresses.stop] for addresses in blank]


def segment_request(segment: FlashSegment) -> dict[str, Any]:
    """A segment for a child. Raises FlasherError BAD_REQUEST for one without bytes."""
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
