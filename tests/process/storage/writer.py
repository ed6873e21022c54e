"""Writes to every store as fast as it can and prints what was acknowledged, until it is killed."""

import asyncio
import hashlib
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.domain.event import Note
from controlplane.domain.session import Session, SessionRequest
from controlplane.domain.verdict import Stage, State
from controlplane.journal.journal import Journal
from controlplane.leasing.book import LeaseBook
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.console_log import ConsoleLog, chunk_of
from controlplane.storage.database import Database
from controlplane.storage.sessions import SessionStore


def say(*words: object) -> None:
    """One line, at once: what was said before a kill is what was acknowledged."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def facts(store: SessionStore, name: str) -> None:
    now = datetime.now(UTC)
    request = SessionRequest(
        prompt="x", source=None, board_wish="", until=Stage.BUILD, designer="", seed=None
    )
    session = Session(
        name=f"sessions/{name}",
        request=request,
        state=State.RUNNING,
        stages=(),
        principal="p",
        create_time=now,
        update_time=now,
        seed=0,
    )
    await store.create(session, name, [Note(text="begin")])
    while True:
        fence = await store.claim_stage(name, Stage.BUILD, "writer")
        changed = await store.record(name, [Note(text=str(fence.token))], fence=fence)
        say("event", name, changed.last_sequence, fence.token)


async def console(log: ConsoleLog, name: str) -> None:
    head = 0
    while True:
        data = bytes((head + n) % 251 for n in range(100))
        head = await log.append(name, [chunk_of(data, offset=head)])
        say("console", name, head)


async def files(store: ArtifactStore) -> None:
    number = 0
    while True:
        data = str(number).encode() * 1000
        artifact = await store.put(data, kind="k", filename="f")
        say("artifact", artifact.sha256, hashlib.sha256(data).hexdigest())
        number += 1


async def leases(book: LeaseBook) -> None:
    while True:
        lease, board = await book.acquire("", "writer", timedelta(hours=1))
        say("lease", board.name, lease.fencing_token, lease.name)
        await book.release(lease.name)


async def main(folder: Path) -> None:
    """Write for ever."""
    database = await Database.open(folder / "state.db")
    store = SessionStore(database, Journal(database))
    log, boards = ConsoleLog(database), BoardStore(database)
    await boards.link_agent("bench", version="1", host="h")
    board = Board(
        name="agents/bench/boards/b",
        model="m",
        part="p",
        kind=BoardKind.VIRTUAL,
        state=BoardState.ACTIVE,
        probe_id="",
        identity="",
        port="",
    )
    await boards.put_inventory("bench", [board])
    # A restart begins new sessions and consoles; the leases of the one board go on.
    generation = sys.argv[2]
    async with LeaseBook(database, boards) as book, asyncio.TaskGroup() as group:
        for lease in (await book.page(10, None))[0]:
            await book.release(lease.name)
        for n in range(3):
            group.create_task(facts(store, f"s{generation}x{n}"))
            group.create_task(console(log, f"consoles/{generation}/{n}"))
        group.create_task(files(ArtifactStore(folder / "artifacts", database)))
        group.create_task(leases(book))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
