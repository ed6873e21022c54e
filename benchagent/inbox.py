"""The command journal: each command id runs once, whatever dies in between.

Commands are ACCEPTED, then RUNNING with a note of what is about to be done, then DONE with their
answer, which is kept until the control plane has stored it and a while longer. One thread owns the
database; every change is on disk when its call returns.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from benchagent.board import Chip
from benchagent.command import (
    Command,
    ConsoleHead,
    Flash,
    FlashReport,
    Outcome,
    ProvenImage,
    Reason,
    RecoveryReport,
    Refusal,
    Result,
    Segment,
    late,
    malformed,
    stale,
)
from benchagent.recovery.ladder import Action, Step, StepOutcome
from benchagent.wire import command_bytes, command_from_bytes

T = TypeVar("T")
KEPT_COMMANDS = 10_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS command(
  command_id TEXT PRIMARY KEY, board TEXT NOT NULL, state TEXT NOT NULL, request BLOB NOT NULL,
  intent TEXT NOT NULL DEFAULT '', answer TEXT, acknowledged INTEGER NOT NULL DEFAULT 0,
  arrival INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS command_open ON command(acknowledged, arrival);
CREATE TABLE IF NOT EXISTS board(
  board TEXT PRIMARY KEY, token INTEGER NOT NULL DEFAULT 0,
  flashing TEXT NOT NULL DEFAULT '', proven TEXT NOT NULL DEFAULT '',
  proven_segments TEXT NOT NULL DEFAULT '[]',
  released TEXT NOT NULL DEFAULT '', released_segments TEXT NOT NULL DEFAULT '[]') STRICT;
"""
_LATER_COLUMNS = {
    "proven_segments": "TEXT NOT NULL DEFAULT '[]'",
    "released": "TEXT NOT NULL DEFAULT ''",
    "released_segments": "TEXT NOT NULL DEFAULT '[]'",
}
"""Of the table `board`: what journals of earlier versions lack."""


class CommandState(StrEnum):
    """Life of a command in the journal."""

    ACCEPTED = "ACCEPTED"
    RUNNING = "RUNNING"
    DONE = "DONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command as the journal knows it. `fresh` is set for one that was not there before."""

    command: Command
    state: CommandState
    result: Result | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """A flash during which the agent was killed: its tool may have finished it alone."""

    command: Command
    flashing: str
    """Digest of the image."""
    refusal: Refusal
    """The answer unless the image is proved after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a start found: commands to run, flashes to ask about, and how many were cut off."""

    to_run: tuple[Command, ...]
    cut_off: tuple[CutOff, ...]
    interrupted: int
    """Commands that were answered with INTERRUPTED."""


class Inbox:
    """The journal of one agent.

    Raises:
        sqlite3.Error: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inbox")
        self._database = self._thread.submit(_open, path).result()

    async def accept(self, command: Command) -> Entry:
        """Write a command down. A known id gives what is known of it and changes nothing."""
        return await self._do(lambda: self._accept(command))

    async def start(self, command: Command, intent: str, flashing: str = "") -> Refusal | None:
        """Write down what is about to be done; a refusal when it may not start any more.

        `flashing` is the digest of an image whose first erase comes next: until `finish` says
        otherwise nothing is known of the board's flash.
        """
        return await self._do(lambda: self._start(command, intent, flashing))

    async def finish(
        self,
        result: Result,
        proven: ProvenImage | None = None,
        released: ProvenImage | None = None,
    ) -> None:
        """Write down the answer. `proven` is the image that is in flash for certain, or that
        there is none; None leaves what is known as it is. `released` is the image that the board
        is to be left with from now on; None leaves that as it is."""
        await self._do(lambda: self._finish(result, proven, released))

    async def acknowledge(self, command_id: str) -> None:
        """The control plane has stored the answer."""
        await self._do(lambda: self._acknowledge(command_id))

    async def unacknowledged(self) -> list[Result]:
        """Answers that the control plane has not stored, oldest first."""
        return await self._do(self._unacknowledged)

    async def open_ids(self) -> list[str]:
        """Commands whose answer was not acknowledged, oldest first."""
        return await self._do(self._open_ids)

    async def proven_images(self) -> dict[str, ProvenImage]:
        """The image in each board's flash, where it is certain."""
        return await self._do(lambda: self._images("proven"))

    async def released_images(self) -> dict[str, ProvenImage]:
        """The release image that was proved last on each board, whatever is there now."""
        return await self._do(lambda: self._images("released"))

    async def recover(self) -> Recovered:
        """Answer what a killed agent was doing, except flashes; returns those and what it had
        not begun."""
        return await self._do(self._recover)

    def close(self) -> None:
        """Finish what is queued and close."""
        self._thread.submit(self._database.close).result()
        self._thread.shutdown()

    async def _do(self, work: Callable[[], T]) -> T:
        def transaction() -> T:
            with self._database:
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)

    def _accept(self, command: Command) -> Entry:
        known = self._entry(command.command_id)
        if known is not None:
            return known
        token = self._token(command.board)
        refusal = malformed(command) or stale(command, token)
        result = None if refusal is None else refusal.result(command)
        state = CommandState.ACCEPTED if result is None else CommandState.DONE
        answer = None if result is None else _result_text(result)
        self._database.execute(
            "INSERT INTO command(command_id, board, state, request, answer, arrival) "
            "VALUES(?, ?, ?, ?, ?, (SELECT COALESCE(MAX(arrival), 0) + 1 FROM command))",
            (command.command_id, command.board, state, command_bytes(command), answer),
        )
        if command.fencing_token > token and refusal is None:
            self._database.execute(
                "INSERT INTO board(board, token) VALUES(?, ?) "
                "ON CONFLICT(board) DO UPDATE SET token = excluded.token",
                (command.board, command.fencing_token),
            )
        return Entry(command=command, state=state, result=result, fresh=True)

    def _start(self, command: Command, intent: str, flashing: str) -> Refusal | None:
        refusal = stale(command, self._token(command.board)) or late(command, datetime.now(UTC))
        if refusal is not None:
            return refusal
        self._database.execute(
            "UPDATE command SET state = ?, intent = ? WHERE command_id = ?",
            (CommandState.RUNNING, intent, command.command_id),
        )
        if flashing:
            self._database.execute(
                "INSERT INTO board(board, flashing) VALUES(?, ?) "
                "ON CONFLICT(board) DO UPDATE SET flashing = excluded.flashing, proven = ''",
                (command.board, flashing),
            )
        return None

    def _finish(
        self,
        result: Result,
        proven: ProvenImage | None,
        released: ProvenImage | None = None,
    ) -> None:
        self._database.execute(
            "UPDATE command SET state = ?, answer = ? WHERE command_id = ?",
            (CommandState.DONE, _result_text(result), result.command_id),
        )
        if proven is not None:
            segments = _segments_text(proven)
            self._database.execute(
                "INSERT INTO board(board, proven, proven_segments) VALUES(?, ?, ?) "
                "ON CONFLICT(board) DO UPDATE SET proven = excluded.proven, "
                "proven_segments = excluded.proven_segments, flashing = ''",
                (result.board, proven.sha256, segments),
            )
        if released is not None:
            self._database.execute(
                "UPDATE board SET released = ?, released_segments = ? WHERE board = ?",
                (released.sha256, _segments_text(released), result.board),
            )

    def _acknowledge(self, command_id: str) -> None:
        self._database.execute(
            "UPDATE command SET acknowledged = 1 WHERE command_id = ? AND state = ?",
            (command_id, CommandState.DONE),
        )
        self._database.execute(
            "DELETE FROM command WHERE acknowledged = 1 AND "
            "arrival <= (SELECT MAX(arrival) FROM command) - ?",
            (KEPT_COMMANDS,),
        )

    def _unacknowledged(self) -> list[Result]:
        rows = self._database.execute(
            "SELECT answer FROM command WHERE acknowledged = 0 AND state = ? ORDER BY arrival",
            (CommandState.DONE,),
        )
        return [_result_from(text) for (text,) in rows]

    def _open_ids(self) -> list[str]:
        rows = self._database.execute(
            "SELECT command_id FROM command WHERE acknowledged = 0 ORDER BY arrival"
        )
        return [command_id for (command_id,) in rows]

    def _images(self, column: str) -> dict[str, ProvenImage]:
        """What the columns `proven` or `released` and their segments say."""
        rows = self._database.execute(
            f"SELECT board, {column}, {column}_segments FROM board WHERE {column} <> ''"  # noqa: S608 - words of our own
        )
        return {
            board: ProvenImage(
                sha256=sha256,
                segments=tuple(Segment(**segment) for segment in json.loads(segments)),
            )
            for board, sha256, segments in rows
        }

    def _recover(self) -> Recovered:
        rows = self._database.execute(
            "SELECT request, intent, COALESCE(flashing, '') FROM command LEFT JOIN board "
            "USING(board) WHERE state = ? ORDER BY arrival",
            (CommandState.RUNNING,),
        ).fetchall()
        cut_off: list[CutOff] = []
        for request, intent, flashing in rows:
            command = command_from_bytes(request)
            refusal = Refusal(
                outcome=Outcome.BROKEN,
                reason=Reason.INTERRUPTED,
                message=f"the agent was killed while it was {intent}",
            )
            is_stale = stale(command, self._token(command.board)) is not None
            if isinstance(command.action, Flash) and flashing and not is_stale:
                cut_off.append(CutOff(command=command, flashing=flashing, refusal=refusal))
            else:
                self._finish(refusal.result(command), None)
        waiting = self._database.execute(
            "SELECT request FROM command WHERE state = ? ORDER BY arrival",
            (CommandState.ACCEPTED,),
        )
        to_run = tuple(command_from_bytes(request) for (request,) in waiting)
        return Recovered(
            to_run=to_run, cut_off=tuple(cut_off), interrupted=len(rows) - len(cut_off)
        )

    def _entry(self, command_id: str) -> Entry | None:
        row = self._database.execute(
            "SELECT request, state, answer FROM command WHERE command_id = ?", (command_id,)
        ).fetchone()
        if row is None:
            return None
        request, state, answer = row
        return Entry(
            command=command_from_bytes(request),
            state=CommandState(state),
            result=None if answer is None else _result_from(answer),
        )

    def _token(self, board: str) -> int:
        row = self._database.execute("SELECT token FROM board WHERE board = ?", (board,)).fetchone()
        return 0 if row is None else int(row[0])


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=True)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(_SCHEMA)
    known = {name for _, name, *_ in database.execute("PRAGMA table_info(board)")}
    for column, kind in _LATER_COLUMNS.items():
        if column not in known:
            database.execute(f"ALTER TABLE board ADD COLUMN {column} {kind}")
    return database


def _segments_text(image: ProvenImage) -> str:
    return json.dumps([asdict(segment) for segment in image.segments])


def _result_text(result: Result) -> str:
    return json.dumps(asdict(result), default=_time_text)


def _time_text(moment: Any) -> str:
    if isinstance(moment, datetime):
        return moment.isoformat()
    raise TypeError(type(moment).__name__)


def _result_from(text: str) -> Result:
    found: dict[str, Any] = json.loads(text)
    flash, console = found["flash"], found["console"]
    chip, recovery = found.get("chip"), found.get("recovery")
    if flash is not None:
        flash["attempts"] = tuple(flash.get("attempts", ()))
        for key in ("start_time", "end_time"):
            if flash[key] is not None:
                flash[key] = datetime.fromisoformat(flash[key])
    return Result(
        command_id=found["command_id"],
        board=found["board"],
        outcome=Outcome(found["outcome"]),
        reason=found["reason"],
        message=found["message"],
        flash=None if flash is None else FlashReport(**flash),
        console=None if console is None else ConsoleHead(**console),
        chip=None if chip is None else _chip_from(chip),
        recovery=None if recovery is None else _recovery_from(recovery),
    )


def _chip_from(found: dict[str, Any]) -> Chip:
    for key in ("features", "protections"):
        found[key] = tuple(found[key])
    if found["read_time"] is not None:
        found["read_time"] = datetime.fromisoformat(found["read_time"])
    return Chip(**found)


def _recovery_from(found: dict[str, Any]) -> RecoveryReport:
    steps = [
        Step(
            action=Action(step["action"]),
            outcome=None if step["outcome"] is None else StepOutcome(step["outcome"]),
            reason=step["reason"],
            message=step["message"],
            start_time=datetime.fromisoformat(step["start_time"]),
            duration_ms=step["duration_ms"],
        )
        for step in found["steps"]
    ]
    return RecoveryReport(steps=tuple(steps), left_image=found["left_image"])
