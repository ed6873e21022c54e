"""What a session does next about the cloud of its device. Pure; asked again after every change."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlplane.domain.session import SessionRequest
from controlplane.domain.stack import (
    CloudBinding,
    OperationKind,
    OperationState,
    Plan,
    PlanState,
    Stack,
    StackOutputs,
)
from controlplane.planning.provisioning import (
    has_expired,
    is_busy,
    open_plan,
    why_not_auto_approved,
)

_ID_DIGITS = 10


def device_of(request: SessionRequest) -> str:
    """The device of a session that names none: the same for the same firmware on the same boards.

    So a stack gets no new device each time that a sentence is run again. A project is told by its
    title, and a kept design by its name, so that an edited one stays the device that it was.
    """
    source = request.source
    firmware = " ".join(request.prompt.split()).casefold()
    if source is not None:
        kept = source.design.partition("/revisions/")[0]
        firmware = kept or source.title or source.image_filename
    told = f"{firmware}\n{request.board_wish}".encode()
    return f"device-{hashlib.sha256(told).hexdigest()[:_ID_DIGITS]}"


class Step(StrEnum):
    """WAIT is for a person: the plan is to be approved or rejected."""

    ADD_DEVICE = "ADD_DEVICE"
    PLAN = "PLAN"
    APPROVE = "APPROVE"
    APPLY = "APPLY"
    FOLLOW = "FOLLOW"
    WAIT = "WAIT"
    DONE = "DONE"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a session wants of a stack, and what it did about it.

    `operation` is the last one that it began, `digest` the plan that it last waited for.
    """

    device: str
    auto_approve: bool
    operation: str = ""
    digest: str = ""


def next_step(stack: Stack, wish: Wish, now: datetime) -> Step:
    """What a session does next, given how its stack stands."""
    if is_busy(stack):
        return Step.FOLLOW
    if wish.device not in stack.devices:
        return Step.ADD_DEVICE
    decided = _after_decision(stack, wish) or _after_operation(stack, wish)
    if decided is not None:
        return decided
    plan = open_plan(stack)
    if plan is None or has_expired(plan, now):
        return Step.PLAN
    return _with_plan(stack, plan, wish)


def _after_decision(stack: Stack, wish: Wish) -> Step | None:
    """What follows from the plan that the session waited for, once that is decided."""
    plan = stack.plan
    if plan is None or plan.digest != wish.digest:
        return None
    if plan.state is PlanState.REJECTED and not plan.destroy:
        return Step.REFUSED
    if plan.state is PlanState.APPLIED and _holds(stack, wish.device):
        return Step.DONE
    return None


def _after_operation(stack: Stack, wish: Wish) -> Step | None:
    """What follows from the operation that the session began, once that is over."""
    operation = stack.operation
    if operation is None or operation.operation_id != wish.operation:
        return None
    if operation.state is OperationState.INTERRUPTED:
        return Step.PLAN
    if operation.state is not OperationState.SUCCEEDED:
        return Step.FAILED
    if operation.kind is OperationKind.PLAN and open_plan(stack) is not None:
        return None
    return Step.DONE if _holds(stack, wish.device) else Step.FAILED


def _with_plan(stack: Stack, plan: Plan, wish: Wish) -> Step:
    if plan.destroy:
        return Step.WAIT  # somebody wants it gone; that is decided first
    if wish.device not in plan.devices:
        return Step.PLAN
    if plan.state is PlanState.APPROVED:
        return Step.APPLY
    if why_not_auto_approved(stack, plan, allowed=wish.auto_approve):
        return Step.WAIT
    return Step.APPROVE


def _holds(stack: Stack, device: str) -> bool:
    return stack.outputs is not None and stack.outputs.device(device) is not None


def binding_of(stack: Stack, device: str) -> CloudBinding | None:
    """What firmware and gateway need to know of a device; None when the stack does not hold it."""
    return bindings_of(stack.stack_id, stack.outputs).get(device)


def bindings_of(stack_id: str, outputs: StackOutputs | None) -> dict[str, CloudBinding]:
    """What a stack that gives these outputs tells each of its devices, by device."""
    if outputs is None:
        return {}
    return {
        made.device: CloudBinding(
            stack=stack_id,
            device=made.device,
            endpoint=outputs.broker_endpoint,
            client_id=made.client_id,
            topic_prefix=made.topic_prefix,
            credential_ref=made.credential_ref,
            ca_ref=outputs.ca_ref,
        )
        for made in outputs.devices
    }
