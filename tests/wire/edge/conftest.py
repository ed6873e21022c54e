"""A real server on a unix socket over a real database, with a minimal runner of sessions."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from benchline.channel import open_channel
from benchline.errors import NotFoundError
from benchline.names import session_name
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.check import Check
from controlplane.domain.designer_state import DesignerState
from controlplane.domain.event import SessionChanged
from controlplane.domain.live_simulation import LiveLimits
from controlplane.domain.question import Answer, Question, QuestionRound, QuestionsAsked
from controlplane.domain.session import Session, SessionRequest, StageRecord
from controlplane.domain.stack import CloudBinding, DeviceCredential
from controlplane.domain.verdict import Outcome, Stage, State
from controlplane.edge.bench_service import BenchService
from controlplane.edge.byte_services import ArtifactService, ConsoleService
from controlplane.edge.deployment_service import DeploymentService
from controlplane.edge.design_service import DesignService, Preview
from controlplane.edge.live_simulation_service import LiveSimulationService
from controlplane.edge.result_services import BuildService, SimulationService
from controlplane.edge.server import Services, build_server
from controlplane.edge.server_service import ServerService
from controlplane.edge.session_service import SessionService
from controlplane.edge.stack_service import StackService
from controlplane.fleet.commands import Commands
from controlplane.fleet.device_clouds import DeviceClouds
from controlplane.fleet.link import AgentLink
from controlplane.fleet.registry import Registry
from controlplane.journal.journal import Journal
from controlplane.leasing.book import LeaseBook
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.answering import answer_session
from controlplane.pipeline.live_simulations import LiveParts, LiveSimulations
from controlplane.pipeline.recovery import Recoveries
from controlplane.pipeline.rollout import Rollouts
from controlplane.pipeline.rollout_parts import RolloutParts
from controlplane.pipeline.typist import BoardTypist
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.sender import Sender
from controlplane.provisioning.localcloud.telemetry import Telemetry
from controlplane.simulators.ladder import SimulatorLadder, all_simulators
from controlplane.storage.answers import AnswerStore
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.board_health import HealthStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import CloudBindings
from controlplane.storage.commands import CommandStore
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.database import Database
from controlplane.storage.deployments import DeploymentStore
from controlplane.storage.designs import DesignStore
from controlplane.storage.live_simulations import LiveSimulationStore
from controlplane.storage.sessions import SessionStore
from controlplane.storage.stacks import StackStore
from controlplane.storage.work_queue import WorkQueue
from tests.care import care_of
from tests.stacks import stacks_of

HEARTBEAT_S = 0.2


class DirectSessions:
    """Sessions that begin and are cancelled, and do nothing in between."""

    def __init__(self, store: SessionStore, database: Database) -> None:
        self._store = store
        self._database = database

    async def start(self, request: SessionRequest, principal: str, request_id: str) -> Session:
        now = datetime.now(UTC)
        session = Session(
            name=session_name(uuid.uuid4().hex),
            request=request,
            state=State.PENDING,
            stages=(StageRecord(stage=Stage.DESIGN),),
            principal=principal,
            create_time=now,
            update_time=now,
            seed=request.seed or 0,
        )
        return await self._store.create(
            session, request_id, [SessionChanged(state=State.PENDING, message="accepted")]
        )

    async def cancel(self, session_id: str) -> Session:
        return await self._store.record(
            session_id,
            [SessionChanged(state=State.CANCELLED)],
            change=lambda session: replace(session, state=State.CANCELLED),
        )

    async def ask(self, session_id: str, *questions: Question) -> Session:
        asked = QuestionRound(round=1, questions=questions)
        return await self._store.record(
            session_id,
            [QuestionsAsked(round=1, questions=questions), SessionChanged(state=State.WAITING)],
            change=lambda session: replace(session, state=State.WAITING, question_rounds=(asked,)),
        )

    async def answer(
        self, session_id: str, given: Sequence[Answer], round_number: int, principal: str
    ) -> Session:
        return await answer_session(
            self._database,
            self._store,
            session_id,
            given,
            round_number=round_number,
            answered_by=principal,
            work_on=lambda tx, session_id: None,
        )

    async def finish(self, session_id: str) -> Session:
        return await self._store.record(
            session_id,
            [SessionChanged(state=State.DONE, outcome=Outcome.PASSED)],
            change=lambda session: replace(session, state=State.DONE, outcome=Outcome.PASSED),
        )


async def find_no_credential(binding: CloudBinding, principal: str) -> DeviceCredential:
    raise NotFoundError("CREDENTIAL_NOT_FOUND", "nothing was applied")


class Previews:
    """The offline designer, and two sentences that make it misbehave."""

    def __init__(self) -> None:
        self._designer = OfflineDesigner(load_catalogue())

    async def preview(self, prompt: str, board: str) -> Preview:
        if prompt == "crash":
            raise ZeroDivisionError("a secret of the server")
        if prompt == "hang":
            await asyncio.Event().wait()
        answer = self._designer.plan(DesignRequest(prompt=prompt, board=board))
        design = None if isinstance(answer, Refusal) else answer
        return Preview(design=design, findings=answer.findings, understood=answer.understood)


class NoChecks:
    async def run(self) -> Sequence[Check]:
        return [Check(name="qemu", ok=True, detail="7.2")]


class TwoDesigners:
    async def states(self) -> Sequence[DesignerState]:
        return [
            DesignerState(designer="offline", ready=True, detail="known wordings"),
            DesignerState(
                designer="claude",
                ready=True,
                detail="some model",
                costs=True,
                session_ceiling_micro_usd=5_000_000,
            ),
        ]


@dataclass
class Edge:
    target: str
    channel: grpc.aio.Channel
    database: Database
    journal: Journal
    store: SessionStore
    artifacts: ArtifactStore
    consoles: ConsoleLog
    boards: BoardStore
    book: LeaseBook
    sessions: DirectSessions
    commands: CommandStore
    deployments: DeploymentStore
    rollouts: Rollouts
    health: HealthStore
    recoveries: Recoveries


@pytest.fixture
async def edge(tmp_path: Path, compiled_core: Path) -> AsyncIterator[Edge]:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    target = f"unix:{folder / 'control.sock'}"
    database = await Database.open(tmp_path / "state.db")
    journal = Journal(database)
    store = SessionStore(database, journal)
    artifacts = ArtifactStore(tmp_path / "artifacts", database)
    consoles = ConsoleLog(database)
    boards = BoardStore(database)
    commands, registry = CommandStore(database), Registry()
    sessions = DirectSessions(store, database)
    deployments = DeploymentStore(database, journal)
    live_store = LiveSimulationStore(database)
    live_parts = LiveParts(
        artifacts=artifacts,
        boards=boards,
        catalogue=load_catalogue(),
        console_log=consoles,
        ladder=SimulatorLadder(all_simulators(tmp_path / "scratch")),
        limits=LiveLimits(
            simulations=2,
            idle=timedelta(minutes=10),
            time=timedelta(minutes=10),
            console_bytes=1 << 20,
        ),
        new_id=new_session_id,
        sessions=store,
        store=live_store,
        work_dir=tmp_path,
    )
    async with LeaseBook(database, boards) as book, LiveSimulations(live_parts) as lives:
        orders = Commands(commands, registry)
        bindings = CloudBindings(database, boards)
        clouds = LocalClouds(tmp_path / "stacks")
        telemetry = Telemetry(clouds)
        care, recoveries, health = care_of(tmp_path, compiled_core, database, boards, book, orders)
        rollouts = Rollouts(
            RolloutParts(
                artifacts=artifacts,
                bindings=bindings,
                boards=boards,
                catalogue=load_catalogue(),
                commands=orders,
                console_log=consoles,
                database=database,
                journal=journal,
                leases=book,
                queue=WorkQueue(database),
                recoveries=recoveries,
                store=deployments,
                board_wait=timedelta(seconds=30),
                new_id=new_session_id,
                owner="edge",
                secret=b"secret",
            )
        )
        designs = DesignStore(database)
        stack_store = StackStore(database, journal)
        stacks, _ = stacks_of(tmp_path, journal, stack_store)
        session_service = SessionService(
            sessions,
            store,
            journal,
            artifacts,
            AnswerStore(database),
            designs,
            stack_store,
            session_ceiling_micro_usd=5_000_000,
            heartbeat_s=HEARTBEAT_S,
        )
        services = Services(
            sessions=session_service,
            designs=DesignService(Previews(), load_catalogue(), designs, store),
            builds=BuildService(store, session_service),
            simulations=SimulationService(store, session_service),
            live_simulations=LiveSimulationService(
                lives, live_store, store, consoles, AnswerStore(database), heartbeat_s=HEARTBEAT_S
            ),
            deployments=DeploymentService(
                rollouts,
                deployments,
                store,
                journal,
                AnswerStore(database),
                heartbeat_s=HEARTBEAT_S,
            ),
            stacks=StackService(
                stacks,
                stack_store,
                journal,
                AnswerStore(database),
                telemetry,
                Sender(clouds),
                heartbeat_s=HEARTBEAT_S,
            ),
            bench=BenchService(boards, book, care, recoveries, heartbeat_s=HEARTBEAT_S),
            consoles=ConsoleService(
                consoles,
                boards,
                BoardTypist(book, orders),
                heartbeat_s=HEARTBEAT_S,
            ),
            artifacts=ArtifactService(artifacts),
            server=ServerService(
                NoChecks(),
                TwoDesigners(),
                version="0.1.0",
                data_dir=tmp_path,
                start_time=datetime.now(UTC),
            ),
            agent_link=AgentLink(
                registry=registry,
                boards=boards,
                commands=commands,
                console_log=consoles,
                health=health,
                clouds=DeviceClouds(bindings, boards, find_no_credential),
            ),
        )
        server = build_server(services, target)
        await server.start()
        async with open_channel(target) as channel:
            yield Edge(
                target,
                channel,
                database,
                journal,
                store,
                artifacts,
                consoles,
                boards,
                book,
                sessions,
                commands,
                deployments,
                rollouts,
                health,
                recoveries,
            )
        await server.stop(grace=0)
        await stacks.close()
    await database.close()
