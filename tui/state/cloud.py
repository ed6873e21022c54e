"""One device cloud as a screen shows it: a pure fold over its events, and what may be asked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tui.state.fact import Event, Fact, Outcome, SessionSummary, Stage, State
from tui.state.run import RunView
from tui.state.stack import (
    OperationMoved,
    OutputsTold,
    PlanMoved,
    ProvisioningSaid,
    ResourceAdvanced,
    ResourceDrifted,
    ResourcePlanned,
    StackFact,
    StackMoved,
    TelemetryTold,
)

HISTORY = 400
"""Events of a stack that are read from its past, and kept."""

_FURTHEST = 5_000
"""How far back the newest operation is read."""
_MOST_SAID = 200
_EMPTY = ("DRAFT", "DESTROYED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events that never came."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing of the history. ``time_ms`` is Unix time in milliseconds, 0 when not known."""

    sequence: int
    time_ms: int
    fact: Fact | Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the newest run of Terraform has told; resources by their address."""

    operation: OperationMoved
    planned: Mapping[str, str] = field(default_factory=dict)
    advanced: Mapping[str, ResourceAdvanced] = field(default_factory=dict)
    drifted: tuple[ResourceDrifted, ...] = ()
    said: tuple[ProvisioningSaid, ...] = ()

    def count(self, *phases: str) -> int:
        """Resources in one of these phases."""
        return sum(one.phase in phases for one in self.advanced.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StackView:
    """Everything known of one stack."""

    name: str
    fact: StackFact
    reviewed: PlanMoved | None = None
    work: Work | None = None
    history: tuple[Told, ...] = ()
    last_sequence: int = 0

    @property
    def plan(self) -> PlanMoved | None:
        """The newest plan; with its changes once they were read."""
        plan, whole = self.fact.plan, self.reviewed
        if plan is None or whole is None or whole.digest != plan.digest:
            return plan
        return replace(plan, changes=whole.changes, replaced=whole.replaced)

    @property
    def unread_plan(self) -> bool:
        """Whether there is an open plan whose changes were not read yet."""
        plan, whole = self.fact.plan, self.reviewed
        return plan is not None and plan.open and (whole is None or whole.digest != plan.digest)


def begin_stack(fact: StackFact) -> StackView:
    """A stack before its first event is read; events begin after ``last_sequence``."""
    first = fact.last_sequence - HISTORY + 1
    if fact.operation is not None and fact.operation.first_sequence:
        first = min(first, fact.operation.first_sequence)
    first = max(1, first, fact.last_sequence - _FURTHEST)
    return StackView(name=fact.name, fact=fact, last_sequence=first - 1)


def see_stack(view: StackView | None, fact: StackFact) -> StackView:
    """The stack as it was just read; what was read earlier and comes later changes nothing."""
    if view is None or fact.create_ms != view.fact.create_ms:
        return begin_stack(fact)
    if fact.last_sequence < view.fact.last_sequence or fact == view.fact:
        return view
    return replace(view, fact=fact)


def reduce_stack(view: StackView, event: Event) -> StackView:
    """The stack after one more event. One that was seen before changes nothing; a gap is shown."""
    if event.sequence <= view.last_sequence:
        return view
    history = view.history
    if event.sequence > view.last_sequence + 1:
        gap = Gap(first=view.last_sequence + 1, last=event.sequence - 1)
        history = _told(history, Told(sequence=gap.first, time_ms=0, fact=gap))
    if _worth_telling(event.fact):
        told = Told(sequence=event.sequence, time_ms=event.time_ms, fact=event.fact)
        history = _told(history, told)
    fact = _moved(view.fact, event)
    work = _worked(view.work, event.fact)
    return replace(view, fact=fact, work=work, history=history, last_sequence=event.sequence)


def reduce_stack_events(view: StackView, events: Iterable[Event]) -> StackView:
    """Fold many events."""
    for event in events:
        view = reduce_stack(view, event)
    return view


def moves(fact: Fact) -> bool:
    """Whether more of a stack changes than an event of it tells."""
    return isinstance(fact, StackMoved | OperationMoved | PlanMoved)


def _moved(stack: StackFact, event: Event) -> StackFact:
    """What the event says of the stack, unless it was read after that event."""
    if event.sequence <= stack.last_sequence:
        return stack
    match event.fact:
        case StackMoved() as moved:
            return replace(stack, state=moved.state, message=moved.message)
        case OperationMoved() as operation:
            return replace(stack, operation=operation)
        case PlanMoved() as plan:
            return replace(stack, plan=plan)
        case _:
            return stack


def _worked(work: Work | None, fact: Fact) -> Work | None:
    if isinstance(fact, OperationMoved):
        same = work is not None and work.operation.operation_id == fact.operation_id
        return replace(work, operation=fact) if work and same else Work(operation=fact)
    if work is None:
        return None  # the beginning of it lies before the first event that was read
    match fact:
        case ResourcePlanned():
            return replace(work, planned={**work.planned, fact.address: fact.action})
        case ResourceAdvanced():
            return replace(work, advanced={**work.advanced, fact.address: fact})
        case ResourceDrifted():
            return replace(work, drifted=(*work.drifted, fact))
        case ProvisioningSaid():
            return replace(work, said=(*work.said, fact)[-_MOST_SAID:])
        case _:
            return work


def _told(history: tuple[Told, ...], told: Told) -> tuple[Told, ...]:
    return (*history, told)[-HISTORY:]


def _worth_telling(fact: Fact) -> bool:
    if isinstance(fact, ResourceAdvanced):
        return fact.phase != "RUNNING"
    return not isinstance(fact, ResourcePlanned | OutputsTold)


NEWEST_MESSAGES = 12
"""Messages of each device that are kept to be shown."""

Telemetry = Mapping[str, tuple[TelemetryTold, ...]]
"""The newest messages of each device, oldest first."""


def hear(telemetry: Telemetry, told: TelemetryTold) -> Telemetry:
    """The telemetry after one more message."""
    of_device = (*telemetry.get(told.device, ()), told)[-NEWEST_MESSAGES:]
    return {**telemetry, told.device: of_device}


def is_empty(stack: StackFact) -> bool:
    """Whether nothing was made of the stack, or everything of it was destroyed."""
    return stack.state in _EMPTY and not stack.unfinished


def waits_for_approval(run: SessionSummary | RunView) -> bool:
    """Whether a session waits until somebody decides about the plan of its stack."""
    provisions = (one for one in run.stages if one.stage is Stage.PROVISION)
    waits = any(one.state is State.WAITING for one in provisions)
    return run.state is State.WAITING and waits


def plan_was_rejected(run: SessionSummary | RunView) -> bool:
    """Whether a session ended because somebody rejected the plan of its stack."""
    return any(
        one.stage is Stage.PROVISION and one.outcome is Outcome.REFUSED for one in run.stages
    )


def reason_against_stack(view: StackView | None, action: str, now_ms: int) -> str | None:
    """Why an action is not possible with a stack now; None when it is."""
    if action not in _CHECKS:
        return None
    if view is None:
        return "the stack is being read"
    return _CHECKS[action](view, now_ms)


def _against_busy(view: StackView, _: int = 0) -> str | None:
    operation = view.fact.operation
    if not view.fact.busy:
        return None
    begun = operation is not None and not operation.ended
    what = operation.kind if operation is not None and begun else view.fact.state
    return f"it is busy with {what.lower()}; c cancels that"


def _against_decision(view: StackView, now_ms: int) -> str | None:
    plan = view.fact.plan
    busy = _against_busy(view)
    if busy is not None:
        return busy
    if plan is None or not plan.open:
        return "there is no plan to decide; p makes one"
    if view.unread_plan:
        return "the plan is being read"
    return None


def _against_approval(view: StackView, now_ms: int) -> str | None:
    plan = view.fact.plan
    reason = _against_decision(view, now_ms)
    if reason is not None or plan is None:
        return reason
    if plan.state == "APPROVED":
        return f"it is approved already, by {plan.decided_by}; A applies it"
    return _against_expired(plan, now_ms)


def _against_apply(view: StackView, now_ms: int) -> str | None:
    plan = view.fact.plan
    busy = _against_busy(view)
    if busy is not None:
        return busy
    if plan is None or not plan.open:
        return "there is no plan to apply; p makes one"
    if plan.state != "APPROVED":
        return "the plan is not approved; a approves it"
    return _against_expired(plan, now_ms)


def _against_expired(plan: PlanMoved, now_ms: int) -> str | None:
    expired = 0 < plan.expire_ms <= now_ms
    return "this plan has expired; p makes a new one" if expired else None


def _against_empty(view: StackView, _: int) -> str | None:
    if is_empty(view.fact):
        return "nothing was made of it; p plans it"
    return _against_busy(view)


def _against_message(view: StackView, _: int) -> str | None:
    return None if view.fact.devices else "it has no device that was made; A applies a plan"


def _against_cancel(view: StackView, _: int) -> str | None:
    operation = view.fact.operation
    if operation is None or operation.ended:
        return "nothing runs here"
    return "that was asked for already" if operation.cancel_requested else None


def _against_forget(view: StackView, _: int) -> str | None:
    if not is_empty(view.fact):
        return "something may be left of it; D destroys it first"
    return _against_busy(view)


_CHECKS: dict[str, Callable[[StackView, int], str | None]] = {
    "approve": _against_approval,
    "reject": _against_decision,
    "apply": _against_apply,
    "plan": _against_busy,
    "change": _against_busy,
    "destroy": _against_empty,
    "drift": _against_empty,
    "secrets": _against_empty,
    "send": _against_message,
    "cancel_operation": _against_cancel,
    "forget": _against_forget,
}
