"""The queues of commands."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchagent.bench import Boards
from benchagent.care import Care
from benchagent.command import Command, Reset, Result
from benchagent.execution import Execution
from benchagent.flashers.protocol import TargetIdentity
from benchagent.flashers.registry import Flashers
from benchagent.images import ImageCache
from benchagent.inbox import Inbox
from benchagent.link import ArtifactReader
from benchagent.power import PowerSwitches
from benchagent.recovery.climb import Workshop
from benchagent.runner import QUEUE_COMMANDS, Runner


def command(number: int) -> Command:
    return Command(
        command_id=f"c{number}",
        board="nobody",
        lease="leases/x",
        fencing_token=1,
        deadline=None,
        action=Reset(),
    )


async def unheard(_board: str, _identity: TargetIdentity) -> None:
    """No board here says who it is."""


class Bench:
    """A runner without boards: every command that it runs is refused with UNKNOWN_BOARD."""

    def __init__(self, folder: Path, away_s: float = 0.05) -> None:
        self.results: list[Result] = []
        self.flashers = Flashers(folder)
        self.inbox = Inbox(folder / "agent.db")
        boards = Boards(folder / "spool", lambda: None, lambda: None)
        images = ImageCache(folder / "images", ArtifactReader("unix:/nowhere"))
        workshop = Workshop(
            boards=boards,
            flashers=self.flashers,
            images=images,
            switches=PowerSwitches(folder),
            on_progress=lambda _: None,
            on_identity=unheard,
        )
        self.runner = Runner(
            Execution(
                inbox=self.inbox,
                boards=boards,
                images=images,
                flashers=self.flashers,
                care=Care(workshop, lambda _: None),
                record_dir=folder / "flashing",
                away_s=away_s,
                on_result=self.results.append,
                on_progress=lambda _: None,
                on_change=lambda: None,
                on_identity=unheard,
            )
        )

    async def submit(self, *commands: Command) -> None:
        for wanted in commands:
            await self.inbox.accept(wanted)
        for wanted in commands:
            await self.runner.submit(wanted)

    async def answers(self, count: int, grace_s: float = 30) -> list[str]:
        async with asyncio.timeout(60):
            while len(self.results) < count:  # noqa: ASYNC110 - the condition is of other tasks
                await asyncio.sleep(0.01)
        await self.runner.stop(grace_s)
        self.inbox.close()
        self.flashers.close()
        return [f"{result.command_id} {result.reason}" for result in self.results]


async def test_a_command_that_is_submitted_again_runs_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.submit(command(1), command(1), command(2), command(1))
    assert await bench.answers(2) == ["c1 UNKNOWN_BOARD", "c2 UNKNOWN_BOARD"]


async def test_a_queue_that_is_full_refuses(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.submit(*(command(number) for number in range(QUEUE_COMMANDS + 1)))
    found = await bench.answers(QUEUE_COMMANDS + 1)
    assert f"c{QUEUE_COMMANDS} BUSY" in found
    assert found.count(f"c{QUEUE_COMMANDS} BUSY") == 1


async def test_a_cancelled_command_that_waits_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.submit(command(1), command(2))
    await bench.runner.cancel("c2")
    assert "c2 CANCELLED" in await bench.answers(2)


async def test_a_known_board_that_stays_away_is_refused_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "spool" / "nobody").mkdir(parents=True)
    bench = Bench(tmp_path)
    await bench.submit(command(1))
    assert await bench.answers(1) == ["c1 UNKNOWN_BOARD"]


async def test_a_waiting_command_is_cancelled_at_once_and_one_that_is_stopped_is_kept(
    tmp_path: Path,
) -> None:
    (tmp_path / "spool" / "nobody").mkdir(parents=True)
    bench = Bench(tmp_path, away_s=600.0)
    await bench.submit(command(1), command(2))
    await bench.runner.cancel("c1")
    assert await bench.answers(1, grace_s=0.05) == ["c1 CANCELLED"]
    again = Bench(tmp_path)
    recovered = await again.inbox.recover()
    assert [waiting.command_id for waiting in recovered.to_run] == ["c2"]
    await again.runner.resume(recovered.cut_off, recovered.to_run)
    assert await again.answers(1) == ["c2 UNKNOWN_BOARD"]
