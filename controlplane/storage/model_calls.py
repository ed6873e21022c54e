"""The ledger of calls of language models, and the answers that were received.

A try is in the ledger before it is made, with what it can cost at most, so that neither a crash nor
two sessions at once get past a ceiling. Its answer and its cost come in one transaction.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from controlplane.domain.model_call import ModelAnswer, ModelCall, Spent, TokenUsage
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import to_us

_MONTH = "%Y-%m"
_WHERE = {"session": "session_id = ?", "month": "month = ?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What may be spent at most: by one "session" or in one calendar "month" (UTC)."""

    of: str
    micro_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingReached:
    """A ceiling that a try could break, and what had been spent under it at most."""

    ceiling: Ceiling
    spent_micro_usd: int


class ModelCallStore:
    """Tries and answers by session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, call: ModelCall, ceilings: Sequence[Ceiling]) -> CeilingReached | None:
        """Enter a try before it is made, unless it could break a ceiling: then which."""

        def work(tx: Transaction) -> CeilingReached | None:
            for ceiling in ceilings:
                key = call.session_id if ceiling.of == "session" else _month(call.start_time)
                spent = _at_most(tx.connection, ceiling.of, key)
                if spent + (call.worst_micro_usd or 0) > ceiling.micro_usd:
                    return CeilingReached(ceiling=ceiling, spent_micro_usd=spent)
            tx.connection.execute(
                "INSERT INTO model_calls (call_id, session_id, request_hash, month, start_us,"
                " cost_micro_usd, worst_micro_usd, body, answer)"
                " VALUES (?, ?, ?, ?, ?, NULL, ?, ?, '')",
                (
                    call.call_id,
                    call.session_id,
                    call.request_hash,
                    _month(call.start_time),
                    to_us(call.start_time),
                    call.worst_micro_usd,
                    to_json(call),
                ),
            )
            return None

        return await self._database.transact(work)

    async def settle(self, call: ModelCall, answer: ModelAnswer | None) -> None:
        """Enter how a try ended, with its answer."""
        text = to_json(answer) if answer is not None else ""
        await self._database.transact(
            lambda tx: tx.connection.execute(
                "UPDATE model_calls SET cost_micro_usd = ?, body = ?, answer = ? WHERE call_id = ?",
                (call.cost_micro_usd, to_json(call), text, call.call_id),
            )
        )

    async def answer(
        self, session_id: str, request_hash: str
    ) -> tuple[ModelCall, ModelAnswer] | None:
        """The answer that a session has already received to this very request."""
        if not session_id:
            return None
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT body, answer FROM model_calls WHERE session_id = ? AND request_hash = ?"
                " AND answer <> '' ORDER BY start_us LIMIT 1",
                (session_id, request_hash),
            ).fetchone()
        )
        return (
            None if row is None else (from_json(ModelCall, row[0]), from_json(ModelAnswer, row[1]))
        )

    async def calls(self, session_id: str) -> list[ModelCall]:
        """All tries of a session, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT body FROM model_calls WHERE session_id = ? ORDER BY start_us, rowid",
                (session_id,),
            ).fetchall()
        )
        return [from_json(ModelCall, row[0]) for row in rows]

    async def spent_in_month(self, moment: datetime) -> Spent:
        """What the calendar month of a moment (UTC) has cost."""
        return await self._database.read(lambda c: _spent(c, _month(moment)))


def _month(moment: datetime) -> str:
    return moment.strftime(_MONTH)


def _at_most(connection: sqlite3.Connection, of: str, key: str) -> int:
    row = connection.execute(
        "SELECT SUM(COALESCE(cost_micro_usd, worst_micro_usd, 0)) FROM model_calls"  # noqa: S608 - words of our own
        f" WHERE {_WHERE[of]}",
        (key,),
    ).fetchone()
    return int(row[0] or 0)


def _spent(connection: sqlite3.Connection, month: str) -> Spent:
    rows: list[Any] = connection.execute(
        "SELECT cost_micro_usd, worst_micro_usd, body FROM model_calls WHERE month = ?", (month,)
    ).fetchall()
    usage, known, at_most, unknown = TokenUsage(), 0, 0, 0
    for cost, worst, body in rows:
        usage = _sum(usage, from_json(ModelCall, body).usage)
        unknown += cost is None
        known += cost or 0
        at_most += (worst or 0) if cost is None else cost
    return Spent(
        calls=len(rows),
        known_micro_usd=known,
        at_most_micro_usd=at_most,
        unknown=unknown,
        usage=usage,
    )


def _sum(one: TokenUsage, other: TokenUsage) -> TokenUsage:
    return replace(
        one,
        fresh_input=one.fresh_input + other.fresh_input,
        cache_read=one.cache_read + other.cache_read,
        cache_write_5m=one.cache_write_5m + other.cache_write_5m,
        cache_write_1h=one.cache_write_1h + other.cache_write_1h,
        output=one.output + other.output,
        thinking=one.thinking + other.thinking,
    )
