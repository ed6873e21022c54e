"""One SQLite database: a writer thread that commits in groups, and reader threads.

Everything that is queued while a commit runs goes into the next one, so that a busy writer pays
one flush to disk for many transactions and an idle one pays no waiting. A unit of work that
raises is rolled back alone, to its savepoint; the others of its group are not touched.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchline.errors import ExhaustedError, UnreachableError
from controlplane.ops.room import make_room

log = logging.getLogger(__name__)

T = TypeVar("T")

_READERS = 2
_LARGEST_GROUP = 512
_BUSY_TIMEOUT_S = 10.0
_JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024


class Transaction:
    """What a unit of work writes through. Valid only inside that unit of work."""

    __slots__ = ("_callbacks", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._callbacks: list[Callable[[], None]] = []

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the event loop once the transaction is flushed to disk."""
        self._callbacks.append(callback)

    @property
    def callbacks(self) -> tuple[Callable[[], None], ...]:
        """What is to run after the commit, in order."""
        return tuple(self._callbacks)


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    work: Callable[[Transaction], T]
    future: "asyncio.Future[T]"
    result: T | None = None
    error: BaseException | None = None
    callbacks: tuple[Callable[[], None], ...] = field(default=())


class Database:
    """The state of one instance. Open it with :meth:`open`, in the event loop that will use it."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.path = path
        # New with every start; rows that carry another one were left by an earlier process.
        self.boot_id = uuid.uuid4().hex
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        # A daemon: a program that ends without closing must not hang, and loses nothing by it.
        self._writer: threading.Thread | None = None
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="storage-reader")
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Create or upgrade the file and start the threads.

        Raises:
            NotReadyError: DATABASE_TOO_NEW, written by a newer version of the program.
            CorruptError: DATABASE_CORRUPT, the file is not a database.
        """
        from controlplane.storage.migrate import bring_up_to_date

        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(bring_up_to_date, path)
        database = cls(path, asyncio.get_running_loop())
        connection = await asyncio.to_thread(_connect_writer, path)
        database._writer = threading.Thread(
            target=database._write_groups, args=(connection,), name="storage-writer", daemon=True
        )
        database._writer.start()
        return database

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer thread; return its result after the flushed commit.

        An exception of `work` undoes what it wrote, and nothing else, and is raised here. A
        caller that is cancelled while it waits does not know whether the work was done.

        Raises:
            ExhaustedError: DISK_FULL.
            UnreachableError: DATABASE_CLOSED.
        """
        if self._closed:
            raise UnreachableError("DATABASE_CLOSED", "the control plane is shutting down")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, future))
        return await future

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a reader thread, on one snapshot of everything that is committed."""
        if self._closed:
            raise UnreachableError("DATABASE_CLOSED", "the control plane is shutting down")
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Finish what is queued, then stop the threads."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        if self._writer is not None:
            await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._connections:
            connection.close()

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.path)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._connections.append(connection)
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("ROLLBACK")

    def _write_groups(self, connection: sqlite3.Connection) -> None:
        open_for_work = True
        while open_for_work:
            group: list[_Job[Any]] = []
            job = self._jobs.get()
            while job is not None:
                group.append(job)
                if len(group) >= _LARGEST_GROUP:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            else:
                open_for_work = False
            if group:
                self._write_group(connection, group)
        connection.close()

    def _write_group(self, connection: sqlite3.Connection, group: list[_Job[Any]]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run(connection, job)
            connection.execute("COMMIT")
        except Exception as error:
            log.exception("a group of transactions was rolled back", extra={"size": len(group)})
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            for job in group:
                job.callbacks = ()
                job.error = job.error or self._explained(error)
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(_deliver, group)

    def _run(self, connection: sqlite3.Connection, job: _Job[Any]) -> None:
        if job.future.cancelled():
            return
        transaction = Transaction(connection)
        connection.execute("SAVEPOINT work")
        try:
            job.result = job.work(transaction)
        except Exception as error:
            if not connection.in_transaction:  # SQLite gave up the whole group, for want of room
                raise
            connection.execute("ROLLBACK TO work")
            job.error = self._explained(error)
        else:
            job.callbacks = transaction.callbacks
        connection.execute("RELEASE work")

    def _explained(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.OperationalError) or "full" not in str(error):
            return error
        todo = make_room(self.path.parent)
        return ExhaustedError("DISK_FULL", f"the database cannot be written; {todo}")


def _deliver(group: list[_Job[Any]]) -> None:
    for job in group:
        for callback in job.callbacks:
            try:
                callback()
            except Exception:
                log.exception("a callback after a commit failed")
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def _connect_writer(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA journal_mode = WAL")  # kept in the file, for readers too
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """A connection that begins and ends transactions only when told to."""
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
