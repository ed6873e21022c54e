"""Every byte that boards and simulators said, by offset.

A console is contiguous: a hole is kept as an explicit gap in front of the chunk that follows it.
Bytes that are stored already are skipped, so that a sender may repeat itself after a reconnect.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.storage.bell import Bell
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import from_us, to_us, utc_now

MAX_CHUNK_BYTES = 64 * 1024
DEFAULT_CAP_BYTES = 64 * 1024 * 1024
DEFAULT_TOTAL_BYTES = 4 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Contiguous bytes of one boot epoch; `gap_before` says why bytes before it are missing."""

    offset: int
    data: bytes
    epoch: int = 1
    host_time: datetime
    gap_before: str = ""

    @property
    def end(self) -> int:
        """One past the last byte."""
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleHead:
    """Where a console stands; bytes before `oldest` are no longer kept."""

    offset: int = 0
    epoch: int = 0
    oldest: int = 0


@dataclass(slots=True)
class _Position:
    console_id: int
    oldest: int
    head: int
    epoch: int
    stored_bytes: int
    pending_gap: str


class ConsoleLog:
    """Consoles of all boards and simulations. What `append` returned for is on disk."""

    def __init__(
        self,
        database: Database,
        *,
        cap_bytes: int = DEFAULT_CAP_BYTES,
        total_bytes: int = DEFAULT_TOTAL_BYTES,
    ) -> None:
        self._database = database
        self._cap_bytes = cap_bytes
        self._total_bytes = total_bytes
        self._bell = Bell()
        # Bytes since the total was last added up; only the writer thread uses it. A rolled back
        # transaction makes it too large, which costs one addition and nothing else.
        self._unchecked_bytes = total_bytes

    async def append(self, console: str, chunks: Sequence[Chunk]) -> int:
        """Store what is not stored yet; the new head, durable."""
        return await self._database.transact(lambda tx: self.append_in(tx, console, chunks))

    def append_in(self, tx: Transaction, console: str, chunks: Sequence[Chunk]) -> int:
        """What :meth:`append` does, inside a transaction of the caller."""
        position = _position(tx.connection, console)
        rows: list[tuple[Any, ...]] = []
        for chunk in chunks:
            rows.extend(_rows(position, chunk))
        tx.connection.executemany(
            "INSERT INTO console_chunks"
            " (console_id, offset, size, epoch, host_us, gap_before, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        if position.stored_bytes > self._cap_bytes:
            _drop_oldest(tx.connection, position, self._cap_bytes)
        tx.connection.execute(
            "UPDATE consoles SET oldest = ?, head = ?, epoch = ?, stored_bytes = ?,"
            " pending_gap = ? WHERE console_id = ?",
            (
                position.oldest,
                position.head,
                position.epoch,
                position.stored_bytes,
                position.pending_gap,
                position.console_id,
            ),
        )
        self._unchecked_bytes += sum(len(row[-1]) for row in rows)
        if self._unchecked_bytes > self._total_bytes // 20:
            self._unchecked_bytes = 0
            _drop_consoles(tx.connection, position.console_id, self._total_bytes)
        tx.after_commit(lambda: self._bell.ring(console))
        return position.head

    async def head(self, console: str) -> ConsoleHead:
        """Where the console stands; all zeros for one that never said anything."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT head, epoch, oldest FROM consoles WHERE console = ?", (console,)
            ).fetchone()
        )
        return ConsoleHead(offset=row[0], epoch=row[1], oldest=row[2]) if row else ConsoleHead()

    async def read(self, console: str, start: int, end: int, limit_bytes: int) -> list[Chunk]:
        """Chunks that cover [start, end), cut to it, at most `limit_bytes` and at least one.

        A chunk whose `gap_before` is set does not follow the byte before it. Bytes that were
        dropped because of the console's cap appear as such a gap.
        """

        def work(connection: sqlite3.Connection) -> list[Chunk]:
            row = connection.execute(
                "SELECT console_id, oldest FROM consoles WHERE console = ?", (console,)
            ).fetchone()
            return _select(connection, row[0], row[1], start, end, limit_bytes) if row else []

        return await self._database.read(work)

    async def wait(self, console: str, after_offset: int) -> int:
        """Return the head as soon as it is greater than `after_offset`."""
        with self._bell.listen(console) as rung:
            while True:
                rung.clear()
                head = await self.head(console)
                if head.offset > after_offset:
                    return head.offset
                await rung.wait()


def _position(connection: sqlite3.Connection, console: str) -> _Position:
    row = connection.execute(
        "SELECT console_id, oldest, head, epoch, stored_bytes, pending_gap FROM consoles"
        " WHERE console = ?",
        (console,),
    ).fetchone()
    if row is not None:
        return _Position(*row)
    created = connection.execute(
        "INSERT INTO consoles (console, oldest, head, epoch, stored_bytes, pending_gap)"
        " VALUES (?, 0, 0, 0, 0, '')",
        (console,),
    )
    return _Position(created.lastrowid or 0, 0, 0, 0, 0, "")


def _rows(position: _Position, chunk: Chunk) -> list[tuple[Any, ...]]:
    """Rows for the new bytes of a chunk; moves the position."""
    position.epoch = max(position.epoch, chunk.epoch)
    data = chunk.data[max(0, position.head - chunk.offset) :]
    reasons = [position.pending_gap, chunk.gap_before if chunk.offset >= position.head else ""]
    if not data:
        # Nothing to hang the reason on yet: the next byte carries it.
        position.pending_gap = "; ".join(filter(None, reasons))
        return []
    if chunk.offset > position.head:
        reasons.append(f"bytes {position.head} to {chunk.offset} are missing")
    gap = "; ".join(filter(None, reasons))
    position.pending_gap = ""
    position.head = max(position.head, chunk.offset)
    rows = []
    for first in range(0, len(data), MAX_CHUNK_BYTES):
        piece = data[first : first + MAX_CHUNK_BYTES]
        rows.append(
            (
                position.console_id,
                position.head,
                len(piece),
                chunk.epoch,
                to_us(chunk.host_time),
                gap if first == 0 else "",
                piece,
            )
        )
        position.head += len(piece)
        position.stored_bytes += len(piece)
    return rows


def _drop_oldest(connection: sqlite3.Connection, position: _Position, cap_bytes: int) -> None:
    # A tenth below the cap, so that a full console does not delete at every append.
    surplus = position.stored_bytes - (cap_bytes - cap_bytes // 10)
    keep_from = position.oldest
    for offset, size in connection.execute(
        "SELECT offset, size FROM console_chunks WHERE console_id = ? ORDER BY offset",
        (position.console_id,),
    ):
        if surplus <= 0:
            break
        surplus -= size
        position.stored_bytes -= size
        keep_from = offset + size
    connection.execute(
        "DELETE FROM console_chunks WHERE console_id = ? AND offset < ?",
        (position.console_id, keep_from),
    )
    position.oldest = keep_from


def _drop_consoles(connection: sqlite3.Connection, keep: int, total_bytes: int) -> None:
    """Empty whole consoles until all fit: those of simulations first, then the oldest."""
    surplus = -total_bytes
    surplus += connection.execute("SELECT SUM(stored_bytes) FROM consoles").fetchone()[0]
    for console_id, size in connection.execute(
        "SELECT console_id, stored_bytes FROM consoles"
        " WHERE stored_bytes > 0 AND console_id <> ?"
        " ORDER BY console LIKE 'consoles/sessions/%' DESC, console_id",
        (keep,),
    ).fetchall():
        if surplus <= 0:
            return
        surplus -= size
        connection.execute("DELETE FROM console_chunks WHERE console_id = ?", (console_id,))
        connection.execute(
            "UPDATE consoles SET oldest = head, stored_bytes = 0 WHERE console_id = ?",
            (console_id,),
        )


def _select(
    connection: sqlite3.Connection,
    console_id: int,
    oldest: int,
    start: int,
    end: int,
    limit_bytes: int,
) -> list[Chunk]:
    first = connection.execute(
        "SELECT MAX(offset) FROM console_chunks WHERE console_id = ? AND offset <= ?",
        (console_id, start),
    ).fetchone()[0]
    chunks: list[Chunk] = []
    room = limit_bytes
    for offset, epoch, host_us, gap, stored in connection.execute(
        "SELECT offset, epoch, host_us, gap_before, data FROM console_chunks"
        " WHERE console_id = ? AND offset >= ? AND offset < ? ORDER BY offset",
        (console_id, first or 0, end),
    ):
        cut = max(0, start - offset)
        data = stored[cut : end - offset]
        if not data:
            continue
        if cut:
            gap = ""
        elif not chunks and start < oldest:
            gap = f"bytes before {oldest} are no longer kept"
        if chunks and len(data) > room:
            break
        if not chunks and len(data) > limit_bytes:
            data = data[: max(1, limit_bytes)]
        room -= len(data)
        chunks.append(
            Chunk(
                offset=offset + cut,
                data=data,
                epoch=epoch,
                host_time=from_us(host_us),
                gap_before=gap,
            )
        )
        if room <= 0:
            break
    return chunks


def chunk_of(data: bytes, *, offset: int, epoch: int = 1) -> Chunk:
    """Bytes read just now."""
    return Chunk(offset=offset, data=data, epoch=epoch, host_time=utc_now())
