"""Runs commands: one after the other on each board, each id once."""

import asyncio
from collections import deque
from collections.abc import Sequence

from benchagent.command import Command, Flash, Outcome, Reason, Recover, Refusal, Result
from benchagent.execution import Execution
from benchagent.inbox import CutOff
from benchagent.job import Job

QUEUE_COMMANDS = 64


class Runner:
    """A queue and a worker for each board that has work."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._queues: dict[str, deque[Job]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Job] = {}
        self._stopping = False

    async def resume(self, cut_off: Sequence[CutOff], to_run: Sequence[Command]) -> None:
        """Go on where a killed agent stopped, first with the flashes that it may have finished."""
        self._execution.keep_records([found.command for found in cut_off])
        for found in cut_off:
            job = Job(command=found.command, recovered=True, cut_off=found)
            self._queues.setdefault(found.command.board, deque()).append(job)
            self._wake(found.command.board)
        for command in to_run:
            await self.submit(command, recovered=True)

    async def submit(self, command: Command, *, recovered: bool = False) -> None:
        """Queue a command that the journal has accepted; one that is queued or runs already
        stays where it is."""
        queue = self._queues.setdefault(command.board, deque())
        queued = any(job.command.command_id == command.command_id for job in queue)
        if queued or command.command_id in self._running:
            return
        if len(queue) >= QUEUE_COMMANDS:
            message = f"{command.board} already has {QUEUE_COMMANDS} commands waiting"
            await self._execution.answer(_refused(command, Reason.BUSY, message))
            return
        self._execution.warm_up(command)
        queue.append(Job(command=command, recovered=recovered))
        self._wake(command.board)

    async def cancel(self, command_id: str) -> None:
        """Stop a command: a waiting one is refused, a running one ends as soon as it can."""
        running = self._running.get(command_id)
        if running is not None:
            running.why = running.why or Reason.CANCELLED
            running.cancel.set()
            return
        for queue in self._queues.values():
            for job in queue:
                if job.command.command_id == command_id:
                    queue.remove(job)
                    message = "it was cancelled before it began"
                    await self._execution.answer(_refused(job.command, Reason.CANCELLED, message))
                    return

    def is_busy(self, board: str) -> bool:
        """Whether commands of a board run or wait."""
        return board in self._workers

    def is_writing(self, board: str) -> bool:
        """Whether the flash of a board is being written."""
        return any(
            job.command.board == board and isinstance(job.command.action, Flash | Recover)
            for job in self._running.values()
        )

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more, wait for what runs, then stop it.

        What waits stays accepted in the journal and is run by the next start.
        """
        self._stopping = True
        for queue in self._queues.values():
            queue.clear()
        workers = list(self._workers.values())
        if workers:
            await asyncio.wait(workers, timeout=grace_s)
        for job in self._running.values():
            job.why = job.why or Reason.INTERRUPTED
            job.cancel.set()
        if workers:
            await asyncio.wait(workers)

    def _wake(self, board: str) -> None:
        if board not in self._workers and not self._stopping:
            worker = asyncio.create_task(self._work(board), name=f"board {board}")
            self._workers[board] = worker

    async def _work(self, board: str) -> None:
        queue = self._queues[board]
        try:
            while queue and not self._stopping:
                job = queue.popleft()
                self._running[job.command.command_id] = job
                try:
                    await self._execution.run(job)
                finally:
                    del self._running[job.command.command_id]
        finally:
            del self._workers[board]
        if queue:
            self._wake(board)


def _refused(command: Command, reason: Reason, message: str) -> Result:
    refusal = Refusal(outcome=Outcome.REFUSED, reason=reason, message=message)
    return refusal.result(command)
