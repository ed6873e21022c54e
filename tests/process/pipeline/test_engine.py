"""The engine over a real database: stages in order, once, resumable, cancellable."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchline.errors import CorruptError, InvalidRequestError, NotReadyError
from controlplane.domain.event import Note, StageChanged
from controlplane.domain.session import Session, SessionRequest, Source
from controlplane.domain.verdict import Outcome, Stage, State
from controlplane.journal.journal import Journal
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.engine import Engine, EngineParts
from controlplane.pipeline.stage import StageAsks, StageResult, StageRun, StageWork
from controlplane.pipeline.stage_order import planned_stages
from controlplane.storage.database import Database
from controlplane.storage.sessions import SessionStore
from controlplane.storage.work_queue import WorkQueue

PASSED = StageResult(outcome=Outcome.PASSED, message="fine")


@dataclass
class ScriptedStage:
    """A stage that does what the test says, and counts."""

    act: Callable[[StageRun], StageResult | StageAsks | Exception | None] = lambda _: PASSED
    runs: list[int] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, run: StageRun) -> StageResult | StageAsks:
        self.runs.append(run.runs)
        self.started.set()
        answer = self.act(run)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, StageResult | StageAsks)
        return answer


@dataclass
class Rig:
    engine: Engine
    store: SessionStore
    journal: Journal
    stages: Mapping[Stage, Any]
    stop: asyncio.Event

    async def ended(self, session: Session) -> Session:
        async with asyncio.timeout(60):
            while not (now := await self.store.get(session.session_id)).state.ended:
                await self.journal.wait(session.session_id, now.last_sequence)
        return now


@asynccontextmanager
async def rig(path: Path, stages: Mapping[Stage, StageWork]) -> AsyncIterator[Rig]:
    database = await Database.open(path)
    journal = Journal(database)
    store = SessionStore(database, journal)
    engine = Engine(
        EngineParts(
            database=database,
            store=store,
            queue=WorkQueue(database),
            stages=stages,
            new_session_id=new_session_id,
            owner=uuid.uuid4().hex,
            session_slots=4,
        )
    )
    stop = asyncio.Event()
    work = asyncio.create_task(engine.run(stop))
    try:
        yield Rig(engine, store, journal, stages, stop)
    finally:
        stop.set()
        await work
        await database.close()


def scripted(
    **acts: Callable[[StageRun], StageResult | StageAsks | Exception | None],
) -> dict[Stage, ScriptedStage]:
    names = ("DESIGN", "BUILD", "SIMULATE", "DEPLOY")
    return {Stage(n): ScriptedStage(acts[n]) if n in acts else ScriptedStage() for n in names}


def request(until: Stage = Stage.DEPLOY) -> SessionRequest:
    return SessionRequest(
        prompt="Blink.", source=None, board_wish="", until=until, designer="", seed=None
    )


async def test_stages_run_in_order_and_stop_at_the_one_that_was_asked_for(tmp_path: Path) -> None:
    async with rig(tmp_path / "x.db", scripted()) as r:
        session = await r.engine.start(request(Stage.SIMULATE), "local:me", "")
        done = await r.ended(session)
        events = await r.journal.read(session.session_id, 1, 100)

    assert [s.stage for s in done.stages] == [Stage.DESIGN, Stage.BUILD, Stage.SIMULATE]
    assert all(s.outcome is Outcome.PASSED for s in done.stages)
    assert r.stages[Stage.DEPLOY].runs == []
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (StageResult(outcome=Outcome.FAILED, message="wrong"), Outcome.FAILED, "wrong"),
        (CorruptError("ARTIFACT_CORRUPT", "bytes changed"), Outcome.BROKEN, "ARTIFACT_CORRUPT"),
        (RuntimeError("secret path"), Outcome.BROKEN, "incident"),
    ],
)
async def test_a_stage_that_does_not_pass_ends_the_session(
    tmp_path: Path, answer: StageResult | Exception, outcome: Outcome, words: str
) -> None:
    async with rig(tmp_path / "x.db", scripted(BUILD=lambda _: answer)) as r:
        done = await r.ended(await r.engine.start(request(), "local:me", ""))

    assert done.outcome is outcome
    assert words in done.message
    assert "secret path" not in done.message
    assert r.stages[Stage.SIMULATE].runs == []


async def test_the_same_request_twice_is_one_session(tmp_path: Path) -> None:
    request_id = str(uuid.uuid4())
    async with rig(tmp_path / "x.db", scripted()) as r:
        first = await r.engine.start(request(), "local:me", request_id)
        second = await r.engine.start(request(), "local:me", request_id)
        await r.ended(first)

    assert first.name == second.name
    assert r.stages[Stage.DESIGN].runs == [1]


async def test_a_session_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    stages = scripted(SIMULATE=lambda _: None)
    async with rig(tmp_path / "x.db", stages) as r:
        session = await r.engine.start(request(), "local:me", "")
        await asyncio.wait_for(stages[Stage.SIMULATE].started.wait(), 60)

    again = scripted()
    async with rig(tmp_path / "x.db", again) as r:
        done = await r.ended(session)
        events = await r.journal.read(session.session_id, 1, 100)

    assert done.outcome is Outcome.PASSED
    assert again[Stage.DESIGN].runs == again[Stage.BUILD].runs == []
    assert again[Stage.SIMULATE].runs == [2]
    assert any(isinstance(e.fact, Note) and "interrupted" in e.fact.text for e in events)
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))


async def test_a_cancelled_session_ends_and_tells_which_stage_was_stopped(tmp_path: Path) -> None:
    stages = scripted(BUILD=lambda _: None)
    async with rig(tmp_path / "x.db", stages) as r:
        session = await r.engine.start(request(), "local:me", "")
        await asyncio.wait_for(stages[Stage.BUILD].started.wait(), 60)
        await r.engine.cancel(session.session_id)
        done = await r.ended(session)
        events = await r.journal.read(session.session_id, 1, 100)
        with pytest.raises(NotReadyError, match="already over"):
            await r.engine.cancel(session.session_id)

    assert done.state is State.CANCELLED
    changes = [e.fact for e in events if isinstance(e.fact, StageChanged)]
    assert (changes[-1].stage, changes[-1].state) == (Stage.BUILD, State.CANCELLED)


def test_a_source_begins_where_it_has_to() -> None:
    def stages(**source: str) -> tuple[Stage, ...]:
        wish = request(Stage.SIMULATE)
        return planned_stages(
            SessionRequest(
                prompt="",
                source=Source(**source),
                board_wish="",
                until=wish.until,
                designer="",
                seed=None,
            )
        )

    assert stages() == (Stage.BUILD, Stage.SIMULATE)
    assert stages(image_sha256="0" * 64) == (Stage.SIMULATE,)
    with pytest.raises(InvalidRequestError, match="provision"):
        planned_stages(request(Stage.PROVISION))
