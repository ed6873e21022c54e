"""Leads one operation of a stack from its row to its end."""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from benchline.errors import BenchlineError, ConflictError, NotReadyError
from controlplane.domain.event import Fact, Note
from controlplane.domain.provisioning import (
    ChangeCounts,
    PlannedChange,
    ProvisioningDiagnostic,
    ResourceDrift,
    ResourceProgress,
    RunEvent,
    RunNote,
    RunStarted,
)
from controlplane.domain.stack import (
    Failure,
    Operation,
    OperationKind,
    OperationState,
    Plan,
    PlanState,
    Stack,
    StackOutputs,
)
from controlplane.domain.verdict import Severity
from controlplane.ops.incident import log_incident
from controlplane.pipeline.stack_parts import StackParts, TerraformRun
from controlplane.planning.provisioning import (
    count_changes,
    ended,
    found_as_it_should_be,
    needs_confirmation,
    planned,
    replacements,
    review_order,
)
from controlplane.planning.stack_outputs import OutputsError, read_outputs

log = logging.getLogger(__name__)

_PAGE = 500
_REASON = re.compile(r"[A-Z][A-Z0-9_]+[A-Z0-9]")


class OperationLeader:
    """One run of Terraform: tells what it says, and stores how it ended."""

    def __init__(
        self,
        parts: StackParts,
        stack: Stack,
        operation: Operation,
        *,
        destroy: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.operation_id = operation.operation_id
        self._parts = parts
        self._stack = stack
        self._operation = operation
        self._destroy = destroy
        self._now = now
        self._terraform: TerraformRun | None = None
        self._asked_to_end: OperationState | None = None
        self._told: list[ResourceProgress] = []
        self._drift: list[ResourceDrift] = []
        self._complaint: ProvisioningDiagnostic | None = None

    async def cancel(self) -> None:
        """Ask for the end, because somebody wants it."""
        await self._ask(OperationState.CANCELLED)

    async def stop(self) -> None:
        """Ask for the end, because the control plane ends."""
        await self._ask(OperationState.INTERRUPTED)

    async def _ask(self, state: OperationState) -> None:
        self._asked_to_end = self._asked_to_end or state
        if self._terraform is not None:
            await self._terraform.cancel()

    async def lead(self, slots: asyncio.Semaphore) -> None:
        """Run it; nothing is raised but the cancellation of the task itself."""
        try:
            async with slots:
                self._check_wanted()
                async with self._parts.runs.open(self._stack, self._operation) as terraform:
                    self._terraform = terraform
                    self._check_wanted()
                    await self._work(terraform)
        except BenchlineError as error:
            await self._fail(self._explained(error))
        except Exception as error:
            message = log_incident(
                log, error, "an operation of a stack threw", operation=self.operation_id
            )
            await self._fail(Failure(reason="INTERNAL", message=message))

    def _explained(self, error: BenchlineError) -> Failure:
        """Why it failed; a provider of ours says it in a reason of its own."""
        told = self._complaint
        if error.reason == "TERRAFORM_FAILED" and told and _REASON.fullmatch(told.summary):
            return Failure(reason=told.summary, message=told.detail)
        return Failure(reason=error.reason, message=error.message)

    def _check_wanted(self) -> None:
        if self._asked_to_end is not None:
            raise ConflictError("OPERATION_CANCELLED", "it was asked to end before it began")

    async def _work(self, terraform: TerraformRun) -> None:
        await terraform.init()
        self._check_wanted()
        match self._operation.kind:
            case OperationKind.PLAN:
                await self._make_plan(terraform)
            case OperationKind.DRIFT:
                await self._look(terraform)
            case _:
                await self._apply(terraform)

    async def _make_plan(self, terraform: TerraformRun) -> None:
        path = self._parts.runs.plan_file(self._stack.stack_id, self.operation_id)
        replaced = replacements(self._stack, destroy=self._destroy)
        made = await terraform.plan(
            path, destroy=self._destroy, replace=replaced, on_event=self._tell
        )
        if not made.has_changes:
            await remove_plan_file(self._parts, self._stack, self._operation)
            outputs = await self._settle(terraform, destroys=self._destroy)
            message = "nothing is left" if self._destroy else "it is as it should be: no changes"
            await self._end(
                message,
                lambda stack: replace(
                    found_as_it_should_be(stack, destroy=self._destroy), outputs=outputs
                ),
            )
            return
        review = await terraform.show_plan(path)
        changes = review_order(review.changes)
        now = self._now()
        plan = Plan(
            digest=made.digest,
            operation=self.operation_id,
            destroy=self._destroy,
            state=PlanState.PROPOSED,
            create_time=now,
            expire_time=now + self._parts.plan_life,
            counts=count_changes(changes),
            changes=changes,
            replaced=replaced,
            devices=() if self._destroy else self._stack.devices,
            confirmation_needed=self._destroy or needs_confirmation(changes),
        )
        await self._end(_plan_message(plan), lambda stack: planned(stack, plan), plan=plan)

    async def _apply(self, terraform: TerraformRun) -> None:
        plan = self._stack.plan
        if plan is None:
            raise NotReadyError("PLAN_NOT_APPROVED", f"{self._stack.name} has no approved plan")
        path = self._parts.runs.plan_file(self._stack.stack_id, plan.operation)
        await terraform.apply(path, digest=plan.digest, on_event=self._tell)
        await remove_plan_file(self._parts, self._stack, self._operation)
        destroys = self._operation.kind is OperationKind.DESTROY
        outputs = await self._settle(terraform, destroys=destroys)
        message = "nothing is left" if destroys else "applied"
        await self._end(message, lambda stack: replace(stack, outputs=outputs))

    async def _look(self, terraform: TerraformRun) -> None:
        path = self._parts.runs.plan_file(self._stack.stack_id, self.operation_id)
        await terraform.plan(path, refresh_only=True, on_event=self._tell)
        await remove_plan_file(self._parts, self._stack, self._operation)
        drifted = tuple(dict.fromkeys(one.address for one in self._drift))
        count = len(drifted)
        message = f"{count} changed outside" if count else "nothing was changed outside"
        await self._end(
            message,
            lambda stack: replace(stack, drifted=drifted, drift_time=self._now()),
        )

    async def _settle(self, terraform: TerraformRun, *, destroys: bool) -> StackOutputs | None:
        """What the stack gives now; None after a destroy."""
        outputs = None if destroys else await self._outputs(terraform)
        devices = None if outputs is None else [one.device for one in outputs.devices]
        await self._parts.runs.settled(self._stack, devices)
        await self._parts.on_given(self._stack, outputs)
        return outputs

    async def _outputs(self, terraform: TerraformRun) -> StackOutputs:
        found = await terraform.outputs()
        try:
            return read_outputs({name: one.value for name, one in found.items()})
        except OutputsError as error:
            raise NotReadyError(
                "OUTPUTS_INVALID",
                f"the module does not give what it has to: {error}; mend the module",
            ) from error

    async def _tell(self, event: RunEvent) -> None:
        """Store what the run says, before anybody sees it."""
        match event:
            case RunStarted():
                await self._note_process(event)
            case ChangeCounts():
                pass  # counted again from the plan, where replaced ones are told apart
            case RunNote():
                await self._record(Note(text=event.text))
            case PlannedChange() if self._operation.kind is not OperationKind.PLAN:
                pass  # an apply repeats its plan
            case _:
                if isinstance(event, ResourceProgress):
                    self._told.append(event)
                if isinstance(event, ResourceDrift):
                    self._drift.append(event)
                if isinstance(event, ProvisioningDiagnostic) and event.severity is Severity.ERROR:
                    self._complaint = self._complaint or event
                await self._record(event)

    async def _note_process(self, started: RunStarted) -> None:
        def change(stack: Stack) -> Stack:
            running = stack.operation
            if running is None:
                return stack
            known = replace(running, pid=started.pid, process_start=started.started_ticks)
            return replace(stack, operation=known)

        await self._parts.store.record(
            self._stack.stack_id, (), change=change, operation_id=self.operation_id
        )

    async def _record(self, fact: Fact) -> None:
        await self._parts.store.record(
            self._stack.stack_id, (fact,), operation_id=self.operation_id
        )

    async def _end(
        self, message: str, change: Callable[[Stack], Stack], *, plan: Plan | None = None
    ) -> None:
        state = OperationState.SUCCEEDED
        digest = plan.digest if plan is not None else self._operation.plan_digest
        await self._close(state, message=message, change=change, plan=plan, plan_digest=digest)

    async def _fail(self, failure: Failure) -> None:
        state = self._asked_to_end or OperationState.FAILED
        await remove_plan_file(self._parts, self._stack, self._operation)
        await self._close(state, failure=failure, message=failure.message)

    async def _close(
        self,
        state: OperationState,
        *,
        message: str,
        failure: Failure | None = None,
        change: Callable[[Stack], Stack] = lambda stack: stack,
        plan: Plan | None = None,
        plan_digest: str = "",
    ) -> None:
        def closed(stack: Stack) -> Stack:
            running = stack.operation or self._operation
            operation = replace(
                running,
                state=state,
                end_time=self._now(),
                failure=failure,
                message=message,
                drifted=len({one.address for one in self._drift}),
                plan_digest=plan_digest or running.plan_digest,
            )
            return change(ended(stack, operation, self._told))

        await self._parts.store.record(
            self._stack.stack_id,
            (),
            change=closed,
            operation_id=self.operation_id,
            plan=plan,
        )
        log.info(
            "operation ended",
            extra={"operation": self.operation_id, "stack": self._stack.name, "state": state},
        )


async def remove_plan_file(parts: StackParts, stack: Stack, operation: Operation) -> None:
    """Remove the saved plan that an operation made or applied; it holds secrets in clear."""
    maker = operation.operation_id
    if operation.kind in (OperationKind.APPLY, OperationKind.DESTROY) and stack.plan is not None:
        maker = stack.plan.operation
    path = parts.runs.plan_file(stack.stack_id, maker)
    await asyncio.to_thread(path.unlink, missing_ok=True)


async def interrupted(parts: StackParts, stack: Stack, *, now: datetime) -> Stack:
    """Close the operation that ran when an earlier control plane ended."""
    running = stack.operation
    if running is None:
        return stack
    await remove_plan_file(parts, stack, running)
    told = await _progress_since(parts, stack, running.first_sequence)
    way = "make a new plan" if running.kind is not OperationKind.DRIFT else "look again"
    operation = replace(
        running,
        state=OperationState.INTERRUPTED,
        end_time=now,
        failure=Failure(
            reason="INTERRUPTED",
            message=f"the control plane ended during this {running.kind.lower()}; {way}",
            next_action=way,
        ),
    )
    return await parts.store.record(
        stack.stack_id,
        (),
        change=lambda current: ended(current, operation, told),
        operation_id=running.operation_id,
    )


async def _progress_since(parts: StackParts, stack: Stack, sequence: int) -> list[ResourceProgress]:
    found: list[ResourceProgress] = []
    while events := await parts.journal.read(stack.name, sequence, _PAGE):
        found += [e.fact for e in events if isinstance(e.fact, ResourceProgress)]
        sequence = events[-1].sequence + 1
    return found


def _plan_message(plan: Plan) -> str:
    counts = plan.counts
    words = [
        f"{number} to {word}"
        for number, word in (
            (counts.remove, "destroy"),
            (counts.replace, "replace"),
            (counts.change, "change"),
            (counts.add, "add"),
        )
        if number
    ]
    return f"plan: {', '.join(words) or 'outputs alone change'}"
