"""SIMULATE: every scenario in the simulator, judged, its console kept."""

import asyncio
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

from benchline.errors import InvalidRequestError
from benchline.names import simulation_console
from controlplane.catalog.loader import Catalogue
from controlplane.childproc.tools import ToolBrokenError
from controlplane.domain.event import AssertionDecided, Fact, Note, ScenarioStarted
from controlplane.domain.session import Session
from controlplane.domain.simulation import RegisterUse, Simulation
from controlplane.domain.verdict import (
    ByteRange,
    Evidence,
    Outcome,
    ScenarioResult,
    Stage,
    StageFinding,
    worst,
)
from controlplane.pipeline.adequacy import AdequacyMeter
from controlplane.pipeline.images import images_of
from controlplane.pipeline.judging import (
    SIMULATED_TIME,
    TEXT_CAPABILITIES,
    PreparedScenario,
    for_text,
    judges_digest,
    prepare,
)
from controlplane.pipeline.project import Project, load_project, session_seed
from controlplane.pipeline.reports import keep_junit, keep_report
from controlplane.pipeline.simulator_image import simulated_bytes, written_for_simulator
from controlplane.pipeline.slots import Slots
from controlplane.pipeline.stage import StageResult, StageRun, with_artifact
from controlplane.pipeline.summary import first_failure
from controlplane.pipeline.uploaded_image import take_uploaded_image
from controlplane.simulators.ladder import NoSimulatorError, Rung, SimulatorLadder
from controlplane.simulators.protocol import SimulationResult
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.console_log import Chunk, ConsoleLog
from controlplane.storage.sessions import SessionStore

_CHUNK_BYTES = 48 * 1024
_MOST_REGISTERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateParts:
    """What the stage works with."""

    artifacts: ArtifactStore
    boards: BoardStore
    catalogue: Catalogue
    console_log: ConsoleLog
    store: SessionStore
    ladder: SimulatorLadder
    slots: Slots
    secret: bytes
    work_dir: Path
    adequacy: AdequacyMeter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run as it is kept for an identical later one; evidence is relative to `console_sha256`."""

    result: ScenarioResult
    console_sha256: str
    simulator: str
    confinement: str
    notes: tuple[str, ...] = ()
    tool: str = ""
    fix: str = ""
    registers: tuple[RegisterUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What all scenarios of one stage run share."""

    run: StageRun
    image: Path
    image_sha256: str
    rung: Rung


class SimulateStage:
    """Runs the scenarios of a session on the first usable rung of its board model's ladder."""

    def __init__(self, parts: SimulateParts) -> None:
        self._parts = parts

    async def run(self, run: StageRun) -> StageResult:
        """Judge every scenario; identical earlier runs are taken from the cache."""
        try:
            image = await take_uploaded_image(
                run, self._parts.artifacts, self._parts.catalogue, self._parts.boards
            )
        except InvalidRequestError as error:
            return StageResult(outcome=Outcome.REFUSED, message=error.message)
        project = await load_project(run, self._parts.catalogue, self._parts.boards)
        if not project.scenarios:
            return StageResult(
                outcome=Outcome.SKIPPED, message="there is no scenario to judge the firmware with"
            )
        model = project.board_model
        try:
            rung = await self._parts.ladder.choose(
                model, self._parts.catalogue.part_of(model), text_only=project.text_only
            )
        except NoSimulatorError as error:
            message = str(error)
            if image is not None and project.text_only:
                what = "the image is no test build of the bench core: a board judges its text"
                message = f"{what} ({message})"
            return StageResult(outcome=Outcome.SKIPPED, message=message)
        except ToolBrokenError as error:
            return await self._broken(run, str(error), error.tool, error.fix)
        seed = session_seed(run.session, project, self._parts.secret)
        notes = [Note(text=f"passed over {text}") for text in rung.passed_over]
        await run.record(*notes, change=lambda s: replace(s, seed=seed))
        return await self._judge_all(run, project, seed, rung)

    async def _judge_all(
        self, run: StageRun, project: Project, seed: int, rung: Rung
    ) -> StageResult:
        image = images_of(run.session).test
        data = await simulated_bytes(self._parts.artifacts, image, project.port)
        with TemporaryDirectory(dir=self._parts.work_dir, prefix="simulate-") as folder:
            path = written_for_simulator(data, Path(folder))
            bench = _Bench(run=run, image=path, image_sha256=image.sha256, rung=rung)
            if project.text_only:
                able = TEXT_CAPABILITIES | SIMULATED_TIME
                prepared = [for_text(prepare(s, seed, able)) for s in project.scenarios]
            else:
                able = rung.simulator.capabilities | SIMULATED_TIME
                prepared = [prepare(s, seed, able) for s in project.scenarios]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._judge(bench, p)) for p in prepared]
        known = [task.result() for task in tasks]
        results = tuple(k.result for k in known)
        result = await self._conclude(run, results, known, rung)
        meter = self._parts.adequacy
        if meter is None or result.outcome is not Outcome.PASSED:
            return result
        told = await meter.measure(run, project, rung, prepared)
        return replace(result, message=f"{result.message}; {told}") if told else result

    async def _judge(self, bench: _Bench, prepared: PreparedScenario) -> KnownRun:
        runner = bench.rung.name
        if prepared.missing:
            result = prepared.skipped(Stage.SIMULATE, runner)
            await bench.run.record(result, change=lambda s: _with_result(s, result))
            return KnownRun(result=result, console_sha256="", simulator="", confinement="")
        key = _run_key(bench, prepared)
        known = await self._known(key)
        if known is None:
            async with self._parts.slots.simulator():
                known = await self._simulate(bench, prepared)
            if known.result.outcome in (Outcome.PASSED, Outcome.FAILED):
                await self._parts.store.put_cached_stage(Stage.SIMULATE, key, to_json(known))
        return await self._tell(bench, prepared, known)

    async def _known(self, key: str) -> KnownRun | None:
        text = await self._parts.store.cached_stage(Stage.SIMULATE, key)
        if text is None:
            return None
        known = from_json(KnownRun, text)
        return replace(known, result=replace(known.result, cached=True))

    async def _simulate(self, bench: _Bench, prepared: PreparedScenario) -> KnownRun:
        rung = bench.rung
        done = await rung.simulator.simulate(rung.target, bench.image, prepared.plan)
        report = await keep_report(self._parts.artifacts, done.scenario, rung.name)
        console = await self._parts.artifacts.put(
            done.console, kind="console", filename=f"{prepared.scenario_id}.console"
        )
        result = prepared.judged(
            done.scenario,
            stage=Stage.SIMULATE,
            runner=rung.name,
            evidence=Evidence.SIMULATED,
            wall_ms=round(done.wall_s * 1000),
            console=ByteRange(console="", start=0, end=len(done.console)),
        )
        return KnownRun(
            result=replace(result, report_sha256=report.sha256),
            console_sha256=console.sha256,
            simulator=_versions(done),
            confinement=done.confinement,
            notes=done.notes,
            tool=done.tool,
            fix=done.fix,
            registers=tuple(
                RegisterUse(name=name, count=count)
                for name, count in list(done.registers.items())[:_MOST_REGISTERS]
            ),
        )

    async def _tell(self, bench: _Bench, prepared: PreparedScenario, known: KnownRun) -> KnownRun:
        """Put the run into the session: its console bytes, then its facts in one transaction."""
        run = bench.run
        console = simulation_console(run.session_id, run.attempt, prepared.scenario_id)
        data = await self._parts.artifacts.read(known.console_sha256)
        await self._store_console(console, data)
        result = _moved_to(known.result, console)
        runner = result.runner
        facts: list[Fact] = [
            ScenarioStarted(
                scenario_id=result.scenario_id,
                title=result.title,
                runner=runner,
                seed=result.seed,
                device_ms=prepared.end_ms,
                assertion_ids=prepared.assertion_ids,
            )
        ]
        facts += [
            AssertionDecided(scenario_id=result.scenario_id, runner=runner, result=assertion)
            for assertion in result.assertions
        ]
        facts += [Note(text=f"{result.scenario_id}: {note}") for note in known.notes]
        facts.append(result)
        await run.record(*facts, change=lambda s: _with_result(s, result))
        return replace(known, result=result)

    async def _store_console(self, console: str, data: bytes) -> None:
        now = datetime.now(UTC)
        await self._parts.console_log.append(
            console,
            [
                Chunk(
                    offset=start,
                    data=data[start : start + _CHUNK_BYTES],
                    epoch=1,
                    host_time=now,
                    gap_before="",
                )
                for start in range(0, len(data), _CHUNK_BYTES)
            ],
        )

    async def _conclude(
        self,
        run: StageRun,
        results: tuple[ScenarioResult, ...],
        known: list[KnownRun],
        rung: Rung,
    ) -> StageResult:
        outcome = worst([r.outcome for r in results])
        simulation = Simulation(
            session=run.session.name,
            attempt=run.attempt,
            outcome=outcome,
            rung=rung.name,
            simulator=rung.identity,
            confinement=next((k.confinement for k in known if k.confinement), ""),
            results=results,
            registers=_registers(known),
        )
        await run.keep("simulation", to_json(simulation))
        junit = await keep_junit(self._parts.artifacts, results)

        def kept(session: Session) -> Session:
            # In the order of the design, whichever run ended first: what a repair is told.
            return with_artifact(reduce(_with_result, results, session), junit)

        await run.record(junit, change=kept)
        message = first_failure(results, outcome)
        if outcome is Outcome.BROKEN:
            tool = next((k for k in known if k.tool), None)
            name, fix = (tool.tool, tool.fix) if tool else (rung.name, "")
            return await self._broken(run, message, name, fix)
        if not message:
            checks = sum(len(r.assertions) for r in results)
            message = f"{checks} checks in {len(results)} scenarios in {rung.identity}"
        return StageResult(
            outcome=outcome,
            message=message,
            evidence=Evidence.SIMULATED,
            cached=all(r.cached for r in results),
        )

    async def _broken(self, run: StageRun, message: str, tool: str, fix: str) -> StageResult:
        finding = StageFinding(
            code="SIMULATOR_BROKEN", subject=tool, message=message, fix=fix, stage=Stage.SIMULATE
        )
        await run.record(finding)
        return StageResult(outcome=Outcome.BROKEN, message=message)


def _registers(known: list[KnownRun]) -> tuple[RegisterUse, ...]:
    """The uses of all runs together, most frequent first."""
    counts: Counter[str] = Counter()
    for one in known:
        counts.update({use.name: use.count for use in one.registers})
    return tuple(RegisterUse(name=name, count=count) for name, count in counts.most_common())


def _with_result(session: Session, result: ScenarioResult) -> Session:
    """Add a result; one of an interrupted earlier run of the same scenario is replaced."""
    same = (result.stage, result.scenario_id, result.runner)
    others = tuple(
        r for r in session.scenario_results if (r.stage, r.scenario_id, r.runner) != same
    )
    return replace(session, scenario_results=(*others, result))


def _moved_to(result: ScenarioResult, console: str) -> ScenarioResult:
    """The same result with its evidence on the console of this session."""
    assertions = tuple(
        replace(a, evidence=tuple(replace(r, console=console) for r in a.evidence))
        for a in result.assertions
    )
    whole = replace(result.console, console=console) if result.console else None
    return replace(result, assertions=assertions, console=whole)


def _run_key(bench: _Bench, prepared: PreparedScenario) -> str:
    """What makes two runs the same: image, stimuli and checks with every number, simulator.

    The clock follows from the rung and the length of the run.
    """
    plan = repr((prepared.plan.rows, prepared.plan.assertions, dict(prepared.plan.values)))
    facts = [
        bench.image_sha256,
        bench.rung.identity,
        repr(bench.rung.target),
        judges_digest(),
        prepared.seed,
        prepared.scenario_id,
        plan,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _versions(done: SimulationResult) -> str:
    return ", ".join(f"{name} {version}" for name, version in done.versions.items())
