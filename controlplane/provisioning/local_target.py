"""The target `local`: its provider is served here, and its broker is a child of this program."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from controlplane.domain.stack import Stack
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.mosquitto import find_mosquitto
from controlplane.provisioning.provider.server import PROVIDER, serve_provider


class LocalTarget:
    """Serves the provider of a stack, one socket an operation."""

    def __init__(self, clouds: LocalClouds, run_dir: Path) -> None:
        self._clouds = clouds
        self._run_dir = run_dir

    def check(self) -> None:
        """Whether a cloud can be made here.

        Raises:
            NotReadyError: MOSQUITTO_NOT_FOUND.
        """
        find_mosquitto()

    @asynccontextmanager
    async def serve(self, stack_id: str) -> AsyncIterator[Mapping[str, Path]]:
        """The provider of a stack, while the block runs: its socket by its source address."""
        async with serve_provider(self._clouds.cloud(stack_id), self._run_dir) as socket:
            yield {PROVIDER: socket}

    async def inputs(self, stack: Stack) -> Mapping[str, Mapping[str, str]]:
        """A device needs no more than its id: the provider makes its key."""
        return {device: {} for device in stack.devices}

    async def settled(self, stack_id: str, devices: Collection[str] | None) -> None:
        """Delete what was made and never recorded; None: nothing of the stack is left."""
        await self._clouds.cloud(stack_id).keep_only(devices)
