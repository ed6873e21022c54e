"""The parent side of the esptool flasher: one child per operation."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from benchagent.flashers import reset_lines
from benchagent.flashers.nursery import Nursery
from benchagent.flashers.operation import (
    Listener,
    Observed,
    Operations,
    blank_request,
    identity_from,
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

_CHILD = "benchagent.flashers.esptool_child"
_TOOL = "esptool (pip install 'benchline[agent]')"


class EsptoolFlasher:
    """Flashes ESP32 boards through esptool, in a child process per operation.

    Children come from a helper process as pyOCD's do. They use the board's serial port: with
    `ProbeRef.port`, a descriptor of it that the caller holds claimed and does not read meanwhile,
    the claim stays where it is and the child keeps it should the caller die. A child leaves the
    chip in its bootloader; `reset` starts the firmware, through the lines of the same descriptor
    or the control socket of a virtual board. `state_dir` keeps the locks of the ports.
    """

    has_soft_reset = False
    has_bootloader = True
    takes_the_port = True

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
            lock_by_address=True,
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
        """Write what differs and read it back; the firmware is not started.

        Never raises for what a board or a tool does. Setting `cancel`, or cancelling the task,
        ends the child; a board that was being written then needs another flash. `before_reset`
        is never called, for there is no reset.
        """
        del before_reset
        observed = Observed()
        try:
            request = {
                "op": "flash",
                "part": plan.part,
                "segments": [segment_request(segment) for segment in plan.segments],
                "blank": blank_request(plan.blank),
                "base": [segment_request(segment) for segment in plan.base],
                "reset_after": plan.reset_after,
                "gentle": plan.gentle,
                "device_uid": plan.expect_device_uid,
                "record": str(plan.record) if plan.record is not None else None,
            }
            listener = Listener(on_progress=on_progress)
            await self._run(probe, request, observed, listener, cancel)
        except FlasherError as error:
            return observed.flash_result(error.reason, str(error))
        return observed.flash_result(None, "")

    async def reset(
        self,
        probe: ProbeRef,
        part: str,
        *,
        way: ResetWay = ResetWay.ANY,
        before_reset: BeforeReset | None = None,
    ) -> None:
        """Restart the firmware by the reset lines. Raises FlasherError."""
        if way is ResetWay.SOFT:
            raise FlasherError(Reason.NO_RESET, f"a {part} is reset by its reset line alone")
        async with self._operations.lock(probe):
            await reset_lines.restart(probe, before_reset=before_reset)

    async def bootloader(self, probe: ProbeRef, part: str) -> None:
        """Restart into the ROM's serial bootloader. Raises FlasherError."""
        del part
        async with self._operations.lock(probe):
            await reset_lines.enter_bootloader(probe)

    async def settled(self, probe: ProbeRef) -> None:
        """Wait until no operation uses the port, also none of an earlier process.

        Raises FlasherError PROBE_BUSY.
        """
        await self._operations.settled(probe)

    async def read(self, probe: ProbeRef, part: str, address: int, length: int) -> bytes:
        """Read flash; leaves the chip in its bootloader. Raises FlasherError."""
        observed = Observed()
        request = {"op": "read", "part": part, "address": address, "length": length}
        await self._run(probe, request, observed)
        if len(observed.data) != length:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave a part of the bytes")
        return bytes(observed.data)

    async def identify(self, probe: ProbeRef, part: str = "") -> TargetIdentity:
        """Ask the chip who it is; leaves it in its bootloader. Raises FlasherError."""
        del part
        result = await self._run(probe, {"op": "identify"}, Observed())
        try:
            return identity_from(result["identity"])
        except (KeyError, TypeError, ValueError) as error:
            raise FlasherError(Reason.TOOL_CRASHED, f"{_TOOL} gave no identity") from error

    async def probes(self) -> tuple[VisibleProbe, ...]:
        """It has none: a serial port alone does not tell whether an ESP32 is behind it."""
        return ()

    async def _run(
        self,
        probe: ProbeRef,
        request: dict[str, Any],
        observed: Observed,
        listener: Listener | None = None,
        cancel: asyncio.Event | None = None,
    ) -> dict[str, Any]:
        lent = probe.port is not None
        reached = {
            "path": _path_of(probe),
            "exclusive": not lent,
            "control": probe.control,
            "native_usb": probe.native_usb,
        }
        kept_open = (probe.port,) if probe.port is not None else ()
        return await self._operations.run(
            probe, request | reached, observed, listener, cancel, kept_open
        )


def _path_of(probe: ProbeRef) -> str:
    """The very device that is lent: what a link leads to may be another one by the time."""
    if probe.port is not None:
        try:
            return os.ttyname(probe.port)
        except OSError as error:
            raise FlasherError(Reason.PROBE_LOST, f"{probe.address} is gone") from error
    return probe.address
