"""Deployments and their boards. Every change is one transaction with its events."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from benchline.errors import ConflictError, NotFoundError, NotReadyError
from controlplane.domain.deployment import BoardDeployment, Deployment, DeploymentRequest
from controlplane.domain.event import Fact
from controlplane.journal.journal import Journal
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import to_us, utc_now
from controlplane.storage.lists import page_edge, whole_id
from controlplane.storage.requests import id_reused, made_by

_NO_REQUEST = DeploymentRequest()


@dataclass(frozen=True, slots=True)
class DeploymentFence:
    """The right to write for a deployment, until somebody else claims it."""

    deployment_id: str
    owner: str
    token: int


class DeploymentStore:
    """The truth about deployments."""

    def __init__(
        self, database: Database, journal: Journal, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._journal = journal
        self._now = now

    async def create(
        self,
        deployment: Deployment,
        boards: Sequence[BoardDeployment],
        request_id: str,
        facts: Sequence[Fact],
    ) -> Deployment:
        """Store a new deployment, its boards and its first events.

        A repeated request gets the first answer.

        Raises:
            ConflictError: REQUEST_ID_REUSED, another request had that id.
        """
        request, identity = to_json(deployment.request), deployment.deployment_id

        def work(tx: Transaction) -> Deployment:
            earlier = made_by(
                tx.connection, "deployments", "deployment_id", deployment.principal, request_id
            )
            if earlier is not None:
                if earlier[1] != request:
                    raise id_reused(request_id)
                return _read(tx.connection, earlier[0])
            head = self._journal.append(
                tx, deployment.name, facts, stage=None, attempt=1, now=deployment.create_time
            )
            created = replace(deployment, last_sequence=head)
            tx.connection.execute(
                "INSERT INTO deployments (deployment_id, principal, request_id, request, ended,"
                " owner, token, create_us, body) VALUES (?, ?, ?, ?, ?, '', 0, ?, ?)",
                (
                    identity,
                    deployment.principal,
                    request_id,
                    request,
                    int(deployment.state.ended),
                    to_us(deployment.create_time),
                    _body(created),
                ),
            )
            tx.connection.executemany(
                "INSERT INTO deployment_boards (deployment_id, board, wave, body)"
                " VALUES (?, ?, ?, ?)",
                [(identity, board.board, board.wave, to_json(board)) for board in boards],
            )
            return created

        return await self._database.transact(work)

    async def find_request(self, principal: str, request_id: str) -> Deployment | None:
        """The deployment that a request made, when it made one."""
        if not request_id:
            return None

        def work(connection: sqlite3.Connection) -> Deployment | None:
            stored = made_by(connection, "deployments", "deployment_id", principal, request_id)
            return _read(connection, stored[0]) if stored else None

        return await self._database.read(work)

    async def get(self, deployment_id: str) -> Deployment:
        """One deployment.

        Raises:
            NotFoundError: DEPLOYMENT_NOT_FOUND.
        """
        return await self._database.read(lambda connection: _read(connection, deployment_id))

    async def find(self, prefix: str) -> Deployment:
        """The deployment whose id is `prefix`, or else the only one that begins with it.

        Raises:
            NotFoundError: DEPLOYMENT_NOT_FOUND.
            InvalidRequestError: AMBIGUOUS_NAME.
        """

        def work(connection: sqlite3.Connection) -> Deployment:
            found = whole_id(connection, "deployments", "deployment_id", prefix, "deployments")
            return _read(connection, found)

        return await self._database.read(work)

    async def page(self, limit: int, after: str | None) -> tuple[list[Deployment], str | None]:
        """Deployments, newest first, from the one after the id `after`.

        Raises:
            InvalidRequestError: INVALID_PAGE_TOKEN.
        """

        def work(connection: sqlite3.Connection) -> list[Any]:
            edge = page_edge(connection, "deployments", "deployment_id", after)
            return connection.execute(
                "SELECT body, request FROM deployments WHERE (create_us, deployment_id) < (?, ?)"
                " ORDER BY create_us DESC, deployment_id DESC LIMIT ?",
                (*edge, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        found = [_deployment(row) for row in rows[:limit]]
        return found, found[-1].deployment_id if len(rows) > limit else None

    async def boards(self, deployment_id: str) -> list[BoardDeployment]:
        """The boards of a deployment, by wave and name."""
        return await self._database.read(lambda connection: _boards(connection, deployment_id))

    async def unfinished(self) -> list[Deployment]:
        """Every deployment that has not ended, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT body, request FROM deployments WHERE ended = 0"
                " ORDER BY create_us, deployment_id"
            ).fetchall()
        )
        return [_deployment(row) for row in rows]

    async def claim(self, deployment_id: str, owner: str) -> DeploymentFence:
        """Take the deployment: every earlier fence of it is stale from here on.

        Raises:
            NotFoundError: DEPLOYMENT_NOT_FOUND.
        """

        def work(tx: Transaction) -> DeploymentFence:
            row = tx.connection.execute(
                "UPDATE deployments SET owner = ?, token = token + 1 WHERE deployment_id = ?"
                " RETURNING token",
                (owner, deployment_id),
            ).fetchone()
            if row is None:
                raise _not_found(deployment_id)
            return DeploymentFence(deployment_id, owner, row[0])

        return await self._database.transact(work)

    async def request_cancel(self, deployment_id: str) -> Deployment:
        """Remember that an operator wants it to end.

        Raises:
            NotFoundError: DEPLOYMENT_NOT_FOUND.
            NotReadyError: DEPLOYMENT_ENDED.
        """

        def work(tx: Transaction) -> Deployment:
            deployment = _read(tx.connection, deployment_id)
            if deployment.state.ended:
                raise _ended(deployment)
            changed = replace(deployment, cancel_requested=True)
            _write(tx.connection, changed)
            return changed

        return await self._database.transact(work)

    async def record(
        self,
        deployment_id: str,
        facts: Sequence[Fact],
        *,
        fence: DeploymentFence,
        change: Callable[[Deployment], Deployment] | None = None,
    ) -> Deployment:
        """Tell facts and change the deployment, in one transaction; it as it is then.

        A BoardDeployment among the facts is also the board's new row.

        Raises:
            NotFoundError: DEPLOYMENT_NOT_FOUND.
            ConflictError: STALE_FENCE, somebody else leads it now.
            NotReadyError: DEPLOYMENT_ENDED.
        """

        def work(tx: Transaction) -> Deployment:
            deployment = _read(tx.connection, deployment_id)
            _check_fence(tx.connection, fence)
            if deployment.state.ended:
                raise _ended(deployment)
            now = self._now()
            head = self._journal.append(tx, deployment.name, facts, stage=None, attempt=1, now=now)
            tx.connection.executemany(
                "UPDATE deployment_boards SET wave = ?, body = ?"
                " WHERE deployment_id = ? AND board = ?",
                [
                    (fact.wave, to_json(fact), deployment_id, fact.board)
                    for fact in facts
                    if isinstance(fact, BoardDeployment)
                ],
            )
            changed = change(deployment) if change is not None else deployment
            changed = replace(changed, last_sequence=head, update_time=now)
            _write(tx.connection, changed)
            return changed

        return await self._database.transact(work)


def _read(connection: sqlite3.Connection, deployment_id: str) -> Deployment:
    row = connection.execute(
        "SELECT body, request FROM deployments WHERE deployment_id = ?", (deployment_id,)
    ).fetchone()
    if row is None:
        raise _not_found(deployment_id)
    return _deployment(row)


# What was asked for never changes and may be large; it is written once and read once.
@lru_cache(maxsize=64)
def _request(text: str) -> DeploymentRequest:
    return from_json(DeploymentRequest, text)


def _deployment(row: Any) -> Deployment:
    return replace(from_json(Deployment, row[0]), request=_request(row[1]))


def _body(deployment: Deployment) -> str:
    return to_json(replace(deployment, request=_NO_REQUEST))


def _write(connection: sqlite3.Connection, deployment: Deployment) -> None:
    connection.execute(
        "UPDATE deployments SET body = ?, ended = ? WHERE deployment_id = ?",
        (_body(deployment), int(deployment.state.ended), deployment.deployment_id),
    )


def _boards(connection: sqlite3.Connection, deployment_id: str) -> list[BoardDeployment]:
    rows = connection.execute(
        "SELECT body FROM deployment_boards WHERE deployment_id = ? ORDER BY wave, board",
        (deployment_id,),
    ).fetchall()
    return [from_json(BoardDeployment, row[0]) for row in rows]


def _check_fence(connection: sqlite3.Connection, fence: DeploymentFence) -> None:
    row = connection.execute(
        "SELECT owner, token FROM deployments WHERE deployment_id = ?", (fence.deployment_id,)
    ).fetchone()
    if row != (fence.owner, fence.token):
        raise ConflictError(
            "STALE_FENCE",
            f"deployment {fence.deployment_id} was taken over by another worker",
            deployment=fence.deployment_id,
            token=str(fence.token),
        )


def _not_found(deployment_id: str) -> NotFoundError:
    return NotFoundError(
        "DEPLOYMENT_NOT_FOUND",
        f"there is no deployment {deployment_id}; `benchline deployments` lists them",
        deployment=deployment_id,
    )


def _ended(deployment: Deployment) -> NotReadyError:
    return NotReadyError(
        "DEPLOYMENT_ENDED",
        f"{deployment.name} is over: {deployment.state}",
        deployment=deployment.name,
    )
