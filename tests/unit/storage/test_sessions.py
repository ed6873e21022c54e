"""Sessions, fences and small outputs on a real database."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchline.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    NotReadyError,
)
from controlplane.domain.event import Note, SessionChanged, StageChanged
from controlplane.domain.session import Session, SessionRequest, StageRecord
from controlplane.domain.verdict import Outcome, Stage, State
from controlplane.journal.journal import Journal
from controlplane.planning.provision_step import device_of
from controlplane.storage.database import Database, Transaction
from controlplane.storage.sessions import Fence, SessionStore

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def store(database: Database, journal: Journal) -> SessionStore:
    return SessionStore(database, journal)


def new(identity: str, *, prompt: str = "Blink.", at: int = 0) -> Session:
    moment = START + timedelta(seconds=at)
    return Session(
        name=f"sessions/{identity}",
        request=SessionRequest(
            prompt=prompt,
            source=None,
            board_wish="",
            until=Stage.DEPLOY,
            designer="",
            seed=2**64 - 1,
        ),
        state=State.PENDING,
        stages=(StageRecord(stage=Stage.DESIGN),),
        principal="local:me",
        create_time=moment,
        update_time=moment,
        seed=2**64 - 1,
    )


def done(session: Session) -> Session:
    return replace(session, state=State.DONE, outcome=Outcome.PASSED)


async def test_a_created_session_is_stored_with_its_events(
    store: SessionStore, journal: Journal
) -> None:
    created = await store.create(new("abc"), "r1", [SessionChanged(state=State.PENDING)])
    assert created.last_sequence == 1
    assert await store.get("abc") == created
    assert [event.fact for event in await journal.read("abc", 0, 10)] == [
        SessionChanged(state=State.PENDING)
    ]


async def test_the_same_request_makes_one_session_however_often_it_comes(
    store: SessionStore, journal: Journal
) -> None:
    fact = SessionChanged(state=State.PENDING)
    made = await asyncio.gather(*(store.create(new(f"s{n}"), "r1", [fact]) for n in range(20)))
    assert {session.name for session in made} == {made[0].name}
    assert len((await store.page(10, None))[0]) == 1
    assert await journal.head("s1") + await journal.head("s0") == 1
    with pytest.raises(ConflictError, match="another request"):
        await store.create(new("other", prompt="Fly."), "r1", [])
    await store.create(replace(new("other"), principal="local:you"), "r1", [])


async def test_sessions_of_one_moment_get_devices_of_their_own(store: SessionStore) -> None:
    def publishes(identity: str, stack: str = "local") -> Session:
        session = new(identity)
        return replace(session, request=replace(session.request, stack=stack))

    created = await asyncio.gather(
        *(store.create(publishes(f"s{number}"), f"r{number}", []) for number in range(5))
    )
    devices = {session.device for session in created}
    firmware = device_of(publishes("any").request)
    assert len(devices) == 5
    assert firmware in devices

    again = await store.create(publishes("s9"), "r0", [])
    assert (again.name, again.device) == (created[0].name, created[0].device)
    elsewhere = await store.create(publishes("t0", "greenhouse"), "t", [])
    assert elsewhere.device == firmware
    for session in created:
        await store.record(session.session_id, [], change=done)
    assert (await store.create(publishes("u0"), "u", [])).device == firmware


async def test_a_name_is_given_once(store: SessionStore, journal: Journal) -> None:
    await store.create(new("abc"), "", [])
    with pytest.raises(ConflictError, match="exists already"):
        await store.create(new("abc"), "", [Note(text="lost")])
    assert await journal.head("abc") == 0


async def test_a_prefix_finds_a_session_only_when_it_is_unambiguous(store: SessionStore) -> None:
    for identity in ("abc", "abcd", "abx", "b"):
        await store.create(new(identity), "", [])
    assert (await store.find("abcd")).session_id == "abcd"
    assert (await store.find("abc")).session_id == "abc"
    assert (await store.find("abx")).session_id == "abx"
    with pytest.raises(InvalidRequestError, match="several"):
        await store.find("ab")
    with pytest.raises(NotFoundError):
        await store.find("zz")


async def test_pages_are_newest_first_without_gaps_or_repeats(store: SessionStore) -> None:
    for n in range(7):
        await store.create(new(f"s{n}", at=n // 2), "", [])
    seen: list[str] = []
    after: str | None = None
    while True:
        sessions, after = await store.page(3, after)
        seen += [session.session_id for session in sessions]
        if after is None:
            break
    assert seen == [f"s{n}" for n in (6, 5, 4, 3, 2, 1, 0)]


async def test_a_change_and_its_events_are_one(store: SessionStore, journal: Journal) -> None:
    await store.create(new("abc"), "", [])

    def explode(session: Session) -> Session:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.record("abc", [Note(text="never")], change=explode)
    assert await journal.head("abc") == 0
    changed = await store.record(
        "abc",
        [StageChanged(stage=Stage.DESIGN, state=State.RUNNING), Note(text="x")],
        stage=Stage.DESIGN,
        attempt=2,
        change=lambda session: replace(session, state=State.RUNNING),
    )
    assert (changed.state, changed.last_sequence) == (State.RUNNING, 2)
    assert await store.get("abc") == changed
    events = await journal.read("abc", 1, 10)
    assert [(e.sequence, e.stage, e.attempt, e.session) for e in events] == [
        (1, Stage.DESIGN, 2, "sessions/abc"),
        (2, Stage.DESIGN, 2, "sessions/abc"),
    ]


async def test_a_change_that_was_rolled_back_is_not_remembered(
    database: Database, store: SessionStore
) -> None:
    await store.create(new("abc"), "", [])

    def fail(tx: Transaction) -> None:
        store.record_in(tx, "abc", [], change=lambda s: replace(s, message="never"))
        raise ZeroDivisionError

    kept = store.record("abc", [Note(text="kept")])
    with pytest.raises(ZeroDivisionError):
        await database.transact(fail)
    changed = await kept
    again = await store.record("abc", [], change=lambda s: replace(s, board="b"))
    assert (changed.message, again.message, again.board) == ("", "", "b")
    assert await store.get("abc") == again


async def test_an_ended_session_takes_notes_and_nothing_else(store: SessionStore) -> None:
    await store.create(new("abc"), "", [])
    await store.record("abc", [SessionChanged(state=State.DONE)], change=done)
    await store.record("abc", [Note(text="the board was given back")])
    with pytest.raises(NotReadyError, match="over"):
        await store.record("abc", [SessionChanged(state=State.RUNNING)])
    with pytest.raises(NotReadyError, match="over"):
        await store.record("abc", [], change=lambda session: replace(session, state=State.RUNNING))
    assert (await store.get("abc")).last_sequence == 2
    assert await store.unfinished() == []


async def test_unfinished_sessions_are_listed_oldest_first(store: SessionStore) -> None:
    for n in range(3):
        await store.create(new(f"s{n}", at=-n), "", [])
    await store.record("s1", [], change=done)
    assert [session.session_id for session in await store.unfinished()] == ["s2", "s0"]


async def test_a_claimed_stage_makes_the_earlier_fence_stale(store: SessionStore) -> None:
    await store.create(new("abc"), "", [])
    first = await store.claim_stage("abc", Stage.BUILD, "a")
    other = await store.claim_stage("abc", Stage.DESIGN, "a")
    assert (first.token, other.token) == (1, 1)
    second = await store.claim_stage("abc", Stage.BUILD, "b")
    assert second == Fence("abc", Stage.BUILD, "b", 2)
    for use in (
        store.record("abc", [Note(text="late")], fence=first),
        store.put_checkpoint("abc", "build", "{}", fence=first),
    ):
        with pytest.raises(ConflictError) as caught:
            await use
        assert caught.value.reason == "STALE_FENCE"
    await store.put_checkpoint("abc", "build", "{}", fence=second)
    await store.record("abc", [Note(text="mine")], fence=second)
    third = await store.claim_stage("abc", Stage.BUILD, "b")
    with pytest.raises(ConflictError):
        await store.record("abc", [], fence=second)
    assert third.token == 3


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_writes_last_under_a_fence_holds_the_newest_token(
    store: SessionStore, journal: Journal, seed: int
) -> None:
    """Workers that claim and write at random: accepted writes carry tokens that never fall."""
    await store.create(new("abc"), "", [])
    dice = random.Random(seed)

    async def worker(name: str) -> tuple[int, int]:
        accepted = refused = 0
        for _ in range(10):
            fence = await store.claim_stage("abc", Stage.BUILD, name)
            for _ in range(dice.randrange(4)):
                if dice.random() < 0.5:
                    await asyncio.sleep(0)
                try:
                    await store.record("abc", [Note(text=str(fence.token))], fence=fence)
                except ConflictError:
                    refused += 1
                else:
                    accepted += 1
        return accepted, refused

    counts = await asyncio.gather(*(worker(f"w{n}") for n in range(8)))
    events = await journal.read("abc", 1, 10_000)
    tokens = [int(event.fact.text) for event in events if isinstance(event.fact, Note)]
    assert tokens == sorted(tokens)
    assert len(tokens) == sum(accepted for accepted, _ in counts)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_a_checkpoint_is_replaced_and_found_by_its_key(store: SessionStore) -> None:
    await store.create(new("abc"), "", [])
    for key, value in (("sim/b", "2"), ("sim/a", "1"), ("sim_c", "3"), ("sim/a", "9")):
        await store.put_checkpoint("abc", key, value)
    assert await store.get_checkpoint("abc", "sim/a") == "9"
    assert await store.get_checkpoint("abc", "sim_c") == "3"
    assert await store.get_checkpoint("abc", "none") is None
    with pytest.raises(NotFoundError):
        await store.put_checkpoint("nobody", "a", "b")


async def test_the_longest_unused_stage_result_goes_first(
    database: Database, journal: Journal
) -> None:
    moments = iter(range(1000))
    store = SessionStore(
        database, journal, now=lambda: START + timedelta(seconds=next(moments)), cached_stages=3
    )
    for name in ("a", "b", "c"):
        await store.put_cached_stage(Stage.BUILD, name, f'"{name}"')
    assert await store.cached_stage(Stage.BUILD, "a") == '"a"'
    await store.put_cached_stage(Stage.BUILD, "d", '"d"')
    found = [await store.cached_stage(Stage.BUILD, name) for name in "abcd"]
    assert found == ['"a"', None, '"c"', '"d"']
    assert await store.cached_stage(Stage.SIMULATE, "a") is None
