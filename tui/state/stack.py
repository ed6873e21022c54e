"""Facts of a device cloud as the console knows them, free of wire types."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StackMoved:
    """The stack moved; ``state`` is a word such as ``PLANNED``."""

    state: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationMoved:
    """A run of Terraform began or ended. Times are Unix milliseconds, 0 when not set."""

    operation_id: str
    kind: str
    state: str
    principal: str = ""
    message: str = ""
    reason: str = ""
    next_action: str = ""
    drifted: int = 0
    cancel_requested: bool = False
    start_ms: int = 0
    end_ms: int = 0
    first_sequence: int = 0

    @property
    def ended(self) -> bool:
        """Nothing of it will change any more."""
        return self.state not in ("RUNNING", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeMoved:
    """One attribute in words, as a plan finds and leaves it."""

    name: str
    before: str
    after: str
    forces_replacement: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What a plan does to one resource."""

    address: str
    action: str
    reason: str = ""
    attributes: tuple[AttributeMoved, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMoved:
    """A plan was made or decided; its changes are there only when it was asked for whole."""

    digest: str
    state: str
    destroy: bool = False
    add: int = 0
    change: int = 0
    replace: int = 0
    remove: int = 0
    changes: tuple[Reviewed, ...] = ()
    replaced: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    expire_ms: int = 0
    decided_by: str = ""
    auto_approved: bool = False
    confirmation_needed: bool = False

    @property
    def open(self) -> bool:
        """Whether it is to be decided or applied."""
        return self.state in ("PROPOSED", "APPROVED")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePlanned:
    """A resource that a plan touches."""

    address: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDrifted:
    """A resource that was changed outside; DELETE when it is gone."""

    address: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceAdvanced:
    """How far the work on a resource is; ``phase`` is STARTED, RUNNING, DONE or FAILED."""

    address: str
    action: str
    phase: str
    elapsed_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSaid:
    """Terraform or a provider complained."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsTold:
    """An apply gave outputs."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsRead:
    """Somebody read sensitive outputs."""

    principal: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFact:
    """A device of a stack, and what it connects with; no key material."""

    device: str
    client_id: str
    topic_prefix: str
    credential_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFact:
    """A stack as it stands."""

    name: str
    target: str
    state: str
    message: str = ""
    next_action: str = ""
    wished: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    plan: PlanMoved | None = None
    operation: OperationMoved | None = None
    endpoint: str = ""
    ca_ref: str = ""
    telemetry_sink: str = ""
    devices: tuple[DeviceFact, ...] = ()
    drifted: tuple[str, ...] = ()
    drift_ms: int = 0
    unfinished: tuple[str, ...] = ()
    create_ms: int = 0
    update_ms: int = 0
    last_sequence: int = 0

    @property
    def stack_id(self) -> str:
        """The name without its collection."""
        return self.name.rpartition("/")[2]

    @property
    def busy(self) -> bool:
        """Whether an operation runs."""
        running = self.operation is not None and not self.operation.ended
        return running or self.state in ("PLANNING", "APPLYING", "DESTROYING")


StackFacts = (
    StackMoved
    | OperationMoved
    | PlanMoved
    | ResourcePlanned
    | ResourceDrifted
    | ResourceAdvanced
    | ProvisioningSaid
    | OutputsTold
    | SecretsRead
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryTold:
    """What a device published; ``payload`` is text as far as it can be read as such.

    ``count`` is how many messages of the device that makes.
    """

    device: str
    topic: str
    payload: str
    receive_time: datetime
    count: int = 0
