"""Stacks: what is asked of them, and the operations that are led in the background.

An operation is a row before it starts. Whatever it tells is stored before anybody sees it. The
control plane may end at any moment: what ran then is INTERRUPTED at the next start, and never
applied again without a new plan.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from benchline.errors import NotFoundError, NotReadyError
from controlplane.domain.stack import (
    Operation,
    OperationKind,
    OperationState,
    Plan,
    PlanState,
    SensitiveRead,
    Setting,
    Stack,
    StackState,
    Target,
)
from controlplane.pipeline.stack_checks import (
    check_confirmed,
    check_devices,
    check_fresh,
    check_idle,
    check_may_begin,
    check_may_delete,
    check_settings,
    plan_to_decide,
)
from controlplane.pipeline.stack_operation import OperationLeader, interrupted
from controlplane.pipeline.stack_parts import StackParts
from controlplane.planning.provisioning import (
    approved,
    begun,
    given_up,
    is_busy,
    open_plan,
    why_not_auto_approved,
)
from controlplane.storage.stacks import OperationRequest

log = logging.getLogger(__name__)

_STOP_GRACE_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks for an operation; `session` is the id of a session that does."""

    principal: str
    request_id: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackChange:
    """What a plan is to change about the wish: devices that come and go, settings."""

    destroy: bool = False
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()


class Stacks:
    """Plans, approves, applies, watches and undoes stacks."""

    def __init__(
        self, parts: StackParts, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._parts = parts
        self._store = parts.store
        self._now = now
        self._slots = asyncio.Semaphore(parts.slots)
        self._leaders: dict[str, OperationLeader] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(
        self,
        stack_id: str,
        target: Target,
        devices: Sequence[str],
        settings: Sequence[Setting],
        principal: str,
    ) -> Stack:
        """Describe a stack; nothing is made.

        Raises:
            InvalidRequestError: INVALID_DEVICE_ID, TOO_MANY_DEVICES, UNKNOWN_SETTING.
            ConflictError: STACK_EXISTS.
        """
        now = self._now()
        stack = Stack(
            stack_id=stack_id,
            target=target,
            state=StackState.DRAFT,
            principal=principal,
            create_time=now,
            update_time=now,
            devices=check_devices(devices),
            settings=check_settings(target, settings),
        )
        return await self._store.create(stack)

    async def get(self, stack_id: str) -> Stack:
        """One stack.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
        """
        return await self._store.get(stack_id)

    async def plan(self, stack_id: str, change: StackChange, by: Asker) -> Stack:
        """Begin to make a plan; an open one is superseded.

        Raises:
            NotReadyError: STACK_BUSY, TERRAFORM_NOT_FOUND.
            InvalidRequestError: INVALID_DEVICE_ID, TOO_MANY_DEVICES, UNKNOWN_SETTING.
        """
        await self._check_runs(stack_id, destroy=change.destroy)

        def wished(stack: Stack) -> Stack:
            devices = (set(stack.devices) | set(change.add)) - set(change.remove)
            settings = (*stack.settings, *change.settings)
            return replace(
                stack,
                devices=check_devices(devices),
                settings=check_settings(stack.target, settings),
            )

        told = [change.destroy, change.add, change.remove]
        told += [(s.name, s.value) for s in change.settings]
        content = f"plan {stack_id} {json.dumps(told)}"
        return await self._begin(
            stack_id, OperationKind.PLAN, by, content, wished=wished, destroy=change.destroy
        )

    async def apply(self, stack_id: str, by: Asker) -> Stack:
        """Begin to apply exactly what was approved.

        Raises:
            NotReadyError: STACK_BUSY, PLAN_NOT_APPROVED, PLAN_EXPIRED, TERRAFORM_NOT_FOUND.
        """
        stack = await self._store.get(stack_id)
        plan = open_plan(stack)
        destroys = plan is not None and plan.destroy
        await self._parts.runs.check(stack, destroy=destroys)
        kind = OperationKind.DESTROY if destroys else OperationKind.APPLY
        return await self._begin(stack_id, kind, by, f"apply {stack_id}")

    async def drift(self, stack_id: str, by: Asker) -> Stack:
        """Begin to look for what was changed outside.

        Raises:
            NotReadyError: STACK_BUSY, STACK_EMPTY, TERRAFORM_NOT_FOUND.
        """
        await self._check_runs(stack_id, destroy=True)
        return await self._begin(stack_id, OperationKind.DRIFT, by, f"drift {stack_id}")

    async def approve(
        self, stack_id: str, digest: str, principal: str, *, confirmation: str = ""
    ) -> Stack:
        """Approve the open plan; the same approval again changes nothing.

        Raises:
            NotReadyError: NO_PLAN, PLAN_EXPIRED, STACK_BUSY.
            ConflictError: PLAN_CHANGED.
            NotPermittedError: CONFIRMATION_NEEDED.
        """

        def change(stack: Stack) -> Stack:
            plan = plan_to_decide(stack, digest)
            check_fresh(plan, self._now())
            check_confirmed(stack, plan, confirmation)
            return approved(stack, plan, by=principal, auto=False, now=self._now())

        return await self._store.record(stack_id, (), change=change)

    async def approve_by_rule(self, stack_id: str, digest: str, principal: str) -> Stack:
        """Approve a plan of target local that takes nothing away, on behalf of a principal.

        Raises:
            NotReadyError: NO_PLAN, PLAN_EXPIRED, STACK_BUSY, APPROVAL_NEEDED.
            ConflictError: PLAN_CHANGED.
        """

        def change(stack: Stack) -> Stack:
            plan = plan_to_decide(stack, digest)
            check_fresh(plan, self._now())
            why = why_not_auto_approved(stack, plan, allowed=True)
            if why:
                raise NotReadyError("APPROVAL_NEEDED", f"a person has to approve it: {why}")
            return approved(stack, plan, by=principal, auto=True, now=self._now())

        return await self._store.record(stack_id, (), change=change)

    async def reject(self, stack_id: str, digest: str, principal: str) -> Stack:
        """Give the open plan up.

        Raises:
            NotReadyError: NO_PLAN, STACK_BUSY.
            ConflictError: PLAN_CHANGED.
        """

        def change(stack: Stack) -> Stack:
            plan_to_decide(stack, digest)
            return given_up(stack, PlanState.REJECTED, by=principal, now=self._now())

        stack = await self._store.record(stack_id, (), change=change)
        await self._remove_plan_file(stack)
        return stack

    async def forget_device(self, stack_id: str, device: str) -> Stack:
        """Wish for a device no longer that was never made.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
        """

        def change(stack: Stack) -> Stack:
            made = stack.outputs is not None and stack.outputs.device(device) is not None
            if made or is_busy(stack):
                return stack
            return replace(stack, devices=tuple(d for d in stack.devices if d != device))

        return await self._store.record(stack_id, (), change=change)

    async def cancel(self, stack_id: str) -> Operation:
        """Ask the running operation to end.

        Raises:
            NotReadyError: OPERATION_ENDED.
        """

        def change(stack: Stack) -> Stack:
            if not is_busy(stack) or stack.operation is None:
                raise NotReadyError(
                    "OPERATION_ENDED", f"nothing runs on {stack.name}", stack=stack.name
                )
            return replace(stack, operation=replace(stack.operation, cancel_requested=True))

        stack = await self._store.record(stack_id, (), change=change)
        operation = running_operation(stack)
        leader = self._leaders.get(operation.operation_id)
        if leader is not None:
            await leader.cancel()
        return operation

    async def sensitive_outputs(self, stack_id: str, principal: str) -> dict[str, str]:
        """The sensitive outputs as JSON texts, by name. Who reads them is told, not what they hold.

        Raises:
            NotReadyError: STACK_BUSY, TERRAFORM_NOT_FOUND.
        """
        stack = await self._store.get(stack_id)
        check_idle(stack)
        await self._parts.runs.check(stack, destroy=True)
        reading = Operation(
            operation_id=self._parts.new_id(),
            stack=stack_id,
            kind=OperationKind.DRIFT,
            state=OperationState.RUNNING,
            principal=principal,
            start_time=self._now(),
        )
        async with self._slots, self._parts.runs.open(stack, reading) as terraform:
            found = await terraform.outputs()
        values = {name: json.dumps(one.value) for name, one in found.items() if one.sensitive}
        told = SensitiveRead(principal=principal, outputs=tuple(sorted(values)))
        await self._store.record(stack_id, (told,))
        return values

    async def newest_plan(self, stack_id: str) -> Plan:
        """The newest plan with its changes, and what became of it.

        Raises:
            NotFoundError: STACK_NOT_FOUND, PLAN_NOT_FOUND.
        """
        stack = await self._store.get(stack_id)
        whole = await self._store.plan(stack.plan.operation) if stack.plan is not None else None
        if whole is None or stack.plan is None:
            raise NotFoundError("PLAN_NOT_FOUND", f"{stack.name} has no plan", stack=stack.name)
        return replace(stack.plan, changes=whole.changes)

    async def delete(self, stack_id: str) -> None:
        """Forget an empty stack.

        Raises:
            NotReadyError: STACK_BUSY, STACK_NOT_EMPTY.
        """
        stack = await self._store.get(stack_id)
        check_may_delete(stack)
        await self._parts.runs.forget(stack)
        await self._store.delete(stack_id, check_may_delete)

    async def end_of(self, stack_id: str, operation_id: str) -> Stack:
        """The stack as soon as an operation of it is over.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
        """
        while True:
            stack = await self._store.get(stack_id)
            running = stack.operation
            if running is None or running.operation_id != operation_id or running.state.ended:
                return stack
            await self._parts.journal.wait(stack.name, stack.last_sequence)

    async def moved(self, stack: Stack) -> Stack | None:
        """The stack as soon as it is no longer as it was; None when it was deleted."""
        await self._parts.journal.wait(stack.name, stack.last_sequence)
        return await self._store.find(stack.stack_id)

    async def recover(self) -> None:
        """Say of what ran when the control plane ended that it was interrupted. Before serving."""
        for stack in await self._store.every():
            if is_busy(stack):
                await self._parts.runs.end_leftovers(stack.stack_id)
                await interrupted(self._parts, stack, now=self._now())
                log.warning("an operation was interrupted", extra={"stack": stack.name})

    async def run(self, stop: asyncio.Event) -> None:
        """Lead operations until told to stop."""
        await stop.wait()
        await self.close()

    async def close(self) -> None:
        """End what runs in good order; it is INTERRUPTED."""
        for leader in list(self._leaders.values()):
            await leader.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_GRACE_S)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(
        self,
        stack_id: str,
        kind: OperationKind,
        by: Asker,
        content: str,
        *,
        wished: Callable[[Stack], Stack] = lambda stack: stack,
        destroy: bool = False,
    ) -> Stack:
        now = self._now()
        operation_id = self._parts.new_id()

        def change(stack: Stack) -> Stack:
            check_may_begin(stack, kind, now)
            applied = kind in (OperationKind.APPLY, OperationKind.DESTROY)
            plan = stack.plan if applied else None
            operation = Operation(
                operation_id=operation_id,
                stack=stack_id,
                kind=kind,
                state=OperationState.RUNNING,
                principal=by.principal,
                start_time=now,
                plan_digest=plan.digest if plan is not None else "",
                session=by.session,
            )
            return begun(wished(stack), operation)

        before = await self._store.get(stack_id)
        request = OperationRequest(
            principal=by.principal, request_id=by.request_id, content=content
        )
        stack, new = await self._store.begin(stack_id, change, request)
        if new:
            if kind is OperationKind.PLAN:
                await self._remove_plan_file(before)
            self._lead(stack, destroy=destroy)
        return stack

    async def _check_runs(self, stack_id: str, *, destroy: bool) -> None:
        await self._parts.runs.check(await self._store.get(stack_id), destroy=destroy)

    def _lead(self, stack: Stack, *, destroy: bool) -> None:
        operation = running_operation(stack)
        leader = OperationLeader(self._parts, stack, operation, destroy=destroy, now=self._now)
        self._leaders[operation.operation_id] = leader
        task = asyncio.create_task(self._led(leader), name=f"stack {stack.stack_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _led(self, leader: OperationLeader) -> None:
        try:
            await leader.lead(self._slots)
        finally:
            del self._leaders[leader.operation_id]

    async def _remove_plan_file(self, stack: Stack) -> None:
        if stack.plan is not None:
            path = self._parts.runs.plan_file(stack.stack_id, stack.plan.operation)
            await asyncio.to_thread(path.unlink, missing_ok=True)


def running_operation(stack: Stack) -> Operation:
    """The operation that was just begun or asked to end."""
    if stack.operation is None:
        raise NotReadyError("NO_OPERATION", f"{stack.name} was given nothing to do")
    return stack.operation
