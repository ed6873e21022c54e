"""Tells how far an answer is while it comes, seldom enough to keep each telling."""

import asyncio
import contextlib
import time
from dataclasses import replace
from types import TracebackType

from controlplane.claude.calls import Tell
from controlplane.claude.prices import Price, reckoned_tokens
from controlplane.domain.model_call import ModelCall, TokenUsage

_GAP_S = 1.0  # each telling is a durable event


class StreamTelling:
    """Takes progress at any rate and tells the newest, at most once a second.

    Use it around a request as an async context manager. A telling that fails ends the request's
    block with its error, unless the request has failed itself.
    """

    def __init__(self, call: ModelCall, price: Price | None, tell: Tell) -> None:
        self._call = call
        self._price = price
        self._tell = tell
        self._newest: tuple[TokenUsage, int] | None = None
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._began = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def take(self, usage: TokenUsage, characters: int) -> None:
        """Called for every piece of the answer. Never waits."""
        self._newest = (usage, characters)
        self._news.set()

    async def __aenter__(self) -> "StreamTelling":
        """Start telling."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; a telling under way is finished, since it may be half written."""
        self._over.set()
        self._news.set()
        if self._task is None:
            return
        if kind is None:
            await self._task
            return
        with contextlib.suppress(Exception):
            await self._task

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            if self._over.is_set():
                return
            self._news.clear()
            await self._tell(self._so_far())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GAP_S):
                    await self._over.wait()

    def _so_far(self) -> ModelCall:
        usage, characters = self._newest or (TokenUsage(), 0)
        output = reckoned_tokens(characters)
        return replace(
            self._call,
            outcome="answering",
            usage=usage,
            reckoned_output=output,
            reckoned_micro_usd=self._price.so_far(usage, output) if self._price else None,
            latency_ms=round((time.monotonic() - self._began) * 1000),
        )
