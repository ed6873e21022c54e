"""Measures scenarios that a model wrote, on the first candidate that passes them."""

import asyncio
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from controlplane.domain.build import Build, SourceFile
from controlplane.domain.design import BehaviourKind
from controlplane.domain.event import Note
from controlplane.domain.verdict import Outcome, Severity, Stage, StageFinding
from controlplane.firmware.code_mutants import code_mutants
from controlplane.firmware.mutant import Mutant
from controlplane.pipeline.build_stage import BUILD_KEY
from controlplane.pipeline.judging import PreparedScenario, judges_digest
from controlplane.pipeline.project import Project
from controlplane.pipeline.slots import Slots
from controlplane.pipeline.stage import StageRun
from controlplane.planning.adequacy import Adequacy, Fate, Trial
from controlplane.simulators.ladder import Rung
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.sessions import SessionStore
from controlplane.toolchains.protocol import BuildRequest, BuildVariant, Toolchain

CODE = "NOT_ADEQUATE"
_KEY = "adequacy"
_MOST_MUTANTS = 12
_MOST_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdequacyParts:
    """What the measure works with."""

    store: SessionStore
    toolchain: Toolchain
    slots: Slots
    work_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What all variants share."""

    request: BuildRequest
    sketch: str
    rung: Rung
    scenarios: tuple[PreparedScenario, ...]
    until: float


class AdequacyMeter:
    """Builds wrong variants of the sketch and runs the scenarios until one fails."""

    def __init__(self, parts: AdequacyParts) -> None:
        self._parts = parts

    async def measure(
        self, run: StageRun, project: Project, rung: Rung, scenarios: Sequence[PreparedScenario]
    ) -> str:
        """Measure once a session; what the stage's message says of it, "" when all is well.

        Scenarios of behaviours that we have generators for are ours, and are not measured.
        """
        design = project.design
        if design is None or not any(b.kind is BehaviourKind.CUSTOM for b in design.behaviours):
            return ""
        if run.session.request.source is not None:
            return ""
        found = await self._kept(run)
        if found is None:
            ground = await self._ground(run, project, rung, scenarios)
            if ground is None:
                return ""
            found = await self._measured(ground)
            await run.keep(_KEY, to_json(found))
        return await self._tell(run, found)

    async def _kept(self, run: StageRun) -> Adequacy | None:
        text = await run.kept(_KEY)
        return None if text is None else from_json(Adequacy, text)

    async def _ground(
        self, run: StageRun, project: Project, rung: Rung, scenarios: Sequence[PreparedScenario]
    ) -> _Ground | None:
        text = await run.kept(BUILD_KEY)
        build = from_json(Build, text) if text else None
        main = next((f for f in build.sources if f.path.endswith(".ino")), None) if build else None
        if build is None or main is None:
            return None
        request = BuildRequest(
            name=main.path.removesuffix(".ino"),
            sources=build.sources,
            board_model=project.board_model.key,
            design_hash=project.short_design_hash,
            variants=(BuildVariant.TEST,),
        )
        return _Ground(
            request=request,
            sketch=main.path,
            rung=rung,
            scenarios=tuple(s for s in scenarios if not s.missing),
            until=time.monotonic() + _MOST_SECONDS,
        )

    async def _measured(self, ground: _Ground) -> Adequacy:
        text = next(f.content for f in ground.request.sources if f.path == ground.sketch)
        mutants = code_mutants(text, _MOST_MUTANTS)
        key = await self._cache_key(ground, mutants)
        cached = await self._parts.store.cached_stage(Stage.SIMULATE, key)
        if cached is not None:
            return from_json(Adequacy, cached)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._trial(ground, mutant)) for mutant in mutants]
        found = Adequacy(trials=tuple(task.result() for task in tasks))
        if time.monotonic() < ground.until:
            await self._parts.store.put_cached_stage(Stage.SIMULATE, key, to_json(found))
        return found

    async def _cache_key(self, ground: _Ground, mutants: tuple[Mutant, ...]) -> str:
        facts = [
            "adequacy",
            await self._parts.toolchain.fingerprint(ground.request.board_model),
            [(f.path, f.content) for f in ground.request.sources],
            [mutant.text for mutant in mutants],
            [repr((s.plan, s.nonce)) for s in ground.scenarios],
            ground.rung.identity,
            judges_digest(),
        ]
        return hashlib.sha256(json.dumps(facts).encode("utf-8", "replace")).hexdigest()

    async def _trial(self, ground: _Ground, mutant: Mutant) -> Trial:
        fate = Fate.UNCOUNTED
        with TemporaryDirectory(dir=self._parts.work_dir, prefix="mutant-") as folder:
            async with self._parts.slots.compiler():
                if time.monotonic() < ground.until:
                    fate = await self._fate(ground, mutant, Path(folder))
        return Trial(name=mutant.name, fate=fate)

    async def _fate(self, ground: _Ground, mutant: Mutant, folder: Path) -> Fate:
        sources = tuple(
            SourceFile(path=f.path, content=mutant.text) if f.path == ground.sketch else f
            for f in ground.request.sources
        )
        request = replace(ground.request, sources=sources)
        built = await self._parts.toolchain.build(request, folder)
        image = built.images.get(BuildVariant.TEST)
        if built.outcome is not Outcome.PASSED or image is None:
            return Fate.UNCOUNTED
        fate = Fate.SURVIVED
        for scenario in ground.scenarios:
            async with self._parts.slots.simulator():
                rung = ground.rung
                done = await rung.simulator.simulate(rung.target, image.elf, scenario.plan)
            outcome = Outcome(done.outcome.value)
            if outcome is Outcome.FAILED:
                return Fate.NOTICED
            if outcome is not Outcome.PASSED:
                fate = Fate.UNCOUNTED
        return fate

    async def _tell(self, run: StageRun, found: Adequacy) -> str:
        if found.adequate:
            await run.record(Note(text=found.told))
            return ""
        finding = StageFinding(
            code=CODE,
            subject="scenarios",
            message=f"{found.told}; not noticed: {found.survivors or 'nothing was judged'}",
            fix="Add checks for what was not noticed, or read the sketch.",
            severity=Severity.WARNING,
            stage=Stage.SIMULATE,
        )
        if finding not in run.session.findings:
            await run.record(finding)
        return f"not adequate: {found.told}"
