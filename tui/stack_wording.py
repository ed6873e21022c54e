"""Words about stacks that the console and the verbs share. Pure."""

from datetime import datetime

from tui.state.fact import Fact, Noted
from tui.state.stack import (
    OperationMoved,
    OutputsTold,
    PlanMoved,
    ProvisioningSaid,
    ResourceAdvanced,
    ResourceDrifted,
    ResourcePlanned,
    Reviewed,
    SecretsRead,
    StackFact,
    StackMoved,
    TelemetryTold,
)
from tui.state.telemetry import Missed
from tui.wording import one_line, visible

SHORT_DIGEST = 12
_SIGN = {"CREATE": "+", "UPDATE": "~", "REPLACE": "±", "DELETE": "-", "READ": "?", "FORGET": "·"}
_DOING = {
    "CREATE": "creating",
    "UPDATE": "changing",
    "REPLACE": "replacing",
    "DELETE": "destroying",
    "READ": "reading",
}
_DONE = {
    "CREATE": "created",
    "UPDATE": "changed",
    "REPLACE": "replaced",
    "DELETE": "destroyed",
    "READ": "read",
}
OPERATION_WORDS = {
    "PLAN": "plan",
    "APPLY": "apply",
    "DESTROY": "destroy",
    "DRIFT": "look for drift",
}
_MARK = {"SUCCEEDED": "✓", "FAILED": "✗", "CANCELLED": "x", "INTERRUPTED": "!"}
_VALUE_WIDTH = 60


def stack_event_lines(fact: Fact) -> list[str]:
    """What one event adds to the talk."""
    match fact:
        case StackMoved():
            return [f"stack {fact.state}"]
        case OperationMoved():
            return _operation_lines(fact)
        case PlanMoved():
            return _plan_event_lines(fact)
        case ResourceAdvanced() if fact.phase in ("STARTED", "DONE", "FAILED"):
            return [f"  {advanced_line(fact)}"]
        case ResourceDrifted():
            gone = "is gone" if fact.action == "DELETE" else "was changed outside"
            return [f"  ! {visible(fact.address)} {gone}"]
        case ProvisioningSaid():
            return _said_lines(fact)
        case SecretsRead():
            return [f"  {fact.principal} read the sensitive outputs {', '.join(fact.names)}"]
        case Noted():
            return [f"  note: {visible(fact.text)}"]
        case ResourcePlanned() | OutputsTold() | _:
            return []


def _operation_lines(fact: OperationMoved) -> list[str]:
    kind = OPERATION_WORDS.get(fact.kind, fact.kind.lower())
    if not fact.ended:
        asked = "was asked to end" if fact.cancel_requested else f"for {fact.principal}"
        return [f"▶ {kind} {asked}"]
    lines = [f"{_MARK.get(fact.state, '·')} {kind} {fact.state}: {visible(fact.message)}"]
    if fact.reason and not fact.message.startswith(fact.reason):
        lines[0] = f"{_MARK.get(fact.state, '·')} {kind} {fact.state} ({fact.reason}): " + visible(
            fact.message
        )
    return lines


def _plan_event_lines(fact: PlanMoved) -> list[str]:
    digest = fact.digest[:SHORT_DIGEST]
    match fact.state:
        case "APPROVED":
            how = " by the rule for local plans, for" if fact.auto_approved else " by"
            return [f"  plan {digest} approved{how} {fact.decided_by}"]
        case "REJECTED":
            return [f"  plan {digest} rejected by {fact.decided_by}"]
        case "GONE":
            return [f"  plan {digest} cannot be applied any more"]
        case _:
            return []


def advanced_line(fact: ResourceAdvanced) -> str:
    """``✓ created benchline_broker.this in 1 s``."""
    address = visible(fact.address)
    match fact.phase:
        case "FAILED":
            return f"✗ {address} failed after {fact.elapsed_s} s"
        case "DONE":
            return f"✓ {_DONE.get(fact.action, 'done with')} {address} in {fact.elapsed_s} s"
        case _:
            spent = f"  {fact.elapsed_s} s" if fact.elapsed_s else ""
            return f"… {_DOING.get(fact.action, 'working on')} {address}{spent}"


def _said_lines(fact: ProvisioningSaid) -> list[str]:
    about = f" {visible(fact.address)}" if fact.address else ""
    lines = [f"  {fact.severity.lower()}{about}: {visible(fact.summary)}"]
    lines += [f"    {visible(line)}" for line in fact.detail.splitlines() if line.strip()]
    return lines


def plan_counts(plan: PlanMoved) -> str:
    """``1 to destroy, 2 to add``."""
    counts = (
        (plan.remove, "to destroy"),
        (plan.replace, "to replace"),
        (plan.change, "to change"),
        (plan.add, "to add"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts if number) or "outputs alone"


def plan_lines(plan: PlanMoved) -> list[str]:
    """A plan for review: what goes away first, each attribute with its masked values."""
    what = "destroys everything: " if plan.destroy else ""
    lines = [f"plan {plan.digest[:SHORT_DIGEST]}  {plan.state}  {what}{plan_counts(plan)}"]
    for change in plan.changes:
        lines += change_lines(change)
    if plan.replaced:
        lines.append("made anew, because an earlier run never finished them:")
        lines += [f"  {visible(address)}" for address in plan.replaced]
    return lines


def change_lines(change: Reviewed) -> list[str]:
    """``- benchline_device.this["lamp"]  DELETE`` and its attributes."""
    why = f"  ({visible(change.reason)})" if change.reason else ""
    sign = _SIGN.get(change.action, "·")
    lines = [f"  {sign} {visible(change.address)}  {change.action}{why}"]
    if change.action == "DELETE":
        return lines
    for one in change.attributes:
        before = one_line(one.before, _VALUE_WIDTH)
        after = one_line(one.after, _VALUE_WIDTH)
        told = f"{before} → {after}" if before else after
        forces = "  forces the replacement" if one.forces_replacement else ""
        lines.append(f"      {visible(one.name)}: {told}{forces}")
    return lines


def stack_cells(stack: StackFact) -> tuple[str, ...]:
    """A stack as the cells of a row: name, target, state, devices, drift, what to do next."""
    drift = f"{len(stack.drifted)} drifted" if stack.drifted else ""
    count = len(stack.devices or stack.wished)
    devices = f"{count} device{'s' * (count != 1)}"
    state = f"{stack.state} …" if stack.busy else stack.state
    return (stack.stack_id, stack.target, state, devices, drift, stack.next_action)


def stack_lines(stack: StackFact) -> list[str]:
    """A stack in full."""
    lines = [f"stack    {stack.stack_id}  {stack.state}  target {stack.target}"]
    if stack.message:
        lines.append(f"message  {visible(stack.message)}")
    if stack.settings:
        lines.append("settings " + ", ".join(f"{key}={value}" for key, value in stack.settings))
    if stack.plan is not None and stack.plan.open:
        counts = f"{plan_counts(stack.plan)}{_expiry(stack.plan)}"
        lines.append(f"plan     {stack.plan.digest[:SHORT_DIGEST]}  {counts}")
    lines += output_lines(stack)
    missing = sorted(set(stack.wished) - {one.device for one in stack.devices})
    if missing:
        lines.append(f"not made {visible(', '.join(missing))}")
    lines += [f"drifted  {visible(address)}" for address in stack.drifted]
    lines += [f"unfinished {visible(address)}" for address in stack.unfinished]
    if stack.next_action:
        lines.append(f"next     {stack.next_action}")
    return lines


def _expiry(plan: PlanMoved) -> str:
    if not plan.expire_ms:
        return ""
    until = datetime.fromtimestamp(plan.expire_ms / 1000).astimezone()
    return f", to be applied before {until:%Y-%m-%d %H:%M:%S}"


def telemetry_line(told: TelemetryTold) -> str:
    """Time, device, topic and payload of a message."""
    when = f"{told.receive_time.astimezone():%H:%M:%S}"
    return f"{when}  {told.device}  {visible(told.topic)}  {visible(told.payload)}"


def missed_line(missed: Missed) -> str:
    """What of a device was not seen."""
    device = visible(missed.device)
    if not missed.count:
        return f"{device} is counted anew: the control plane began again and kept nothing"
    many = f"{missed.count:,} message{'s' * (missed.count != 1)}"
    return f"{many} of {device} {'were' if missed.count != 1 else 'was'} missed"


def output_lines(stack: StackFact) -> list[str]:
    """What a stack gives to devices."""
    lines = [f"broker   {visible(stack.endpoint)}"] if stack.endpoint else []
    lines += [f"ca       {visible(stack.ca_ref)}"] if stack.ca_ref else []
    if stack.telemetry_sink:
        lines.append(f"sink     {visible(stack.telemetry_sink)}")
    lines += [
        f"device   {one.device}  {visible(one.topic_prefix)}  {visible(one.credential_ref)}"
        for one in stack.devices
    ]
    return lines
