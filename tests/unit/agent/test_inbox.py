"""The command journal, also over restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchagent.command import (
    Command,
    ConsoleHead,
    Flash,
    FlashReport,
    Outcome,
    ProvenImage,
    Reset,
    Result,
    Segment,
)
from benchagent.inbox import CommandState, Inbox

IMAGE = "a" * 64
PIECE = Segment(address=0x0800_0000, sha256=IMAGE, size_bytes=4)


def command(command_id: str = "one", *, token: int = 1, late: bool = False) -> Command:
    moment = datetime.now(UTC) + timedelta(seconds=-1 if late else 60)
    return Command(
        command_id=command_id,
        board="b1",
        lease="leases/x",
        fencing_token=token,
        deadline=moment,
        action=Reset(),
    )


def flash() -> Command:
    action = Flash(
        segments=(PIECE,),
        part="stm32f405rg",
        reset_after=True,
        image="test",
    )
    return Command(
        command_id="flash",
        board="b1",
        lease="leases/x",
        fencing_token=1,
        deadline=None,
        action=action,
    )


def passed(command_id: str) -> Result:
    return Result(
        command_id=command_id,
        board="b1",
        outcome=Outcome.PASSED,
        flash=FlashReport(
            image="test", image_sha256=IMAGE, sectors_erased=2, start_time=datetime.now(UTC)
        ),
        console=ConsoleHead(board="b1", offset=5, epoch=2),
    )


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    found = Inbox(tmp_path / "agent.db")
    yield found
    found.close()


async def test_a_command_comes_back_as_it_was_written_down(inbox: Inbox) -> None:
    wanted = flash()
    entry = await inbox.accept(wanted)
    assert (entry.state, entry.fresh) == (CommandState.ACCEPTED, True)
    again = await inbox.accept(wanted)
    assert (again.command, again.state, again.fresh) == (wanted, CommandState.ACCEPTED, False)


async def test_the_answer_of_a_done_command_is_kept_and_given_again(inbox: Inbox) -> None:
    await inbox.accept(flash())
    await inbox.start(flash(), "flashing", IMAGE)
    answer = passed("flash")
    await inbox.finish(answer, ProvenImage(sha256=IMAGE))
    assert (await inbox.accept(flash())).result == answer
    assert await inbox.unacknowledged() == [answer]
    await inbox.acknowledge("flash")
    assert await inbox.unacknowledged() == []
    assert (await inbox.accept(flash())).result == answer


async def test_a_lower_token_is_refused_and_an_equal_one_is_not(inbox: Inbox) -> None:
    await inbox.accept(command("new", token=5))
    older = await inbox.accept(command("old", token=4))
    assert older.result is not None
    assert older.result.reason == "STALE_LEASE"
    assert (await inbox.accept(command("same", token=5))).result is None


async def test_a_command_that_waited_behind_a_newer_lease_does_not_start(inbox: Inbox) -> None:
    await inbox.accept(command("old", token=4))
    await inbox.accept(command("new", token=5))
    refusal = await inbox.start(command("old", token=4), "resetting")
    assert refusal is not None
    assert refusal.reason == "STALE_LEASE"


async def test_a_command_past_its_deadline_does_not_start(inbox: Inbox) -> None:
    await inbox.accept(command(late=True))
    refusal = await inbox.start(command(late=True), "resetting")
    assert refusal is not None
    assert refusal.reason == "DEADLINE"


async def test_a_restart_runs_what_waited_and_answers_what_was_cut_off(tmp_path: Path) -> None:
    first = Inbox(tmp_path / "agent.db")
    await first.accept(flash())
    await first.accept(command("waiting"))
    await first.start(flash(), "flashing aaaa; the flash of the board is unknown", IMAGE)
    first.close()

    second = Inbox(tmp_path / "agent.db")
    recovered = await second.recover()
    assert [waiting.command_id for waiting in recovered.to_run] == ["waiting"]
    (cut_off,) = recovered.cut_off
    assert (cut_off.command, cut_off.flashing) == (flash(), IMAGE)
    assert recovered.interrupted == 0
    await second.finish(cut_off.refusal.result(cut_off.command))
    (answer,) = await second.unacknowledged()
    assert (answer.command_id, answer.outcome, answer.reason) == ("flash", "BROKEN", "INTERRUPTED")
    assert "killed while it was flashing" in answer.message
    assert await second.open_ids() == ["flash", "waiting"]
    assert (await second.recover()).cut_off == ()
    second.close()


async def test_a_restart_answers_at_once_what_no_tool_can_have_finished(tmp_path: Path) -> None:
    first = Inbox(tmp_path / "agent.db")
    await first.accept(command("reset"))
    await first.start(command("reset"), "resetting the board")
    await first.accept(flash())
    await first.start(flash(), "flashing aaaa", IMAGE)
    await first.accept(command("newer", token=2))
    first.close()

    second = Inbox(tmp_path / "agent.db")
    recovered = await second.recover()
    assert (recovered.cut_off, recovered.interrupted) == ((), 2)
    answers = [(answer.command_id, answer.reason) for answer in await second.unacknowledged()]
    assert answers == [("reset", "INTERRUPTED"), ("flash", "INTERRUPTED")]
    second.close()


async def test_nothing_is_known_of_a_flash_between_its_start_and_its_proof(inbox: Inbox) -> None:
    await inbox.accept(flash())
    await inbox.start(flash(), "flashing", IMAGE)
    proven = ProvenImage(sha256=IMAGE, segments=(PIECE,))
    await inbox.finish(passed("flash"), proven)
    assert await inbox.proven_images() == {"b1": proven}
    await inbox.start(flash(), "flashing", IMAGE)
    assert await inbox.proven_images() == {}


async def test_a_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE board(board TEXT PRIMARY KEY, token INTEGER NOT NULL DEFAULT 0, "
            "flashing TEXT NOT NULL DEFAULT '', proven TEXT NOT NULL DEFAULT '') STRICT"
        )
        database.execute("INSERT INTO board(board, proven) VALUES('b1', ?)", (IMAGE,))
        database.commit()
    inbox = Inbox(path)
    assert await inbox.proven_images() == {"b1": ProvenImage(sha256=IMAGE)}
    inbox.close()
