"""What leading the operations of stacks works with."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from controlplane.domain.provisioning import (
    ApplyResult,
    OutputValue,
    PlanResult,
    PlanReview,
    RunEvent,
)
from controlplane.domain.stack import Operation, Stack, StackOutputs
from controlplane.journal.journal import Journal
from controlplane.storage.stacks import StackStore

OnEvent = Callable[[RunEvent], Awaitable[None]]


class TerraformRun(Protocol):
    """Terraform in the folder of one stack, for one operation."""

    async def init(self) -> None:
        """Make the folder ready."""
        ...

    async def plan(
        self,
        out: Path,
        *,
        destroy: bool = False,
        refresh_only: bool = False,
        replace: Sequence[str] = (),
        on_event: OnEvent,
    ) -> PlanResult:
        """Make a plan and save it."""
        ...

    async def apply(self, plan: Path, *, digest: str, on_event: OnEvent) -> ApplyResult:
        """Carry a saved plan out, if it is the one with that digest."""
        ...

    async def outputs(self) -> Mapping[str, OutputValue]:
        """What the module gives, by name."""
        ...

    async def show_plan(self, plan: Path) -> PlanReview:
        """What a saved plan would do, masked."""
        ...

    async def cancel(self) -> None:
        """Ask what runs to come to an end."""
        ...


class StackRuns(Protocol):
    """Terraform and what it needs, for the stacks of this instance."""

    async def check(self, stack: Stack, *, destroy: bool = False) -> None:
        """Whether Terraform can be run here, and the stack's target be made.

        Raises:
            NotReadyError: TERRAFORM_NOT_FOUND, MOSQUITTO_NOT_FOUND and others.
        """
        ...

    def open(self, stack: Stack, operation: Operation) -> AbstractAsyncContextManager[TerraformRun]:
        """Terraform for one operation, and the providers that it talks to."""
        ...

    async def settled(self, stack: Stack, devices: Collection[str] | None) -> None:
        """Tell the target what the stack holds after an operation; None: nothing."""
        ...

    def plan_file(self, stack_id: str, operation_id: str) -> Path:
        """Where the plan of an operation is saved."""
        ...

    async def end_leftovers(self, stack_id: str) -> None:
        """End what an earlier control plane left running for a stack."""
        ...

    async def forget(self, stack: Stack) -> None:
        """Remove everything that is kept of a stack: nothing is left of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StackParts:
    """`slots` operations run at a time; a plan can be applied for `plan_life`.

    `on_given` is awaited with what a stack gives after each apply; None: nothing.
    """

    journal: Journal
    store: StackStore
    runs: StackRuns
    new_id: Callable[[], str]
    plan_life: timedelta
    slots: int
    on_given: Callable[[Stack, StackOutputs | None], Awaitable[None]]
