"""Wire messages of stacks into facts of the console."""

from datetime import UTC

from google.protobuf.descriptor import EnumDescriptor

from benchline.v1 import event_pb2, provisioning_pb2, stack_pb2, verdict_pb2
from tui.client.instants import milliseconds_of
from tui.state import stack as s

_FACTS = (
    "stack_changed",
    "stack_operation",
    "stack_plan",
    "planned_change",
    "resource_drift",
    "resource_progress",
    "provisioning_diagnostic",
    "outputs_known",
    "sensitive_read",
)


def stack_fact_of(wire: event_pb2.Event, kind: str) -> s.StackFacts | None:
    """A fact of a stack; None when the event tells of something else."""
    if kind not in _FACTS:
        return None
    match kind:
        case "stack_changed":
            moved = wire.stack_changed
            return s.StackMoved(state=state_of(moved.state), message=moved.message)
        case "stack_operation":
            return operation_of(wire.stack_operation)
        case "stack_plan":
            return plan_of(wire.stack_plan)
        case "planned_change":
            planned = wire.planned_change
            return s.ResourcePlanned(address=planned.address, action=_action(planned.action))
        case "resource_drift":
            drift = wire.resource_drift
            return s.ResourceDrifted(address=drift.address, action=_action(drift.action))
        case _:
            return _told_of(wire, kind)


def _told_of(wire: event_pb2.Event, kind: str) -> s.StackFacts:
    match kind:
        case "resource_progress":
            progress = wire.resource_progress
            return s.ResourceAdvanced(
                address=progress.address,
                action=_action(progress.action),
                phase=_word(
                    provisioning_pb2.ResourceProgress.Phase.DESCRIPTOR, progress.phase, "PHASE_"
                ),
                elapsed_s=progress.elapsed_s,
            )
        case "provisioning_diagnostic":
            said = wire.provisioning_diagnostic
            return s.ProvisioningSaid(
                severity=_word(verdict_pb2.Finding.Severity.DESCRIPTOR, said.severity, "SEVERITY_"),
                summary=said.summary,
                detail=said.detail,
                address=said.address,
                where=said.where,
            )
        case "outputs_known":
            return s.OutputsTold(names=tuple(wire.outputs_known.names))
        case _:
            read = wire.sensitive_read
            return s.SecretsRead(principal=read.principal, names=tuple(read.outputs))


def state_of(value: int) -> str:
    """The state of a stack as a word, e.g. ``PLANNED``."""
    return _word(provisioning_pb2.StackState.DESCRIPTOR, value, "STACK_STATE_")


def operation_of(wire: provisioning_pb2.StackOperation) -> s.OperationMoved:
    """A run of Terraform."""
    return s.OperationMoved(
        operation_id=wire.operation_id,
        kind=_word(provisioning_pb2.StackOperation.Kind.DESCRIPTOR, wire.kind, "KIND_"),
        state=_word(provisioning_pb2.StackOperation.State.DESCRIPTOR, wire.state, "STATE_"),
        principal=wire.principal,
        message=wire.message or wire.failure.message,
        reason=wire.failure.reason,
        next_action=wire.failure.next_action,
        drifted=wire.drifted,
        cancel_requested=wire.cancel_requested,
        start_ms=milliseconds_of(wire.start_time),
        end_ms=milliseconds_of(wire.end_time),
        first_sequence=wire.first_sequence,
    )


def plan_of(wire: provisioning_pb2.StackPlan) -> s.PlanMoved:
    """A plan; deletions come first."""
    return s.PlanMoved(
        digest=wire.digest,
        state=_word(provisioning_pb2.StackPlan.State.DESCRIPTOR, wire.state, "STATE_"),
        destroy=wire.destroy,
        add=wire.counts.add,
        change=wire.counts.change,
        replace=wire.counts.replace,
        remove=wire.counts.remove,
        changes=tuple(_reviewed(one) for one in wire.changes),
        replaced=tuple(wire.replaced),
        devices=tuple(wire.devices),
        expire_ms=milliseconds_of(wire.expire_time),
        decided_by=wire.decided_by,
        auto_approved=wire.auto_approved,
        confirmation_needed=wire.confirmation_needed,
    )


def stack_of(wire: stack_pb2.Stack) -> s.StackFact:
    """A stack."""
    return s.StackFact(
        name=wire.name,
        target=wire.target,
        state=state_of(wire.state),
        message=wire.message,
        next_action=wire.next_action,
        wished=tuple(wire.devices),
        settings=tuple((one.name, one.value) for one in wire.settings),
        plan=plan_of(wire.plan) if wire.HasField("plan") else None,
        operation=operation_of(wire.operation) if wire.HasField("operation") else None,
        endpoint=wire.outputs.broker_endpoint,
        ca_ref=wire.outputs.ca_ref,
        telemetry_sink=wire.outputs.telemetry_sink,
        devices=tuple(
            s.DeviceFact(
                device=one.device,
                client_id=one.client_id,
                topic_prefix=one.topic_prefix,
                credential_ref=one.credential_ref,
            )
            for one in wire.outputs.devices
        ),
        drifted=tuple(wire.drifted),
        drift_ms=milliseconds_of(wire.drift_time),
        unfinished=tuple(wire.unfinished),
        create_ms=milliseconds_of(wire.create_time),
        update_ms=milliseconds_of(wire.update_time),
        last_sequence=wire.last_sequence,
    )


def _reviewed(wire: provisioning_pb2.ReviewedChange) -> s.Reviewed:
    return s.Reviewed(
        address=wire.address,
        action=_action(wire.action),
        reason=wire.reason,
        attributes=tuple(
            s.AttributeMoved(
                name=one.name,
                before=one.before,
                after=one.after,
                forces_replacement=one.forces_replacement,
            )
            for one in wire.attributes
        ),
    )


def _action(value: int) -> str:
    return _word(provisioning_pb2.ChangeAction.DESCRIPTOR, value, "CHANGE_ACTION_")


def _word(kind: EnumDescriptor, value: int, prefix: str) -> str:
    """The word of an enum; "UNKNOWN" for a number of a newer server."""
    known = kind.values_by_number.get(value)
    return "UNKNOWN" if known is None else str(known.name).removeprefix(prefix)


def telemetry_of(wire: stack_pb2.TelemetryMessage) -> s.TelemetryTold:
    """A message of a device."""
    return s.TelemetryTold(
        device=wire.device,
        topic=wire.topic,
        payload=wire.payload.decode("utf-8", "backslashreplace"),
        receive_time=wire.receive_time.ToDatetime(UTC),
        count=wire.count,
    )
