"""Passes the progress of a flash on to the journal, coalesced."""

import asyncio
import contextlib
from types import TracebackType

from controlplane.domain.event import FlashProgress
from controlplane.pipeline.stage import Recorder

_GAP_S = 0.2  # at most five progress events a second: each is a durable row


class ProgressRecorder:
    """Takes progress at any rate and records the newest, and the end of every phase."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._newest: FlashProgress | None = None
        self._ends: list[FlashProgress] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def take(self, progress: FlashProgress) -> None:
        """Called for every message of the agent. Never waits."""
        if self._newest is not None and self._newest.phase != progress.phase:
            self._ends.append(self._newest)
            del self._ends[:-8]
        self._newest = progress
        self._wake.set()

    async def __aenter__(self) -> "ProgressRecorder":
        """Start recording."""
        self._task = asyncio.create_task(self._record())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and record what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if kind is None:
            await self._flush()

    async def _record(self) -> None:
        while True:
            await self._wake.wait()
            await self._flush()
            await asyncio.sleep(_GAP_S)

    async def _flush(self) -> None:
        self._wake.clear()
        waiting, self._ends = self._ends, []
        if self._newest is not None:
            waiting.append(self._newest)
        self._newest = None
        if waiting:
            await self._recorder.record(*waiting)
