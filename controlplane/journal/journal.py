"""The journal: what happened in each session, deployment and stack, from 1 without gaps.

Its subjects are the ids of sessions and the names of deployments (`deployments/…`) and stacks
(`stacks/…`).

Events are appended in the transaction that changes the state they tell of, so that the two can
never differ. Readers hold a sequence number and nothing else.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from benchline.errors import HistoryGoneError
from benchline.names import DEPLOYMENTS, STACKS, session_name
from controlplane.domain.event import FACT_NAMES, Event, Fact
from controlplane.domain.verdict import Stage
from controlplane.storage.bell import Bell
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import from_us, to_us

_KINDS: dict[str, type[Fact]] = {name: kind for kind, name in FACT_NAMES.items()}
_COLUMNS = "sequence, subject, time_us, stage, attempt, kind, body"
DEFAULT_EVENT_CAP = 200_000


class Journal:
    """Append in a transaction, read by sequence, wait for more.

    A subject keeps its newest `event_cap` events; older ones are compacted away.
    """

    def __init__(self, database: Database, *, event_cap: int = DEFAULT_EVENT_CAP) -> None:
        self._database = database
        self._bell = Bell()
        self._event_cap = event_cap

    def append(
        self,
        tx: Transaction,
        subject: str,
        facts: Sequence[Fact],
        *,
        stage: Stage | None,
        attempt: int,
        now: datetime,
    ) -> int:
        """Number and store facts inside `tx`; the newest sequence number of the subject."""
        row = tx.connection.execute(
            "SELECT head, oldest FROM journals WHERE subject = ?", (subject,)
        ).fetchone()
        head, oldest = row or (0, 1)
        if not facts:
            return int(head)
        if row is None:
            tx.connection.execute("INSERT INTO journals VALUES (?, 1, 0)", (subject,))
        time_us, stage_text = to_us(now), stage or ""
        tx.connection.executemany(
            f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - words of our own
            [
                (n, subject, time_us, stage_text, attempt, FACT_NAMES[type(f)], to_json(f))
                for n, f in enumerate(facts, head + 1)
            ],
        )
        head += len(facts)
        tx.connection.execute("UPDATE journals SET head = ? WHERE subject = ?", (head, subject))
        # A tenth of slack, so that compaction is rare and not one delete an append.
        if head - oldest + 1 > self._event_cap + self._event_cap // 10:
            self.compact(tx, subject, head - self._event_cap + 1)
        tx.after_commit(lambda: self._bell.ring(subject))
        return int(head)

    def compact(self, tx: Transaction, subject: str, oldest: int) -> None:
        """Forget the events before `oldest`."""
        tx.connection.execute(
            "DELETE FROM events WHERE subject = ? AND sequence < ?", (subject, oldest)
        )
        tx.connection.execute(
            "UPDATE journals SET oldest = MAX(oldest, MIN(?, head + 1)) WHERE subject = ?",
            (oldest, subject),
        )

    def forget(self, tx: Transaction, subject: str) -> None:
        """Forget everything of a subject that is gone; who still watches it is woken."""
        tx.connection.execute("DELETE FROM events WHERE subject = ?", (subject,))
        tx.connection.execute("DELETE FROM journals WHERE subject = ?", (subject,))
        tx.after_commit(lambda: self._bell.ring(subject))

    async def read(self, subject: str, from_sequence: int, limit: int) -> list[Event]:
        """At most `limit` events in order; `from_sequence` 0 and 1 are the beginning.

        Raises:
            HistoryGoneError: HISTORY_COMPACTED with the fact `oldest`, a sequence number.
        """
        first = max(1, from_sequence)

        def work(connection: Any) -> tuple[int, list[Any]]:
            row = connection.execute(
                "SELECT oldest FROM journals WHERE subject = ?", (subject,)
            ).fetchone()
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM events"  # noqa: S608 - words of our own
                " WHERE subject = ? AND sequence >= ? ORDER BY sequence LIMIT ?",
                (subject, first, limit),
            ).fetchall()
            return (row[0] if row else 1), rows

        oldest, rows = await self._database.read(work)
        if first < oldest:
            raise HistoryGoneError(
                "HISTORY_COMPACTED",
                f"events before {oldest} are no longer kept; read from {oldest}",
                oldest=str(oldest),
            )
        return [_event(row) for row in rows]

    async def head(self, subject: str) -> int:
        """The newest sequence number, 0 when nothing happened yet."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT head FROM journals WHERE subject = ?", (subject,)
            ).fetchone()
        )
        return int(row[0]) if row else 0

    async def wait(self, subject: str, after_sequence: int) -> int:
        """Return the head as soon as it is greater than `after_sequence`, or the subject is gone.

        The head of a subject that was forgotten is 0.
        """
        with self._bell.listen(subject) as rung:
            while True:
                rung.clear()
                head = await self.head(subject)
                if head > after_sequence or (not head and after_sequence):
                    return head
                await rung.wait()


def _event(row: Any) -> Event:
    sequence, subject, time_us, stage, attempt, kind, body = row
    deployment = subject if subject.startswith(DEPLOYMENTS) else ""
    stack = subject if subject.startswith(STACKS) else ""
    return Event(
        sequence=sequence,
        session="" if deployment or stack else session_name(subject),
        time=from_us(time_us),
        fact=from_json(_KINDS[kind], body),
        stage=Stage(stage) if stage else None,
        attempt=attempt,
        deployment=deployment,
        stack=stack,
    )
