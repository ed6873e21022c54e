import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchline.errors import (
    ConflictError,
    ExhaustedError,
    InvalidRequestError,
    NotFoundError,
)
from controlplane.domain.live_simulation import LiveSimulation
from controlplane.domain.verdict import State
from controlplane.storage.database import Database
from controlplane.storage.live_simulations import LiveSimulationStore


def live(number: int, session: str = "sessions/a") -> LiveSimulation:
    return LiveSimulation(
        name=f"liveSimulations/01k{number}",
        session=session,
        console=f"consoles/{session}/live/01k{number}",
        title="Blink",
        board_model="olimex-stm32-h405",
        image_sha256="ab" * 32,
        test_build=True,
        rung="qemu-netduinoplus2",
        principal="ana",
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def end(store: LiveSimulationStore, number: int) -> LiveSimulation:
    return await store.change(f"01k{number}", lambda one: replace(one, state=State.DONE))


async def test_one_that_has_ended_stays_as_it_is(database: Database) -> None:
    store = LiveSimulationStore(database)
    await store.create(live(1), "", 9)
    running = await store.change("01k1", lambda one: replace(one, state=State.RUNNING, epoch=1))
    ended = await end(store, 1)
    later = await store.change("01k1", lambda one: replace(one, state=State.RUNNING))

    assert (running.revision, ended.revision) == (2, 3)
    assert later == ended == await store.get("01k1")
    assert await store.unended() == []


async def test_only_those_that_run_count(database: Database) -> None:
    store = LiveSimulationStore(database)
    await store.create(live(1), "", 1)
    with pytest.raises(ExhaustedError, match="benchline simulate stop 01k1"):
        await store.create(live(2), "", 1)
    await end(store, 1)

    assert await store.create(live(2), "", 1) == live(2)


async def test_a_repeated_request_gets_the_first_answer(database: Database) -> None:
    store = LiveSimulationStore(database)
    first = await store.create(live(1), "request", 1)

    assert await store.create(live(2), "request", 1) == first
    with pytest.raises(ConflictError):
        await store.create(live(3, "sessions/b"), "request", 9)


async def test_pages_are_newest_first_and_of_one_session_when_asked(database: Database) -> None:
    store = LiveSimulationStore(database)
    for number in range(1, 5):
        await store.create(live(number, "sessions/b" if number == 2 else "sessions/a"), "", 9)

    first, after = await store.page(2, None)
    rest, last = await store.page(2, after)
    of_one, _ = await store.page(9, None, "sessions/b")

    assert [one.live_id for one in (*first, *rest)] == ["01k4", "01k3", "01k2", "01k1"]
    assert last is None
    assert [one.live_id for one in of_one] == ["01k2"]


async def test_the_oldest_ended_ones_are_forgotten(database: Database) -> None:
    store = LiveSimulationStore(database, kept=1)
    for number in range(1, 4):
        await store.create(live(number), "", 9)
        if number != 1:
            await end(store, number)
    await store.create(live(4), "", 9)

    kept, _ = await store.page(9, None)
    assert [one.live_id for one in kept] == ["01k4", "01k3", "01k1"]


async def test_names_are_found_by_their_beginning(database: Database) -> None:
    store = LiveSimulationStore(database)
    await store.create(live(1), "", 9)
    await store.create(live(12), "", 9)

    assert (await store.find("01k1")).live_id == "01k1"
    assert (await store.find("01k12")).live_id == "01k12"
    with pytest.raises(InvalidRequestError):
        await store.find("01k")
    with pytest.raises(NotFoundError):
        await store.find("01m")


async def test_a_watcher_wakes_at_a_change(database: Database) -> None:
    store = LiveSimulationStore(database)
    await store.create(live(1), "", 9)
    waiting = asyncio.create_task(store.wait("01k1", 1))
    await asyncio.sleep(0)
    changed = await store.change("01k1", lambda one: replace(one, message="new"))

    async with asyncio.timeout(60):
        assert await waiting == changed
