"""PROVISION: the stack of a session comes to hold the session's device.

The stage does the next step and looks again, until the stack gives the device. What it did is kept
beside the session; how the stack stands is the stack's. So it may be interrupted anywhere. While a
person has to decide about the plan the session waits and holds nothing.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from benchline.errors import BenchlineError, ConflictError, NotReadyError
from controlplane.domain.stack import CloudBinding, Stack, Target
from controlplane.domain.verdict import Outcome, Severity, Stage, StageFinding
from controlplane.pipeline.stack_checks import check_devices
from controlplane.pipeline.stacks import Asker, StackChange, Stacks, running_operation
from controlplane.pipeline.stage import StageResult, StageRun, StageWaits
from controlplane.planning.provision_step import Step, Wish, binding_of, next_step
from controlplane.planning.provisioning import (
    LEAST_DIGEST,
    is_busy,
    next_action,
    open_plan,
    why_not_auto_approved,
)
from controlplane.storage.codec import from_json, to_json

CLOUD_KEY = "cloud"
"""Where the binding of the device is kept for the stages after this one."""

LOCAL_STACK = "local"
"""The stack that is created when a session names it and there is none."""

_DONE_KEY = "provision"
# What is missing on this machine: the session goes on without a cloud.
_MISSING = (
    "TERRAFORM_NOT_FOUND",
    "TERRAFORM_UNUSABLE",
    "TERRAFORM_TOO_OLD",
    "MOSQUITTO_NOT_FOUND",
    "PROVIDER_UNAVAILABLE",
)
# Somebody else was faster; how the stack stands now decides what is next.
_OVERTAKEN = ("STACK_BUSY", "PLAN_CHANGED", "NO_PLAN", "PLAN_EXPIRED", "PLAN_NOT_APPROVED")
_MOST_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a session did about its stack: see `Wish`."""

    operation: str = ""
    digest: str = ""


class ProvisionStage:
    """Leads a session's stack; `auto_approve` is what the configuration allows."""

    def __init__(
        self,
        stacks: Stacks,
        *,
        auto_approve: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stacks = stacks
        self._auto_approve = auto_approve
        self._now = now

    async def run(self, run: StageRun) -> StageResult | StageWaits:
        """Step by step, until the stack holds the device or somebody has to decide."""
        try:
            return await self._lead(run)
        except BenchlineError as error:
            if error.reason not in _MISSING:
                raise
            await run.record(_missing(error))
            return StageResult(outcome=Outcome.SKIPPED, message=f"{error.reason}: {error.message}")

    async def _lead(self, run: StageRun) -> StageResult | StageWaits:
        stack = await self._stack(run)
        for _ in range(_MOST_STEPS):
            wish = await self._wish(run)
            step = next_step(stack, wish, self._now())
            if step in (Step.DONE, Step.REFUSED, Step.FAILED):
                return await self._end(run, stack, step)
            if step is Step.WAIT:
                return await self._wait(run, stack, wish)
            with contextlib.suppress(_Overtaken):
                await self._take(run, stack, step)
            stack = await self._stacks.get(stack.stack_id)
        raise NotReadyError(
            "STACK_UNSETTLED", f"{stack.name} was changed again and again; try later"
        )

    async def _stack(self, run: StageRun) -> Stack:
        """The stack of the session; the local one is made when it is not there.

        Raises:
            NotFoundError: STACK_NOT_FOUND.
        """
        wanted = run.session.request.stack
        if wanted == LOCAL_STACK:
            with contextlib.suppress(ConflictError):
                await self._stacks.create(wanted, Target.LOCAL, (), (), run.session.principal)
        return await self._stacks.get(wanted)

    async def _wish(self, run: StageRun) -> Wish:
        kept = await run.kept(_DONE_KEY)
        done = from_json(_Done, kept) if kept else _Done()
        (device,) = check_devices([run.session.device])
        return Wish(
            device=device,
            auto_approve=self._auto_approve or run.session.request.auto_approve,
            operation=done.operation,
            digest=done.digest,
        )

    async def _take(self, run: StageRun, stack: Stack, step: Step) -> None:
        """Do one step, and see it through.

        Raises:
            _Overtaken: somebody else did something first.
        """
        name, plan, session = stack.stack_id, open_plan(stack), run.session
        by = Asker(principal=session.principal, session=run.session_id)
        try:
            match step:
                case Step.ADD_DEVICE:
                    change = StackChange(add=(session.device,))
                    await self._follow(run, await self._stacks.plan(name, change, by))
                case Step.PLAN:
                    await self._follow(run, await self._stacks.plan(name, StackChange(), by))
                case Step.APPLY:
                    await self._follow(run, await self._stacks.apply(name, by))
                case Step.APPROVE if plan is not None:
                    await self._stacks.approve_by_rule(name, plan.digest, session.principal)
                case _:
                    await self._until_idle(stack)
        except BenchlineError as error:
            if error.reason in _OVERTAKEN:
                raise _Overtaken from error
            raise

    async def _follow(self, run: StageRun, stack: Stack) -> None:
        """Remember an operation of ours, and wait for its end."""
        operation = running_operation(stack)
        digest = operation.plan_digest
        await run.keep(_DONE_KEY, to_json(_Done(operation=operation.operation_id, digest=digest)))
        try:
            await self._stacks.end_of(stack.stack_id, operation.operation_id)
        finally:
            if run.cancel_requested():
                with contextlib.suppress(BenchlineError):
                    await self._stacks.cancel(stack.stack_id)

    async def _until_idle(self, stack: Stack) -> None:
        if stack.operation is not None:
            await self._stacks.end_of(stack.stack_id, stack.operation.operation_id)

    async def _wait(self, run: StageRun, stack: Stack, wish: Wish) -> StageWaits:
        plan = open_plan(stack)
        digest = plan.digest if plan is not None else ""
        await run.keep(_DONE_KEY, to_json(_Done(operation=wish.operation, digest=digest)))
        waited = replace(wish, digest=digest)
        why = ""
        if plan is not None and wish.auto_approve:
            why = f" ({why_not_auto_approved(stack, plan, allowed=True)})"
        short, action = digest[:LEAST_DIGEST], next_action(stack, self._now())
        return StageWaits(
            message=f"plan {short} of {stack.name} waits for approval{why}: `{action}`",
            until=lambda: self._decided(stack, waited),
        )

    async def _decided(self, stack: Stack, wish: Wish) -> None:
        """Return as soon as the session has something else to do than to wait for that plan."""
        while True:
            current = await self._stacks.moved(stack)
            if current is None:
                return
            stack = current
            plan = open_plan(stack)
            same = plan is not None and plan.digest == wish.digest
            if not is_busy(stack) and not (
                same and next_step(stack, wish, self._now()) is Step.WAIT
            ):
                return

    async def _end(self, run: StageRun, stack: Stack, step: Step) -> StageResult:
        device = run.session.device
        binding = binding_of(stack, device)
        if step is Step.DONE and binding is not None:
            await run.keep(CLOUD_KEY, to_json(binding))
            message = f"{device} is at {binding.endpoint} in {stack.name}"
            return StageResult(outcome=Outcome.PASSED, message=message)
        if step is Step.REFUSED and stack.plan is not None:
            await self._stacks.forget_device(stack.stack_id, device)
            message = f"{stack.plan.decided_by} rejected plan {stack.plan.digest[:LEAST_DIGEST]}"
            return StageResult(outcome=Outcome.REFUSED, message=f"{message} of {stack.name}")
        failure = stack.operation.failure if stack.operation is not None else None
        if failure is None:
            message = f"{stack.name} does not give device {device}; mend its module"
            return StageResult(outcome=Outcome.BROKEN, message=message)
        missing = failure.reason in _MISSING
        return StageResult(
            outcome=Outcome.SKIPPED if missing else Outcome.BROKEN,
            message=f"{failure.reason}: {failure.message}",
        )


class _Overtaken(Exception):  # noqa: N818 (nothing went wrong: somebody was faster)
    """Somebody else did something to the stack first."""


def _missing(error: BenchlineError) -> StageFinding:
    return StageFinding(
        code=error.reason,
        subject="stack",
        message=error.message,
        severity=Severity.WARNING,
        stage=Stage.PROVISION,
    )


def read_binding(kept: str | None) -> CloudBinding | None:
    """The cloud of the session's device, as this stage kept it; None when it has none."""
    return from_json(CloudBinding, kept) if kept else None
