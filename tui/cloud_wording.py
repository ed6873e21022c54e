"""Words of the Cloud screens. Pure."""

import time

from tui.stack_wording import (
    OPERATION_WORDS,
    SHORT_DIGEST,
    advanced_line,
    plan_counts,
    stack_event_lines,
)
from tui.state.cloud import Gap, StackView, Telemetry, Told, Work, is_empty
from tui.state.stack import OperationMoved, PlanMoved, StackFact, TelemetryTold
from tui.wording import clock, one_line, visible

_MOST_RESOURCES = 60
_MOST_DELETED = 12


def stack_head(stack: StackFact) -> str:
    """``target local   127.0.0.1:18883   2 devices``."""
    count = len(stack.devices or stack.wished)
    parts = [f"target {stack.target}", visible(stack.endpoint)]
    parts.append(f"{count} device{'s' * (count != 1)}")
    parts.append(f"{len(stack.drifted)} drifted" if stack.drifted else "")
    return "   ".join(filter(None, parts))


def next_step(stack: StackFact, now_ms: int) -> str:
    """What to press next."""
    plan = stack.plan
    if stack.busy:
        return "it goes on without you   c: cancel"
    if plan is not None and plan.open and 0 < plan.expire_ms <= now_ms:
        return "the plan has expired   p: plan again"
    if plan is not None and plan.state == "APPROVED":
        return "A: apply exactly this plan   x: reject"
    if plan is not None and plan.state == "PROPOSED":
        typed = " (asks for the stack's name)" if plan.confirmation_needed else ""
        return f"a: approve{typed}   x: reject   p: plan again"
    if stack.drifted:
        return "changed outside   p: a plan that repairs it"
    if stack.unfinished or stack.state in ("FAILED", "CANCELLED", "INTERRUPTED"):
        return "p: a plan that converges, and makes anew what was not finished"
    if is_empty(stack):
        return "p: plan   e: devices and settings   delete: forget it"
    return "as it should be   d: look for drift   e: devices, settings   D: destroy"


def row_step(stack: StackFact) -> str:
    """What a row of the list says to do next."""
    plan = stack.plan
    if stack.busy and stack.operation is not None:
        return f"{OPERATION_WORDS.get(stack.operation.kind, 'work')} goes on"
    if plan is not None and plan.state == "APPROVED":
        return "enter, then A: apply"
    if plan is not None and plan.state == "PROPOSED":
        return f"enter, then a: {plan_counts(plan)}"
    if stack.drifted:
        return "enter, then p: repair it"
    return "enter, then p: plan" if stack.next_action else ""


def expiry_words(plan: PlanMoved, now_ms: int) -> str:
    """``expires in 59 min 03 s``; "" when nothing is to be decided."""
    if not plan.open or not plan.expire_ms:
        return ""
    left = plan.expire_ms - now_ms
    return f"expires in {whole_seconds(left)}" if left > 0 else "has expired: p plans again"


def approval_words(stack: StackFact, plan: PlanMoved) -> str:
    """Who decided about a plan, or what a decision takes."""
    if plan.auto_approved:
        rule = "by the rule for plans of target local that take nothing away"
        return f"approved {rule}, for {plan.decided_by}"
    match plan.state:
        case "APPROVED" | "REJECTED" | "APPLIED" if plan.decided_by:
            word = "rejected" if plan.state == "REJECTED" else "approved"
            return f"{word} by {plan.decided_by}"
        case "PROPOSED" if plan.confirmation_needed:
            return "takes something away: approving it asks for the name of the stack"
        case "PROPOSED" if stack.target == "local":
            return "takes nothing away; with auto_approve = true such plans need no approval"
        case "PROPOSED":
            return f"plans of target {stack.target} are always approved by a person"
        case "GONE":
            return "cannot be applied any more"
        case _:
            return ""


def deletion_words(plan: PlanMoved) -> list[str]:
    """What a plan takes away, in words."""
    gone = [one for one in plan.changes if one.action in ("DELETE", "REPLACE")]
    lines = []
    for one in gone[:_MOST_DELETED]:
        word = "will DELETE" if one.action == "DELETE" else "will REPLACE"
        lines.append(f"{word} {one_line(one.address, 60)}")
    if len(gone) > _MOST_DELETED:
        lines.append(f"and {len(gone) - _MOST_DELETED} more; esc, and read the plan")
    return lines


def approval_lines(stack: StackFact, plan: PlanMoved) -> list[str]:
    """What is asked before a plan is approved."""
    lines = [f"plan {plan.digest[:SHORT_DIGEST]} of {stack.stack_id}: {plan_counts(plan)}"]
    lines += deletion_words(plan)
    return [*lines, "Applied is exactly this plan; when the state moves before, it is refused."]


def work_head(work: Work, now_ms: int) -> str:
    """``apply for local:ana   2 of 4 done   7 s``."""
    operation = work.operation
    parts = [
        f"{OPERATION_WORDS.get(operation.kind, operation.kind.lower())} for {operation.principal}"
    ]
    asked = operation.cancel_requested and not operation.ended
    parts.append("was asked to end" if asked else "")
    if operation.kind in ("APPLY", "DESTROY"):
        total = max(len(work.planned), len(work.advanced))
        parts.append(f"{work.count('DONE')} of {total} done" if total else "")
    elif work.planned:
        parts.append(f"{len(work.planned)} planned")
    failed = work.count("FAILED")
    parts.append(f"{failed} failed" if failed else "")
    parts.append(operation.state if operation.ended else "")
    parts.append(_spent(operation, now_ms))
    return "   ".join(filter(None, parts))


def _spent(operation: OperationMoved, now_ms: int) -> str:
    if not operation.start_ms:
        return ""
    end = operation.end_ms if operation.ended else now_ms
    return whole_seconds(end - operation.start_ms) if end else ""


def whole_seconds(ms: int) -> str:
    """``7 s``, ``59 min 03 s``."""
    seconds = max(0, ms) // 1000
    return f"{seconds} s" if seconds < 60 else clock(seconds * 1000)


def work_lines(work: Work | None) -> list[str]:
    """What went wrong, then resources: failed, at work, done, still to come."""
    if work is None:
        return [
            "Nothing ran here yet.",
            "",
            "p makes a plan; nothing is made before it is applied.",
        ]
    lines = _ending_lines(work.operation)
    for said in work.said:
        lines += stack_event_lines(said)
    lines += [line for drift in work.drifted for line in stack_event_lines(drift)]
    return lines + _resource_lines(work)


def _ending_lines(operation: OperationMoved) -> list[str]:
    if not operation.ended:
        return []
    reason = f"{operation.reason}: " if operation.reason else ""
    lines = [f"{reason}{visible(operation.message)}"] if operation.message or reason else []
    if operation.next_action:
        lines.append(f"next: {visible(operation.next_action)}")
    return lines


def _resource_lines(work: Work) -> list[str]:
    by_phase: dict[str, list[str]] = {"FAILED": [], "RUNNING": [], "DONE": []}
    for one in work.advanced.values():
        phase = "RUNNING" if one.phase == "STARTED" else one.phase
        by_phase.setdefault(phase, []).append(advanced_line(one))
    waiting = [
        f"· {visible(address)}  {action}"
        for address, action in work.planned.items()
        if address not in work.advanced
    ]
    lines = [*by_phase["FAILED"], *by_phase["RUNNING"], *by_phase["DONE"][::-1], *waiting]
    rest = len(lines) - _MOST_RESOURCES
    return lines if rest <= 0 else [*lines[:_MOST_RESOURCES], f"and {rest} more"]


def telemetry_lines(telemetry: Telemetry) -> list[str]:
    """Of each device how much it published, and its newest messages, the newest first."""
    lines: list[str] = []
    for device, messages in sorted(telemetry.items()):
        count = messages[-1].count
        lines.append(f"{visible(device)}  {count:,} message{'s' * (count != 1)}")
        lines += [f"  {_message_line(one)}" for one in reversed(messages)]
    return lines or [
        "No device published anything since the control plane began.",
        "",
        "A run with --stack flashes a board whose firmware publishes.",
    ]


def _message_line(told: TelemetryTold) -> str:
    when = f"{told.receive_time.astimezone():%H:%M:%S}"
    return f"{when}  {one_line(told.topic, 64)}  {one_line(told.payload, 200)}"


def history_lines(view: StackView) -> list[str]:
    """What happened, oldest first, each with its time."""
    lines: list[str] = []
    if view.history and view.history[0].sequence > 1:
        lines.append(f"  earlier: benchline stack watch {view.fact.stack_id}")
    for told in view.history:
        lines += _history_entry(told)
    return lines or ["Nothing happened yet."]


def _history_entry(told: Told) -> list[str]:
    if isinstance(told.fact, Gap):
        gap = told.fact
        return [f"── events {gap.first} to {gap.last} are missing ──"]
    when = time.strftime("%d %b %H:%M:%S", time.localtime(told.time_ms / 1000))
    first, *rest = stack_event_lines(told.fact) or [""]
    return [f"{when}  {first.strip()}", *(f"{' ' * 17}{one}" for one in rest)] if first else []
