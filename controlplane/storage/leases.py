"""Rows of leases. The rules of lending are here; who waits, and for how long, is the book's."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from benchline.errors import ConflictError, NotFoundError
from controlplane.domain.bench import Board, Lease
from controlplane.planning.leases import Selector
from controlplane.storage.boards import BoardStore
from controlplane.storage.database import Transaction
from controlplane.storage.instants import from_us, to_us
from controlplane.storage.lists import page_edge
from controlplane.storage.requests import id_reused

_KEPT_AFTER_END = timedelta(hours=24)
_COLUMNS = "name, board, holder, fencing_token, expire_us, create_us"


class LeaseState(StrEnum):
    """Life cycle of a lease."""

    GRANTED = "GRANTED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """Who wants which board for how long; `name` is the lease's, should it be granted."""

    name: str
    selector: Selector
    selector_text: str
    holder: str
    ttl: timedelta
    request_id: str
    care: bool = False
    """The board is wanted to be brought back, whatever is wrong with it."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease and the board that it is of."""

    lease: Lease
    board: Board


class LeaseRows:
    """What happens to leases, each inside a transaction of the caller."""

    def __init__(self, boards: BoardStore) -> None:
        self._boards = boards

    def grant(self, tx: Transaction, request: LeaseRequest, now: datetime) -> Granted | None:
        """Lend a free board that fits, or None. A repeated request gets its first answer.

        Raises:
            ConflictError: REQUEST_ID_REUSED.
        """
        earlier = self._earlier(tx.connection, request)
        if earlier is not None:
            return earlier
        board = self._boards.best_free(tx.connection, request.selector, care=request.care)
        if board is None:
            return None
        token = tx.connection.execute(
            "UPDATE boards SET lease = ?, fencing_token = fencing_token + 1 WHERE name = ?"
            " RETURNING fencing_token",
            (request.name, board.name),
        ).fetchone()[0]
        tx.connection.execute(
            "INSERT INTO leases (name, board, holder, request_id, selector, state,"
            " fencing_token, expire_us, create_us) VALUES (?, ?, ?, ?, ?, 'GRANTED', ?, ?, ?)",
            (
                request.name,
                board.name,
                request.holder,
                request.request_id,
                request.selector_text,
                token,
                to_us(now + request.ttl),
                to_us(now),
            ),
        )
        self._boards.changed(tx)
        lease = _find(tx.connection, request.name)
        return Granted(lease, self._board(tx.connection, board.name))

    def renew(self, tx: Transaction, name: str, ttl: timedelta, now: datetime) -> Lease:
        """Move the expiry of a held lease to `now + ttl`.

        Raises:
            NotFoundError: LEASE_NOT_FOUND.
            ConflictError: STALE_LEASE.
        """
        changed = tx.connection.execute(
            "UPDATE leases SET expire_us = ?"
            " WHERE name = ? AND state = 'GRANTED' AND expire_us > ?",
            (to_us(now + ttl), name, to_us(now)),
        ).rowcount
        lease = _find(tx.connection, name)
        if not changed:
            raise ConflictError(
                "STALE_LEASE", f"{name} is no longer held; acquire a new lease", lease=name
            )
        return lease

    def end(self, tx: Transaction, name: str, state: LeaseState) -> Lease:
        """Give the board back; nothing happens to a lease that ended before.

        Raises:
            NotFoundError: LEASE_NOT_FOUND.
        """
        lease = _find(tx.connection, name)
        changed = tx.connection.execute(
            "UPDATE leases SET state = ? WHERE name = ? AND state = 'GRANTED'", (state, name)
        ).rowcount
        if changed:
            tx.connection.execute(
                "UPDATE boards SET lease = '' WHERE name = ? AND lease = ?", (lease.board, name)
            )
            self._boards.changed(tx)
        return lease

    def expire(self, tx: Transaction, now: datetime) -> tuple[list[Lease], datetime | None]:
        """End what has lapsed; what was ended, and when the next lease lapses."""
        due = tx.connection.execute(
            f"SELECT {_COLUMNS} FROM leases"  # noqa: S608 - words of our own
            " WHERE state = 'GRANTED' AND expire_us <= ? ORDER BY expire_us",
            (to_us(now),),
        ).fetchall()
        expired = [self.end(tx, row[0], LeaseState.EXPIRED) for row in due]
        tx.connection.execute(
            "DELETE FROM leases WHERE state IN ('RELEASED', 'EXPIRED', 'REVOKED')"
            " AND expire_us < ?",
            (to_us(now - _KEPT_AFTER_END),),
        )
        nearest = tx.connection.execute(
            "SELECT MIN(expire_us) FROM leases WHERE state = 'GRANTED'"
        ).fetchone()[0]
        return expired, None if nearest is None else from_us(nearest)

    def _earlier(self, connection: sqlite3.Connection, request: LeaseRequest) -> Granted | None:
        if not request.request_id:
            return None
        row = connection.execute(
            "SELECT name, selector FROM leases WHERE holder = ? AND request_id = ?",
            (request.holder, request.request_id),
        ).fetchone()
        if row is None:
            return None
        if row[1] != request.selector_text:
            raise id_reused(request.request_id)
        lease = _find(connection, row[0])
        return Granted(lease, self._board(connection, lease.board))

    def _board(self, connection: sqlite3.Connection, name: str) -> Board:
        return self._boards.select(connection, Selector(name=name), limit=1)[0]


def lease_state(connection: sqlite3.Connection, name: str) -> LeaseState:
    """How a lease stands.

    Raises:
        NotFoundError: LEASE_NOT_FOUND.
    """
    row = connection.execute("SELECT state FROM leases WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise _not_found(name)
    return LeaseState(row[0])


def lease_named(connection: sqlite3.Connection, name: str) -> Lease:
    """One lease, held or ended.

    Raises:
        NotFoundError: LEASE_NOT_FOUND.
    """
    return _find(connection, name)


def held_leases(
    connection: sqlite3.Connection, limit: int, after: str | None
) -> tuple[list[Lease], str | None]:
    """Leases that are held, newest first, and the name to go on after.

    Raises:
        InvalidRequestError: INVALID_PAGE_TOKEN.
    """
    edge = page_edge(connection, "leases", "name", after)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM leases"  # noqa: S608 - words of our own
        " WHERE state = 'GRANTED' AND (create_us, name) < (?, ?)"
        " ORDER BY create_us DESC, name DESC LIMIT ?",
        (*edge, limit + 1),
    ).fetchall()
    leases = [_lease(row) for row in rows[:limit]]
    return leases, leases[-1].name if len(rows) > limit else None


def _find(connection: sqlite3.Connection, name: str) -> Lease:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM leases WHERE name = ?",  # noqa: S608 - words of our own
        (name,),
    ).fetchone()
    if row is None:
        raise _not_found(name)
    return _lease(row)


def _not_found(name: str) -> NotFoundError:
    return NotFoundError(
        "LEASE_NOT_FOUND",
        f"there is no lease {name}; `benchline lease list` lists those that are held",
        lease=name,
    )


def _lease(row: Any) -> Lease:
    return Lease(
        name=row[0],
        board=row[1],
        holder=row[2],
        fencing_token=row[3],
        expire_time=from_us(row[4]),
        create_time=from_us(row[5]),
    )
