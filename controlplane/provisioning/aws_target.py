"""The target `aws-iot`: keys are made and kept here, requests for certificates go out."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from controlplane.domain.stack import Stack
from controlplane.provisioning.custody import Custody
from controlplane.provisioning.workspace import workspace_of

KEYS_FOLDER = "keys"


class AwsTarget:
    """Keeps the keys of every stack in the stack's own folder."""

    def __init__(self, stacks_dir: Path) -> None:
        self._stacks_dir = stacks_dir

    def check(self) -> None:
        """Nothing has to be there; credentials are told missing by the provider."""

    @asynccontextmanager
    async def serve(self, stack_id: str) -> AsyncIterator[Mapping[str, Path]]:
        """The provider comes from a registry."""
        yield {}

    async def inputs(self, stack: Stack) -> Mapping[str, Mapping[str, str]]:
        """The certificate request of each device.

        Raises:
            CorruptError: DEVICE_KEY_DAMAGED.
            ExhaustedError: DISK_FULL.
        """
        custody = self.custody(stack.stack_id)

        def requests() -> dict[str, dict[str, str]]:
            return {device: {"csr_pem": custody.request_of(device)} for device in stack.devices}

        return await asyncio.to_thread(requests)

    async def settled(self, stack_id: str, devices: Collection[str] | None) -> None:
        """Forget the keys of devices that the stack holds no longer."""
        await asyncio.to_thread(self.custody(stack_id).keep_only, frozenset(devices or ()))

    def custody(self, stack_id: str) -> Custody:
        """The keys of a stack's devices."""
        return Custody(workspace_of(self._stacks_dir, stack_id).root / KEYS_FOLDER)
