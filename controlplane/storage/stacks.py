"""Stacks, their operations and their plans. Every change is one transaction with its events."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from benchline.errors import ConflictError, NotFoundError, NotReadyError
from controlplane.domain.event import Fact
from controlplane.domain.stack import Operation, Plan, Stack, StackChanged
from controlplane.journal.journal import Journal
from controlplane.planning.provisioning import is_busy
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import to_us, utc_now
from controlplane.storage.list_changes import ListChanges
from controlplane.storage.lists import page_edge
from controlplane.storage.requests import id_reused


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequest:
    """Who asked for an operation; the same request again gets the same operation.

    `content` tells two requests apart that carry one id.
    """

    principal: str
    request_id: str = ""
    content: str = ""


class StackStore:
    """The truth about stacks; `changes` tells of new ones and of forgotten ones."""

    def __init__(
        self, database: Database, journal: Journal, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._journal = journal
        self._now = now
        self.changes = ListChanges()

    async def create(self, stack: Stack) -> Stack:
        """Store a new stack and tell it.

        Raises:
            ConflictError: STACK_EXISTS.
        """

        def work(tx: Transaction) -> Stack:
            if _find(tx.connection, stack.stack_id) is not None:
                raise ConflictError(
                    "STACK_EXISTS", f"{stack.name} exists already", stack=stack.name
                )
            fact = StackChanged(state=stack.state, message="created")
            created = replace(stack, last_sequence=self._append(tx, stack, [fact]))
            tx.connection.execute(
                "INSERT INTO stacks (stack_id, create_us, body) VALUES (?, ?, ?)",
                (stack.stack_id, to_us(stack.create_time), to_json(created)),
            )
            tx.after_commit(self.changes.tell)
            return created

        return await self._database.transact(work)

    async def get(self, stack_id: str) -> Stack:
        """One stack.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
        """
        return await self._database.read(lambda connection: _get(connection, stack_id))

    async def find(self, stack_id: str) -> Stack | None:
        """One stack, None when there is none of that name."""
        return await self._database.read(lambda connection: _find(connection, stack_id))

    async def page(self, limit: int, after: str | None) -> tuple[list[Stack], str | None]:
        """Stacks, newest first, from the one after the id `after`.

        Raises:
            InvalidRequestError: INVALID_PAGE_TOKEN.
        """

        def work(connection: sqlite3.Connection) -> list[Any]:
            edge = page_edge(connection, "stacks", "stack_id", after)
            return connection.execute(
                "SELECT body FROM stacks WHERE (create_us, stack_id) < (?, ?)"
                " ORDER BY create_us DESC, stack_id DESC LIMIT ?",
                (*edge, limit + 1),
            ).fetchall()

        rows = await self._database.read(work)
        found = [from_json(Stack, row[0]) for row in rows[:limit]]
        return found, found[-1].stack_id if len(rows) > limit else None

    async def every(self) -> list[Stack]:
        """All stacks, oldest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT body FROM stacks ORDER BY create_us, stack_id"
            ).fetchall()
        )
        return [from_json(Stack, row[0]) for row in rows]

    async def plan(self, operation_id: str) -> Plan | None:
        """The plan that an operation made, with its changes."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT body FROM stack_plans WHERE operation_id = ?", (operation_id,)
            ).fetchone()
        )
        return from_json(Plan, row[0]) if row else None

    async def operation(self, operation_id: str) -> Operation:
        """One operation.

        Raises:
            NotFoundError: OPERATION_NOT_FOUND.
        """

        def work(connection: sqlite3.Connection) -> Operation:
            row = connection.execute(
                "SELECT body FROM stack_operations WHERE operation_id = ?", (operation_id,)
            ).fetchone()
            if row is None:
                raise NotFoundError(
                    "OPERATION_NOT_FOUND",
                    f"there is no operation {operation_id[:60]!r}",
                    operation=operation_id[:60],
                )
            return from_json(Operation, row[0])

        return await self._database.read(work)

    async def begin(
        self,
        stack_id: str,
        change: Callable[[Stack], Stack],
        request: OperationRequest,
    ) -> tuple[Stack, bool]:
        """Begin an operation: `change` gives the stack with it, or raises why it may not begin.

        The row of the operation is stored before anything is done. The second value is False when
        the same request had begun it before; the stack is then as it stands, with that operation.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
            ConflictError: REQUEST_ID_REUSED.
        """

        def work(tx: Transaction) -> tuple[Stack, bool]:
            stack = _get(tx.connection, stack_id)
            earlier = _by_request(tx.connection, request)
            if earlier is not None:
                return replace(stack, operation=earlier), False
            begun = change(stack)
            operation = _operation_of(begun)
            tx.connection.execute(
                "INSERT INTO stack_operations (operation_id, stack_id, principal, request_id,"
                " request, running, body) VALUES (?, ?, ?, ?, ?, 1, ?)",
                (
                    operation.operation_id,
                    stack_id,
                    request.principal,
                    request.request_id,
                    request.content,
                    to_json(operation),
                ),
            )
            return self._save(tx, begun, _moved(stack, begun)), True

        return await self._database.transact(work)

    async def record(
        self,
        stack_id: str,
        facts: Sequence[Fact],
        *,
        change: Callable[[Stack], Stack] | None = None,
        operation_id: str = "",
        plan: Plan | None = None,
    ) -> Stack:
        """Tell facts and change the stack, in one transaction; the stack as it is then.

        With `operation_id` that operation has to run still. What becomes of the stack, its plan
        and its operation is told without being among the facts. A `plan` is kept with its changes.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
            ConflictError: OPERATION_OVER, the operation does not run any more.
        """

        def work(tx: Transaction) -> Stack:
            stack = _get(tx.connection, stack_id)
            running = stack.operation
            if operation_id and not (
                is_busy(stack) and running and running.operation_id == operation_id
            ):
                raise ConflictError(
                    "OPERATION_OVER",
                    f"operation {operation_id} of {stack.name} does not run any more",
                    operation=operation_id,
                )
            changed = change(stack) if change is not None else stack
            changed = self._save(tx, changed, [*facts, *_moved(stack, changed)])
            if plan is not None:
                tx.connection.execute(
                    "INSERT INTO stack_plans (operation_id, stack_id, body) VALUES (?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET body = excluded.body",
                    (plan.operation, stack_id, to_json(plan)),
                )
            return changed

        return await self._database.transact(work)

    async def delete(self, stack_id: str, check: Callable[[Stack], None]) -> None:
        """Forget a stack and its history, unless `check` raises.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
        """

        def work(tx: Transaction) -> None:
            stack = _get(tx.connection, stack_id)
            check(stack)
            self._journal.forget(tx, stack.name)
            tx.connection.execute("DELETE FROM stacks WHERE stack_id = ?", (stack_id,))
            tx.after_commit(self.changes.tell)

        await self._database.transact(work)

    def _save(self, tx: Transaction, stack: Stack, facts: Sequence[Fact]) -> Stack:
        head = self._append(tx, stack, facts)
        operation = stack.operation
        if operation is not None and operation.first_sequence == 0:
            operation = replace(operation, first_sequence=head)
        if operation is not None and operation.state.ended and operation.last_sequence == 0:
            operation = replace(operation, last_sequence=head)
        saved = replace(stack, operation=operation, last_sequence=head, update_time=self._now())
        tx.connection.execute(
            "UPDATE stacks SET body = ? WHERE stack_id = ?", (to_json(saved), stack.stack_id)
        )
        if operation is not None:
            tx.connection.execute(
                "UPDATE stack_operations SET body = ?, running = ? WHERE operation_id = ?",
                (to_json(operation), int(not operation.state.ended), operation.operation_id),
            )
        return saved

    def _append(self, tx: Transaction, stack: Stack, facts: Sequence[Fact]) -> int:
        return self._journal.append(tx, stack.name, facts, stage=None, attempt=1, now=self._now())


def _moved(before: Stack, after: Stack) -> list[Fact]:
    """What tells that the stack, its plan or its operation moved."""
    told: list[Fact] = []
    if after.operation is not None and _shown(after.operation) != _shown(before.operation):
        told.append(after.operation)
    if after.plan is not None and after.plan != before.plan:
        told.append(after.plan)
    if (before.state, before.message) != (after.state, after.message):
        told.append(StackChanged(state=after.state, message=after.message))
    return told


def _shown(operation: Operation | None) -> tuple[object, ...]:
    if operation is None:
        return ()
    return (operation.operation_id, operation.state, operation.cancel_requested)


def _operation_of(stack: Stack) -> Operation:
    if stack.operation is None or stack.operation.state.ended:
        raise NotReadyError("NO_OPERATION", f"{stack.name} was given nothing to do")
    return stack.operation


def _find(connection: sqlite3.Connection, stack_id: str) -> Stack | None:
    row = connection.execute("SELECT body FROM stacks WHERE stack_id = ?", (stack_id,)).fetchone()
    return from_json(Stack, row[0]) if row else None


def _get(connection: sqlite3.Connection, stack_id: str) -> Stack:
    stack = _find(connection, stack_id)
    if stack is None:
        raise NotFoundError(
            "STACK_NOT_FOUND",
            f"there is no stack {stack_id[:60]!r}; `benchline stack list` names those that there"
            " are",
            stack=stack_id[:60],
        )
    return stack


def _by_request(connection: sqlite3.Connection, request: OperationRequest) -> Operation | None:
    if not request.request_id:
        return None
    row = connection.execute(
        "SELECT request, body FROM stack_operations WHERE principal = ? AND request_id = ?",
        (request.principal, request.request_id),
    ).fetchone()
    if row is None:
        return None
    if row[0] != request.content:
        raise id_reused(request.request_id)
    return from_json(Operation, row[1])
