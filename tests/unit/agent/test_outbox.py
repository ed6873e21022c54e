"""What waits to be said on the control stream."""

from __future__ import annotations

import asyncio

from benchagent.board import Board, BoardKind
from benchagent.command import Outcome, Progress, Result
from benchagent.outbox import Outbox, Said


def progress(fraction: float, phase: str = "erase", command_id: str = "one") -> Progress:
    return Progress(command_id=command_id, board="b", phase=phase, fraction=fraction, image="test")


def result(command_id: str = "one") -> Result:
    return Result(command_id=command_id, board="b", outcome=Outcome.PASSED)


async def everything(outbox: Outbox) -> list[Said]:
    found: list[Said] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                found.append(await outbox.next())
        except TimeoutError:
            return found


async def test_newer_progress_of_a_phase_replaces_older() -> None:
    outbox = Outbox()
    for fraction in (0.0, 0.5, 1.0):
        outbox.progress(progress(fraction))
    outbox.progress(progress(0.0, "program"))
    assert await everything(outbox) == [progress(1.0), progress(0.0, "program")]


async def test_an_answer_follows_its_acceptance_and_its_progress() -> None:
    outbox = Outbox()
    outbox.result(result())
    outbox.progress(progress(1.0))
    outbox.accepted("one")
    assert await everything(outbox) == ["one", progress(1.0), result()]


async def test_only_the_newest_inventory_is_said() -> None:
    outbox = Outbox()
    board = Board(board_id="b", kind=BoardKind.VIRTUAL)
    outbox.boards([])
    outbox.boards([board])
    assert await everything(outbox) == [[board]]


async def test_an_answer_is_said_once_however_often_it_is_put() -> None:
    outbox = Outbox()
    outbox.result(result())
    outbox.result(result())
    assert await everything(outbox) == [result()]


async def test_a_new_stream_begins_empty() -> None:
    outbox = Outbox()
    outbox.accepted("one")
    outbox.result(result())
    outbox.clear()
    assert await everything(outbox) == []
