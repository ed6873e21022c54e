"""Answers to mutating calls, kept for a day, so that a retry gets the first one again."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import to_us, utc_now
from controlplane.storage.requests import id_reused

_KEPT = timedelta(hours=24)


class AnswerStore:
    """By principal and request id."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def find(self, principal: str, request_id: str, request: bytes) -> bytes | None:
        """The first answer to this very request.

        Raises:
            ConflictError: REQUEST_ID_REUSED, another request had that id.
        """
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT request, answer FROM answers WHERE principal = ? AND request_id = ?",
                (principal, request_id),
            ).fetchone()
        )
        if row is None:
            return None
        if row[0] != _digest(request):
            raise id_reused(request_id)
        return bytes(row[1])

    async def keep(self, principal: str, request_id: str, request: bytes, answer: bytes) -> None:
        """Keep the first answer to a request."""
        now = self._now()

        def work(tx: Transaction) -> None:
            tx.connection.execute("DELETE FROM answers WHERE create_us < ?", (to_us(now - _KEPT),))
            tx.connection.execute(
                "INSERT INTO answers (principal, request_id, request, answer, create_us)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (principal, request_id, _digest(request), answer, to_us(now)),
            )

        await self._database.transact(work)


def _digest(request: bytes) -> str:
    return hashlib.sha256(request).hexdigest()
