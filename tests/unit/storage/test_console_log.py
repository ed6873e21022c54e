"""The console log on a real database."""

import asyncio
import random
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.storage.console_log import Chunk, ConsoleHead, ConsoleLog, chunk_of
from controlplane.storage.database import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
C = "consoles/agents/bench/boards/vf-01"


def chunk(offset: int, data: bytes, *, epoch: int = 1, gap: str = "") -> Chunk:
    return Chunk(offset=offset, data=data, epoch=epoch, host_time=NOW, gap_before=gap)


async def everything(log: ConsoleLog, limit: int = 1 << 30) -> list[Chunk]:
    found: list[Chunk] = []
    while chunks := await log.read(C, found[-1].end if found else 0, 1 << 62, limit):
        found += chunks
    return found


async def test_bytes_come_back_as_they_were(database: Database) -> None:
    log = ConsoleLog(database)
    assert await log.append(C, [chunk(0, b"hello "), chunk(6, b"world", epoch=2)]) == 11
    assert await log.head(C) == ConsoleHead(offset=11, epoch=2)
    assert await log.read(C, 0, 11, 1000) == [chunk(0, b"hello "), chunk(6, b"world", epoch=2)]
    assert await log.read(C, 4, 8, 1000) == [chunk(4, b"o "), chunk(6, b"wo", epoch=2)]
    assert await log.read(C, 11, 99, 1000) == []
    assert await log.head("consoles/other") == ConsoleHead()


async def test_a_hole_is_kept_as_a_gap(database: Database) -> None:
    log = ConsoleLog(database)
    await log.append(C, [chunk(0, b"abc"), chunk(10, b"xyz", gap="agent restarted")])
    first, second = await log.read(C, 0, 100, 1000)
    assert first.gap_before == ""
    assert (second.offset, second.data) == (10, b"xyz")
    assert second.gap_before == "agent restarted; bytes 3 to 10 are missing"
    assert (await log.read(C, 11, 100, 1000))[0].gap_before == ""


async def test_the_reason_of_an_empty_chunk_waits_for_the_next_byte(database: Database) -> None:
    log = ConsoleLog(database)
    await log.append(C, [chunk(0, b"abc")])
    assert await log.append(C, [chunk(3, b"", epoch=2, gap="agent restarted")]) == 3
    assert (await log.head(C)).epoch == 2
    await log.append(C, [chunk(3, b"def", epoch=2)])
    assert (await log.read(C, 3, 9, 100))[0].gap_before == "agent restarted"


@pytest.mark.parametrize("seed", range(20))
async def test_a_sender_that_repeats_itself_changes_nothing(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    log = ConsoleLog(database)
    data = dice.randbytes(5000)
    head = 0
    while head < len(data):
        first = max(0, head - dice.randrange(300))
        pieces, at = [], first
        for _ in range(dice.randrange(1, 5)):
            size = dice.randrange(400)
            pieces.append(chunk(at, data[at : at + size]))
            at = min(len(data), at + size)
        head = await log.append(C, pieces)
        assert head == max(head, at)
    found = await everything(log, limit=dice.randrange(1, 700))
    assert b"".join(piece.data for piece in found) == data
    assert not any(piece.gap_before for piece in found)


async def test_a_large_chunk_is_kept_in_pieces_of_64_kib(database: Database) -> None:
    log = ConsoleLog(database)
    data = bytes(200_000)
    await log.append(C, [chunk(0, data, gap="first")])
    found = await log.read(C, 0, 1 << 62, 1 << 30)
    assert [len(piece.data) for piece in found] == [65536, 65536, 65536, 3392]
    assert [piece.gap_before for piece in found] == ["first", "", "", ""]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 30))
async def test_any_range_is_what_a_slice_would_be(
    database: Database, start: int, end: int, limit: int
) -> None:
    log = ConsoleLog(database)
    data = bytes(range(50))
    await log.append(C, [chunk(n, data[n : n + 7]) for n in range(0, 50, 7)])
    found, cursor = b"", start
    while cursor < end and (chunks := await log.read(C, cursor, end, limit)):
        assert sum(len(piece.data) for piece in chunks) <= limit
        found += b"".join(piece.data for piece in chunks)
        cursor = chunks[-1].end
    assert found == data[start:end]


async def test_a_full_console_drops_its_oldest_bytes_and_says_so(database: Database) -> None:
    log = ConsoleLog(database, cap_bytes=1000)
    for n in range(50):
        await log.append(C, [chunk(n * 100, bytes([n]) * 100)])
    head = await log.head(C)
    assert head.offset == 5000
    assert 4000 <= head.oldest <= 4200
    first = (await log.read(C, 0, 5000, 5000))[0]
    assert (first.offset, first.gap_before) == (
        head.oldest,
        f"bytes before {head.oldest} are no longer kept",
    )
    assert await log.append(C, [chunk(4900, b"\x31" * 100 + b"new")]) == 5003


async def test_all_consoles_together_have_a_cap_and_boards_are_kept_longest(
    database: Database,
) -> None:
    log = ConsoleLog(database, total_bytes=1000)
    names = [C, *(f"consoles/sessions/s{n}/attempts/1/simulations/main" for n in range(30))]
    for name in names:
        await log.append(name, [chunk(0, bytes(100))])
    kept = [name for name in names if (await log.head(name)).oldest == 0]
    assert kept[0] == C
    assert kept[1:] == names[-len(kept) + 1 :]
    assert 8 <= len(kept) <= 11
    dropped = names[1]
    assert await log.read(dropped, 0, 1 << 62, 1000) == []
    assert await log.append(dropped, [chunk(100, b"more")]) == 104
    assert (await log.read(dropped, 0, 1 << 62, 1000))[0].gap_before == (
        "bytes before 100 are no longer kept"
    )


async def test_a_waiter_is_woken_by_the_commit(database: Database) -> None:
    log = ConsoleLog(database)
    waiting = asyncio.ensure_future(log.wait(C, 2))
    await log.append(C, [chunk_of(b"ab", offset=0)])
    await asyncio.sleep(0)
    assert not waiting.done()
    await log.append(C, [chunk_of(b"c", offset=2)])
    async with asyncio.timeout(60):
        assert await waiting == 3


async def test_many_consoles_are_written_together(database: Database) -> None:
    log = ConsoleLog(database)

    async def board(name: str) -> None:
        for n in range(50):
            await log.append(name, [chunk(n * 3, b"abc")])

    names = [f"consoles/agents/bench/boards/b{n}" for n in range(8)]
    await asyncio.gather(*map(board, names))
    assert {(await log.head(name)).offset for name in names} == {150}
