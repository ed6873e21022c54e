"""Simulators that are child programs with a console: what each says, and all that they share."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

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
from controlplane.childproc.command import Confinement
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.runner import stream
from controlplane.childproc.tools import LocatedTool, ToolBrokenError, ToolTrouble
from controlplane.simulators.corroboration import corroborate
from controlplane.simulators.fault import (
    FirmwareFault,
    blamed,
    of_healthy_machine,
    seen_in_log,
    seen_on_console,
)
from controlplane.simulators.following import GATHER_SECONDS, Run, child_limits, follow, log_pipe
from controlplane.simulators.identity import digest_of, run_nonce, simulation_key
from controlplane.simulators.live import LiveMachine
from controlplane.simulators.machine_kind import Job, Machine
from controlplane.simulators.proof import died, prove, workplace
from controlplane.simulators.protocol import (
    TEST_BUILD_CAPABILITIES,
    OnEvent,
    SimulationLimits,
    SimulationResult,
    Target,
    UnloadableImageError,
)
from controlplane.simulators.tracing import MachineTracer


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
    def live(self) -> LiveMachine:
        """Its way to run firmware in real time."""
        return LiveMachine(self._machine, self._scratch, self._confinement)

    @property
    def tracer(self) -> MachineTracer | None:
        """What tells which code ran, where the machine can."""
        if self._machine.tracing is None:
            return None
        return MachineTracer(self._machine, self._scratch, self._confinement)

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
            async with workplace(self._scratch) as root:
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
            with log_pipe(job.log, run.log, run, job.limits.log_bytes):
                command = await asyncio.to_thread(self._machine.command, job)
                bounds = child_limits(wall, self._machine.file_bytes)
                try:
                    async with stream(
                        command, bounds, confinement=level, gather_s=GATHER_SECONDS
                    ) as child:
                        await follow(child, run, job.console_cap, wall, take)
                except OSError as error:
                    what = "could not be started"
                    raise ToolBrokenError(
                        job.tool.tool, ToolTrouble.UNUSABLE, what, str(error)
                    ) from error
        except UnloadableImageError as error:
            fault = FirmwareFault("image", f"the machine does not load this image: {error}")
            return replace(known, scenario=blamed(fault, judge))
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
        fault = fault or seen_on_console(run)
        if fault is None or not run.booted:
            await prove(self._machine, job, level, self._scratch)
        if fault is None:
            fault = of_healthy_machine(run)
        if fault is not None:
            return replace(known, scenario=blamed(fault, judge))
        if run.timed_out:
            return replace(known, scenario=judge.finish(RunEnd(reason=RunEndReason.TIME_CAP)))
        raise died(job.tool, run)

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
