"""A command on its way: what may still end it, and work that ends with it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchagent.command import Command, CommandError, Outcome, Reason
from benchagent.inbox import CutOff

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Job:
    """A command that waits or runs; `cancel` is set, with `why`, when it is to end."""

    command: Command
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    recovered: bool = False
    """It was accepted before this start of the agent."""
    cut_off: CutOff | None = None


class LeftForLaterError(Exception):
    """The agent stops before the command touched the board: the next start runs it."""


async def unless_cancelled(job: Job, work: Coroutine[Any, Any, T]) -> T:
    """Do the work unless the job is cancelled meanwhile. Raises CommandError CANCELLED."""
    task = asyncio.create_task(work)
    cancelled = asyncio.create_task(job.cancel.wait())
    try:
        await asyncio.wait((task, cancelled), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
    finally:
        task.cancel()
        cancelled.cancel()
    if job.why == Reason.INTERRUPTED:
        raise LeftForLaterError
    message = "it was cancelled before anything was written"
    raise CommandError(Reason.CANCELLED, message, Outcome.REFUSED)
