"""What follows from what stacks give: which boards are bound, and where telemetry is read."""

from collections.abc import Sequence

from controlplane.domain.stack import Stack, StackOutputs, Target
from controlplane.planning.provision_step import bindings_of
from controlplane.provisioning.credentials import DeviceCredentials
from controlplane.provisioning.localcloud.telemetry import Telemetry
from controlplane.storage.cloud_bindings import CloudBindings


class GivenClouds:
    """Keeps bindings, credentials and readers of telemetry in step with the stacks."""

    def __init__(
        self, bindings: CloudBindings, credentials: DeviceCredentials, telemetry: Telemetry
    ) -> None:
        self._bindings = bindings
        self._credentials = credentials
        self._telemetry = telemetry

    async def follow(self, stack: Stack, outputs: StackOutputs | None) -> None:
        """A stack was applied, and gives this; None: nothing."""
        self._credentials.forget(stack.stack_id)
        devices = bindings_of(stack.stack_id, outputs)
        await self._bindings.follow(stack.stack_id, devices)
        if outputs is not None and stack.target is Target.LOCAL:
            self._telemetry.follow(stack.stack_id, devices.keys())
        else:
            await self._telemetry.leave(stack.stack_id)

    async def resume(self, stacks: Sequence[Stack]) -> None:
        """Follow what was given before the control plane ended."""
        for stack in stacks:
            await self.follow(stack, stack.outputs)
