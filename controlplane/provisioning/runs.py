"""Terraform for one operation of one stack: its variables, its providers, its folder."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from controlplane.domain.stack import Operation, OperationKind, Stack, Target
from controlplane.planning.provisioning import NUMBER_SETTINGS, SWITCH_SETTINGS
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.leftovers import end_leftovers
from controlplane.provisioning.runner import Terraform


class TargetSupport(Protocol):
    """What a target needs of this program beside Terraform."""

    def check(self) -> None:
        """Whether a cloud can be made here; raises what is missing."""
        ...

    def serve(self, stack_id: str) -> AbstractAsyncContextManager[Mapping[str, Path]]:
        """The sockets of its providers by their source addresses, while the block runs."""
        ...

    async def inputs(self, stack: Stack) -> Mapping[str, Mapping[str, str]]:
        """What the module is told of each device."""
        ...

    async def settled(self, stack_id: str, devices: Collection[str] | None) -> None:
        """The stack holds these devices and no other; None: it holds nothing."""
        ...


class HostedRuns:
    """Opens Terraform for the stacks of this instance."""

    def __init__(self, host: TerraformHost, supports: Mapping[Target, TargetSupport]) -> None:
        self._host = host
        self._supports = supports

    async def check(self, stack: Stack, *, destroy: bool = False) -> None:
        """Whether Terraform can be run here, and the target be made.

        Raises:
            NotReadyError: TERRAFORM_NOT_FOUND, TERRAFORM_UNUSABLE, TERRAFORM_TOO_OLD, or what the
                target needs: MOSQUITTO_NOT_FOUND.
        """
        await self._host.command()
        if stack.target in self._supports and not destroy:
            self._supports[stack.target].check()

    @asynccontextmanager
    async def open(self, stack: Stack, operation: Operation) -> AsyncIterator[Terraform]:
        """Terraform, with the providers that are served here while the block runs.

        Only a plan takes the wishes of the stack; everything else keeps those of its last plan.

        Raises:
            BenchlineError: as `TerraformHost.open`.
        """
        variables = None
        if operation.kind is OperationKind.PLAN:
            variables = variables_of(stack, await self._inputs(stack))
        async with self._reattached(stack) as reattach:
            yield await self._host.open(
                stack.stack_id,
                target=stack.target,
                variables=variables,
                reattach=reattach,
            )

    async def _inputs(self, stack: Stack) -> Mapping[str, Mapping[str, str]]:
        if stack.target not in self._supports:
            return {device: {} for device in stack.devices}
        return await self._supports[stack.target].inputs(stack)

    @asynccontextmanager
    async def _reattached(self, stack: Stack) -> AsyncIterator[Mapping[str, Path]]:
        if stack.target not in self._supports:
            yield {}
            return
        async with self._supports[stack.target].serve(stack.stack_id) as sockets:
            yield sockets

    async def settled(self, stack: Stack, devices: Collection[str] | None) -> None:
        """Tell the target what the stack holds after an operation; None: nothing."""
        if stack.target in self._supports:
            await self._supports[stack.target].settled(stack.stack_id, devices)

    def plan_file(self, stack_id: str, operation_id: str) -> Path:
        """Where the plan of an operation is saved."""
        return self._host.workspace(stack_id).plans_dir / f"{operation_id}.tfplan"

    async def end_leftovers(self, stack_id: str) -> None:
        """End what an earlier control plane left running in the folder of a stack."""
        await asyncio.to_thread(end_leftovers, self._host.workspace(stack_id))

    async def forget(self, stack: Stack) -> None:
        """Remove the folder of a stack that holds nothing."""
        await self.settled(stack, None)
        root = self._host.workspace(stack.stack_id).root
        await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


def variables_of(stack: Stack, devices: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    """What a stack wishes, as the variables of its module."""
    settings: dict[str, object] = {}
    for setting in stack.settings:
        settings[setting.name] = setting.value
        if setting.name in NUMBER_SETTINGS:
            settings[setting.name] = int(setting.value)
        elif setting.name in SWITCH_SETTINGS:
            settings[setting.name] = setting.value == "true"
    return {**settings, "stack": stack.stack_id, "devices": dict(devices)}
