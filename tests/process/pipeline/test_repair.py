"""The repair loop over a real database: what a board shows goes back to the author, durably."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from controlplane.catalog.loader import load_catalogue
from controlplane.domain.build import Build, SourceFile
from controlplane.domain.design import Design
from controlplane.domain.session import Session, SessionRequest
from controlplane.domain.verdict import (
    AssertionResult,
    ByteRange,
    Evidence,
    Outcome,
    ScenarioResult,
    Stage,
)
from controlplane.firmware.protocol import (
    NO_HISTORY,
    History,
    NotWritten,
    SourceProject,
    Stronger,
)
from controlplane.journal.journal import Journal
from controlplane.pipeline.attempts import RepairTurn, turn_key
from controlplane.pipeline.coverage import CoverageMeter, CoverageParts
from controlplane.pipeline.engine import Engine, EngineParts
from controlplane.pipeline.repair import RepairParts, Repairs
from controlplane.pipeline.slots import Slots
from controlplane.pipeline.stage import StageResult, StageRun
from controlplane.simulators.ladder import SimulatorLadder
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.console_log import Chunk, ConsoleLog
from controlplane.storage.database import Database
from controlplane.storage.model_calls import ModelCallStore
from controlplane.storage.sessions import SessionStore
from controlplane.storage.work_queue import WorkQueue

PASSED = StageResult(outcome=Outcome.PASSED, message="fine")
SIMULATED = b"\x1eBL 5 BOOT\n\x1eBL 10 PIN PB8 v=1\n"
SEEN = b"\x1eBL 6 BOOT\n\x1eBL 12 FAULT usage pc=0x0 cfsr=0x02000000\n"


@dataclass
class Author:
    """Says whether it repairs; the sources come from the scripted build."""

    name: str = "offline"
    version: str = "1"
    repairs: bool = True
    stronger: Stronger | None = None

    async def write(
        self, design: Design, history: History = NO_HISTORY
    ) -> SourceProject | NotWritten:
        raise AssertionError("the scripted build does not ask")


@dataclass
class Stages:
    """Scripted stages; `board` says how the board judges an attempt."""

    consoles: ConsoleLog
    board: Callable[[int], Outcome]
    simulator: Callable[[int], Outcome] = lambda _: Outcome.PASSED
    built: list[int] = field(default_factory=list)

    async def design(self, run: StageRun) -> StageResult:
        return PASSED

    async def build(self, run: StageRun) -> StageResult:
        self.built.append(run.attempt)
        sources = (SourceFile(path="a.ino", content=f"// attempt {run.attempt}\n"),)
        build = Build(
            session=run.session.name,
            attempt=run.attempt,
            outcome=Outcome.PASSED,
            build_id="b",
            toolchain="t",
            part="p",
            artifacts=(),
            diagnostics=(),
            flash_used_bytes=0,
            flash_limit_bytes=0,
            ram_used_bytes=0,
            ram_limit_bytes=0,
            confinement="",
            sources=sources,
        )
        await run.keep("build", to_json(build))
        return PASSED

    async def simulate(self, run: StageRun) -> StageResult:
        return await self._judged(run, self.simulator(run.attempt), "qemu", SIMULATED)

    async def deploy(self, run: StageRun) -> StageResult:
        return await self._judged(run, self.board(run.attempt), "vf405-01", SEEN)

    async def _judged(
        self, run: StageRun, outcome: Outcome, runner: str, said: bytes
    ) -> StageResult:
        console = f"consoles/{runner}/{run.session_id}/{run.attempt}"
        now = datetime.now(UTC)
        await self.consoles.append(console, [Chunk(offset=0, data=said, host_time=now)])
        found = ScenarioResult(
            scenario_id="light",
            title="",
            stage=run.stage,
            outcome=outcome,
            evidence=Evidence.VIRTUAL,
            runner=runner,
            seed=1,
            device_ms=1,
            wall_ms=1,
            console=ByteRange(console=console, start=0, end=len(said)),
            assertions=(
                AssertionResult(
                    assertion_id="lit",
                    kind="expect",
                    outcome=outcome,
                    message="lit",
                    got=f"attempt {'x' * run.attempt}",
                ),
            ),
        )
        await run.record(
            found, change=lambda s: replace(s, scenario_results=(*s.scenario_results, found))
        )
        return StageResult(outcome=outcome, message=f"light/lit on {runner}")


class Work:
    """A stage from a function."""

    def __init__(self, act: Callable[[StageRun], object]) -> None:
        self._act = act

    async def run(self, run: StageRun) -> StageResult:
        result = await self._act(run)
        assert isinstance(result, StageResult)
        return result


@dataclass
class Rig:
    """A store and everything over it."""

    store: SessionStore
    consoles: ConsoleLog
    artifacts: ArtifactStore
    repairs: Repairs
    engine: Engine
    stages: Stages


def rig(
    database: Database,
    folder: Path,
    author: Author,
    board: Callable[[int], Outcome],
    simulator: Callable[[int], Outcome] = lambda _: Outcome.PASSED,
) -> Rig:
    journal = Journal(database)
    store = SessionStore(database, journal)
    consoles = ConsoleLog(database)
    artifacts = ArtifactStore(folder / "artifacts", database)
    repairs = Repairs(
        RepairParts(
            artifacts=artifacts,
            authors={"offline": author},
            calls=ModelCallStore(database),
            console_log=consoles,
            database=database,
            store=store,
            coverage=CoverageMeter(
                CoverageParts(
                    artifacts=artifacts,
                    boards=BoardStore(database),
                    catalogue=load_catalogue(),
                    ladder=SimulatorLadder(()),
                    slots=Slots(compilers=1, simulators=1),
                    store=store,
                    secret=b"s",
                    work_dir=folder,
                )
            ),
        )
    )
    stages = Stages(consoles, board, simulator)
    engine = Engine(
        EngineParts(
            database=database,
            store=store,
            queue=WorkQueue(database),
            stages={
                Stage.DESIGN: Work(stages.design),
                Stage.BUILD: Work(stages.build),
                Stage.SIMULATE: Work(stages.simulate),
                Stage.DEPLOY: Work(stages.deploy),
            },
            new_session_id=lambda: uuid.uuid4().hex[:20],
            owner="o",
            session_slots=1,
            repairs=repairs,
        )
    )
    return Rig(store, consoles, artifacts, repairs, engine, stages)


async def led(r: Rig) -> Session:
    request = SessionRequest(
        prompt="Light.", source=None, board_wish="", until=Stage.DEPLOY, designer="", seed=None
    )
    session = await r.engine.start(request, "local:me", "")
    await r.engine._lead(session.session_id)
    return await r.store.get(session.session_id)


async def test_what_a_board_shows_begins_the_next_attempt_at_the_build(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "x.db")
    r = rig(database, tmp_path, Author(), lambda n: Outcome.PASSED if n == 2 else Outcome.FAILED)
    done = await led(r)
    text = await r.store.get_checkpoint(done.session_id, turn_key(2))
    diff = await r.artifacts.read(done.attempts[1].diff_sha256)
    await database.close()

    assert done.outcome is Outcome.PASSED
    assert r.stages.built == [1, 2]
    assert [(a.attempt, a.outcome) for a in done.attempts] == [
        (1, Outcome.FAILED),
        (2, Outcome.PASSED),
    ]
    turn = from_json(RepairTurn, text or "")
    assert "passes in the simulator and fails on a board" in turn.evidence
    assert "board_differs_light" in turn.evidence
    assert "+BL FAULT usage" in turn.evidence
    assert "division by zero" in turn.evidence
    assert "+// attempt 2" in diff.decode()
    assert all(result.outcome is Outcome.PASSED for result in done.scenario_results)


async def test_an_author_without_repairs_ends_after_one_attempt_with_its_evidence(
    tmp_path: Path,
) -> None:
    database = await Database.open(tmp_path / "x.db")
    r = rig(database, tmp_path, Author(repairs=False), lambda _: Outcome.FAILED)
    done = await led(r)
    kept = next(a for a in done.artifacts if a.kind == "evidence.1")
    text = (await r.artifacts.read(kept.sha256)).decode()
    await database.close()

    assert done.outcome is Outcome.FAILED
    assert r.stages.built == [1]
    assert "light/lit" in text
    assert done.message == "deploy: light/lit on vf405-01"


async def test_a_fault_of_the_lab_is_nothing_to_repair(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "x.db")
    r = rig(database, tmp_path, Author(), lambda _: Outcome.BROKEN)
    done = await led(r)
    await database.close()

    assert done.outcome is Outcome.BROKEN
    assert r.stages.built == [1]


async def test_deciding_again_after_a_crash_gives_the_same_turn(tmp_path: Path) -> None:
    """Killed between the decision and the move, the next start decides the same."""
    database = await Database.open(tmp_path / "x.db")
    r = rig(database, tmp_path, Author(repairs=False), lambda _: Outcome.FAILED)
    done = await led(r)
    await database.close()

    database = await Database.open(tmp_path / "y.db")
    r = rig(database, tmp_path, Author(), lambda n: Outcome.PASSED if n == 3 else Outcome.FAILED)
    moved = 0
    real = r.repairs._move

    def crashing(*arguments: object) -> Session:
        nonlocal moved
        moved += 1
        if moved % 2:
            raise RuntimeError("killed")
        return real(*arguments)

    r.repairs._move = crashing
    session = await r.engine.start(done.request, "local:me", "")
    turns: list[str | None] = []
    for _ in range(3):
        try:
            await r.engine._lead(session.session_id)
        except RuntimeError:
            now = await r.store.get(session.session_id)
            turns.append(
                await r.store.get_checkpoint(session.session_id, turn_key(now.attempt + 1))
            )
    again = await r.store.get(session.session_id)
    kept = [await r.store.get_checkpoint(session.session_id, turn_key(n)) for n in (2, 3)]
    await database.close()

    assert again.outcome is Outcome.PASSED
    assert r.stages.built == [1, 2, 3]
    assert turns == kept


async def test_coverage_that_cannot_be_had_is_said_to_be_unknown_and_changes_nothing(
    tmp_path: Path,
) -> None:
    """The scripted stages leave no design: nothing can be run again."""
    database = await Database.open(tmp_path / "x.db")
    simulator = {1: Outcome.FAILED}
    r = rig(
        database,
        tmp_path,
        Author(),
        lambda _: Outcome.PASSED,
        lambda n: simulator.get(n, Outcome.PASSED),
    )
    done = await led(r)
    text = await r.store.get_checkpoint(done.session_id, turn_key(2))
    await database.close()

    assert done.outcome is Outcome.PASSED
    assert [a.outcome for a in done.attempts] == [Outcome.FAILED, Outcome.PASSED]
    coverage = done.attempts[0].coverage
    assert coverage is not None
    assert "has no design" in coverage.unknown
    assert done.attempts[1].coverage is None
    assert "which lines ran in light is not known" in from_json(RepairTurn, text or "").evidence
