"""The journal on a real database."""

import asyncio
from datetime import UTC, datetime

import pytest

from benchline.errors import HistoryGoneError
from controlplane.domain.event import Note
from controlplane.domain.verdict import Stage
from controlplane.journal.journal import Journal
from controlplane.storage.database import Database

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


async def append(
    database: Database, journal: Journal, session: str, *texts: str, fail: bool = False
) -> int:
    def work(tx: object) -> int:
        facts = [Note(text=text) for text in texts]
        head = journal.append(
            tx,
            session,
            facts,
            stage=Stage.BUILD,
            attempt=1,
            now=NOW,
        )
        if fail:
            raise ZeroDivisionError
        return head

    return await database.transact(work)


async def test_events_are_numbered_from_one_without_gaps_whoever_writes(
    database: Database,
) -> None:
    journal = Journal(database)

    async def write(session: str, writer: int) -> None:
        for n in range(20):
            fail = (writer + n) % 5 == 0
            try:
                await append(database, journal, session, *"x" * (n % 4), fail=fail)
            except ZeroDivisionError:
                assert fail

    await asyncio.gather(*(write(s, w) for s in ("a", "b") for w in range(10)))
    for session in ("a", "b"):
        events = await journal.read(session, 1, 10_000)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert await journal.head(session) == len(events) > 0


async def test_events_come_back_as_they_were(database: Database) -> None:
    journal = Journal(database)
    assert await append(database, journal, "a", "ü", "two") == 2
    first, second = await journal.read("a", 0, 10)
    assert (first.time, first.stage, first.attempt, first.fact) == (
        NOW,
        Stage.BUILD,
        1,
        Note(text="ü"),
    )
    assert await journal.read("a", 2, 10) == [second]
    assert await journal.read("a", 3, 10) == []
    assert await journal.read("nobody", 1, 10) == []
    assert await append(database, journal, "a") == 2


async def test_a_waiter_is_woken_by_the_commit(database: Database) -> None:
    journal = Journal(database)
    waiting = asyncio.ensure_future(journal.wait("a", 0))
    other = asyncio.ensure_future(journal.wait("b", 0))
    await append(database, journal, "a", "x")
    async with asyncio.timeout(60):
        assert await waiting == 1
    assert await journal.wait("a", 0) == 1
    assert not other.done()
    other.cancel()


async def test_a_waiter_that_leaves_is_forgotten(database: Database) -> None:
    journal = Journal(database)
    for _ in range(10):
        waiting = asyncio.ensure_future(journal.wait("a", 0))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert journal._bell._listeners == {}


async def test_many_waiters_see_every_number(database: Database) -> None:
    journal = Journal(database)

    async def follow() -> list[int]:
        seen: list[int] = []
        while len(seen) < 100:
            await journal.wait("a", len(seen))
            seen += [e.sequence for e in await journal.read("a", len(seen) + 1, 7)]
        return seen

    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(follow()) for _ in range(5)]
        for n in range(100):
            await append(database, journal, "a", str(n))
    assert all(task.result() == list(range(1, 101)) for task in followers)


async def test_old_events_are_compacted_and_a_reader_is_told(database: Database) -> None:
    journal = Journal(database, event_cap=100)
    for n in range(30):
        await append(database, journal, "a", *(f"{n}.{m}" for m in range(10)))
    with pytest.raises(HistoryGoneError) as caught:
        await journal.read("a", 1, 10)
    oldest = int(caught.value.facts["oldest"])
    events = await journal.read("a", oldest, 1000)
    assert [event.sequence for event in events] == list(range(oldest, 301))
    assert 100 <= len(events) <= 120
