"""Reads what the devices of local clouds publish, as the cloud's own reader of telemetry.

The newest messages of each device are kept in memory, with a count of all: they are there to be
looked at, and a device that matters to somebody keeps its history elsewhere.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from types import TracebackType
from typing import Self

import aiomqtt

from benchline.errors import BenchlineError
from controlplane.domain.telemetry import TelemetryMessage
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.connection import client_of
from controlplane.storage.bell import Bell

log = logging.getLogger(__name__)

KEPT = 200
"""Messages of each device that are kept."""
_TOPICS = "devices/#"
_MOST_WAITING = 10_000
_KEEP_ALIVE_S = 30
_PAUSE_FIRST_S, _PAUSE_LAST_S = 0.2, 5.0


@dataclass(slots=True)
class _Stack:
    devices: frozenset[str]
    task: asyncio.Task[None] | None = None
    connected: bool = False
    number: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    kept: dict[str, deque[TelemetryMessage]] = field(default_factory=dict)


class Telemetry:
    """One reader for each stack that gives devices. An asynchronous context: leaving ends all."""

    def __init__(
        self, clouds: LocalClouds, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clouds = clouds
        self._now = now
        self._stacks: dict[str, _Stack] = {}
        self._bell = Bell()

    async def __aenter__(self) -> Self:
        """Nothing is read yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every reader."""
        for stack_id in list(self._stacks):
            await self.leave(stack_id)

    def follow(self, stack_id: str, devices: Collection[str]) -> None:
        """Read what these devices publish from now on; what others did is forgotten."""
        stack = self._stacks.get(stack_id)
        if stack is None:
            stack = self._stacks[stack_id] = _Stack(frozenset(devices))
            stack.task = asyncio.create_task(self._read(stack_id, stack), name=f"mqtt {stack_id}")
        stack.devices = frozenset(devices)
        for device in set(stack.kept) - stack.devices:
            del stack.kept[device], stack.counts[device]

    async def leave(self, stack_id: str) -> None:
        """Read it no longer, and forget what came."""
        stack = self._stacks.pop(stack_id, None)
        if stack is not None and stack.task is not None:
            stack.task.cancel()
            await asyncio.wait([stack.task])
        self._bell.ring(stack_id)

    def reads(self, stack_id: str) -> bool:
        """Whether telemetry of this stack is read here."""
        return stack_id in self._stacks

    def head(self, stack_id: str) -> int:
        """Number of the newest message of a stack; 0 when none came."""
        stack = self._stacks.get(stack_id)
        return stack.number if stack is not None else 0

    def after(self, stack_id: str, number: int, device: str = "") -> list[TelemetryMessage]:
        """Kept messages of a stack that are newer than a number, in order; of one device if any."""
        stack = self._stacks.get(stack_id)
        if stack is None or stack.number <= number:
            return []
        chosen = (stack.kept.get(device, ()),) if device else stack.kept.values()
        found = (one for one in chain.from_iterable(chosen) if one.number > number)
        return sorted(found, key=lambda one: one.number)

    async def wait(self, stack_id: str, number: int) -> None:
        """Return as soon as a message newer than a number came, or the stack is read no longer."""
        with self._bell.listen(stack_id) as rung:
            while self.reads(stack_id) and self.head(stack_id) <= number:
                rung.clear()
                await rung.wait()

    async def _read(self, stack_id: str, stack: _Stack) -> None:
        pause_s, trouble = _PAUSE_FIRST_S, ""
        while True:
            try:
                await self._connection(stack_id, stack)
            except (aiomqtt.MqttError, BenchlineError, ssl.SSLError) as error:
                if stack.connected:
                    pause_s, trouble = _PAUSE_FIRST_S, ""
                if str(error) != trouble:
                    trouble = str(error)
                    log.info("telemetry not read", extra={"stack": stack_id, "why": trouble})
            stack.connected = False
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_LAST_S)

    async def _connection(self, stack_id: str, stack: _Stack) -> None:
        """One connection from its begin to its end, which is raised."""
        credential = await self._clouds.cloud(stack_id).ingest_credential()
        async with await client_of(
            credential,
            f"{stack_id}-ingest",
            keepalive=_KEEP_ALIVE_S,
            max_queued_incoming_messages=_MOST_WAITING,
        ) as client:
            await client.subscribe(_TOPICS, qos=1)
            stack.connected = True
            async for message in client.messages:
                self._take(stack_id, stack, message)

    def _take(self, stack_id: str, stack: _Stack, message: aiomqtt.Message) -> None:
        _, device, *rest = str(message.topic).split("/", 2)
        payload = message.payload
        if device not in stack.devices or not rest or not isinstance(payload, bytes):
            return
        stack.number += 1
        count = stack.counts[device] = stack.counts.get(device, 0) + 1
        kept = stack.kept.setdefault(device, deque(maxlen=KEPT))
        kept.append(
            TelemetryMessage(
                number=stack.number,
                count=count,
                device=device,
                topic=rest[0],
                payload=payload,
                receive_time=self._now(),
            )
        )
        self._bell.ring(stack_id)
