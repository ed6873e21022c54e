"""The contract of a work queue, on its SQLite form."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controlplane.storage.database import Database
from controlplane.storage.work_queue import Again, Delivery, Job, WorkQueue

KINDS = ("build", "simulate")
WAIT_S = 60


def job(key: str, **fields: object) -> Job:
    return Job(**({"key": key, "kind": "build"} | fields))


class Recorder:
    """Remembers deliveries and lets tests wait for them."""

    def __init__(self, behaviour: Callable[[Delivery], Awaitable[None]] | None = None) -> None:
        self.deliveries: list[tuple[str, int]] = []
        self.cancelled: list[str] = []
        self._behaviour = behaviour
        self._changed = asyncio.Condition()

    async def __call__(self, delivery: Delivery) -> None:
        async with self._changed:
            self.deliveries.append((delivery.job.key, delivery.attempt))
            self._changed.notify_all()
        if self._behaviour is not None:
            try:
                await self._behaviour(delivery)
            except asyncio.CancelledError:
                self.cancelled.append(delivery.job.key)
                raise

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.deliveries]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: len(self.deliveries) >= count)


async def put(database: Database, queue: WorkQueue, *jobs: Job) -> None:
    def work(tx: object) -> None:
        for item in jobs:
            queue.put(tx, item)

    await database.transact(work)


async def cancel(database: Database, queue: WorkQueue, key: str) -> None:
    await database.transact(lambda tx: queue.cancel(tx, key))


async def rows(database: Database) -> int:
    return await database.read(
        lambda connection: int(connection.execute("SELECT COUNT(*) FROM work").fetchone()[0])
    )


async def drained(database: Database) -> None:
    async with asyncio.timeout(WAIT_S):
        while await rows(database):  # noqa: ASYNC110 (the queue tells nobody)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def working(
    queue: WorkQueue,
    handler: Callable[[Delivery], Awaitable[None]],
    *,
    concurrency: int = 4,
    grace_s: float = 60,
) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(
        queue.work(
            handler,
            kinds=KINDS,
            concurrency=concurrency,
            stop=stop,
            grace=timedelta(seconds=grace_s),
        )
    )
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(WAIT_S):
            await task


@pytest.fixture
def queue(database: Database) -> WorkQueue:
    return WorkQueue(database)


async def test_a_committed_job_is_delivered_once(database: Database, queue: WorkQueue) -> None:
    record = Recorder()
    async with working(queue, record):
        await put(database, queue, job("a"))
        await record.until(1)
        await drained(database)
    assert record.deliveries == [("a", 0)]


async def test_a_rolled_back_job_is_never_delivered(database: Database, queue: WorkQueue) -> None:
    def work(tx: object) -> None:
        queue.put(tx, job("a"))
        raise ZeroDivisionError

    record = Recorder()
    async with working(queue, record):
        with pytest.raises(ZeroDivisionError):
            await database.transact(work)
        await put(database, queue, job("b"))
        await record.until(1)
    assert record.keys == ["b"]


async def test_a_waiting_key_is_put_once_and_the_transaction_goes_on(
    database: Database, queue: WorkQueue
) -> None:
    def work(tx: object) -> None:
        queue.put(tx, job("a"))
        queue.put(tx, job("a", priority=9))
        queue.put(tx, job("b"))

    await database.transact(work)
    assert await queue.depth() == {"build": 2}
    record = Recorder()
    async with working(queue, record, concurrency=1):
        await drained(database)
    assert record.keys == ["a", "b"]


async def test_a_running_key_that_is_put_again_is_delivered_again(
    database: Database, queue: WorkQueue
) -> None:
    go = asyncio.Event()

    async def behave(delivery: Delivery) -> None:
        await go.wait()

    record = Recorder(behave)
    async with working(queue, record):
        await put(database, queue, job("a"))
        await record.until(1)
        await put(database, queue, job("a"))
        await record.until(2)
        go.set()
        await drained(database)
    assert record.deliveries == [("a", 0), ("a", 0)]


async def test_higher_priorities_go_first_and_ties_in_their_order(
    database: Database, queue: WorkQueue
) -> None:
    priorities = {"a": 0, "b": 5, "c": -3, "d": 10, "e": 5, "f": 0}
    await put(database, queue, *(job(key, priority=p) for key, p in priorities.items()))
    record = Recorder()
    async with working(queue, record, concurrency=1):
        await drained(database)
    assert record.keys == ["d", "b", "e", "a", "f", "c"]


async def test_a_job_is_never_early(database: Database, queue: WorkQueue) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.3)
    started: list[datetime] = []

    async def behave(delivery: Delivery) -> None:
        started.append(datetime.now(UTC))

    record = Recorder(behave)
    async with working(queue, record):
        await put(database, queue, job("later", not_before=due))
        await put(database, queue, job("now"))
        await record.until(2)
    assert record.keys == ["now", "later"]
    assert started[1] >= due


async def test_again_delivers_again_and_counts(database: Database, queue: WorkQueue) -> None:
    async def behave(delivery: Delivery) -> None:
        if delivery.attempt < 2:
            raise Again(timedelta(seconds=0.05))

    record = Recorder(behave)
    async with working(queue, record):
        await put(database, queue, job("a"))
        await drained(database)
    assert record.deliveries == [("a", 0), ("a", 1), ("a", 2)]


async def test_a_failing_handler_is_done_and_the_next_job_runs(
    database: Database, queue: WorkQueue, caplog: pytest.LogCaptureFixture
) -> None:
    async def behave(delivery: Delivery) -> None:
        if delivery.job.key == "bad":
            raise ValueError

    record = Recorder(behave)
    async with working(queue, record, concurrency=1):
        await put(database, queue, job("bad"), job("good"))
        await drained(database)
    assert record.keys == ["bad", "good"]
    assert "a job failed" in caplog.text


async def test_a_cancelled_waiting_job_is_never_delivered(
    database: Database, queue: WorkQueue
) -> None:
    await put(database, queue, job("a"), job("b"))
    await cancel(database, queue, "a")
    record = Recorder()
    async with working(queue, record):
        await drained(database)
    assert record.keys == ["b"]


async def test_a_cancelled_running_job_is_stopped_for_good_and_frees_its_slot(
    database: Database, queue: WorkQueue
) -> None:
    async def behave(delivery: Delivery) -> None:
        if delivery.job.key == "a":
            await asyncio.Event().wait()

    record = Recorder(behave)
    async with working(queue, record, concurrency=1):
        await put(database, queue, job("a"))
        await record.until(1)
        await put(database, queue, job("b"))
        await cancel(database, queue, "a")
        await record.until(2)
        await drained(database)
    assert record.keys == ["a", "b"]
    assert record.cancelled == ["a"]


async def test_a_rolled_back_cancel_has_no_effect(database: Database, queue: WorkQueue) -> None:
    go = asyncio.Event()

    async def behave(delivery: Delivery) -> None:
        await go.wait()

    def work(tx: object) -> None:
        queue.cancel(tx, "a")
        raise ZeroDivisionError

    record = Recorder(behave)
    async with working(queue, record):
        await put(database, queue, job("a"))
        await record.until(1)
        with pytest.raises(ZeroDivisionError):
            await database.transact(work)
        go.set()
        await drained(database)
    assert record.cancelled == []


async def test_500_jobs_at_four_a_time_are_each_done_once(
    database: Database, queue: WorkQueue
) -> None:
    together = most = 0

    async def behave(delivery: Delivery) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0)
        together -= 1

    record = Recorder(behave)
    async with working(queue, record):
        await put(database, queue, *(job(f"j{n}") for n in range(500)))
        await record.until(500)
        await drained(database)
    assert sorted(record.keys) == sorted(f"j{n}" for n in range(500))
    assert most <= 4


async def test_jobs_of_a_process_that_died_are_delivered_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "restart.db"
    first = await Database.open(path)
    queue = WorkQueue(first)
    await put(first, queue, job("a"), job("b"))
    claims, _ = await queue._claim(KINDS, 1)  # what a killed process leaves behind
    assert [claim.delivery.job.key for claim in claims] == ["a"]
    await put(first, queue, job("a"))
    await first.close()
    second = await Database.open(path)
    record = Recorder()
    async with working(WorkQueue(second), record):
        await drained(second)
    assert sorted(record.keys) == ["a", "b"]
    await second.close()


async def test_a_stop_with_grace_lets_a_job_finish(database: Database, queue: WorkQueue) -> None:
    go = asyncio.Event()

    async def behave(delivery: Delivery) -> None:
        await go.wait()

    record = Recorder(behave)
    async with working(queue, record, concurrency=1) as stop:
        await put(database, queue, job("a"), job("b"))
        await record.until(1)
        stop.set()
        go.set()
    assert record.keys == ["a"]
    assert await queue.depth() == {"build": 1}


async def test_a_stop_without_grace_gives_the_job_to_the_next_worker(
    database: Database, queue: WorkQueue
) -> None:
    async def behave(delivery: Delivery) -> None:
        if delivery.attempt == 0:
            await asyncio.Event().wait()

    record = Recorder(behave)
    async with working(queue, record, grace_s=0.01) as stop:
        await put(database, queue, job("a"))
        await record.until(1)
        stop.set()
    assert record.cancelled == ["a"]
    async with working(queue, record):
        await drained(database)
    assert record.deliveries == [("a", 0), ("a", 1)]


async def test_a_cancelled_worker_puts_its_jobs_back(database: Database, queue: WorkQueue) -> None:
    async def behave(delivery: Delivery) -> None:
        await asyncio.Event().wait()

    record = Recorder(behave)
    task = asyncio.create_task(
        queue.work(
            record, kinds=KINDS, concurrency=4, stop=asyncio.Event(), grace=timedelta(seconds=5)
        )
    )
    await put(database, queue, job("a"), job("b"))
    await record.until(2)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await queue.depth() == {"build": 2}


async def test_a_handler_chains_the_next_job_and_nothing_is_left_behind(
    database: Database, queue: WorkQueue
) -> None:
    async def behave(delivery: Delivery) -> None:
        number = int(delivery.job.key)
        if number < 50:
            await put(database, queue, job(str(number + 1), kind=KINDS[number % 2]))

    record = Recorder(behave)
    async with working(queue, record):
        await put(database, queue, job("0"))
        await record.until(51)
        await drained(database)
    assert record.keys == [str(n) for n in range(51)]


async def test_kinds_of_other_workers_are_left_alone(database: Database, queue: WorkQueue) -> None:
    record = Recorder()
    async with working(queue, record):
        await put(database, queue, job("a", kind="deploy"), job("b"))
        await record.until(1)
    assert record.keys == ["b"]
    assert await queue.depth() == {"deploy": 1}
