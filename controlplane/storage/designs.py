"""Designs under names, with every revision of them. A revision never changes."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from benchline.errors import ConflictError, NotFoundError
from controlplane.domain.design import Design
from controlplane.domain.stored_design import StoredDesign
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import from_us, to_us, utc_now
from controlplane.storage.list_changes import ListChanges
from controlplane.storage.lists import page_edge

_COLUMNS = (
    "d.design_id, r.revision, r.parent_revision, d.head_revision, r.document, r.note,"
    " r.principal, d.create_us, r.update_us"
)
_FROM = "FROM designs d JOIN design_revisions r ON r.design_id = d.design_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRevision:
    """What is to be stored, and who wants it."""

    design: Design
    note: str
    principal: str


class DesignStore:
    """The truth about stored designs; `changes` tells of new ones and of new revisions."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self.changes = ListChanges()

    async def create(self, design_id: str, new: NewRevision) -> StoredDesign:
        """Store revision 1. The same design under the same name is stored once.

        Raises:
            ConflictError: DESIGN_EXISTS, another design has that name.
        """
        now = to_us(self._now())
        first = replace(new.design, parent="") if new.design.parent else new.design

        def work(tx: Transaction) -> StoredDesign:
            there = _rows(tx.connection, "WHERE d.design_id = ? AND r.revision = 1", design_id)
            if there:
                found = _read(there[0])
                if found.design == first and found.principal == new.principal:
                    return found
                raise ConflictError(
                    "DESIGN_EXISTS",
                    f"designs/{design_id} exists; take another name, or edit it",
                    design=f"designs/{design_id}",
                )
            tx.connection.execute(
                "INSERT INTO designs (design_id, head_revision, create_us, update_us)"
                " VALUES (?, 1, ?, ?)",
                (design_id, now, now),
            )
            _insert(tx.connection, design_id, 1, 0, replace(new, design=first), now)
            tx.after_commit(self.changes.tell)
            return _one(tx.connection, design_id, 1)

        return await self._database.transact(work)

    async def update(self, design_id: str, etag: str, new: NewRevision) -> StoredDesign:
        """Store the next revision, made from the newest one, whose etag has to be shown.

        A design that is as it was makes no revision, and neither does a repeated call.

        Raises:
            NotFoundError: DESIGN_NOT_FOUND.
            ConflictError: STALE_ETAG, the newest revision is another one.
        """
        now = to_us(self._now())

        def work(tx: Transaction) -> StoredDesign:
            head = _one(tx.connection, design_id, None)
            if head.etag != etag:
                before = _find(tx.connection, design_id, head.parent_revision)
                repeated = before is not None and before.etag == etag
                if before is None or not repeated or not _same(head.design, new.design):
                    raise ConflictError(
                        "STALE_ETAG",
                        f"{head.name} is at revision {head.revision}; read it again",
                        design=head.name,
                        revision=str(head.revision),
                    )
                return head
            if _same(head.design, new.design):
                return head
            number = head.revision + 1
            made = _child(new.design, head.design)
            _insert(tx.connection, design_id, number, head.revision, replace(new, design=made), now)
            tx.connection.execute(
                "UPDATE designs SET head_revision = ?, update_us = ? WHERE design_id = ?",
                (number, now, design_id),
            )
            tx.after_commit(self.changes.tell)
            return _one(tx.connection, design_id, number)

        return await self._database.transact(work)

    async def get(self, design_id: str, revision: int | None = None) -> StoredDesign:
        """One revision, the newest when none is named.

        Raises:
            NotFoundError: DESIGN_NOT_FOUND.
        """
        return await self._database.read(lambda connection: _one(connection, design_id, revision))

    async def page(self, limit: int, after: str | None) -> tuple[list[StoredDesign], str | None]:
        """Designs at their newest revision, by their age, newest first."""

        def work(connection: sqlite3.Connection) -> list[Any]:
            edge = page_edge(connection, "designs", "design_id", after)
            return _rows(
                connection,
                "WHERE r.revision = d.head_revision AND (d.create_us, d.design_id) < (?, ?)"
                " ORDER BY d.create_us DESC, d.design_id DESC LIMIT ?",
                *edge,
                limit + 1,
            )

        rows = await self._database.read(work)
        found = [_read(row) for row in rows[:limit]]
        return found, found[-1].design_id if len(rows) > limit else None

    async def revisions(
        self, design_id: str, limit: int, before: int | None
    ) -> tuple[list[StoredDesign], int | None]:
        """Revisions of one design, newest first, from the one before the revision ``before``.

        Raises:
            NotFoundError: DESIGN_NOT_FOUND.
        """

        def work(connection: sqlite3.Connection) -> list[Any]:
            _one(connection, design_id, None)
            return _rows(
                connection,
                "WHERE d.design_id = ? AND r.revision < ? ORDER BY r.revision DESC LIMIT ?",
                design_id,
                1 << 62 if before is None else before,
                limit + 1,
            )

        rows = await self._database.read(work)
        found = [_read(row) for row in rows[:limit]]
        return found, found[-1].revision if len(rows) > limit else None


def _child(design: Design, parent: Design) -> Design:
    """A revision names the design that it was made from; version 1 cannot say it."""
    return design if design.schema_version == 1 else replace(design, parent=parent.design_hash)


def _same(left: Design, right: Design) -> bool:
    """Whether two designs are the same but for what they were made from."""
    return replace(left, parent="") == replace(right, parent="")


def _insert(
    connection: sqlite3.Connection,
    design_id: str,
    revision: int,
    parent: int,
    new: NewRevision,
    now: int,
) -> None:
    connection.execute(
        "INSERT INTO design_revisions (design_id, revision, parent_revision, design_hash, document,"
        " note, principal, update_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            design_id,
            revision,
            parent,
            new.design.design_hash,
            new.design.to_json(),
            new.note,
            new.principal,
            now,
        ),
    )


def _rows(connection: sqlite3.Connection, rest: str, *values: object) -> list[Any]:
    return connection.execute(f"SELECT {_COLUMNS} {_FROM} {rest}", values).fetchall()


def _find(
    connection: sqlite3.Connection, design_id: str, revision: int | None
) -> StoredDesign | None:
    which = "d.head_revision" if revision is None else "?"
    values = (design_id,) if revision is None else (design_id, revision)
    rows = _rows(connection, f"WHERE d.design_id = ? AND r.revision = {which}", *values)
    return _read(rows[0]) if rows else None


def _one(connection: sqlite3.Connection, design_id: str, revision: int | None) -> StoredDesign:
    found = _find(connection, design_id, revision)
    if found is None:
        name = f"designs/{design_id}" + ("" if revision is None else f"/revisions/{revision}")
        raise NotFoundError(
            "DESIGN_NOT_FOUND",
            f"there is no {name}; `benchline design list` lists those that are kept",
            design=name,
        )
    return found


def _read(row: Any) -> StoredDesign:
    return StoredDesign(
        design_id=row[0],
        revision=row[1],
        parent_revision=row[2],
        head_revision=row[3],
        design=Design.from_json(row[4]),
        note=row[5],
        principal=row[6],
        create_time=from_us(row[7]),
        update_time=from_us(row[8]),
    )
