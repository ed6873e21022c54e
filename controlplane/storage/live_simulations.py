"""Live simulations: what runs, and how what ran has ended."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace

from benchline.errors import ExhaustedError, NotFoundError
from controlplane.domain.live_simulation import LiveSimulation
from controlplane.storage.bell import Bell
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.lists import whole_id
from controlplane.storage.requests import id_reused

KEPT_ENDED = 500
"""Ended ones beyond this many are forgotten, oldest first; their consoles go by the log's caps."""


class LiveSimulationStore:
    """The truth about live simulations. Every change raises the revision and wakes the watchers."""

    def __init__(self, database: Database, *, kept: int = KEPT_ENDED) -> None:
        self._database = database
        self._kept = kept
        self._bell = Bell()

    async def create(self, live: LiveSimulation, request_id: str, most: int) -> LiveSimulation:
        """Store a new one, when fewer than `most` run. A repeated request gets the first answer.

        Raises:
            ExhaustedError: LIVE_SIMULATIONS_FULL.
            ConflictError: REQUEST_ID_REUSED, another request had that id.
        """

        def work(tx: Transaction) -> LiveSimulation:
            connection = tx.connection
            earlier = _of_request(connection, live.principal, request_id)
            if earlier is not None:
                if earlier.session != live.session:
                    raise id_reused(request_id)
                return earlier
            running = [one.live_id for one in _unended(connection)]
            if len(running) >= most:
                raise ExhaustedError(
                    "LIVE_SIMULATIONS_FULL",
                    f"{len(running)} live simulations run, and no more may: end one with"
                    f" `benchline simulate stop {running[0]}`",
                    running=", ".join(running),
                )
            connection.execute(
                "INSERT INTO live_simulations (live_id, session, principal, request_id, ended,"
                " body) VALUES (?, ?, ?, ?, 0, ?)",
                (live.live_id, live.session, live.principal, request_id, to_json(live)),
            )
            connection.execute(
                "DELETE FROM live_simulations WHERE ended = 1 AND live_id <= ("
                "SELECT live_id FROM live_simulations WHERE ended = 1"
                " ORDER BY live_id DESC LIMIT 1 OFFSET ?)",
                (self._kept,),
            )
            return live

        return await self._database.transact(work)

    async def change(
        self, live_id: str, change: Callable[[LiveSimulation], LiveSimulation]
    ) -> LiveSimulation:
        """Change one that has not ended; one that has stays as it is.

        Raises:
            NotFoundError: LIVE_SIMULATION_NOT_FOUND.
        """

        def work(tx: Transaction) -> LiveSimulation:
            known = _read(tx.connection, live_id)
            if known.state.ended:
                return known
            changed = replace(change(known), revision=known.revision + 1)
            tx.connection.execute(
                "UPDATE live_simulations SET ended = ?, body = ? WHERE live_id = ?",
                (int(changed.state.ended), to_json(changed), live_id),
            )
            tx.after_commit(lambda: self._bell.ring(live_id))
            return changed

        return await self._database.transact(work)

    async def get(self, live_id: str) -> LiveSimulation:
        """One of them.

        Raises:
            NotFoundError: LIVE_SIMULATION_NOT_FOUND.
        """
        return await self._database.read(lambda connection: _read(connection, live_id))

    async def find(self, prefix: str) -> LiveSimulation:
        """The one whose id is `prefix`, or else the only one that begins with it.

        Raises:
            NotFoundError: LIVE_SIMULATION_NOT_FOUND.
            InvalidRequestError: AMBIGUOUS_NAME.
        """

        def work(connection: sqlite3.Connection) -> LiveSimulation:
            found = whole_id(connection, "live_simulations", "live_id", prefix, "live simulations")
            return _read(connection, found)

        return await self._database.read(work)

    async def page(
        self, limit: int, after: str | None, session: str = ""
    ) -> tuple[list[LiveSimulation], str | None]:
        """Newest first, from the one after the id `after`; only those of a session if one is given.

        Ids sort by the time of their making.
        """
        edge = after or "\x7f"

        def work(connection: sqlite3.Connection) -> list[tuple[str]]:
            if session:
                return connection.execute(
                    "SELECT body FROM live_simulations WHERE session = ? AND live_id < ?"
                    " ORDER BY live_id DESC LIMIT ?",
                    (session, edge, limit + 1),
                ).fetchall()
            return connection.execute(
                "SELECT body FROM live_simulations WHERE live_id < ? ORDER BY live_id DESC LIMIT ?",
                (edge, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        found = [from_json(LiveSimulation, body) for (body,) in rows[:limit]]
        return found, found[-1].live_id if len(rows) > limit else None

    async def unended(self) -> list[LiveSimulation]:
        """Those that run, oldest first."""
        return await self._database.read(_unended)

    async def wait(self, live_id: str, revision: int) -> LiveSimulation:
        """The simulation as soon as its revision is greater than `revision`.

        Raises:
            NotFoundError: LIVE_SIMULATION_NOT_FOUND.
        """
        with self._bell.listen(live_id) as rung:
            while True:
                rung.clear()
                known = await self.get(live_id)
                if known.revision > revision:
                    return known
                await rung.wait()


def _read(connection: sqlite3.Connection, live_id: str) -> LiveSimulation:
    row = connection.execute(
        "SELECT body FROM live_simulations WHERE live_id = ?", (live_id,)
    ).fetchone()
    if row is None:
        raise NotFoundError(
            "LIVE_SIMULATION_NOT_FOUND",
            f"there is no live simulation {live_id}; `benchline simulate list` shows all",
            live_simulation=live_id,
        )
    return from_json(LiveSimulation, row[0])


def _of_request(
    connection: sqlite3.Connection, principal: str, request_id: str
) -> LiveSimulation | None:
    if not request_id:
        return None
    row = connection.execute(
        "SELECT body FROM live_simulations WHERE principal = ? AND request_id = ?",
        (principal, request_id),
    ).fetchone()
    return from_json(LiveSimulation, row[0]) if row else None


def _unended(connection: sqlite3.Connection) -> list[LiveSimulation]:
    rows = connection.execute(
        "SELECT body FROM live_simulations WHERE ended = 0 ORDER BY live_id"
    ).fetchall()
    return [from_json(LiveSimulation, body) for (body,) in rows]
