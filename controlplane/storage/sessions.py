"""Sessions, their stage leases and the small outputs of their stages."""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from benchline.errors import (
    ConflictError,
    NotFoundError,
    NotReadyError,
)
from controlplane.domain.event import Fact, Note
from controlplane.domain.session import Session, SessionRequest
from controlplane.domain.verdict import Stage
from controlplane.journal.journal import Journal
from controlplane.planning.provision_step import device_of
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import to_us, utc_now
from controlplane.storage.lists import page_edge, whole_id
from controlplane.storage.requests import id_reused, made_by

_REMEMBERED_SESSIONS = 256
DEFAULT_CACHED_STAGES = 2_000


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for a stage, until somebody else claims it."""

    session_id: str
    stage: Stage
    owner: str
    token: int


class ChangedSessions:
    """Ids of sessions that changed since somebody last looked; a session counts once."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._wake = asyncio.Event()

    def add(self, session_id: str) -> None:
        """Called after each commit that changed a session."""
        self._ids.add(session_id)
        self._wake.set()

    async def take(self) -> set[str]:
        """The ids, as soon as there is one."""
        await self._wake.wait()
        self._wake.clear()
        taken, self._ids = self._ids, set()
        return taken


class SessionStore:
    """The truth about sessions. Every change is one transaction with its events."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        *,
        now: Callable[[], datetime] = utc_now,
        cached_stages: int = DEFAULT_CACHED_STAGES,
    ) -> None:
        self._database = database
        self._journal = journal
        self._now = now
        self._cached_stages = cached_stages
        # Decoded sessions by the version of their row; only the writer thread uses it.
        self._decoded: OrderedDict[str, tuple[int, Session]] = OrderedDict()
        self._watchers: set[ChangedSessions] = set()

    async def create(self, session: Session, request_id: str, facts: Sequence[Fact]) -> Session:
        """Store a new session and its first events; a repeated request gets the first answer.

        One that names a stack and no device gets the device of its firmware, or one of its own
        where a session that goes on has that.

        Raises:
            ConflictError: REQUEST_ID_REUSED, another request had that id.
            ConflictError: SESSION_EXISTS, another session has that name.
        """
        request = to_json(session.request)

        def work(tx: Transaction) -> Session:
            stored = made_by(tx.connection, "sessions", "session_id", session.principal, request_id)
            if stored is not None:
                if stored[1] != request:
                    raise id_reused(request_id)
                return self._load(tx.connection, stored[0])[1]
            head = self._journal.append(
                tx, session.session_id, facts, stage=None, attempt=1, now=session.create_time
            )
            settled = _with_device(tx.connection, session.request)
            created = replace(session, request=settled, last_sequence=head)
            try:
                tx.connection.execute(
                    "INSERT INTO sessions (session_id, principal, request_id, request, ended,"
                    " version, create_us, body) VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
                    (
                        session.session_id,
                        session.principal,
                        request_id,
                        request,
                        int(session.state.ended),
                        to_us(session.create_time),
                        to_json(created),
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise ConflictError(
                    "SESSION_EXISTS", f"{session.name} exists already", session=session.name
                ) from error
            tx.after_commit(lambda: self._tell_watchers(session.session_id))
            return created

        return await self._database.transact(work)

    async def find_request(self, principal: str, request_id: str) -> Session | None:
        """The session that a request made, when it made one."""
        if not request_id:
            return None

        def work(connection: sqlite3.Connection) -> Session | None:
            stored = made_by(connection, "sessions", "session_id", principal, request_id)
            return _read(connection, stored[0])[1] if stored else None

        return await self._database.read(work)

    async def get(self, session_id: str) -> Session:
        """One session.

        Raises:
            NotFoundError: SESSION_NOT_FOUND.
        """
        return await self._database.read(lambda connection: _read(connection, session_id)[1])

    async def find(self, prefix: str) -> Session:
        """The session whose id is `prefix`, or else the only one that begins with it.

        Raises:
            NotFoundError: SESSION_NOT_FOUND.
            InvalidRequestError: AMBIGUOUS_NAME.
        """

        def work(connection: sqlite3.Connection) -> Session:
            found = whole_id(connection, "sessions", "session_id", prefix, "sessions")
            return _read(connection, found)[1]

        return await self._database.read(work)

    async def page(self, limit: int, after: str | None) -> tuple[list[Session], str | None]:
        """Sessions, newest first, from the one after the session id `after`.

        The second value is what to give as `after` for the next page, None on the last one.
        """

        def work(connection: sqlite3.Connection) -> list[Any]:
            edge = page_edge(connection, "sessions", "session_id", after)
            return connection.execute(
                "SELECT body FROM sessions WHERE (create_us, session_id) < (?, ?)"
                " ORDER BY create_us DESC, session_id DESC LIMIT ?",
                (*edge, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        sessions = [from_json(Session, row[0]) for row in rows[:limit]]
        return sessions, sessions[-1].session_id if len(rows) > limit else None

    @contextmanager
    def changes(self) -> Iterator[ChangedSessions]:
        """What changes from here on. Its memory is bounded by the number of sessions."""
        watcher = ChangedSessions()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _tell_watchers(self, session_id: str) -> None:
        for watcher in self._watchers:
            watcher.add(session_id)

    async def unfinished(self) -> list[Session]:
        """Every session that has not ended, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT body FROM sessions WHERE ended = 0 ORDER BY create_us, session_id"
            ).fetchall()
        )
        return [from_json(Session, row[0]) for row in rows]

    async def record(
        self,
        session_id: str,
        facts: Sequence[Fact],
        *,
        stage: Stage | None = None,
        attempt: int = 1,
        change: Callable[[Session], Session] | None = None,
        fence: Fence | None = None,
    ) -> Session:
        """Change a session and tell it, in one transaction; the session as it is then.

        Raises:
            NotFoundError: SESSION_NOT_FOUND.
            ConflictError: STALE_FENCE, the stage was claimed by somebody else.
            NotReadyError: SESSION_ENDED, for anything but a Note.
        """
        return await self._database.transact(
            lambda tx: self.record_in(
                tx, session_id, facts, stage=stage, attempt=attempt, change=change, fence=fence
            )
        )

    def record_in(
        self,
        tx: Transaction,
        session_id: str,
        facts: Sequence[Fact],
        *,
        stage: Stage | None = None,
        attempt: int = 1,
        change: Callable[[Session], Session] | None = None,
        fence: Fence | None = None,
    ) -> Session:
        """What :meth:`record` does, inside a transaction of the caller."""
        version, session = self._load(tx.connection, session_id)
        if fence is not None:
            _check_fence(tx.connection, fence)
        if session.state.ended and not all(isinstance(fact, Note) for fact in facts):
            raise _ended(session)
        changed = change(session) if change is not None else session
        if session.state.ended and (changed.state, changed.outcome) != (
            session.state,
            session.outcome,
        ):
            raise _ended(session)
        now = self._now()
        head = self._journal.append(tx, session_id, facts, stage=stage, attempt=attempt, now=now)
        changed = replace(changed, last_sequence=head, update_time=now)
        tx.connection.execute(
            "UPDATE sessions SET body = ?, ended = ?, version = ? WHERE session_id = ?",
            (to_json(changed), int(changed.state.ended), version + 1, session_id),
        )
        self._remember(session_id, version + 1, changed)
        tx.after_commit(lambda: self._tell_watchers(session_id))
        return changed

    def get_in(self, tx: Transaction, session_id: str) -> Session:
        """What :meth:`get` gives, inside a transaction of the caller."""
        return self._load(tx.connection, session_id)[1]

    async def claim_stage(self, session_id: str, stage: Stage, owner: str) -> Fence:
        """Take the stage: every earlier fence of it is stale from here on.

        Raises:
            NotFoundError: SESSION_NOT_FOUND.
        """

        def work(tx: Transaction) -> Fence:
            self._load(tx.connection, session_id)
            row = tx.connection.execute(
                "INSERT INTO stage_leases (session_id, stage, owner, token) VALUES (?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET owner = excluded.owner, token = token + 1"
                " RETURNING token",
                (session_id, stage, owner),
            ).fetchone()
            return Fence(session_id, stage, owner, row[0])

        return await self._database.transact(work)

    async def put_checkpoint(
        self, session_id: str, key: str, value: str, *, fence: Fence | None = None
    ) -> None:
        """Keep a small output of a stage, replacing an earlier one of that key.

        Raises:
            NotFoundError: SESSION_NOT_FOUND.
            ConflictError: STALE_FENCE.
        """

        def work(tx: Transaction) -> None:
            self._load(tx.connection, session_id)
            if fence is not None:
                _check_fence(tx.connection, fence)
            tx.connection.execute(
                "INSERT INTO checkpoints (session_id, key, value) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET value = excluded.value",
                (session_id, key, value),
            )

        await self._database.transact(work)

    async def get_checkpoint(self, session_id: str, key: str) -> str | None:
        """What was kept under a key."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT value FROM checkpoints WHERE session_id = ? AND key = ?",
                (session_id, key),
            ).fetchone()
        )
        return str(row[0]) if row else None

    async def cached_stage(self, stage: Stage, inputs_hash: str) -> str | None:
        """The stored output of an identical earlier run of a stage, as JSON text."""
        now_us = to_us(self._now())

        def work(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(
                "SELECT output FROM cached_stages WHERE stage = ? AND inputs_hash = ?",
                (stage, inputs_hash),
            ).fetchone()
            return str(row[0]) if row else None

        output = await self._database.read(work)
        if output is not None:
            await self._database.transact(
                lambda tx: tx.connection.execute(
                    "UPDATE cached_stages SET used_us = ? WHERE stage = ? AND inputs_hash = ?",
                    (now_us, stage, inputs_hash),
                )
            )
        return output

    async def put_cached_stage(self, stage: Stage, inputs_hash: str, output_json: str) -> None:
        """Keep the output of a stage for identical runs; the longest unused one may go."""
        now_us = to_us(self._now())

        def work(tx: Transaction) -> None:
            tx.connection.execute(
                "INSERT INTO cached_stages (stage, inputs_hash, used_us, output)"
                " VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET used_us = excluded.used_us, output = excluded.output",
                (stage, inputs_hash, now_us, output_json),
            )
            tx.connection.execute(
                "DELETE FROM cached_stages WHERE rowid IN (SELECT rowid FROM cached_stages"
                " ORDER BY used_us DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (self._cached_stages,),
            )

        await self._database.transact(work)

    def _load(self, connection: sqlite3.Connection, session_id: str) -> tuple[int, Session]:
        known = self._decoded.get(session_id)
        if known is not None:
            row = connection.execute(
                "SELECT version FROM sessions WHERE session_id = ?", (session_id,)
            ).fetchone()
            if row is not None and row[0] == known[0]:
                return known
        version, session = _read(connection, session_id)
        self._remember(session_id, version, session)
        return version, session

    def _remember(self, session_id: str, version: int, session: Session) -> None:
        self._decoded[session_id] = (version, session)
        self._decoded.move_to_end(session_id)
        if len(self._decoded) > _REMEMBERED_SESSIONS:
            self._decoded.popitem(last=False)


def _read(connection: sqlite3.Connection, session_id: str) -> tuple[int, Session]:
    row = connection.execute(
        "SELECT version, body FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise NotFoundError(
            "SESSION_NOT_FOUND",
            f"there is no session {session_id}; `benchline sessions` lists them",
            session=session_id,
        )
    return row[0], from_json(Session, row[1])


def _with_device(connection: sqlite3.Connection, request: SessionRequest) -> SessionRequest:
    """The request with the device that it gets, unless one was named.

    In the transaction that stores the session, so that no two of one moment get the same.
    """
    if not request.stack or request.device:
        return request
    device = device_of(request)
    taken = connection.execute(
        "SELECT 1 FROM sessions WHERE ended = 0 AND json_extract(body, '$.request.stack') = ?"
        " AND json_extract(body, '$.request.device') = ? LIMIT 1",
        (request.stack, device),
    ).fetchone()
    return request if taken else replace(request, device=device)


def _check_fence(connection: sqlite3.Connection, fence: Fence) -> None:
    row = connection.execute(
        "SELECT owner, token FROM stage_leases WHERE session_id = ? AND stage = ?",
        (fence.session_id, fence.stage),
    ).fetchone()
    if row != (fence.owner, fence.token):
        raise ConflictError(
            "STALE_FENCE",
            f"stage {fence.stage} of session {fence.session_id} was taken over by another worker",
            session=fence.session_id,
            stage=fence.stage,
            token=str(fence.token),
        )


def _ended(session: Session) -> NotReadyError:
    return NotReadyError(
        "SESSION_ENDED", f"{session.name} is over: {session.state}", session=session.name
    )
