"""A device cloud as Terraform keeps it: the stack, its plan, its operations and what they told."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controlplane.domain.provisioning import ReviewedChange

STACK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")


class Target(StrEnum):
    """Where a stack is made; each has a module under `infra/modules`."""

    LOCAL = "local"
    AWS_IOT = "aws-iot"


class StackState(StrEnum):
    """Life cycle of a stack.

    A plan leads DRAFT and every settled state to PLANNED; it is approved, and applied or, when it
    destroys, leads through DESTROYING. INTERRUPTED is never applied again without a new plan.
    """

    DRAFT = "DRAFT"
    PLANNING = "PLANNING"
    PLANNED = "PLANNED"
    APPROVED = "APPROVED"
    APPLYING = "APPLYING"
    APPLIED = "APPLIED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"
    DESTROYING = "DESTROYING"
    DESTROYED = "DESTROYED"


class OperationKind(StrEnum):
    """What one run of Terraform is for; DESTROY applies a plan that destroys."""

    PLAN = "PLAN"
    APPLY = "APPLY"
    DESTROY = "DESTROY"
    DRIFT = "DRIFT"


class OperationState(StrEnum):
    """INTERRUPTED: the control plane ended while it ran; how far it came is not known."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self is not OperationState.RUNNING


class PlanState(StrEnum):
    """A plan is applied once, and only while it is APPROVED. GONE: expired, stale or superseded."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    APPLIED = "APPLIED"
    GONE = "GONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A variable of the stack's module, e.g. `region`."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCounts:
    """Resources of a plan by what becomes of them; a replaced one counts once."""

    add: int = 0
    change: int = 0
    replace: int = 0
    remove: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A saved plan. `digest` is the sha256 of the plan file, which is what is approved.

    `devices` are those that the stack was to hold when it was made, `replaced` what is made anew
    because an earlier run never finished it. The row of a stack holds its plan without the
    changes; they are kept beside it.
    """

    digest: str
    operation: str
    destroy: bool
    state: PlanState
    create_time: datetime
    expire_time: datetime
    counts: PlanCounts = PlanCounts()
    changes: tuple[ReviewedChange, ...] = ()
    replaced: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    decided_by: str = ""
    decide_time: datetime | None = None
    auto_approved: bool = False
    confirmation_needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an operation did not succeed: a stable reason, a sentence and the way forward."""

    reason: str
    message: str
    next_action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One run of Terraform. `pid` and `process_start` (clock ticks since boot) name its process."""

    operation_id: str
    stack: str
    kind: OperationKind
    state: OperationState
    principal: str
    start_time: datetime
    plan_digest: str = ""
    pid: int = 0
    process_start: int = 0
    end_time: datetime | None = None
    failure: Failure | None = None
    message: str = ""
    drifted: int = 0
    session: str = ""
    cancel_requested: bool = False
    first_sequence: int = 0
    last_sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOutput:
    """A device of a stack. `credential_ref` names key material and never holds any."""

    device: str
    client_id: str
    topic_prefix: str
    credential_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOutputs:
    """What every module gives. `broker_endpoint` is `host:port`."""

    broker_endpoint: str = ""
    ca_ref: str = ""
    devices: tuple[DeviceOutput, ...] = ()
    telemetry_sink: str = ""

    def device(self, device: str) -> DeviceOutput | None:
        """One device of the stack, None when it was not made."""
        return next((one for one in self.devices if one.device == device), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack as it stands. `settled` is the state that a plan which is given up goes back to."""

    stack_id: str
    target: Target
    state: StackState
    principal: str
    create_time: datetime
    update_time: datetime
    devices: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    settled: StackState = StackState.DRAFT
    plan: Plan | None = None
    operation: Operation | None = None
    outputs: StackOutputs | None = None
    unfinished: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()
    drift_time: datetime | None = None
    message: str = ""
    last_sequence: int = 0

    @property
    def name(self) -> str:
        """Name in the API and in the journal."""
        return f"stacks/{self.stack_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackChanged:
    """The stack moved."""

    state: StackState
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitiveRead:
    """Somebody read sensitive outputs: who, and which; never what they hold."""

    principal: str
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudBinding:
    """What firmware and the agent's gateway need to know of a device's cloud; no key material."""

    stack: str
    device: str
    endpoint: str
    client_id: str
    topic_prefix: str
    credential_ref: str
    ca_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCredential:
    """What a device connects with, in PEM. Never a part of a row, an event or a log.

    Without `ca_pem` the machine's own authorities are trusted.
    """

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    ca_pem: bytes = b""
