"""Gateways end although something in them swallowed a cancellation."""

import asyncio
import contextlib

from benchagent.gateway.gateways import ended_for_good


async def test_a_swallowed_cancellation_is_repeated() -> None:
    begun = asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def willing() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(willing())]
    await begun.wait()
    async with asyncio.timeout(60):
        await ended_for_good(tasks)
        await ended_for_good([])
    assert all(task.cancelled() for task in tasks)
