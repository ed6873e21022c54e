"""The lease book on a real database."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchline.errors import ConflictError, InvalidRequestError, NotFoundError, NotReadyError
from controlplane.domain.bench import Board, BoardKind, BoardState, Lease
from controlplane.leasing.book import LeaseBook
from controlplane.storage.boards import BoardStore
from controlplane.storage.database import Database
from controlplane.storage.leases import LeaseState

WAIT_S = 60
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SOON = timedelta(milliseconds=50)


def board(name: str, model: str = "h405", state: BoardState = BoardState.ACTIVE) -> Board:
    return Board(
        name=f"agents/bench/boards/{name}",
        model=model,
        part="p",
        kind=BoardKind.VIRTUAL,
        state=state,
        probe_id="",
        identity=name,
        port="",
    )


@pytest.fixture
async def boards(database: Database) -> BoardStore:
    store = BoardStore(database)
    await store.link_agent("bench", version="1", host="lab")
    await store.put_inventory("bench", [board("a"), board("b"), board("n", "nucleo")])
    return store


@pytest.fixture
async def book(database: Database, boards: BoardStore) -> AsyncIterator[LeaseBook]:
    async with LeaseBook(database, boards) as opened:
        yield opened


async def queued(book: LeaseBook, count: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while len(book._waiters) < count:  # noqa: ASYNC110 (nothing to wait for)
            await asyncio.sleep(0)


async def test_the_free_board_of_the_lowest_name_is_lent(book: LeaseBook) -> None:
    lent = [(await book.acquire("model=h405", "me"))[1].board_id for _ in range(2)]
    assert lent == ["a", "b"]
    with pytest.raises(NotReadyError) as caught:
        await book.acquire("model=h405", "me")
    assert (caught.value.reason, caught.value.facts["leased"]) == ("BOARD_BUSY", "2")
    with pytest.raises(NotReadyError) as caught:
        await book.acquire("model=esp32", "me")
    assert caught.value.reason == "NO_BOARD_MATCHES"
    assert "the benches have h405" in str(caught.value)


async def test_boards_that_are_away_or_faulty_are_never_lent(
    book: LeaseBook, boards: BoardStore
) -> None:
    await boards.put_inventory("bench", [board("a", state=BoardState.FAULTY)])
    with pytest.raises(NotReadyError) as caught:
        await book.acquire("model=h405", "me")
    assert (caught.value.facts["faulty"], caught.value.facts["offline"]) == ("1", "1")


async def test_the_fencing_token_of_a_board_only_rises(book: LeaseBook) -> None:
    tokens = []
    for n in range(5):
        lease, _ = await book.acquire("name=a", f"holder-{n}")
        tokens.append(lease.fencing_token)
        await book.release(lease.name)
    assert tokens == [1, 2, 3, 4, 5]


async def test_a_repeated_request_gets_its_first_lease(book: LeaseBook) -> None:
    first = await asyncio.gather(*(book.acquire("", "me", request_id="r") for _ in range(5)))
    assert len({lease.name for lease, _ in first}) == 1
    other, _ = await book.acquire("", "you", request_id="r")
    assert other.name != first[0][0].name
    with pytest.raises(ConflictError) as caught:
        await book.acquire("name=n", "me", request_id="r")
    assert caught.value.reason == "REQUEST_ID_REUSED"
    await book.release(first[0][0].name)
    assert (await book.acquire("", "me", request_id="r"))[0] == first[0][0]


async def test_a_lease_lapses_at_its_moment_and_the_board_goes_to_who_waits(
    book: LeaseBook,
) -> None:
    lease, _ = await book.acquire("name=a", "me", SOON)
    async with asyncio.timeout(WAIT_S):
        next_lease, found = await book.acquire_wait("name=a", "you")
    assert await book.state(lease.name) is LeaseState.EXPIRED
    assert found.holder == "you"
    assert next_lease.fencing_token == lease.fencing_token + 1
    assert next_lease.create_time >= lease.expire_time
    with pytest.raises(ConflictError) as caught:
        await book.renew(lease.name)
    assert caught.value.reason == "STALE_LEASE"


async def test_a_renewed_lease_does_not_lapse(database: Database, boards: BoardStore) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    async with LeaseBook(database, boards, now=lambda: now) as book:
        kept, _ = await book.acquire("name=a", "me", MINUTE)
        lapsing, _ = await book.acquire("name=b", "me", MINUTE)
        assert (await book.renew(kept.name, HOUR)).expire_time > kept.expire_time
        now += 2 * MINUTE
        async with asyncio.timeout(WAIT_S):
            await book.acquire_wait("name=b", "you")
        assert await book.state(lapsing.name) is LeaseState.EXPIRED
        assert await book.state(kept.name) is LeaseState.GRANTED


async def test_leases_that_lapsed_while_nobody_ran_are_free_after_a_restart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "restart.db"
    for round_ in (1, 2):
        database = await Database.open(path)
        boards = BoardStore(database)
        await boards.link_agent("bench", version="1", host="lab")
        await boards.put_inventory("bench", [board("a"), board("b")])
        async with LeaseBook(database, boards) as book:
            if round_ == 1:
                await book.acquire("name=a", "me", timedelta(microseconds=1))
                held, _ = await book.acquire("name=b", "me", HOUR)
            else:
                lease, _ = await book.acquire("", "me")
                assert lease.board.endswith("/a")
                assert lease.fencing_token >= 2
                assert [found.name for found in (await book.page(10, None))[0]] == [
                    lease.name,
                    held.name,
                ]
        await database.close()


async def test_waiters_are_served_in_their_order(book: LeaseBook) -> None:
    lease, _ = await book.acquire("name=a", "me")
    order: list[int] = []

    async def wait(n: int) -> None:
        mine, _ = await book.acquire_wait("name=a", f"w{n}")
        order.append(n)
        await book.release(mine.name)

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        for n in range(10):
            group.create_task(wait(n))
            await queued(book, n + 1)
        await book.release(lease.name)
    assert order == list(range(10))


async def test_a_waiter_for_another_board_is_not_held_up(book: LeaseBook) -> None:
    await book.acquire("name=a", "me")
    stuck = asyncio.create_task(book.acquire_wait("name=a", "stuck"))
    await queued(book, 1)
    async with asyncio.timeout(WAIT_S):
        _, found = await book.acquire_wait("name=n", "lucky")
    assert found.board_id == "n"
    assert not stuck.done()
    stuck.cancel()
    await asyncio.wait([stuck])


async def test_nobody_overtakes_who_waits(book: LeaseBook, boards: BoardStore) -> None:
    await boards.put_inventory("bench", [board("a")])
    lease, _ = await book.acquire("", "me")
    waiting = asyncio.create_task(book.acquire_wait("", "first"))
    await queued(book, 1)
    await asyncio.gather(
        book.release(lease.name), _expect_busy(book.acquire("name=a", "overtaker"))
    )
    async with asyncio.timeout(WAIT_S):
        assert (await waiting)[0].holder == "first"


async def _expect_busy(call: object) -> None:
    with pytest.raises(NotReadyError):
        await call


async def test_a_new_board_goes_to_who_waits_for_it(book: LeaseBook, boards: BoardStore) -> None:
    waiting = asyncio.create_task(book.acquire_wait("name=new", "me"))
    await queued(book, 1)
    await boards.put_inventory("bench", [board("new")])
    async with asyncio.timeout(WAIT_S):
        assert (await waiting)[1].board_id == "new"


async def test_waiting_ends_at_its_time_out(book: LeaseBook) -> None:
    await book.acquire("name=a", "me")
    with pytest.raises(NotReadyError) as caught:
        await book.acquire_wait("name=a", "you", timeout=SOON)
    assert caught.value.reason == "BOARD_BUSY"
    assert book._waiters == []


async def test_boards_that_are_all_offline_are_named_when_none_can_be_lent(
    book: LeaseBook, boards: BoardStore
) -> None:
    await boards.put_inventory("bench", [board("n", "nucleo")])
    with pytest.raises(NotReadyError) as caught:
        await book.acquire("model=h405", "me")
    assert (caught.value.reason, caught.value.facts["offline"]) == ("BOARDS_OFFLINE", "2")
    assert "a: agent bench on lab had it last at" in caught.value.message


async def test_waiters_that_leave_never_keep_a_board(book: LeaseBook) -> None:
    """Waiters are cancelled at random while a board goes round: it is free in the end."""
    dice = random.Random(1)

    async def hold() -> None:
        try:
            lease, _ = await book.acquire_wait("model=h405", "me", HOUR)
        except asyncio.CancelledError:
            return
        await asyncio.sleep(0)
        await book.release(lease.name)

    tasks = [asyncio.create_task(hold()) for _ in range(60)]
    for task in dice.sample(tasks, 40):
        for _ in range(dice.randrange(6)):
            await asyncio.sleep(0)
        task.cancel()
    async with asyncio.timeout(WAIT_S):
        await asyncio.wait(tasks)
        while (await book.page(100, None))[0]:
            # A task that was cancelled between grant and release keeps its lease: that one is
            # ours to end. One that never got its answer must be ended by the book.
            for lease in (await book.page(100, None))[0]:
                await book.release(lease.name)
    assert book._waiters == []
    assert book._orphans == []


async def test_a_grant_that_nobody_waits_for_any_more_is_given_back(book: LeaseBook) -> None:
    for steps in range(40):
        task = asyncio.create_task(book.acquire_wait("name=n", "me", HOUR))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            await book.release(task.result()[0].name)
        async with asyncio.timeout(WAIT_S):
            lease, _ = await book.acquire_wait("name=n", "next", HOUR)
        await book.release(lease.name)


async def test_a_board_has_one_holder_at_a_time_whatever_happens(book: LeaseBook) -> None:
    dice = random.Random(2)
    held: dict[str, Lease] = {}
    tokens: dict[str, int] = {}

    async def worker(name: str) -> None:
        for _ in range(15):
            selector = dice.choice(["", "model=h405", "name=a", "n"])
            try:
                if dice.random() < 0.5:
                    lease, _ = await book.acquire(selector, name, HOUR)
                else:
                    lease, _ = await book.acquire_wait(selector, name, HOUR, timeout=MINUTE)
            except NotReadyError:
                continue
            assert lease.board not in held
            assert lease.fencing_token > tokens.get(lease.board, 0)
            held[lease.board] = lease
            tokens[lease.board] = lease.fencing_token
            await asyncio.sleep(0)
            del held[lease.board]
            await book.release(lease.name)

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        for n in range(12):
            group.create_task(worker(f"w{n}"))
    assert (await book.page(10, None))[0] == []


async def test_an_unknown_lease_is_not_found(book: LeaseBook) -> None:
    for call in (book.renew("leases/x"), book.release("leases/x"), book.get("leases/x")):
        with pytest.raises(NotFoundError):
            await call


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1), timedelta(hours=1.01)])
async def test_a_time_to_live_outside_its_range_is_refused(book: LeaseBook, ttl: timedelta) -> None:
    with pytest.raises(InvalidRequestError):
        await book.acquire("", "me", ttl)
