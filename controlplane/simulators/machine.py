"""Simulators that are child programs with a console: what each says, and all that they share."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from benchline.scenario import (
    Evaluator,
    Event,
    Outcome,
    RunEnd,
    RunEndReason,
    RunPlan,
    ScenarioResult,
    pack_table,
)
from controlplane.childproc.command import MIB, Command, Confinement
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.runner import stream
from controlplane.childproc.tools import LocatedTool, ToolBrokenError, ToolTrouble
from controlplane.simulators.canary import CANARY_TEXT
from controlplane.simulators.corroboration import corroborate
from controlplane.simulators.fault import (
    FirmwareFault,
    firmware_ended,
    of_healthy_machine,
    seen_in_log,
)
from controlplane.simulators.following import GATHER_SECONDS, Run, child_limits, follow, log_pipe
from controlplane.simulators.identity import digest_of, run_nonce, simulation_key
from controlplane.simulators.pads import RegisterLog
from controlplane.simulators.protocol import (
    TEST_BUILD_CAPABILITIES,
    OnEvent,
    SimulationLimits,
    SimulationResult,
    Target,
)

CANARY_SECONDS = 10.0


class UnloadableImageError(Exception):
    """The image is none that the machine could load: the firmware's fault, not the lab's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run that a machine is to describe a command for; `root` is its private directory.

    `log` is where the register log is expected, a named pipe that exists by then. `table` is None
    for a run without stimuli.
    """

    tool: LocatedTool
    target: Target
    root: Path
    image: Path
    table: bytes | None
    log: Path
    end_ms: int
    limits: SimulationLimits


class Machine(Protocol):
    """What one kind of simulator says about itself; everything else is `ChildSimulator`'s."""

    key: str
    optional: str
    file_bytes: int
    """How large a file the child may write."""
    limits: SimulationLimits
    """Bounds of a run unless the caller has others."""

    async def locate(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """Find the program, and that it has the machine.

        Raises:
            ToolBrokenError: it cannot be used.
        """
        ...

    async def examine(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """Look as closely as a doctor should; raises as `locate` does."""
        ...

    def clock(self, end_ms: int) -> str:
        """How virtual time is kept in a run of `end_ms`: part of what makes two runs the same."""
        ...

    def command(self, job: Job) -> Command:
        """The command of a run; may write files into `job.root`. Runs in a thread.

        Raises:
            UnloadableImageError: the image cannot be put into the machine.
        """
        ...

    def canary(self, target: Target) -> bytes:
        """An image that prints `CANARY_TEXT` on any machine that works."""
        ...

    def new_log(self) -> RegisterLog | None:
        """What reads the register log; None where there is none."""
        ...

    def notes(self, target: Target) -> tuple[str, ...]:
        """What a reader of every result should know."""
        ...

    def fault(self, run: Run) -> FirmwareFault | None:
        """What the way in which the child ended proves about the firmware."""
        ...


class ChildSimulator:
    """Runs a machine as a confined child, follows its console, and judges."""

    capabilities = TEST_BUILD_CAPABILITIES
    remote = ""
    tells_time_of_text = False

    def __init__(
        self, machine: Machine, scratch: Path, *, confinement: Confinement | None = None
    ) -> None:
        """`scratch` holds the private directories of runs."""
        self._machine = machine
        self._scratch = scratch
        self._confinement = confinement
        self.key = machine.key

    @property
    def optional(self) -> str:
        """How to get it, when no package brings it."""
        return self._machine.optional

    async def version(self, machine: str) -> str:
        """The program's version, for cache keys; see `Simulator.version`."""
        return (await self._machine.locate(machine, self._confinement)).version

    async def examine(self, machine: str) -> str:
        """The version, after a closer look."""
        return (await self._machine.examine(machine, self._confinement)).version

    async def simulate(
        self,
        target: Target,
        image: Path,
        plan: RunPlan,
        *,
        limits: SimulationLimits | None = None,
        on_event: OnEvent | None = None,
        build: str | None = None,
    ) -> SimulationResult:
        """Run an image through a plan; see `Simulator.simulate`."""
        started = time.monotonic()
        nonce = run_nonce(plan)
        judge = Evaluator(plan, nonce=nonce, build=build)
        level = self._confinement or await strongest_confinement()
        known = self._unstarted(target, plan, level, nonce)
        run = Run(log=self._machine.new_log())

        def take(event: Event) -> None:
            run.events.append(event)
            judge.feed(event)
            if on_event is not None:
                on_event(event)
            if judge.done:
                run.finished = True
                run.stop.set()

        try:
            tool = await self._machine.locate(target.machine, level)
            image = await asyncio.to_thread(image.absolute)
            known = await self._identified(known, tool, image, plan)
            bounds = limits or self._machine.limits
            async with self._workplace() as root:
                job = Job(
                    tool=tool,
                    target=target,
                    root=root,
                    image=image,
                    table=pack_table(plan, nonce),
                    log=root / "log",
                    end_ms=plan.end_ms,
                    limits=bounds,
                )
                result = await self._attempt(job, level, run, judge, known, take)
        except ToolBrokenError as error:
            scenario = judge.finish(RunEnd(reason=RunEndReason.TOOL_FAILED, detail=str(error)))
            result = replace(
                known, scenario=scenario, tool=error.tool, package=error.package, fix=error.fix
            )
        return replace(
            result,
            events=tuple(run.events),
            console=bytes(run.console),
            registers=run.log.histogram if run.log else {},
            notes=(*result.notes, *(run.log.guest_errors if run.log else ())),
            wall_s=time.monotonic() - started,
        )

    async def _attempt(
        self,
        job: Job,
        level: Confinement,
        run: Run,
        judge: Evaluator,
        known: SimulationResult,
        take: OnEvent,
    ) -> SimulationResult:
        wall = job.limits.wall_s(job.end_ms)
        try:
            with log_pipe(job.log, run, job.limits.log_bytes):
                command = await asyncio.to_thread(self._machine.command, job)
                bounds = child_limits(wall, self._machine.file_bytes)
                try:
                    async with stream(
                        command, bounds, confinement=level, gather_s=GATHER_SECONDS
                    ) as child:
                        await follow(child, run, job.limits, wall, take)
                except OSError as error:
                    what = "could not be started"
                    raise ToolBrokenError(
                        job.tool.tool, ToolTrouble.UNUSABLE, what, str(error)
                    ) from error
        except UnloadableImageError as error:
            fault = FirmwareFault("image", f"the machine does not load this image: {error}")
            return self._blamed(fault, judge, known)
        return await self._judge(job, level, run, judge, known)

    async def _judge(
        self,
        job: Job,
        level: Confinement,
        run: Run,
        judge: Evaluator,
        known: SimulationResult,
    ) -> SimulationResult:
        """The verdict of a run that has ended, with whose fault an early end was."""
        if run.log is not None:
            findings, notes = corroborate(run.events, run.log.pads)
            for finding in findings:
                judge.add_finding(finding)
            known = replace(known, notes=(*known.notes, *notes))
        if run.finished:
            return replace(known, scenario=judge.finish())
        fault = seen_in_log(run, job.limits) or self._machine.fault(run)
        if fault is None and run.console_full:
            end = RunEnd(reason=RunEndReason.BYTE_CAP, detail=f"{job.limits.console_bytes} bytes")
            return replace(known, scenario=judge.finish(end))
        if fault is None or not run.booted:
            await self._run_canary(job, level)
        if fault is None:
            fault = of_healthy_machine(run)
        if fault is not None:
            return self._blamed(fault, judge, known)
        if run.timed_out:
            return replace(known, scenario=judge.finish(RunEnd(reason=RunEndReason.TIME_CAP)))
        raise _died(job.tool, run)

    def _blamed(
        self, fault: FirmwareFault, judge: Evaluator, known: SimulationResult
    ) -> SimulationResult:
        judge.add_finding(fault.finding)
        end = RunEnd(reason=RunEndReason.STREAM_CLOSED, detail=fault.message)
        return replace(known, scenario=firmware_ended(judge.finish(end)))

    async def _run_canary(self, job: Job, level: Confinement) -> None:
        """Run the canary image.

        Raises:
            ToolBrokenError: it printed nothing, so the simulator or this host is at fault.
        """
        tool = job.tool.tool
        async with self._workplace() as root:
            image = root / "canary.bin"
            await asyncio.to_thread(image.write_bytes, self._machine.canary(job.target))
            canary = replace(
                job, root=root, image=image, table=None, log=Path("/dev/null"), end_ms=0
            )
            command = await asyncio.to_thread(self._machine.command, canary)
            bounds = child_limits(CANARY_SECONDS, self._machine.file_bytes)
            printed = b""
            try:
                async with (
                    asyncio.timeout(CANARY_SECONDS),
                    stream(command, bounds, confinement=level) as child,
                ):
                    while CANARY_TEXT not in printed and len(printed) < MIB:
                        piece = await child.read()
                        if not piece:
                            break
                        printed += piece
            except TimeoutError:
                what = f"printed nothing from a known good image within {CANARY_SECONDS:g} s"
                raise ToolBrokenError(tool, ToolTrouble.HUNG, what) from None
            except OSError as error:
                what = "could not be started"
                raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, what, str(error)) from error
            if CANARY_TEXT not in printed:
                detail = child.stderr.decode("utf-8", "replace")
                what = "does not run a known good image"
                raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, what, detail)

    @asynccontextmanager
    async def _workplace(self) -> AsyncIterator[Path]:
        await asyncio.to_thread(self._scratch.mkdir, parents=True, exist_ok=True)
        root = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._scratch))
        try:
            yield root
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, root, ignore_errors=True))

    def _unstarted(
        self, target: Target, plan: RunPlan, level: Confinement, nonce: int
    ) -> SimulationResult:
        return SimulationResult(
            scenario=no_verdict(plan),
            rung=rung_name(self.key, target.machine),
            machine=target.machine,
            versions={},
            clock=self._machine.clock(plan.end_ms),
            confinement=level.value,
            key="",
            nonce=nonce,
            notes=self._machine.notes(target),
        )

    async def _identified(
        self, known: SimulationResult, tool: LocatedTool, image: Path, plan: RunPlan
    ) -> SimulationResult:
        digest = await asyncio.to_thread(digest_of, image)
        key = simulation_key(
            image_sha256=digest,
            plan=plan,
            rung=known.rung,
            machine=known.machine,
            version=tool.version,
            clock=known.clock,
        )
        return replace(known, versions={tool.tool.name: tool.version}, key=key)


def rung_name(key: str, machine: str) -> str:
    """How results name a rung: the simulator and its machine, e.g. "qemu-netduinoplus2"."""
    return f"{key}-{machine}"


def _died(tool: LocatedTool, run: Run) -> ToolBrokenError:
    rc = run.rc if run.rc is not None else 0
    ending = f"signal {-rc}" if rc < 0 else f"exit code {rc}"
    detail = run.stderr.decode("utf-8", "replace")
    return ToolBrokenError(tool.tool, ToolTrouble.CRASHED, f"ended early with {ending}", detail)


def no_verdict(plan: RunPlan) -> ScenarioResult:
    """What is said of a run before anything of it happened."""
    return ScenarioResult(
        scenario_id=plan.scenario_id,
        title=plan.title,
        outcome=Outcome.BROKEN,
        assertions=(),
        seed=plan.seed,
        values=plan.shown,
    )
