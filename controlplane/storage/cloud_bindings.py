"""Which board is which device of which cloud, as agents are told it.

A board is told its cloud in a sector of its flash, and a row says so before that is written. While
the binding is active, the agent's gateway carries its messages. The row stays, inactive, until the
sector was erased or told something else.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from controlplane.domain.stack import CloudBinding
from controlplane.storage.bell import Bell
from controlplane.storage.boards import BoardStore
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundBoard:
    """What the flash of a board says of its cloud; `address` is the sector that says it.

    Messages of boots before `from_epoch` are those of other images.
    """

    board: str
    address: int
    from_epoch: int
    active: bool
    binding: CloudBinding


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    address: int
    from_epoch: int
    binding: CloudBinding


class CloudBindings:
    """One row a board; a device is active on one board at most."""

    def __init__(self, database: Database, boards: BoardStore) -> None:
        self._database = database
        self._boards = boards
        self._bell = Bell()

    async def find(self, board: str) -> BoundBoard | None:
        """What a board was told; None when its sector is erased, as far as is known."""
        found = await self._select("board = ?", board)
        return found[0] if found else None

    async def active_of(self, agent: str) -> list[BoundBoard]:
        """The boards of an agent whose messages are carried, by name."""
        return await self._select("agent = ? AND active = 1", agent)

    async def active(self) -> list[BoundBoard]:
        """All boards whose messages are carried, by name."""
        return await self._select("active = 1")

    async def put(self, bound: BoundBoard) -> None:
        """Note what a board is about to be told; an active device leaves its former board."""
        agent = bound.board.split("/")[1]
        binding = bound.binding
        body = to_json(_Body(address=bound.address, from_epoch=bound.from_epoch, binding=binding))

        def work(tx: Transaction) -> None:
            if bound.active:
                self._end(tx, "stack = ? AND device = ?", binding.stack, binding.device)
            tx.connection.execute(
                "INSERT INTO cloud_bindings (board, agent, stack, device, active, body)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET stack = excluded.stack,"
                " device = excluded.device, active = excluded.active, body = excluded.body",
                (bound.board, agent, binding.stack, binding.device, int(bound.active), body),
            )
            self._changed(tx, {agent})

        await self._database.transact(work)

    async def end(self, board: str) -> None:
        """The messages of a board are carried no longer; what it was told is still in its flash."""
        await self._database.transact(lambda tx: self._end(tx, "board = ?", board))

    async def follow(self, stack: str, devices: Mapping[str, CloudBinding]) -> None:
        """The stack gives these devices now: messages of the others are carried no longer."""

        def work(tx: Transaction) -> None:
            rows = tx.connection.execute(
                "SELECT board, agent, device, body FROM cloud_bindings"
                " WHERE stack = ? AND active = 1",
                (stack,),
            ).fetchall()
            for board, agent, device, text in rows:
                body, binding = from_json(_Body, text), devices.get(device)
                if binding is None:
                    self._end(tx, "board = ?", board)
                elif binding != body.binding:
                    tx.connection.execute(
                        "UPDATE cloud_bindings SET body = ? WHERE board = ?",
                        (to_json(replace(body, binding=binding)), board),
                    )
                    self._changed(tx, {agent})

        await self._database.transact(work)

    async def erased(self, board: str) -> None:
        """A board was told that it has no cloud."""
        agent = board.split("/")[1]

        def work(tx: Transaction) -> None:
            tx.connection.execute("DELETE FROM cloud_bindings WHERE board = ?", (board,))
            self._changed(tx, {agent})

        await self._database.transact(work)

    @contextmanager
    def listen(self, agent: str) -> Iterator[asyncio.Event]:
        """An event that every change of an agent's bindings sets."""
        with self._bell.listen(agent) as event:
            yield event

    def _end(self, tx: Transaction, which: str, *values: str) -> None:
        rows = tx.connection.execute(
            f"UPDATE cloud_bindings SET active = 0 WHERE active = 1 AND {which} RETURNING agent",  # noqa: S608 - words of our own
            values,
        ).fetchall()
        if rows:
            self._changed(tx, {str(agent) for (agent,) in rows})

    def _changed(self, tx: Transaction, agents: set[str]) -> None:
        def ring() -> None:
            for agent in agents:
                self._bell.ring(agent)

        tx.after_commit(ring)
        self._boards.changed(tx)

    async def _select(self, which: str, *values: str) -> list[BoundBoard]:
        def work(connection: sqlite3.Connection) -> list[BoundBoard]:
            rows = connection.execute(
                f"SELECT board, active, body FROM cloud_bindings WHERE {which} ORDER BY board",  # noqa: S608 - words of our own
                values,
            ).fetchall()
            return [_bound(board, active, body) for board, active, body in rows]

        return await self._database.read(work)


def _bound(board: str, active: int, text: str) -> BoundBoard:
    body = from_json(_Body, text)
    return BoundBoard(
        board=board,
        address=body.address,
        from_epoch=body.from_epoch,
        active=bool(active),
        binding=body.binding,
    )
