"""Which lines of a sketch its failed scenario never reached: for the author that mends it."""

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchline.errors import BenchlineError
from controlplane.catalog.loader import Catalogue
from controlplane.childproc.tools import ToolBrokenError
from controlplane.domain.build import Build
from controlplane.domain.coverage import Coverage
from controlplane.domain.session import Session
from controlplane.domain.verdict import Outcome, ScenarioResult, Stage
from controlplane.pipeline.images import images_of
from controlplane.pipeline.judging import prepare
from controlplane.pipeline.project import load_project, session_seed
from controlplane.pipeline.simulator_image import simulated_bytes, written_for_simulator
from controlplane.pipeline.slots import Slots
from controlplane.pipeline.stage import StoredSession
from controlplane.planning.coverage import coverage_of
from controlplane.simulators.ladder import NoSimulatorError, SimulatorLadder
from controlplane.simulators.protocol import UnloadableImageError
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.sessions import SessionStore
from controlplane.toolchains.line_table import line_table

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageParts:
    """What the measure works with."""

    artifacts: ArtifactStore
    boards: BoardStore
    catalogue: Catalogue
    ladder: SimulatorLadder
    slots: Slots
    store: SessionStore
    secret: bytes
    work_dir: Path


class CoverageMeter:
    """Runs a scenario that failed once more and looks which code ran. Judges nothing."""

    def __init__(self, parts: CoverageParts) -> None:
        self._parts = parts

    async def measure(self, session: Session, build: Build | None) -> Coverage | None:
        """Of the first scenario that failed in the simulator; None when there is none.

        Whatever stands against it is said in the answer, and changes no verdict.
        """
        failed = next(
            (
                result
                for result in session.scenario_results
                if result.stage is Stage.SIMULATE and result.outcome is Outcome.FAILED
            ),
            None,
        )
        if failed is None or build is None:
            return None
        try:
            return await self._measured(session, build, failed)
        except (BenchlineError, NoSimulatorError, ToolBrokenError, UnloadableImageError) as error:
            log.warning("no coverage", extra={"session": session.name, "why": str(error)})
            return _unknown(failed, str(error))

    async def _measured(self, session: Session, build: Build, failed: ScenarioResult) -> Coverage:
        parts = self._parts
        stored = StoredSession(session, parts.store)
        project = await load_project(stored, parts.catalogue, parts.boards)
        scenario = next((s for s in project.scenarios if s.id == failed.scenario_id), None)
        if scenario is None or project.port is None:
            return _unknown(failed, "the firmware is not on the bench core")
        model = project.board_model
        rung = await parts.ladder.choose(model, parts.catalogue.part_of(model))
        tracer = rung.simulator.tracer
        if tracer is None:
            return _unknown(failed, f"{rung.name} does not tell which code it runs")
        seed = session_seed(session, project, parts.secret)
        prepared = prepare(scenario, seed, rung.simulator.capabilities)
        data = await simulated_bytes(parts.artifacts, images_of(session).test, project.port)
        sources = {file.path: file.content for file in build.sources}
        with TemporaryDirectory(dir=parts.work_dir, prefix="coverage-") as folder:
            image = written_for_simulator(data, Path(folder))
            rows = await line_table(project.port, image, sources)
            async with parts.slots.simulator():
                ran = await tracer.trace(rung.target, image, prepared.plan)
        lines = ((row.file, row.line, row.start, row.end) for row in rows)
        return coverage_of(failed.scenario_id, rung.name, lines, ran, sources)


def _unknown(failed: ScenarioResult, why: str) -> Coverage:
    return Coverage(scenario_id=failed.scenario_id, runner=failed.runner, unknown=why[:400])
