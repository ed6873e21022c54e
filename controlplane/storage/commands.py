"""Commands for agents: the outbox. A command is stored before it is sent, and sent until it is
answered; the agent runs each id once."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from benchline.errors import ConflictError, NotFoundError
from controlplane.storage.bell import Bell
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import to_us, utc_now

_COLUMNS = "command_id, agent, board, payload, state, result"


class CommandState(StrEnum):
    """How far a command came."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    ACCEPTED = "ACCEPTED"
    DONE = "DONE"


_ORDER = list(CommandState)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRecord:
    """One command; `payload` and `result` are the wire's bytes and not looked into."""

    command_id: str
    agent: str
    board: str
    payload: bytes
    state: CommandState = CommandState.QUEUED
    result: bytes | None = None


class CommandStore:
    """The outbox of every agent."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self._results = Bell()
        self._queued = Bell()

    async def put(self, command: CommandRecord) -> CommandRecord:
        """Queue a command; the same command twice is one, and the stored one is returned.

        Raises:
            ConflictError: COMMAND_ID_REUSED, the id stands for another command.
        """
        return await self._database.transact(lambda tx: self.put_in(tx, command))

    def put_in(self, tx: Transaction, command: CommandRecord) -> CommandRecord:
        """What :meth:`put` does, inside a transaction of the caller."""
        stored = _find(tx.connection, command.command_id)
        if stored is not None:
            if (stored.agent, stored.board, stored.payload) != (
                command.agent,
                command.board,
                command.payload,
            ):
                raise ConflictError(
                    "COMMAND_ID_REUSED",
                    f"command {command.command_id} was already given with another content",
                    command_id=command.command_id,
                )
            return stored
        tx.connection.execute(
            "INSERT INTO commands (command_id, agent, board, state, create_us, payload, result)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                command.command_id,
                command.agent,
                command.board,
                command.state,
                to_us(self._now()),
                command.payload,
                command.result,
            ),
        )
        tx.after_commit(lambda: self._queued.ring(command.agent))
        return command

    async def pending(self, agent: str) -> list[CommandRecord]:
        """Commands of an agent that are not done, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {_COLUMNS} FROM commands"  # noqa: S608 - words of our own
                " WHERE agent = ? AND state <> 'DONE' ORDER BY create_us, rowid",
                (agent,),
            ).fetchall()
        )
        return [_record(row) for row in rows]

    async def wait_queued(self, agent: str) -> list[CommandRecord]:
        """Return as soon as commands of an agent are in state QUEUED: those, oldest first."""
        with self._queued.listen(agent) as rung:
            while True:
                rung.clear()
                queued = [
                    command
                    for command in await self.pending(agent)
                    if command.state is CommandState.QUEUED
                ]
                if queued:
                    return queued
                await rung.wait()

    async def mark(
        self, command_id: str, state: CommandState, result: bytes | None = None
    ) -> CommandRecord:
        """Move a command forward; a mark that would move it back changes nothing.

        Raises:
            NotFoundError: COMMAND_NOT_FOUND.
        """
        return await self._database.transact(lambda tx: self.mark_in(tx, command_id, state, result))

    def mark_in(
        self, tx: Transaction, command_id: str, state: CommandState, result: bytes | None = None
    ) -> CommandRecord:
        """What :meth:`mark` does, inside a transaction of the caller."""
        stored = _required(tx.connection, command_id)
        if _ORDER.index(state) <= _ORDER.index(stored.state):
            return stored
        tx.connection.execute(
            "UPDATE commands SET state = ?, result = ? WHERE command_id = ?",
            (state, result, command_id),
        )
        tx.after_commit(lambda: self._results.ring(command_id))
        return _required(tx.connection, command_id)

    async def get(self, command_id: str) -> CommandRecord:
        """One command.

        Raises:
            NotFoundError: COMMAND_NOT_FOUND.
        """
        return await self._database.read(lambda connection: _required(connection, command_id))

    async def result(self, command_id: str) -> bytes | None:
        """The result of a command that is done.

        Raises:
            NotFoundError: COMMAND_NOT_FOUND.
        """
        return (await self.get(command_id)).result

    async def wait_result(self, command_id: str) -> bytes:
        """Return the result as soon as the command is done.

        Raises:
            NotFoundError: COMMAND_NOT_FOUND.
        """
        with self._results.listen(command_id) as rung:
            while True:
                rung.clear()
                command = await self.get(command_id)
                if command.state is CommandState.DONE:
                    return command.result or b""
                await rung.wait()


def _find(connection: sqlite3.Connection, command_id: str) -> CommandRecord | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM commands WHERE command_id = ?",  # noqa: S608 - words of our own
        (command_id,),
    ).fetchone()
    return _record(row) if row else None


def _required(connection: sqlite3.Connection, command_id: str) -> CommandRecord:
    command = _find(connection, command_id)
    if command is None:
        raise NotFoundError(
            "COMMAND_NOT_FOUND", f"there is no command {command_id}", command_id=command_id
        )
    return command


def _record(row: Any) -> CommandRecord:
    return CommandRecord(
        command_id=row[0],
        agent=row[1],
        board=row[2],
        payload=row[3],
        state=CommandState(row[4]),
        result=row[5],
    )
