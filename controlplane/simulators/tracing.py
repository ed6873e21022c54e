"""Which code a run executes: firmware is run once more, and the simulator tells its blocks.

Nothing is judged by it. A block counts as run from its first to its last instruction, also when a
fault ended it before.
"""

import asyncio
import re
from pathlib import Path

from benchline.scenario import Evaluator, Event, RunPlan, pack_table
from controlplane.childproc.command import Confinement
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.runner import stream
from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.simulators.following import GATHER_SECONDS, Run, child_limits, follow, log_pipe
from controlplane.simulators.identity import run_nonce
from controlplane.simulators.machine_kind import Job, Machine
from controlplane.simulators.proof import workplace
from controlplane.simulators.protocol import Spans, Target

MOST_SPANS = 500_000
_INSTRUCTION = re.compile(rb"^0x([0-9a-f]{8}):  ([0-9a-f]{4}|[0-9a-f]{8}) ", re.MULTILINE)
_BLOCK = re.compile(rb"^block 0x([0-9a-f]{8}) n=([0-9]{1,5})$", re.MULTILINE)


class CodeLog:
    """Reads what a simulator tells of the code that it runs, piece by piece."""

    def __init__(self, line: re.Pattern[bytes]) -> None:
        self._line = line
        self._rest = b""
        self._spans: set[tuple[int, int]] = set()
        self.bytes_read = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the log, cut anywhere."""
        self.bytes_read += len(data)
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if not newline:
            self._rest = self._rest[:65536]
            return
        for found in self._line.finditer(lines):
            start = int(found[1], 16)
            size = int(found[2]) if self._line is _BLOCK else 2
            if len(self._spans) < MOST_SPANS:
                self._spans.add((start, start + size))

    @property
    def spans(self) -> Spans:
        """First address and the one after the last of what ran, joined and sorted."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(self._spans):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((start, end))
        return tuple(joined)


def disassembly_log() -> CodeLog:
    """What reads QEMU's `-d in_asm`: a line for each instruction of a block, once."""
    return CodeLog(_INSTRUCTION)


def block_log() -> CodeLog:
    """What reads the blocks in the log of the ESP32-C3 emulator."""
    return CodeLog(_BLOCK)


class MachineTracer:
    """Traces a machine; `scratch` holds the private directories of runs."""

    def __init__(self, machine: Machine, scratch: Path, confinement: Confinement | None) -> None:
        self._machine = machine
        self._scratch = scratch
        self._confinement = confinement

    async def trace(self, target: Target, image: Path, plan: RunPlan) -> Spans:
        """Run an image through a plan; see `Tracer.trace`."""
        level = self._confinement or await strongest_confinement()
        tool = await self._machine.locate(target.machine, level)
        nonce = run_nonce(plan)
        async with workplace(self._scratch) as root:
            job = Job(
                tool=tool,
                target=target,
                root=root,
                image=await asyncio.to_thread(image.absolute),
                table=pack_table(plan, nonce),
                log=root / "log",
                end_ms=plan.end_ms,
                limits=self._machine.limits,
            )
            return await self._run(job, level, Evaluator(plan, nonce=nonce))

    async def _run(self, job: Job, level: Confinement, judge: Evaluator) -> Spans:
        ways = self._machine.tracing
        tool = job.tool.tool
        if ways is None:
            raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, "does not tell which code it runs")
        log, run = ways.new_log(), Run(log=None)

        def take(event: Event) -> None:
            judge.feed(event)
            if judge.done:
                run.finished = True
                run.stop.set()

        wall = job.limits.wall_s(job.end_ms)
        with log_pipe(job.log, log, run, job.limits.log_bytes):
            command = await asyncio.to_thread(ways.command, job)
            bounds = child_limits(wall, self._machine.file_bytes)
            running = stream(command, bounds, confinement=level, gather_s=GATHER_SECONDS)
            try:
                async with running as child:
                    await follow(child, run, job.console_cap, wall, take)
            except OSError as error:
                what = "could not be started"
                raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, what, str(error)) from error
        if run.log_full:
            what = f"told more than {job.limits.log_bytes} bytes of what it ran"
            raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, what)
        if not log.spans:
            raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, "told nothing of what it ran")
        return log.spans
