"""Scores, quarantines and recoveries as they are kept."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchline.errors import NotFoundError
from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.domain.health import Quarantine, Recovery, RecoveryAction, RecoveryStep
from controlplane.domain.verdict import Outcome
from controlplane.leasing.book import LeaseBook
from controlplane.planning.health import NEUTRAL, settled
from controlplane.planning.leases import Selector, choose_board
from controlplane.storage.board_health import KEPT_OUTCOMES, HealthStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.database import Database, Transaction

FIRST, SECOND = "agents/bench/boards/a", "agents/bench/boards/b"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Bench:
    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.database = database
        self.boards = BoardStore(database, now=self.clock)
        self.health = HealthStore(database, self.boards, now=self.clock)


@pytest.fixture
async def bench(database: Database) -> Bench:
    found = Bench(database)
    await found.boards.link_agent("bench", version="1", host="h")
    await found.boards.put_inventory("bench", [board("a"), board("b")])
    return found


def board(name: str) -> Board:
    return Board(
        name=f"agents/bench/boards/{name}",
        model="h405",
        part="stm32f405rg",
        kind=BoardKind.VIRTUAL,
        state=BoardState.ACTIVE,
        probe_id="p",
        identity=name,
        port="",
    )


def quarantine(*, automatic: bool, reason: str = "TOOL_HUNG") -> Quarantine:
    return Quarantine(
        reason=reason,
        message="why",
        principal="ana",
        automatic=automatic,
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def recovery(name: str = "recoveries/r1", *, automatic: bool = True) -> Recovery:
    return Recovery(
        name=name,
        board=FIRST,
        trouble="TOOL_HUNG",
        principal="benchline",
        automatic=automatic,
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def nothing(_tx: Transaction) -> None:
    """No job."""


async def test_a_fault_lowers_the_score_which_settles_as_the_pure_rule_says(bench: Bench) -> None:
    assert (await bench.boards.get(FIRST)).score == NEUTRAL
    began = bench.clock.now
    await bench.health.note(FIRST, "flash", Outcome.BROKEN, "VERIFY_FAILED")
    low = (await bench.boards.get(FIRST)).score
    assert low == 50
    for hours in (0, 1, 7, 100):
        bench.clock.now = began + timedelta(hours=hours)
        assert (await bench.boards.get(FIRST)).score == settled(low, began, bench.clock.now)


async def test_the_better_board_is_lent_first_and_a_quarantined_one_never(bench: Bench) -> None:
    async with LeaseBook(bench.database, bench.boards, now=bench.clock) as book:
        await bench.health.note(FIRST, "flash", Outcome.BROKEN, "TARGET_SILENT")
        lease, lent = await book.acquire("", "me")
        assert lent.name == SECOND
        await book.release(lease.name)
        await bench.health.quarantine(SECOND, quarantine(automatic=True))
        lease, lent = await book.acquire("", "me")
        assert lent.name == FIRST
        with pytest.raises(Exception, match=r"1 quarantined .*b: TOOL_HUNG, why"):
            await book.acquire("name=b", "me")
        care, _ = await book.acquire("name=b", "carer", care=True)
        assert (await bench.boards.get(SECOND)).state is BoardState.QUARANTINED
        await book.release(care.name)


async def test_only_so_many_outcomes_are_kept_newest_first(bench: Bench) -> None:
    await bench.health.note(FIRST, "flash", Outcome.BROKEN, "INTERRUPTED")  # says nothing
    for _ in range(KEPT_OUTCOMES + 3):
        await bench.health.note(FIRST, "flash", Outcome.PASSED)
    await bench.health.note(FIRST, "flash", Outcome.BROKEN, "PROBE_LOST")
    found = await bench.health.health(await bench.boards.get(FIRST))
    assert len(found.outcomes) == KEPT_OUTCOMES
    assert found.outcomes[0].reason == "PROBE_LOST"
    assert found.score == found.outcomes[0].score == 85


async def test_what_a_person_said_is_not_undone_by_the_system(bench: Bench) -> None:
    await bench.health.quarantine(FIRST, quarantine(automatic=False, reason="MANUAL"))
    await bench.health.quarantine(FIRST, quarantine(automatic=True))
    found = (await bench.boards.get(FIRST)).quarantine
    assert found is not None
    assert found.reason == "MANUAL"
    assert not await bench.health.bring_back(FIRST, only_automatic=True)
    stored, _ = await bench.health.begin(recovery(), "", nothing)
    ended = replace(stored, outcome=Outcome.PASSED)
    await bench.health.end(ended, await bench.boards.get(FIRST), None)
    assert (await bench.boards.get(FIRST)).state is BoardState.QUARANTINED
    assert await bench.health.bring_back(FIRST)
    assert (await bench.boards.get(FIRST)).state is BoardState.ACTIVE


async def test_a_passed_recovery_returns_the_board_and_teaches_what_helped(bench: Bench) -> None:
    steps = (
        RecoveryStep(action=RecoveryAction.SOFT_RESET, outcome=Outcome.BROKEN),
        RecoveryStep(action=RecoveryAction.POWER_CYCLE, outcome=Outcome.PASSED),
    )
    stored, fresh = await bench.health.begin(recovery(), "", nothing, quarantine(automatic=True))
    assert fresh
    assert (await bench.boards.get(FIRST)).state is BoardState.QUARANTINED
    # Another one of the same board is that one.
    same, again = await bench.health.begin(recovery("recoveries/r2"), "", nothing)
    assert (same, again) == (stored, False)
    ended = replace(stored, steps=steps, outcome=Outcome.PASSED)
    await bench.health.end(ended, await bench.boards.get(FIRST), None)
    await bench.health.end(ended, await bench.boards.get(FIRST), None)  # told once only
    found = await bench.health.health(await bench.boards.get(FIRST))
    assert found.quarantine is None
    assert [(rate.action, rate.tried, rate.cured) for rate in found.cure_rates] == [
        (RecoveryAction.SOFT_RESET, 1, 0),
        (RecoveryAction.POWER_CYCLE, 1, 1),
    ]
    assert found.recoveries == (ended,)
    assert await bench.health.unfinished() == []
    # Both boards are of one model.
    assert await bench.health.cure_rates(await bench.boards.get(SECOND)) == found.cure_rates


async def test_a_recovery_that_failed_keeps_the_board_out_with_its_reason(bench: Bench) -> None:
    stored, _ = await bench.health.begin(recovery(), "", nothing, quarantine(automatic=True))
    ended = replace(stored, outcome=Outcome.BROKEN, reason="VERIFY_FAILED")
    verdict = quarantine(automatic=True, reason="VERIFY_FAILED")
    await bench.health.end(ended, await bench.boards.get(FIRST), verdict)
    found = (await bench.boards.get(FIRST)).quarantine
    assert found is not None
    assert found.reason == "VERIFY_FAILED"


async def test_a_board_that_is_not_known_cannot_be_quarantined(bench: Bench) -> None:
    with pytest.raises(NotFoundError):
        await bench.health.quarantine("agents/x/boards/y", quarantine(automatic=False))


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_lent_next_is_what_the_pure_rule_chooses(
    database: Database, seed: int
) -> None:
    draw = random.Random(seed)
    bench = Bench(database)
    await bench.boards.link_agent("bench", version="1", host="h")
    names = [f"b{number}" for number in range(6)]
    await bench.boards.put_inventory("bench", [board(name) for name in names])
    for _ in range(30):
        name = f"agents/bench/boards/{draw.choice(names)}"
        outcome, reason = draw.choice(
            [(Outcome.PASSED, ""), (Outcome.BROKEN, "TOOL_HUNG"), (Outcome.BROKEN, "NO_SYNC")]
        )
        await bench.health.note(name, "flash", outcome, reason)
        bench.clock.now += timedelta(minutes=draw.randint(0, 90))
        if draw.random() < 0.1:
            await bench.health.quarantine(name, quarantine(automatic=True))
        if draw.random() < 0.1:
            await bench.health.bring_back(name)
        everything = await bench.boards.boards()
        best = await database.read(lambda c: bench.boards.best_free(c, Selector()))
        assert best == choose_board(everything, Selector())
