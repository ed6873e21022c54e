"""The work queue: which stage is to be worked on next.

Delivery is at least once and only a hint. The truth is the stage, whose lease and fencing token
make a second delivery harmless: a handler claims the stage first and returns when it cannot.
"""

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import from_us, to_us, utc_now

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to work on. `key` is its identity and its only payload."""

    key: str
    kind: str
    priority: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job, and how many deliveries before this one ended in Again, a crash or a shutdown."""

    job: Job
    attempt: int


class Again(Exception):  # noqa: N818 (a request, not an error)
    """Raised by a handler: deliver the job again, `after` from now."""

    def __init__(self, after: timedelta = timedelta(0)) -> None:
        super().__init__(f"again after {after}")
        self.after = after


Handler = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Claim:
    number: int
    delivery: Delivery


@dataclass(slots=True, eq=False)
class _Worker:
    handler: Handler
    kinds: tuple[str, ...]
    concurrency: int
    running: dict[asyncio.Task[None], _Claim] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class WorkQueue:
    """The queue of a single process, over the tables that its work changes."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self._workers: set[_Worker] = set()

    def put(self, tx: Transaction, job: Job) -> None:
        """Queue a job when `tx` commits; one that waits already stays as it is."""
        tx.connection.execute(
            "INSERT INTO work"
            " (key, kind, priority, not_before_us, state, attempt, owner_boot_id)"
            " VALUES (?, ?, ?, ?, 'WAITING', 0, '') ON CONFLICT DO NOTHING",
            (job.key, job.kind, job.priority, to_us(job.not_before) if job.not_before else 0),
        )
        tx.after_commit(self._wake_workers)

    def cancel(self, tx: Transaction, key: str) -> None:
        """When `tx` commits: drop the waiting job, cancel the running handler for good."""
        tx.connection.execute("DELETE FROM work WHERE key = ?", (key,))
        tx.after_commit(lambda: self._cancel_running(key))

    async def sweep(self) -> int:
        """Make the jobs that an earlier process left behind wait again; how many there were."""

        def work(tx: Transaction) -> int:
            left = tx.connection.execute(
                "SELECT number FROM work WHERE state = 'RUNNING' AND owner_boot_id <> ?",
                (self._database.boot_id,),
            ).fetchall()
            for (number,) in left:
                _requeue(tx.connection, number, 0)
            if left:
                tx.after_commit(self._wake_workers)
            return len(left)

        return await self._database.transact(work)

    async def depth(self) -> Mapping[str, int]:
        """Waiting jobs of each kind."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT kind, COUNT(*) FROM work WHERE state = 'WAITING' GROUP BY kind"
            ).fetchall()
        )
        return dict(rows)

    async def work(
        self,
        handler: Handler,
        *,
        kinds: Collection[str],
        concurrency: int,
        stop: asyncio.Event,
        grace: timedelta,
    ) -> None:
        """Deliver jobs of these kinds until `stop`; then wait `grace` and cancel the rest.

        A handler that returns or fails is done; the jobs of cancelled ones are delivered again.
        """
        worker = _Worker(handler, tuple(kinds), concurrency)
        self._workers.add(worker)
        stopped = asyncio.create_task(stop.wait())
        try:
            await self.sweep()
            while not stop.is_set():
                nearest = await self._fill(worker)
                await self._pause(worker, stopped, nearest)
            if worker.running:
                await asyncio.wait(worker.running, timeout=grace.total_seconds())
        finally:
            stopped.cancel()
            self._workers.discard(worker)
            await self._put_back(worker)

    async def _fill(self, worker: _Worker) -> datetime | None:
        """Start what there is room for; when the next job of these kinds may start."""
        worker.wake.clear()
        room = worker.concurrency - len(worker.running)
        if room <= 0:
            return None
        # A claim that is under way when this task is cancelled is finished, then put back.
        claiming = asyncio.create_task(self._claim(worker.kinds, room))
        try:
            claims, nearest = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            claims, _ = await claiming
            await self._requeue_all(claims)
            raise
        for claim in claims:
            task = asyncio.create_task(self._deliver(worker, claim), name=claim.delivery.job.key)
            worker.running[task] = claim
            task.add_done_callback(lambda done: self._finished(worker, done))
        return nearest

    @staticmethod
    def _finished(worker: _Worker, task: asyncio.Task[None]) -> None:
        worker.running.pop(task, None)
        worker.wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("a job could not be settled", exc_info=task.exception())

    async def _pause(
        self, worker: _Worker, stopped: asyncio.Task[bool], nearest: datetime | None
    ) -> None:
        delay = None
        if nearest is not None:
            delay = max(0.0, (nearest - self._now()).total_seconds())
        woken = asyncio.create_task(worker.wake.wait())
        try:
            await asyncio.wait({woken, stopped}, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()

    async def _claim(
        self, kinds: tuple[str, ...], room: int
    ) -> tuple[list[_Claim], datetime | None]:
        now_us = to_us(self._now())
        wanted = json.dumps(kinds)

        def work(tx: Transaction) -> tuple[list[_Claim], datetime | None]:
            rows = tx.connection.execute(
                "SELECT number, key, kind, priority, attempt FROM work WHERE state = 'WAITING'"
                " AND kind IN (SELECT value FROM json_each(?)) AND not_before_us <= ?"
                " ORDER BY priority DESC, number LIMIT ?",
                (wanted, now_us, room),
            ).fetchall()
            tx.connection.executemany(
                "UPDATE work SET state = 'RUNNING', owner_boot_id = ? WHERE number = ?",
                [(self._database.boot_id, row[0]) for row in rows],
            )
            later = tx.connection.execute(
                "SELECT MIN(not_before_us) FROM work WHERE state = 'WAITING'"
                " AND kind IN (SELECT value FROM json_each(?)) AND not_before_us > ?",
                (wanted, now_us),
            ).fetchone()[0]
            claims = [
                _Claim(number, Delivery(Job(key=key, kind=kind, priority=priority), attempt))
                for number, key, kind, priority, attempt in rows
            ]
            return claims, None if later is None else from_us(later)

        return await self._database.transact(work)

    async def _deliver(self, worker: _Worker, claim: _Claim) -> None:
        again: timedelta | None = None
        try:
            await worker.handler(claim.delivery)
        except Again as wish:
            again = wish.after
        except Exception:
            log.exception(
                "a job failed",
                extra={"key": claim.delivery.job.key, "kind": claim.delivery.job.kind},
            )
        await self._settle(claim, again)

    async def _settle(self, claim: _Claim, again: timedelta | None) -> None:
        not_before_us = to_us(self._now() + again) if again else 0

        def work(tx: Transaction) -> None:
            if again is None:
                tx.connection.execute("DELETE FROM work WHERE number = ?", (claim.number,))
            else:
                _requeue(tx.connection, claim.number, not_before_us)
                tx.after_commit(self._wake_workers)

        await self._database.transact(work)

    def _wake_workers(self) -> None:
        for worker in self._workers:
            worker.wake.set()

    def _cancel_running(self, key: str) -> None:
        for worker in self._workers:
            for task, claim in list(worker.running.items()):
                if claim.delivery.job.key == key:
                    task.cancel()

    async def _put_back(self, worker: _Worker) -> None:
        """Cancel what still runs; every job that did not settle waits again."""
        running = dict(worker.running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await self._requeue_all([claim for task, claim in running.items() if task.cancelled()])

    async def _requeue_all(self, claims: Collection[_Claim]) -> None:
        if not claims:
            return
        numbers = [claim.number for claim in claims]

        def work(tx: Transaction) -> None:
            for number in numbers:
                _requeue(tx.connection, number, 0)
            tx.after_commit(self._wake_workers)

        await self._database.transact(work)


def _requeue(connection: sqlite3.Connection, number: int, not_before_us: int) -> None:
    """Make a running job wait; when its key waits already, that one is enough."""
    with contextlib.suppress(sqlite3.IntegrityError):
        connection.execute(
            "UPDATE work SET state = 'WAITING', owner_boot_id = '', attempt = attempt + 1,"
            " not_before_us = ? WHERE number = ?",
            (not_before_us, number),
        )
        return
    connection.execute("DELETE FROM work WHERE number = ?", (number,))
