"""What becomes of a stack. Pure: every decision of the device cloud that is no effect.

A plan is proposed, approved by its digest and applied once. What a killed run started and never
finished is made anew by the next plan, because nobody knows what became of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from controlplane.domain.provisioning import (
    ChangeAction,
    ResourcePhase,
    ResourceProgress,
    ReviewedChange,
)
from controlplane.domain.stack import (
    Operation,
    OperationKind,
    OperationState,
    Plan,
    PlanCounts,
    PlanState,
    Stack,
    StackState,
    Target,
)

SETTINGS: dict[Target, tuple[str, ...]] = {
    Target.LOCAL: ("port",),
    Target.AWS_IOT: (
        "region",
        "telemetry",
        "telemetry_days",
        "keep_telemetry",
        "fleet_provisioning",
    ),
}
"""Variables of each module that an operator may set."""

NUMBER_SETTINGS: dict[str, tuple[int, int]] = {
    "port": (1024, 65_535),
    "telemetry_days": (1, 3_650),
}
"""Settings that are whole numbers: the least and the largest."""

SWITCH_SETTINGS = ("keep_telemetry", "fleet_provisioning")
"""Settings that are `true` or `false`."""

LEAST_DIGEST = 12
"""Characters of a digest that are enough to name a plan."""

_SETTLED = (
    StackState.DRAFT,
    StackState.APPLIED,
    StackState.FAILED,
    StackState.CANCELLED,
    StackState.INTERRUPTED,
    StackState.DESTROYED,
)
_EMPTY = (StackState.DRAFT, StackState.DESTROYED)
_OPEN = (PlanState.PROPOSED, PlanState.APPROVED)
_ORDER = (
    ChangeAction.DELETE,
    ChangeAction.REPLACE,
    ChangeAction.FORGET,
    ChangeAction.UPDATE,
    ChangeAction.MOVE,
    ChangeAction.IMPORT,
    ChangeAction.CREATE,
    ChangeAction.READ,
    ChangeAction.NONE,
)


def is_busy(stack: Stack) -> bool:
    """Whether an operation runs; a stack does one thing at a time."""
    return stack.operation is not None and not stack.operation.state.ended


def settled_state(stack: Stack) -> StackState:
    """Where the stack stands, its plan and what runs aside."""
    return stack.state if stack.state in _SETTLED else stack.settled


def is_empty(stack: Stack) -> bool:
    """Whether nothing was made of the stack, or everything of it was destroyed."""
    return settled_state(stack) in _EMPTY and not stack.unfinished


def open_plan(stack: Stack) -> Plan | None:
    """The plan that is to be decided or applied, if there is one."""
    return stack.plan if stack.plan is not None and stack.plan.state in _OPEN else None


def is_digest_of(plan: Plan, digest: str) -> bool:
    """Whether a digest, or enough of its beginning, names the plan."""
    return len(digest) >= LEAST_DIGEST and plan.digest.startswith(digest.lower())


def has_expired(plan: Plan, now: datetime) -> bool:
    """Whether a plan is too old to be decided or applied."""
    return now >= plan.expire_time


def replacements(stack: Stack, *, destroy: bool) -> tuple[str, ...]:
    """Addresses that the next plan must make anew; Terraform takes none with a destroy."""
    return () if destroy else stack.unfinished


def unfinished_after(
    told: Iterable[ResourceProgress], before: Iterable[str] = ()
) -> tuple[str, ...]:
    """Resources that were started and never finished, by what an operation told.

    What was unfinished `before` it is finished when this one finished it.
    """
    left = dict.fromkeys(before)
    for fact in told:
        if fact.phase in (ResourcePhase.STARTED, ResourcePhase.RUNNING):
            left[fact.address] = None
        else:
            left.pop(fact.address, None)
    return tuple(left)


def review_order(changes: Iterable[ReviewedChange]) -> tuple[ReviewedChange, ...]:
    """What goes away first, then what changes, then what is new; nothing that stays as it is."""
    shown = [change for change in changes if change.action is not ChangeAction.NONE]
    return tuple(sorted(shown, key=lambda one: (_ORDER.index(one.action), one.address)))


def count_changes(changes: Iterable[ReviewedChange]) -> PlanCounts:
    """Resources by what becomes of them."""
    actions = [change.action for change in changes]
    return PlanCounts(
        add=actions.count(ChangeAction.CREATE),
        change=actions.count(ChangeAction.UPDATE),
        replace=actions.count(ChangeAction.REPLACE),
        remove=actions.count(ChangeAction.DELETE),
    )


def needs_confirmation(changes: Iterable[ReviewedChange]) -> bool:
    """Whether the name of the stack has to be typed: something goes away."""
    return any(change.action.deletes for change in changes)


def why_not_auto_approved(stack: Stack, plan: Plan, *, allowed: bool) -> str:
    """Why a plan has to be approved by a person; "" when it may be approved by itself."""
    if not allowed:
        return "nobody allowed plans to be approved by themselves"
    if stack.target is not Target.LOCAL:
        return f"a plan of target {stack.target} is always approved by a person"
    if plan.destroy or plan.confirmation_needed:
        return "the plan takes something away"
    return ""


def approved(stack: Stack, plan: Plan, *, by: str, auto: bool, now: datetime) -> Stack:
    """The stack with its plan approved; the first approval stays."""
    if plan.state is PlanState.APPROVED:
        return stack
    decided = replace(
        plan, state=PlanState.APPROVED, decided_by=by, decide_time=now, auto_approved=auto
    )
    return replace(stack, state=StackState.APPROVED, plan=decided)


def given_up(stack: Stack, state: PlanState, *, now: datetime, by: str = "") -> Stack:
    """The stack without an open plan: it was rejected, expired, tampered with or superseded."""
    plan = open_plan(stack)
    if plan is None:
        return stack
    gone = replace(plan, state=state, decided_by=by or plan.decided_by, decide_time=now)
    return replace(stack, state=settled_state(stack), plan=gone)


def begun(stack: Stack, operation: Operation) -> Stack:
    """The stack while an operation runs; a plan that is made supersedes an open one."""
    settled = settled_state(stack)
    match operation.kind:
        case OperationKind.PLAN:
            stack = given_up(stack, PlanState.GONE, now=operation.start_time)
            state = StackState.PLANNING
        case OperationKind.APPLY:
            state = StackState.APPLYING
        case OperationKind.DESTROY:
            state = StackState.DESTROYING
        case OperationKind.DRIFT:
            state = stack.state
    return replace(stack, state=state, settled=settled, operation=operation, message="")


def planned(stack: Stack, plan: Plan) -> Stack:
    """The stack after a plan that changes something."""
    return replace(stack, state=StackState.PLANNED, plan=replace(plan, changes=()))


def found_as_it_should_be(stack: Stack, *, destroy: bool) -> Stack:
    """The stack after a plan that changes nothing."""
    state = StackState.DESTROYED if destroy else StackState.APPLIED
    return replace(stack, state=state, settled=state, plan=None, unfinished=(), drifted=())


def ended(stack: Stack, operation: Operation, told: Sequence[ResourceProgress]) -> Stack:
    """The stack after an operation that did not make a plan, however it ended.

    An apply that did not succeed leaves behind what it never finished. What touched no resource
    leaves the cloud as it was: a plan, a look at the drift, an apply that ended in good order
    before its first resource.
    """
    stack = replace(stack, operation=operation, message=_message(operation))
    if operation.kind is OperationKind.DRIFT:
        return stack
    if operation.kind is OperationKind.PLAN:
        return replace(stack, state=stack.settled)
    succeeded = operation.state is OperationState.SUCCEEDED
    plan = stack.plan
    if plan is not None:
        plan = replace(plan, state=PlanState.APPLIED if succeeded else PlanState.GONE)
    if succeeded:
        gone = operation.kind is OperationKind.DESTROY
        state = StackState.DESTROYED if gone else StackState.APPLIED
        return replace(
            stack,
            state=state,
            settled=state,
            plan=plan,
            outputs=None if gone else stack.outputs,
            unfinished=(),
            drifted=(),
        )
    if operation.state is not OperationState.INTERRUPTED and not told:
        return replace(stack, state=stack.settled, plan=plan)
    state = StackState(operation.state.value)
    left = unfinished_after(told, stack.unfinished)
    return replace(stack, state=state, settled=state, plan=plan, unfinished=left)


def _message(operation: Operation) -> str:
    return operation.message if operation.failure is None else operation.failure.message


def next_action(stack: Stack, now: datetime) -> str:
    """The command that leads on; "" when nothing has to be done."""
    name, plan = stack.stack_id, open_plan(stack)
    if is_busy(stack):
        return f"benchline stack watch {name}"
    if plan is not None and has_expired(plan, now):
        return f"benchline stack {'destroy' if plan.destroy else 'plan'} {name}"
    if plan is not None and plan.state is PlanState.APPROVED:
        return f"benchline stack apply {name}"
    if plan is not None:
        confirm = f" --confirm {name}" if plan.confirmation_needed else ""
        return f"benchline stack approve {name} {plan.digest[:LEAST_DIGEST]}{confirm}"
    settled = stack.state is StackState.APPLIED and not stack.drifted and _gives_its_wish(stack)
    if settled or stack.state is StackState.DESTROYED:
        return ""
    return f"benchline stack plan {name}"


def _gives_its_wish(stack: Stack) -> bool:
    """Whether it gives the devices that are wished, and no others."""
    given = stack.outputs.devices if stack.outputs is not None else ()
    return {one.device for one in given} == set(stack.devices)
