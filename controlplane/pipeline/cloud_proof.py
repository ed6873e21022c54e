"""Whether what a flashed board publishes arrives, and who is to blame when it does not."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from controlplane.domain.bench import BoardCloud, GatewayState
from controlplane.domain.design import Design
from controlplane.domain.stack import CloudBinding
from controlplane.domain.verdict import Outcome
from controlplane.planning.cloud import first_publish_ms
from controlplane.provisioning.localcloud.telemetry import Telemetry
from controlplane.storage.boards import BoardStore

LEAST_S = 15.0
# A virtual board on a busy host may need this many times its device time.
_SLOWEST = 4
_LONGEST_PERIOD_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudVerdict:
    """`message` says what arrived, or what did not and why. Not PASSED is no fault of the board."""

    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMark:
    """Where telemetry and the gateway stood before a board was written."""

    number: int = 0
    published: int = 0


class CloudProof:
    """Waits for the first telemetry of a board over the real broker, `least_s` at least."""

    def __init__(
        self, telemetry: Telemetry, boards: BoardStore, *, least_s: float = LEAST_S
    ) -> None:
        self._telemetry = telemetry
        self._boards = boards
        self._least_s = least_s

    async def mark(self, binding: CloudBinding, board: str) -> CloudMark:
        """Where everything stands; what comes later is of the images that are written next."""
        cloud = (await self._boards.get(board)).cloud
        is_same = cloud is not None and (cloud.stack, cloud.device) == (
            binding.stack,
            binding.device,
        )
        return CloudMark(
            number=self._telemetry.head(binding.stack),
            published=cloud.published if cloud is not None and is_same else 0,
        )

    async def verdict(
        self, binding: CloudBinding, board: str, design: Design | None, mark: CloudMark | None
    ) -> CloudVerdict:
        """What arrived since a mark, waited for as long as the design lets expect it.

        Without a mark the control plane ended since the board was written: what had arrived by
        then is known from the broker's acknowledgements alone.
        """
        period_ms = first_publish_ms(design)
        expects = period_ms is not None and period_ms <= _LONGEST_PERIOD_S * 1000
        limit_s = self._least_s
        if expects:
            limit_s += (period_ms or 0) * _SLOWEST / 1000
        until = time.monotonic() + limit_s
        while True:
            version = self._boards.version
            cloud = (await self._boards.get(board)).cloud
            done = self._arrived(binding, cloud, mark)
            if done is None and not expects:
                done = _connected(binding, cloud)
            if done is not None:
                return done
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._changed(binding, version)
            except TimeoutError:
                return _missing(binding, cloud, limit_s)

    def _arrived(
        self, binding: CloudBinding, cloud: BoardCloud | None, mark: CloudMark | None
    ) -> CloudVerdict | None:
        """The first messages; where telemetry is not read here, those that the broker took."""
        since = mark or CloudMark()
        reads = self._telemetry.reads(binding.stack)
        found = self._telemetry.after(binding.stack, since.number, binding.device)
        if found:
            count, last = len(found), found[-1]
            said = f"{count} {'messages' if count > 1 else 'message'}, the last on {last.topic}"
        elif cloud is None or cloud.published in (0, since.published) or (reads and mark):
            return None
        else:
            said = f"{cloud.published} acknowledged by the broker"
        message = f"telemetry of {binding.device} arrives at {binding.endpoint}: {said}"
        return CloudVerdict(outcome=Outcome.PASSED, message=message)

    async def _changed(self, binding: CloudBinding, version: int) -> None:
        """Return as soon as telemetry or a board is other than before."""
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(self._boards.wait(version))]
        if self._telemetry.reads(binding.stack):
            newest = self._telemetry.head(binding.stack)
            waiting.append(asyncio.create_task(self._telemetry.wait(binding.stack, newest)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def _connected(binding: CloudBinding, cloud: BoardCloud | None) -> CloudVerdict | None:
    """The gateway is in the cloud; nothing is published before something happens."""
    if cloud is None or cloud.state is not GatewayState.CONNECTED:
        return None
    message = f"{binding.device} is connected to {binding.endpoint}; no telemetry is due by itself"
    return CloudVerdict(outcome=Outcome.PASSED, message=message)


def _missing(binding: CloudBinding, cloud: BoardCloud | None, waited_s: float) -> CloudVerdict:
    """Nothing arrived: the firmware is at fault only if all that carries messages worked."""
    if cloud is None:
        why = f"{binding.device} is bound to the board no longer; stack {binding.stack} changed"
        return CloudVerdict(outcome=Outcome.BROKEN, message=why)
    if cloud.state is not GatewayState.CONNECTED:
        told = cloud.message or "its agent does not say how it is"
        why = f"the gateway of {binding.device} is {cloud.state.lower()}: {told}"
        return CloudVerdict(outcome=Outcome.BROKEN, message=why)
    if cloud.published:
        why = f"the broker took {cloud.published} messages of {binding.device} and gave out none"
        return CloudVerdict(outcome=Outcome.BROKEN, message=why)
    why = f"{binding.device} is connected and published nothing in {waited_s:.0f} s"
    return CloudVerdict(outcome=Outcome.FAILED, message=why)
