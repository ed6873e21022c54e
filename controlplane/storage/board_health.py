"""Health of boards: scores, quarantines, recoveries, and what helped which model."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from benchline.errors import NotFoundError
from controlplane.domain.bench import Board
from controlplane.domain.health import (
    BoardHealth,
    BoardOutcome,
    CureRate,
    Quarantine,
    Recovery,
    RecoveryAction,
)
from controlplane.domain.verdict import Outcome
from controlplane.planning.health import counts, cures_in, score_after, settled
from controlplane.storage.boards import BoardStore, board_not_found
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import from_us, to_us, utc_now
from controlplane.storage.requests import id_reused

KEPT_OUTCOMES = 20
SHOWN_RECOVERIES = 5
_KEPT_RECOVERIES = 100


class HealthStore:
    """What is known of the health of every board."""

    def __init__(
        self, database: Database, boards: BoardStore, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._boards = boards
        self._now = now

    async def note(self, board: str, action: str, outcome: Outcome, reason: str = "") -> None:
        """Something happened on a board; what says nothing about it is left out."""
        if counts(action, outcome, reason):
            await self._database.transact(lambda tx: self._note(tx, board, action, outcome, reason))

    async def quarantine(self, board: str, quarantine: Quarantine) -> None:
        """Take a board out of service. What a person said is not replaced by an automatic one.

        Raises:
            NotFoundError: BOARD_NOT_FOUND.
        """

        def work(tx: Transaction) -> None:
            known = _quarantine(tx.connection, board)
            if known is not None and not known.automatic and quarantine.automatic:
                return
            self._set_quarantine(tx, board, to_json(quarantine))

        await self._database.transact(work)

    async def bring_back(self, board: str, *, only_automatic: bool = False) -> bool:
        """Put a board back into service; false when it stays out, for a person said so.

        Raises:
            NotFoundError: BOARD_NOT_FOUND.
        """

        def work(tx: Transaction) -> bool:
            known = _quarantine(tx.connection, board)
            if known is None:
                return True
            if only_automatic and not known.automatic:
                return False
            self._set_quarantine(tx, board, "")
            return True

        return await self._database.transact(work)

    async def health(self, board: Board) -> BoardHealth:
        """What is known of a board."""

        def read(connection: sqlite3.Connection) -> BoardHealth:
            outcomes = connection.execute(
                "SELECT body FROM board_outcomes WHERE board = ? ORDER BY number DESC",
                (board.name,),
            ).fetchall()
            recoveries = connection.execute(
                "SELECT body FROM recoveries WHERE board = ?"
                " ORDER BY create_us DESC, recovery_id DESC LIMIT ?",
                (board.name, SHOWN_RECOVERIES),
            ).fetchall()
            return BoardHealth(
                board=board.name,
                score=board.score,
                quarantine=board.quarantine,
                outcomes=tuple(from_json(BoardOutcome, body) for (body,) in outcomes),
                recoveries=tuple(from_json(Recovery, body) for (body,) in recoveries),
                cure_rates=_rates(connection, board),
            )

        return await self._database.read(read)

    async def cure_rates(self, board: Board) -> tuple[CureRate, ...]:
        """How often each step helped boards of the same model."""
        return await self._database.read(lambda connection: _rates(connection, board))

    async def begin(
        self,
        recovery: Recovery,
        request_id: str,
        also: Callable[[Transaction], None],
        quarantine: Quarantine | None = None,
    ) -> tuple[Recovery, bool]:
        """Store a recovery, unless one of its board goes on or the request was answered before:
        then that one, and false. `also` is done in the same transaction.

        Raises:
            ConflictError: REQUEST_ID_REUSED.
        """

        def work(tx: Transaction) -> tuple[Recovery, bool]:
            earlier = _asked(tx.connection, recovery, request_id) or _open(
                tx.connection, recovery.board
            )
            if earlier is not None:
                return earlier, False
            tx.connection.execute(
                "INSERT INTO recoveries"
                " (recovery_id, board, principal, request_id, ended, create_us, body)"
                " VALUES (?, ?, ?, ?, 0, ?, ?)",
                (
                    recovery.recovery_id,
                    recovery.board,
                    recovery.principal,
                    request_id,
                    to_us(recovery.create_time),
                    to_json(recovery),
                ),
            )
            known = _quarantine(tx.connection, recovery.board)
            if quarantine is not None and (known is None or known.automatic):
                self._set_quarantine(tx, recovery.board, to_json(quarantine))
            also(tx)
            return recovery, True

        return await self._database.transact(work)

    async def keep(self, recovery: Recovery) -> None:
        """Store how a recovery stands."""
        await self._database.transact(lambda tx: _store(tx, recovery))

    async def end(self, recovery: Recovery, board: Board, quarantine: Quarantine | None) -> None:
        """Store how a recovery ended, with everything that follows from it, at once: the score,
        the rates of its steps, and whether the board is in service."""

        def work(tx: Transaction) -> None:
            if _find(tx.connection, recovery.recovery_id).outcome is not None:
                return
            _store(tx, recovery)
            _add_rates(tx, board, cures_in(recovery.steps, recovery.outcome))
            outcome = recovery.outcome or Outcome.BROKEN
            if counts("recovery", outcome, recovery.reason):
                self._note(tx, board.name, "recovery", outcome, recovery.reason)
            known = _quarantine(tx.connection, board.name)
            if known is None or known.automatic:
                if recovery.outcome is Outcome.PASSED:
                    self._set_quarantine(tx, board.name, "")
                elif quarantine is not None:
                    self._set_quarantine(tx, board.name, to_json(quarantine))

        await self._database.transact(work)

    async def recovery(self, recovery_id: str) -> Recovery:
        """One recovery.

        Raises:
            NotFoundError: RECOVERY_NOT_FOUND.
        """
        return await self._database.read(lambda connection: _find(connection, recovery_id))

    async def unfinished(self) -> list[Recovery]:
        """Recoveries that go on."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT body FROM recoveries WHERE ended = 0 ORDER BY create_us"
            ).fetchall()
        )
        return [from_json(Recovery, body) for (body,) in rows]

    def _note(
        self, tx: Transaction, board: str, action: str, outcome: Outcome, reason: str
    ) -> None:
        row = tx.connection.execute(
            "SELECT score, score_us FROM boards WHERE name = ?", (board,)
        ).fetchone()
        if row is None:
            return
        now = self._now()
        score = score_after(settled(row[0], from_us(row[1]), now), action, outcome, reason)
        tx.connection.execute(
            "UPDATE boards SET score = ?, score_us = ? WHERE name = ?", (score, to_us(now), board)
        )
        told = BoardOutcome(
            action=action, outcome=outcome, reason=reason, score=score, create_time=now
        )
        tx.connection.execute(
            "INSERT INTO board_outcomes (board, body) VALUES (?, ?)", (board, to_json(told))
        )
        tx.connection.execute(
            "DELETE FROM board_outcomes WHERE board = ? AND number NOT IN"
            " (SELECT number FROM board_outcomes WHERE board = ? ORDER BY number DESC LIMIT ?)",
            (board, board, KEPT_OUTCOMES),
        )
        self._boards.changed(tx)

    def _set_quarantine(self, tx: Transaction, board: str, body: str) -> None:
        changed = tx.connection.execute(
            "UPDATE boards SET quarantine = ? WHERE name = ?", (body, board)
        ).rowcount
        if not changed:
            raise board_not_found(board)
        self._boards.changed(tx)


def _quarantine(connection: sqlite3.Connection, board: str) -> Quarantine | None:
    row = connection.execute("SELECT quarantine FROM boards WHERE name = ?", (board,)).fetchone()
    if row is None:
        raise board_not_found(board)
    return from_json(Quarantine, row[0]) if row[0] else None


def _find(connection: sqlite3.Connection, recovery_id: str) -> Recovery:
    row = connection.execute(
        "SELECT body FROM recoveries WHERE recovery_id = ?", (recovery_id,)
    ).fetchone()
    if row is None:
        raise NotFoundError(
            "RECOVERY_NOT_FOUND", f"there is no recovery {recovery_id}", recovery=recovery_id
        )
    return from_json(Recovery, row[0])


def _open(connection: sqlite3.Connection, board: str) -> Recovery | None:
    row = connection.execute(
        "SELECT body FROM recoveries WHERE board = ? AND ended = 0", (board,)
    ).fetchone()
    return from_json(Recovery, row[0]) if row is not None else None


def _asked(connection: sqlite3.Connection, recovery: Recovery, request_id: str) -> Recovery | None:
    if not request_id:
        return None
    row = connection.execute(
        "SELECT body FROM recoveries WHERE principal = ? AND request_id = ?",
        (recovery.principal, request_id),
    ).fetchone()
    if row is None:
        return None
    earlier = from_json(Recovery, row[0])
    if earlier.board != recovery.board:
        raise id_reused(request_id)
    return earlier


def _store(tx: Transaction, recovery: Recovery) -> None:
    ended = recovery.outcome is not None
    tx.connection.execute(
        "UPDATE recoveries SET body = ?, ended = ? WHERE recovery_id = ?",
        (to_json(recovery), int(ended), recovery.recovery_id),
    )
    if ended:
        tx.connection.execute(
            "DELETE FROM recoveries WHERE board = ? AND ended = 1 AND recovery_id NOT IN"
            " (SELECT recovery_id FROM recoveries WHERE board = ?"
            " ORDER BY create_us DESC LIMIT ?)",
            (recovery.board, recovery.board, _KEPT_RECOVERIES),
        )


def _model(board: Board) -> str:
    return board.model or board.part or board.family


def _rates(connection: sqlite3.Connection, board: Board) -> tuple[CureRate, ...]:
    rows = connection.execute(
        "SELECT action, tried, cured FROM cure_rates WHERE model = ?", (_model(board),)
    ).fetchall()
    found = [CureRate(action=RecoveryAction(row[0]), tried=row[1], cured=row[2]) for row in rows]
    known = list(RecoveryAction)
    return tuple(sorted(found, key=lambda rate: known.index(rate.action)))


def _add_rates(tx: Transaction, board: Board, cures: dict[RecoveryAction, bool]) -> None:
    rows: Sequence[tuple[str, str, int]] = [
        (_model(board), action.value, int(cured)) for action, cured in cures.items()
    ]
    tx.connection.executemany(
        "INSERT INTO cure_rates (model, action, tried, cured) VALUES (?, ?, 1, ?)"
        " ON CONFLICT DO UPDATE SET tried = tried + 1, cured = cured + excluded.cured",
        rows,
    )
