"""DEPLOY: flash a board, run the same scenarios on it, leave the release image on it."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from benchline.errors import BenchlineError, NotReadyError
from controlplane.catalog.loader import Catalogue
from controlplane.domain.bench import Board, BoardKind, Lease
from controlplane.domain.deployment import SessionDeployment
from controlplane.domain.event import Note
from controlplane.domain.image import ImageSegment
from controlplane.domain.session import Session
from controlplane.domain.verdict import (
    Outcome,
    ScenarioResult,
    Stage,
    worst,
)
from controlplane.fleet.commands import Commands
from controlplane.fleet.orders import ImageRole
from controlplane.journal.journal import Journal
from controlplane.leasing.book import LeaseBook
from controlplane.pipeline.cloud_proof import CloudProof
from controlplane.pipeline.cloud_writes import CloudWrites
from controlplane.pipeline.deploy_lease import DeployLeases
from controlplane.pipeline.flashing import (
    BoardFlasher,
    ConsoleStart,
    FlashFailed,
    FlashMemory,
    written,
)
from controlplane.pipeline.images import all_segments_of, images_of, segments_of
from controlplane.pipeline.judging import (
    BOARD_CAPABILITIES,
    TEXT_CAPABILITIES,
    PreparedScenario,
    for_text,
    prepare,
)
from controlplane.pipeline.project import Project, load_project, session_seed
from controlplane.pipeline.provision_stage import CLOUD_KEY, read_binding
from controlplane.pipeline.recovery import Recoveries
from controlplane.pipeline.reports import keep_junit
from controlplane.pipeline.scenario_run import ScenarioParts, ScenarioRunner, evidence_of
from controlplane.pipeline.stage import (
    StageResult,
    StageRun,
    stage_findings,
    with_artifact,
)
from controlplane.pipeline.summary import first_failure
from controlplane.planning.benches import why_not_injected
from controlplane.planning.boards import bench_selector
from controlplane.planning.cloud import unheard
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import CloudBindings
from controlplane.storage.codec import to_json
from controlplane.storage.console_log import ConsoleLog

log = logging.getLogger(__name__)

_LEASE_KEY = "deploy.lease"
_OTHER_LEASE_KEY = "deploy.lease.other"
_CLEAN_UP_S = 60.0
_VIRTUAL_INPUTS = (
    "; inputs were those of the scenarios; from here on nothing is connected to the pins, so that"
    " firmware which leaves out readings out of range publishes none of them"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployParts:
    """What the stage works with."""

    artifacts: ArtifactStore
    bindings: CloudBindings
    boards: BoardStore
    catalogue: Catalogue
    cloud_proof: CloudProof
    commands: Commands
    console_log: ConsoleLog
    journal: Journal
    leases: LeaseBook
    recoveries: Recoveries
    board_wait: timedelta
    secret: bytes


class DeployStage:
    """Proves the firmware on a board of the design's model."""

    def __init__(self, parts: DeployParts) -> None:
        self._parts = parts
        self._leases = DeployLeases(parts.leases, parts.boards, parts.board_wait)

    async def run(self, run: StageRun) -> StageResult:
        """Flash, judge, release. Resumes from what the journal and the agent remember."""
        project = await load_project(run, self._parts.catalogue, self._parts.boards)
        await self._verify_everything(run.session)
        if project.design is not None:
            told = stage_findings(unheard(project.design, run.session.request.stack), Stage.DEPLOY)
            await run.record(*(found for found in told if found not in run.session.findings))
        selector = bench_selector(
            project.board_model.key, run.session.request.board_wish, self._parts.catalogue
        )
        async with self._leases.leased(run, selector, _LEASE_KEY) as (lease, board):
            result, is_at_fault = await self._prove(run, project, lease, board)
            if result.outcome is not Outcome.BROKEN or not is_at_fault:
                return result
            # The first board stays leased, so that the second lease is of another one.
            try:
                async with self._leases.leased(
                    run, selector, _OTHER_LEASE_KEY, wait=False
                ) as other:
                    why = f"{board.board_id} is at fault ({result.message})"
                    await run.record(Note(text=f"{why}; tried again on {other[1].board_id}"))
                    return (await self._prove(run, project, *other))[0]
            except NotReadyError:
                return result

    async def _verify_everything(self, session: Session) -> None:
        """No stored byte of this session may have changed before a board is touched."""
        for artifact in session.artifacts:
            await self._parts.artifacts.read(artifact.sha256)

    async def _prove(
        self, run: StageRun, project: Project, lease: Lease, board: Board
    ) -> tuple[StageResult, bool]:
        """How it went on one board, and whether the board is to blame for what is broken."""
        if project.text_only:
            return await self._prove_text(run, project, lease, board), True
        if why := why_not_injected(board):
            return StageResult(outcome=Outcome.REFUSED, message=why), False
        seed = session_seed(run.session, project, self._parts.secret)
        images = images_of(run.session)
        memory = FlashMemory.of(project.core)
        artifacts = self._parts.artifacts
        test = await segments_of(artifacts, images.test, base=memory.base, table=memory.table)
        release = await segments_of(artifacts, images.release, base=memory.base, table=memory.table)
        flasher = await self._flasher(run, project, lease, board)
        binding = flasher.cloud.binding
        mark = None
        if binding is not None and run.runs == 1:
            mark = await self._parts.cloud_proof.mark(binding, board.name)
        results: list[ScenarioResult] = []
        trouble = ""
        try:
            results = await self._judge_all(run, _prepared(project, seed), flasher, memory, test)
        except FlashFailed as error:
            trouble = str(error)
        except asyncio.CancelledError:
            if run.cancel_requested():
                await self._leave_release(flasher, memory, release)
            raise
        left = await self._leave_release(flasher, memory, release)
        outcome = worst([r.outcome for r in results]) if not trouble else Outcome.BROKEN
        if left != "release" and outcome is Outcome.PASSED:
            outcome, trouble = Outcome.BROKEN, "the release image could not be left on the board"
        if outcome is not Outcome.PASSED or binding is None:
            return await self._conclude(run, flasher, results, outcome, trouble, left), True
        arrived = await self._parts.cloud_proof.verdict(binding, board.name, project.design, mark)
        inputs = _VIRTUAL_INPUTS if board.kind is BoardKind.VIRTUAL else ""
        await run.record(Note(text=arrived.message + inputs))
        if arrived.outcome is not Outcome.PASSED:
            outcome, trouble = arrived.outcome, arrived.message
        result = await self._conclude(run, flasher, results, outcome, trouble, left)
        if outcome is Outcome.PASSED:
            result = replace(result, message=f"{result.message}; {arrived.message}")
        return result, False

    async def _flasher(
        self, run: StageRun, project: Project, lease: Lease, board: Board
    ) -> BoardFlasher:
        return await BoardFlasher.resume(
            run=run,
            commands=self._parts.commands,
            journal=self._parts.journal,
            lease=lease,
            board=board,
            part=project.part,
            cloud=await self._cloud(run, project, board),
        )

    async def _cloud(self, run: StageRun, project: Project, board: Board) -> CloudWrites:
        """The cloud that PROVISION found; firmware that is not of the bench core is not told."""
        binding = read_binding(await run.kept(CLOUD_KEY))
        if not project.text_only:
            address = project.core.config_address
            return CloudWrites(self._parts.bindings, board, binding=binding, address=address)
        if binding is not None:
            why = f"the image is told nothing of {binding.device}: it is not of the bench core"
            await run.record(Note(text=why))
        return CloudWrites(self._parts.bindings, board)

    async def _prove_text(
        self, run: StageRun, project: Project, lease: Lease, board: Board
    ) -> StageResult:
        """Flash an image that is not of the bench core, and judge the text that it prints."""
        seed = session_seed(run.session, project, self._parts.secret)
        await run.record(change=lambda s: replace(s, seed=seed))
        segments = await all_segments_of(self._parts.artifacts, images_of(run.session).release)
        image = await written(self._parts.artifacts, segments)
        flasher = await self._flasher(run, project, lease, board)
        results: list[ScenarioResult] = []
        trouble, left = "", "unknown"
        try:
            answer = await flasher.flash(
                image, ImageRole.IMAGE, step="flash-image", reason="run the image"
            )
            left = "image"
            head: ConsoleStart | None = ConsoleStart.of(answer)
            for scenario in project.scenarios:
                prepared = for_text(prepare(scenario, seed, TEXT_CAPABILITIES))
                result = _already_judged(run.session, prepared.scenario_id, board.board_id)
                if result is None and prepared.missing:
                    result = prepared.skipped(Stage.DEPLOY, board.board_id)
                    await self._record_result(run, result)
                elif result is None:
                    result = await self._scenarios(run, flasher).run_text(prepared, head)
                    await self._record_result(run, result)
                    head = None
                results.append(result)
        except FlashFailed as error:
            trouble = str(error)
        outcome = worst([r.outcome for r in results]) if not trouble else Outcome.BROKEN
        return await self._conclude(run, flasher, results, outcome, trouble, left)

    async def _conclude(
        self,
        run: StageRun,
        flasher: BoardFlasher,
        results: list[ScenarioResult],
        outcome: Outcome,
        trouble: str,
        left: str,
    ) -> StageResult:
        board = flasher.board
        evidence = evidence_of(board)
        deployment = SessionDeployment(
            session=run.session.name,
            attempt=run.attempt,
            board=board.name,
            outcome=outcome,
            evidence=evidence,
            flashes=tuple(flasher.records),
            results=tuple(results),
            left_image=left,
        )
        await run.keep("deployment", to_json(deployment))
        if results:
            junit = await keep_junit(self._parts.artifacts, results)
            await run.record(junit, change=lambda s: with_artifact(s, junit))
        message = trouble or first_failure(tuple(results), outcome)
        await self._parts.recoveries.blame(board, outcome, flasher.blame, message)
        if not message:
            passed = sum(r.outcome is Outcome.PASSED for r in results)
            image = "image" if left == "image" else f"{left} image"
            message = f"{passed} scenarios passed on {board.board_id}; {image} left on it"
        return StageResult(outcome=outcome, message=message, evidence=evidence)

    async def _judge_all(
        self,
        run: StageRun,
        scenarios: list[PreparedScenario],
        flasher: BoardFlasher,
        memory: FlashMemory,
        test: tuple[ImageSegment, ...],
    ) -> list[ScenarioResult]:
        results: list[ScenarioResult] = []
        to_write = test  # with the first scenario that is really run
        for prepared in scenarios:
            runner = flasher.board.board_id
            result = _already_judged(run.session, prepared.scenario_id, runner)
            if result is None and prepared.missing:
                result = prepared.skipped(Stage.DEPLOY, runner)
                await self._record_result(run, result)
            if result is None:
                result = await self._scenarios(run, flasher).run(prepared, memory, to_write)
                await self._record_result(run, result)
            if result.outcome is not Outcome.SKIPPED:
                to_write = ()
            results.append(result)
        return results

    async def _record_result(self, run: StageRun, result: ScenarioResult) -> None:
        await run.record(result, change=lambda s: _with_result(s, result))

    def _scenarios(self, run: StageRun, flasher: BoardFlasher) -> ScenarioRunner:
        parts = ScenarioParts(
            artifacts=self._parts.artifacts,
            boards=self._parts.boards,
            console_log=self._parts.console_log,
            patience=self._parts.board_wait,
        )
        return ScenarioRunner(parts, run, flasher)

    async def _leave_release(
        self,
        flasher: BoardFlasher,
        memory: FlashMemory,
        release: tuple[ImageSegment, ...],
    ) -> str:
        """Put the release image and a blank stimulus table on the board, also after a cancel."""
        if not flasher.touched:
            return "unknown"
        try:
            async with asyncio.timeout(_CLEAN_UP_S):
                image = await written(self._parts.artifacts, (*release, memory.blank_table))
                await flasher.flash_release(image)
        except (FlashFailed, BenchlineError, TimeoutError) as error:
            log.warning("board left without release image", extra={"why": str(error)})
            return "unknown"
        return "release"


def _already_judged(session: Session, scenario_id: str, runner: str) -> ScenarioResult | None:
    """A scenario that this stage had finished before it was interrupted."""
    return next(
        (
            r
            for r in session.scenario_results
            if r.stage is Stage.DEPLOY and r.scenario_id == scenario_id and r.runner == runner
        ),
        None,
    )


def _with_result(session: Session, result: ScenarioResult) -> Session:
    return replace(session, scenario_results=(*session.scenario_results, result))


def _prepared(project: Project, seed: int) -> list[PreparedScenario]:
    return [prepare(scenario, seed, BOARD_CAPABILITIES) for scenario in project.scenarios]
