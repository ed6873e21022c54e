"""Stacks over a real database and a real Terraform, with modules of its built-in provider."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from controlplane.domain.event import Event
from controlplane.domain.stack import (
    OperationState,
    Plan,
    Setting,
    Stack,
    StackState,
    Target,
)
from controlplane.journal.journal import Journal
from controlplane.pipeline.stacks import Asker, StackChange, Stacks, running_operation
from controlplane.provisioning.runs import HostedRuns
from controlplane.storage.database import Database
from controlplane.storage.stacks import StackStore
from tests.stacks import HEAD, PLAIN, stacks_of

ME = "local:tester"


def gated(gate: Path, *, when: str = "create") -> str:
    """A module whose devices are made (or destroyed) only once somebody writes into a named pipe.

    Everything else about them needs nobody.
    """
    return (
        HEAD
        + f"""
resource "terraform_data" "device" {{
  for_each = var.devices
  input    = each.key
  provisioner "local-exec" {{
    when    = {when}
    command = "read line < {gate}"
  }}
}}
"""
    )


@dataclass
class Rig:
    stacks: Stacks
    store: StackStore
    journal: Journal
    runs: HostedRuns
    folder: Path

    async def create(self, *devices: str, name: str = "home") -> Stack:
        return await self.stacks.create(name, Target.LOCAL, devices, (), ME)

    async def planned(
        self,
        *,
        add: tuple[str, ...] = (),
        remove: tuple[str, ...] = (),
        port: str = "",
        destroy: bool = False,
    ) -> Stack:
        """A plan, made to its end."""
        settings = (Setting(name="port", value=port),) if port else ()
        change = StackChange(add=add, remove=remove, settings=settings, destroy=destroy)
        return await self.ended(await self.stacks.plan("home", change, Asker(principal=ME)))

    async def approved(self, stack: Stack) -> Stack:
        plan = plan_of(stack)
        return await self.stacks.approve("home", plan.digest, ME, confirmation="home")

    async def applied(self) -> Stack:
        return await self.ended(await self.stacks.apply("home", Asker(principal=ME)))

    async def made(self, **wish: object) -> Stack:
        """Planned, approved and applied."""
        await self.approved(await self.planned(**wish))
        stack = await self.applied()
        assert stack.state in (StackState.APPLIED, StackState.DESTROYED), stack.message
        return stack

    async def ended(self, stack: Stack) -> Stack:
        return await self.stacks.end_of(stack.stack_id, running_operation(stack).operation_id)

    async def until(self, wanted: Callable[[Event], bool], *, name: str = "home") -> Event:
        """The first event of the stack that is wanted."""
        sequence = 1
        while True:
            for event in await self.journal.read(f"stacks/{name}", sequence, 500):
                sequence = event.sequence + 1
                if wanted(event):
                    return event
            await self.journal.wait(f"stacks/{name}", sequence - 1)

    async def facts(self, kind: type, *, name: str = "home") -> list[object]:
        events = await self.journal.read(f"stacks/{name}", 1, 5_000)
        return [event.fact for event in events if isinstance(event.fact, kind)]


@asynccontextmanager
async def open_rig(
    folder: Path,
    module: str = PLAIN,
    *,
    slots: int = 2,
    plan_life: timedelta = timedelta(hours=1),
    terraform: Path | None = None,
) -> AsyncIterator[Rig]:
    """Stacks in a folder; opened again on the same folder they are those of a restart."""
    database = await Database.open(folder / "state.db")
    journal = Journal(database)
    store = StackStore(database, journal)
    stacks, runs = stacks_of(
        folder, journal, store, module, slots=slots, plan_life=plan_life, terraform=terraform
    )
    await stacks.recover()
    try:
        yield Rig(stacks, store, journal, runs, folder)
    finally:
        await stacks.close()
        await database.close()


def plan_of(stack: Stack) -> Plan:
    assert stack.plan is not None, stack.message
    return stack.plan


def failure_of(stack: Stack) -> tuple[OperationState, str]:
    """How the newest operation ended, and why."""
    assert stack.operation is not None
    failure = stack.operation.failure
    return stack.operation.state, failure.reason if failure is not None else ""
