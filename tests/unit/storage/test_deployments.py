"""Deployments and their boards on a real database."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchline.errors import ConflictError, InvalidRequestError, NotFoundError, NotReadyError
from controlplane.domain.deployment import BoardDeployment, Deployment, DeploymentRequest
from controlplane.domain.event import DeploymentChanged, Note, SessionChanged
from controlplane.domain.verdict import Outcome, State
from controlplane.journal.journal import Journal
from controlplane.storage.database import Database
from controlplane.storage.deployments import DeploymentStore
from controlplane.storage.migrate import _upgrade, bring_up_to_date

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def store(database: Database, journal: Journal) -> DeploymentStore:
    return DeploymentStore(database, journal)


def new(identity: str, *, selector: str = "kind=virtual", at: int = 0) -> Deployment:
    moment = START + timedelta(seconds=at)
    return Deployment(
        name=f"deployments/{identity}",
        request=DeploymentRequest(selector=selector),
        images=(),
        state=State.PENDING,
        wave_count=2,
        principal="local:me",
        create_time=moment,
        update_time=moment,
        seed=2**64 - 1,
    )


def board(name: str, wave: int) -> BoardDeployment:
    return BoardDeployment(board=f"agents/b/boards/{name}", part="esp32c3", wave=wave)


BOARDS = [board("b", 1), board("a", 2), board("c", 1)]


async def test_rows_and_events_are_there_before_anything_is_touched(
    store: DeploymentStore, journal: Journal
) -> None:
    fact = DeploymentChanged(state=State.PENDING)
    created = await store.create(new("d1"), BOARDS, "r1", [fact])

    assert created.last_sequence == 1
    assert await store.get("d1") == created
    assert [b.board_id for b in await store.boards("d1")] == ["b", "c", "a"]
    event = (await journal.read("deployments/d1", 1, 10))[0]
    assert (event.fact, event.deployment, event.session) == (fact, "deployments/d1", "")


async def test_the_same_request_makes_one_deployment(store: DeploymentStore) -> None:
    first = await store.create(new("d1"), BOARDS, "r1", [Note(text="x")])
    assert await store.create(new("d2"), [], "r1", [Note(text="y")]) == first
    assert await store.find_request("local:me", "r1") == first
    with pytest.raises(ConflictError, match="another request"):
        await store.create(new("d3", selector="other"), [], "r1", [])


async def test_a_board_among_the_facts_is_its_new_row(
    store: DeploymentStore, journal: Journal
) -> None:
    await store.create(new("d1"), BOARDS, "", [Note(text="x")])
    fence = await store.claim("d1", "me")
    done = replace(board("c", 1), state=State.DONE, outcome=Outcome.PASSED)

    after = await store.record(
        "d1", [done], fence=fence, change=lambda d: replace(d, state=State.RUNNING, wave=1)
    )

    assert (after.state, after.wave, after.last_sequence) == (State.RUNNING, 1, 2)
    assert {b.board_id: b.outcome for b in await store.boards("d1")} == {
        "a": None,
        "b": None,
        "c": Outcome.PASSED,
    }
    assert (await journal.read(new("d1").name, 2, 10))[0].fact == done


async def test_whoever_was_overtaken_cannot_write(store: DeploymentStore) -> None:
    await store.create(new("d1"), BOARDS, "", [])
    old = await store.claim("d1", "one")
    await store.claim("d1", "two")
    with pytest.raises(ConflictError) as caught:
        await store.record("d1", [Note(text="x")], fence=old)
    assert caught.value.reason == "STALE_FENCE"


async def test_an_ended_deployment_stays_as_it_is(store: DeploymentStore) -> None:
    await store.create(new("d1"), BOARDS, "", [])
    fence = await store.claim("d1", "me")
    await store.record("d1", [], fence=fence, change=lambda d: replace(d, state=State.DONE))

    assert await store.unfinished() == []
    for late in (store.request_cancel("d1"), store.record("d1", [Note(text="x")], fence=fence)):
        with pytest.raises(NotReadyError):
            await late


async def test_a_wish_to_cancel_survives_other_changes(store: DeploymentStore) -> None:
    await store.create(new("d1"), BOARDS, "", [])
    fence = await store.claim("d1", "me")
    await store.request_cancel("d1")
    await store.record("d1", [], fence=fence, change=lambda d: replace(d, wave=1))
    assert (await store.get("d1")).cancel_requested


async def test_deployments_are_found_by_prefix_and_listed_newest_first(
    store: DeploymentStore,
) -> None:
    for number in range(3):
        await store.create(new(f"d{number}", at=number), [], "", [])
    assert (await store.find("d1")).name == "deployments/d1"
    with pytest.raises(InvalidRequestError):
        await store.find("d")
    with pytest.raises(NotFoundError):
        await store.find("x")
    first, rest = await store.page(2, None)
    assert [d.deployment_id for d in first] == ["d2", "d1"]
    assert [d.deployment_id for d in (await store.page(2, rest))[0]] == ["d0"]


def test_a_journal_of_the_first_schema_is_kept(tmp_path: Path) -> None:
    """The events of sessions that were stored before deployments existed are still read."""
    path = tmp_path / "old.db"
    _upgrade(path, 1)
    old = sqlite3.connect(path)
    old.execute("INSERT INTO journals VALUES ('s1', 1, 1)")
    fact = '{"state":"PENDING"}'
    row = "('s1', 1, 0, '', 1, 'session_changed', ?)"
    columns = "session_id, sequence, time_us, stage, attempt, kind, body"
    old.execute(f"INSERT INTO events ({columns}) VALUES {row}", (fact,))
    old.commit()
    old.close()

    bring_up_to_date(path)

    async def read() -> object:
        database = await Database.open(path)
        events = await Journal(database).read("s1", 1, 10)
        await database.close()
        return events[0].session, events[0].fact

    import asyncio

    assert asyncio.run(read()) == ("sessions/s1", SessionChanged(state=State.PENDING))
