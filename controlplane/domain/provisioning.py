"""What one run of Terraform does and says, in words of our own.

Texts are already free of the secrets that are known to the run; they are still foreign text and
never markup.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.domain.verdict import Severity


class ChangeAction(StrEnum):
    """What happens to one resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    FORGET = "forget"
    MOVE = "move"
    IMPORT = "import"
    NONE = "no-op"

    @property
    def deletes(self) -> bool:
        """Whether what exists is lost by it."""
        return self in (ChangeAction.DELETE, ChangeAction.REPLACE)


class ResourcePhase(StrEnum):
    """How far the work on one resource is."""

    STARTED = "started"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The program runs: its process, by pid and start (clock ticks since boot), and its version."""

    pid: int
    started_ticks: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """One resource that the plan would touch. An apply repeats those of its plan."""

    address: str
    action: ChangeAction
    resource_type: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDrift:
    """One resource that is not as it was left; DELETE when it is gone."""

    address: str
    action: ChangeAction


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCounts:
    """How many resources a plan would touch, or an apply did."""

    add: int = 0
    change: int = 0
    remove: int = 0
    imported: int = 0
    operation: str = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceProgress:
    """Work on one resource. STARTED without DONE is a resource in an unknown state."""

    address: str
    action: ChangeAction
    phase: ResourcePhase
    elapsed_s: int = 0
    resource_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningDiagnostic:
    """A complaint of Terraform or of a provider; `where` is "main.tf:12" or empty."""

    severity: Severity
    summary: str
    detail: str = ""
    address: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsKnown:
    """The names of the outputs, never a value."""

    names: tuple[str, ...]
    sensitive: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote:
    """Anything else that is worth a line, e.g. that an interrupt was received."""

    text: str


RunEvent = (
    RunStarted
    | PlannedChange
    | ResourceDrift
    | ChangeCounts
    | ResourceProgress
    | ProvisioningDiagnostic
    | OutputsKnown
    | RunNote
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """A plan that was made and saved. `digest` is the sha256 of the plan file, in hex.

    `has_changes` of a refresh-only plan means that something drifted.
    """

    digest: str
    has_changes: bool
    changes: tuple[PlannedChange, ...] = ()
    drift: tuple[ResourceDrift, ...] = ()
    counts: ChangeCounts = ChangeCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """A plan that was carried out to its end."""

    counts: ChangeCounts = ChangeCounts(operation="apply")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputValue:
    """One output of a stack. A sensitive value is in nothing that is printed."""

    value: object = field(repr=False)
    sensitive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeChange:
    """One attribute in words for a screen: "(sensitive)", "(known after apply)", "" for none."""

    name: str
    before: str
    after: str
    forces_replacement: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedChange:
    """One resource of a plan as an approver sees it; `reason` is why it is replaced or deleted."""

    address: str
    action: ChangeAction
    resource_type: str
    reason: str = ""
    attributes: tuple[AttributeChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReview:
    """What a saved plan would do, masked: it holds no sensitive value and no variable."""

    changes: tuple[ReviewedChange, ...]
    drift: tuple[ReviewedChange, ...] = ()
    outputs: Mapping[str, ChangeAction] = field(default_factory=dict)
