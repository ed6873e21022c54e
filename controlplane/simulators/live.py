"""Firmware in a simulator in real time: its console as bytes both ways, until somebody ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from controlplane.childproc.command import Confinement, Limits
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.runner import Child, stream
from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.simulators.following import GATHER_SECONDS, MEMORY_BYTES, STALL_SECONDS, Run
from controlplane.simulators.machine_kind import Job, Machine
from controlplane.simulators.proof import died, prove, workplace
from controlplane.simulators.protocol import Target, UnloadableImageError

NICENESS = 10
"""Scenarios are waited for; a live simulation has time between two characters."""


class MachineRun:
    """One boot of a machine; see `LiveRun`."""

    def __init__(self, machine: Machine, job: Job, child: Child, scratch: Path) -> None:
        self._machine = machine
        self._job = job
        self._child = child
        self._scratch = scratch
        self._spoke = False
        self.simulator = f"{job.tool.tool.name} {job.tool.version}"
        self.confinement = child.confinement.value

    async def read(self, max_bytes: int) -> bytes:
        """The next bytes of the console; empty at its end."""
        piece = await self._child.read(max_bytes)
        self._spoke = self._spoke or bool(piece)
        return piece

    def write(self, data: bytes) -> bool:
        """Type bytes; False when what was typed before still waits to be taken."""
        return self._child.write(data)

    async def ending(self) -> str:
        """Why it ended, as `LiveRun` says."""
        tool = self._job.tool.tool
        try:
            async with asyncio.timeout(STALL_SECONDS):
                code = await self._child.wait()
        except TimeoutError:
            raise ToolBrokenError(tool, ToolTrouble.HUNG, "closed its console") from None
        run = Run(log=None, rc=code, stderr=self._child.stderr)
        stopped = self._machine.core_stopped(run)
        if stopped is not None:
            return stopped.message
        if code > 0 and not self._spoke:
            level = self._child.confinement
            await prove(self._machine, self._job, level, self._scratch, live=True)
            raise UnloadableImageError(run.stderr[:200].decode("utf-8", "replace").strip())
        raise died(self._job.tool, run)


class LiveMachine:
    """Boots a machine; `scratch` holds the private directories of runs."""

    def __init__(self, machine: Machine, scratch: Path, confinement: Confinement | None) -> None:
        self._machine = machine
        self._scratch = scratch
        self._confinement = confinement

    @asynccontextmanager
    async def boot(self, target: Target, image: Path, *, cpu_s: int) -> AsyncIterator[MachineRun]:
        """Run an image until the block ends; see `LiveSimulator`."""
        level = self._confinement or await strongest_confinement()
        tool = await self._machine.locate(target.machine, level)
        async with AsyncExitStack() as stack:
            root = await stack.enter_async_context(workplace(self._scratch))
            job = Job(
                tool=tool,
                target=target,
                root=root,
                image=await asyncio.to_thread(image.absolute),
                table=None,
                log=Path("/dev/null"),
                end_ms=0,
                limits=self._machine.limits,
            )
            command = await asyncio.to_thread(self._machine.live_command, job)
            bounds = Limits(
                cpu_s=cpu_s,
                memory_bytes=MEMORY_BYTES,
                file_bytes=self._machine.file_bytes,
                niceness=NICENESS,
            )
            running = stream(command, bounds, confinement=level, gather_s=GATHER_SECONDS)
            try:
                child = await stack.enter_async_context(running)
            except OSError as error:
                what = "could not be started"
                raise ToolBrokenError(tool.tool, ToolTrouble.UNUSABLE, what, str(error)) from error
            yield MachineRun(self._machine, job, child, self._scratch)
