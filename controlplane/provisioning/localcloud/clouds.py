"""The local clouds of an instance, started with the control plane and ended with it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from controlplane.domain.stack import STACK_ID
from controlplane.provisioning.localcloud.cloud import LocalCloud
from controlplane.provisioning.localcloud.mosquitto import find_mosquitto
from controlplane.provisioning.workspace import workspace_of

CLOUD_FOLDER = "cloud"


class LocalClouds:
    """One `LocalCloud` per stack, under `<stacks>/<stack>/cloud`.

    An asynchronous context: entering starts every broker that should run, leaving ends them.
    """

    def __init__(self, stacks: Path, *, find_program: Callable[[], Path] = find_mosquitto) -> None:
        self._stacks = stacks
        self._find_program = find_program
        self._clouds: dict[str, LocalCloud] = {}

    async def __aenter__(self) -> Self:
        """Start what should run; a broker that cannot is tried again, nothing is raised."""
        for folder in await asyncio.to_thread(self._folders):
            await self.cloud(folder.name).resume()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every broker."""
        async with asyncio.TaskGroup() as group:
            for cloud in self._clouds.values():
                group.create_task(cloud.close())

    def cloud(self, stack: str) -> LocalCloud:
        """The cloud of a stack, always the same object; it need not exist on disk.

        Raises:
            InvalidRequestError: STACK_NAME_INVALID.
        """
        if stack not in self._clouds:
            folder = workspace_of(self._stacks, stack).root / CLOUD_FOLDER
            self._clouds[stack] = LocalCloud(stack, folder, find_program=self._find_program)
        return self._clouds[stack]

    def _folders(self) -> list[Path]:
        if not self._stacks.is_dir():
            return []
        return [
            folder
            for folder in sorted(self._stacks.iterdir())
            if STACK_ID.fullmatch(folder.name) and (folder / CLOUD_FOLDER).is_dir()
        ]
