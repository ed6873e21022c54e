"""Composition root of the control plane: the only module that names concrete adapters."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchline import __version__
from benchline.errors import InvalidRequestError, NotReadyError
from benchline.instance import Instance, make_private
from controlplane.catalog.loader import Catalogue, load_catalogue
from controlplane.claude.service import Claude
from controlplane.claude.settings import claude_detail
from controlplane.config import Config
from controlplane.designers.claude import ClaudeDesigner
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import Designer, DesignRequest, Refusal
from controlplane.designers.states import DesignerStates
from controlplane.domain.stack import Target
from controlplane.domain.verdict import Stage
from controlplane.edge.bench_service import BenchService
from controlplane.edge.byte_services import ArtifactService, ConsoleService
from controlplane.edge.deployment_service import DeploymentService
from controlplane.edge.design_service import DesignService, Preview
from controlplane.edge.live_simulation_service import LiveSimulationService
from controlplane.edge.result_services import BuildService, SimulationService
from controlplane.edge.server import Services, build_server
from controlplane.edge.server_service import Check, ServerService
from controlplane.edge.session_service import SessionService
from controlplane.edge.stack_service import StackService
from controlplane.firmware.claude import ClaudeAuthor
from controlplane.firmware.offline import OfflineAuthor
from controlplane.firmware.protocol import FirmwareAuthor
from controlplane.fleet.commands import Commands
from controlplane.fleet.device_clouds import DeviceClouds
from controlplane.fleet.link import AgentLink
from controlplane.fleet.registry import Registry
from controlplane.journal.journal import Journal
from controlplane.leasing.book import LeaseBook
from controlplane.leasing.borrowing import Borrowing
from controlplane.ops.identity import installation_secret, new_session_id
from controlplane.pipeline.adequacy import AdequacyMeter, AdequacyParts
from controlplane.pipeline.board_care import BoardCare
from controlplane.pipeline.build_stage import BuildParts, BuildStage
from controlplane.pipeline.canary import Canaries
from controlplane.pipeline.cloud_proof import CloudProof
from controlplane.pipeline.coverage import CoverageMeter, CoverageParts
from controlplane.pipeline.deploy_stage import DeployParts, DeployStage
from controlplane.pipeline.design_stage import DesignStage
from controlplane.pipeline.engine import Engine, EngineParts
from controlplane.pipeline.given_clouds import GivenClouds
from controlplane.pipeline.live_simulations import LiveParts, LiveSimulations
from controlplane.pipeline.provision_stage import ProvisionStage
from controlplane.pipeline.recovery import Recoveries, RecoveryParts
from controlplane.pipeline.repair import RepairParts, Repairs
from controlplane.pipeline.rollout import Rollouts
from controlplane.pipeline.rollout_parts import RolloutParts
from controlplane.pipeline.simulate_stage import SimulateParts, SimulateStage
from controlplane.pipeline.slots import Slots
from controlplane.pipeline.stack_parts import StackParts
from controlplane.pipeline.stacks import Stacks
from controlplane.pipeline.stage import StageWork
from controlplane.pipeline.typist import BoardTypist
from controlplane.provisioning.aws_target import AwsTarget
from controlplane.provisioning.credentials import DeviceCredentials
from controlplane.provisioning.doctor import checks as cloud_checks
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.local_target import LocalTarget
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.sender import Sender
from controlplane.provisioning.localcloud.telemetry import Telemetry
from controlplane.provisioning.runs import HostedRuns
from controlplane.provisioning.settings import ProvisioningSettings
from controlplane.simulators.doctor import checks as simulator_checks
from controlplane.simulators.ladder import SimulatorLadder, all_simulators
from controlplane.simulators.wokwi import WokwiSettings
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
from controlplane.storage.model_calls import ModelCallStore
from controlplane.storage.sessions import SessionStore
from controlplane.storage.stacks import StackStore
from controlplane.storage.work_queue import SqliteWorkQueue
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.doctor import checks as tool_checks
from controlplane.toolchains.ladder import ToolchainLadder, vendor_toolchains
from controlplane.toolchains.protocol import Toolchain
from controlplane.toolchains.vendor import VendorToolchain

log = logging.getLogger(__name__)

_STOP_GRACE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stores:
    database: Database
    journal: Journal
    sessions: SessionStore
    deployments: DeploymentStore
    designs: DesignStore
    stacks: StackStore
    artifacts: ArtifactStore
    console_log: ConsoleLog
    boards: BoardStore
    bindings: CloudBindings
    health: HealthStore
    lives: LiveSimulationStore
    commands: CommandStore
    answers: AnswerStore
    queue: SqliteWorkQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What more than one part of the program works with."""

    leases: LeaseBook
    catalogue: Catalogue
    claude: Claude
    designers: Mapping[str, Designer]
    authors: Mapping[str, FirmwareAuthor]
    registry: Registry
    ladder: SimulatorLadder
    slots: Slots
    bench_core: Toolchain
    vendors: Sequence[VendorToolchain]
    commands: Commands
    borrowing: Borrowing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cloud:
    """What has to do with stacks, and what follows from them."""

    stacks: Stacks
    credentials: DeviceCredentials
    given: GivenClouds
    telemetry: Telemetry
    sender: Sender


async def serve(config: Config) -> None:
    """Run the control plane until SIGTERM or SIGINT.

    Raises:
        NotReadyError: ALREADY_RUNNING, another one serves this data directory.
    """
    instance = config.instance
    for folder in (instance.data_dir, instance.state_dir, instance.run_dir, instance.cache_dir):
        make_private(folder)
    make_private(instance.socket_path.parent)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with _only_one(instance), _pid_file(instance.run_dir / "controlplane.pid"):
        async with AsyncExitStack() as stack:
            await _run(config, stop, stack)


async def _run(config: Config, stop: asyncio.Event, stack: AsyncExitStack) -> None:
    instance = config.instance
    database = await Database.open(instance.state_dir / "benchline.db")
    stack.push_async_callback(database.close)
    stores = _open_stores(database, instance)
    leases = await stack.enter_async_context(LeaseBook(database, stores.boards))
    shared = _share(config, stores, leases)
    stack.push_async_callback(shared.claude.close)
    clouds = await stack.enter_async_context(LocalClouds(instance.stacks_dir))
    telemetry = await stack.enter_async_context(Telemetry(clouds))
    cloud = _cloud(config, stores, clouds, telemetry)
    await cloud.stacks.recover()
    await cloud.given.resume(await stores.stacks.every())
    recoveries = _recoveries(config, stores, shared)
    engine = Engine(
        EngineParts(
            database=database,
            store=stores.sessions,
            queue=stores.queue,
            stages=_stages(config, stores, shared, recoveries, cloud),
            new_session_id=new_session_id,
            owner=uuid.uuid4().hex,
            session_slots=config.session_slots,
            repairs=Repairs(
                RepairParts(
                    artifacts=stores.artifacts,
                    authors=shared.authors,
                    calls=ModelCallStore(database),
                    console_log=stores.console_log,
                    coverage=_coverage(config, stores, shared),
                    database=database,
                    store=stores.sessions,
                )
            ),
        )
    )
    rollouts = _rollouts(config, stores, shared, recoveries)
    lives = await stack.enter_async_context(_live_simulations(config, stores, shared))
    services = _services(config, stores, shared, engine, rollouts, recoveries, lives, cloud)
    server = build_server(services, instance.target)
    await server.start()
    log.info("control plane serves", extra={"target": instance.target, "pid": os.getpid()})
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run(stop), name="engine")
            group.create_task(rollouts.run(stop), name="rollouts")
            group.create_task(recoveries.run(stop), name="recoveries")
            group.create_task(cloud.stacks.run(stop), name="stacks")
    finally:
        await server.stop(_STOP_GRACE_S)
        with contextlib.suppress(FileNotFoundError):
            instance.socket_path.unlink()
        log.info("control plane stopped")


def _share(config: Config, stores: _Stores, leases: LeaseBook) -> _Shared:
    catalogue, registry = load_catalogue(), Registry()
    cache = config.instance.cache_dir
    claude = Claude(config.claude, ModelCallStore(stores.database), stores.artifacts)
    return _Shared(
        leases=leases,
        catalogue=catalogue,
        claude=claude,
        designers={
            OfflineDesigner.name: OfflineDesigner(catalogue),
            ClaudeDesigner.name: ClaudeDesigner(claude, catalogue),
        },
        authors={
            OfflineAuthor.name: OfflineAuthor(),
            ClaudeAuthor.name: ClaudeAuthor(claude, catalogue),
        },
        registry=registry,
        ladder=_ladder(config),
        slots=Slots(compilers=config.compile_slots, simulators=config.simulate_slots),
        bench_core=BareMetalToolchain(cache / "toolchain"),
        vendors=vendor_toolchains(cache / "toolchain" / "vendor", config.arduino_component),
        commands=Commands(stores.commands, registry),
        borrowing=Borrowing(leases, stores.boards),
    )


def _recoveries(config: Config, stores: _Stores, shared: _Shared) -> Recoveries:
    return Recoveries(
        RecoveryParts(
            boards=stores.boards,
            borrowing=shared.borrowing,
            canaries=Canaries(
                artifacts=stores.artifacts,
                store=stores.sessions,
                toolchain=shared.bench_core,
                slots=shared.slots,
                work_dir=make_private(config.instance.cache_dir / "work"),
            ),
            commands=shared.commands,
            database=stores.database,
            health=stores.health,
            leases=shared.leases,
            queue=stores.queue,
            new_id=new_session_id,
        )
    )


def _ladder(config: Config) -> SimulatorLadder:
    """The simulators of this control plane.

    Raises:
        InvalidRequestError: CONFIG_INVALID, the chosen one is not known.
    """
    scratch = config.instance.cache_dir / "simulator"
    wokwi = WokwiSettings(token=config.wokwi_token, server=config.wokwi_server)
    simulators = all_simulators(scratch, espressif_folder=config.espressif_qemu, wokwi=wokwi)
    known = [simulator.key for simulator in simulators]
    if config.simulator not in ("", *known):
        problem = f"simulator must be one of {', '.join(known)}, not {config.simulator!r}"
        raise InvalidRequestError("CONFIG_INVALID", problem, problems=problem)
    return SimulatorLadder(simulators, chosen=config.simulator)


def _open_stores(database: Database, instance: Instance) -> _Stores:
    journal, boards = Journal(database), BoardStore(database)
    return _Stores(
        database=database,
        journal=journal,
        sessions=SessionStore(database, journal),
        deployments=DeploymentStore(database, journal),
        designs=DesignStore(database),
        stacks=StackStore(database, journal),
        artifacts=ArtifactStore(instance.artifact_dir, database),
        console_log=ConsoleLog(database),
        boards=boards,
        bindings=CloudBindings(database, boards),
        health=HealthStore(database, boards),
        lives=LiveSimulationStore(database),
        commands=CommandStore(database),
        answers=AnswerStore(database),
        queue=SqliteWorkQueue(database),
    )


def _stages(
    config: Config, stores: _Stores, shared: _Shared, recoveries: Recoveries, cloud: _Cloud
) -> dict[Stage, StageWork]:
    instance, catalogue, slots = config.instance, shared.catalogue, shared.slots
    work_dir = make_private(instance.cache_dir / "work")
    secret = installation_secret(instance.state_dir / "secret")
    return {
        Stage.DESIGN: DesignStage(
            shared.designers, stores.artifacts, stores.boards, shared.catalogue
        ),
        Stage.BUILD: BuildStage(
            BuildParts(
                artifacts=stores.artifacts,
                boards=stores.boards,
                catalogue=catalogue,
                store=stores.sessions,
                authors=shared.authors,
                toolchain=ToolchainLadder([shared.bench_core, *shared.vendors]),
                slots=slots,
                work_dir=work_dir,
            )
        ),
        Stage.SIMULATE: SimulateStage(
            SimulateParts(
                artifacts=stores.artifacts,
                boards=stores.boards,
                catalogue=catalogue,
                console_log=stores.console_log,
                store=stores.sessions,
                ladder=shared.ladder,
                slots=slots,
                secret=secret,
                work_dir=work_dir,
                adequacy=AdequacyMeter(
                    AdequacyParts(
                        store=stores.sessions,
                        toolchain=shared.bench_core,
                        slots=slots,
                        work_dir=work_dir,
                    )
                ),
            )
        ),
        Stage.PROVISION: ProvisionStage(
            cloud.stacks, auto_approve=config.provisioning.auto_approve
        ),
        Stage.DEPLOY: DeployStage(
            DeployParts(
                artifacts=stores.artifacts,
                bindings=stores.bindings,
                boards=stores.boards,
                catalogue=catalogue,
                cloud_proof=CloudProof(cloud.telemetry, stores.boards),
                commands=shared.commands,
                console_log=stores.console_log,
                journal=stores.journal,
                leases=shared.leases,
                recoveries=recoveries,
                board_wait=timedelta(seconds=config.board_wait_s),
                secret=secret,
            )
        ),
    }


def _cloud(config: Config, stores: _Stores, clouds: LocalClouds, telemetry: Telemetry) -> _Cloud:
    instance, settings = config.instance, config.provisioning
    aws = AwsTarget(instance.stacks_dir)

    async def sensitive_outputs(stack_id: str, principal: str) -> Mapping[str, str]:
        return await stacks.sensitive_outputs(stack_id, principal)

    credentials = DeviceCredentials(clouds, aws, sensitive_outputs)
    given = GivenClouds(stores.bindings, credentials, telemetry)
    host = TerraformHost(
        stacks_dir=instance.stacks_dir,
        cache_dir=instance.cache_dir / "terraform",
        settings=settings,
    )
    stacks = Stacks(
        StackParts(
            journal=stores.journal,
            store=stores.stacks,
            runs=HostedRuns(
                host,
                {Target.LOCAL: LocalTarget(clouds, instance.run_dir), Target.AWS_IOT: aws},
            ),
            new_id=new_session_id,
            plan_life=timedelta(seconds=settings.plan_expiry_s),
            slots=os.cpu_count() or 1,
            on_given=given.follow,
        )
    )
    return _Cloud(
        stacks=stacks,
        credentials=credentials,
        given=given,
        telemetry=telemetry,
        sender=Sender(clouds),
    )


def _rollouts(config: Config, stores: _Stores, shared: _Shared, recoveries: Recoveries) -> Rollouts:
    return Rollouts(
        RolloutParts(
            artifacts=stores.artifacts,
            bindings=stores.bindings,
            boards=stores.boards,
            catalogue=shared.catalogue,
            commands=shared.commands,
            console_log=stores.console_log,
            database=stores.database,
            journal=stores.journal,
            leases=shared.leases,
            queue=stores.queue,
            recoveries=recoveries,
            store=stores.deployments,
            board_wait=timedelta(seconds=config.board_wait_s),
            new_id=new_session_id,
            owner=uuid.uuid4().hex,
            secret=installation_secret(config.instance.state_dir / "secret"),
        )
    )


def _coverage(config: Config, stores: _Stores, shared: _Shared) -> CoverageMeter:
    return CoverageMeter(
        CoverageParts(
            artifacts=stores.artifacts,
            boards=stores.boards,
            catalogue=shared.catalogue,
            ladder=shared.ladder,
            slots=shared.slots,
            store=stores.sessions,
            secret=installation_secret(config.instance.state_dir / "secret"),
            work_dir=make_private(config.instance.cache_dir / "work"),
        )
    )


def _live_simulations(config: Config, stores: _Stores, shared: _Shared) -> LiveSimulations:
    return LiveSimulations(
        LiveParts(
            artifacts=stores.artifacts,
            boards=stores.boards,
            catalogue=shared.catalogue,
            console_log=stores.console_log,
            ladder=shared.ladder,
            limits=config.live,
            new_id=new_session_id,
            sessions=stores.sessions,
            store=stores.lives,
            work_dir=make_private(config.instance.cache_dir / "work"),
        )
    )


def _services(
    config: Config,
    stores: _Stores,
    shared: _Shared,
    engine: Engine,
    rollouts: Rollouts,
    recoveries: Recoveries,
    lives: LiveSimulations,
    cloud: _Cloud,
) -> Services:
    care = BoardCare(
        boards=stores.boards,
        borrowing=shared.borrowing,
        commands=shared.commands,
        health=stores.health,
    )
    sessions = SessionService(
        engine,
        stores.sessions,
        stores.journal,
        stores.artifacts,
        stores.answers,
        stores.designs,
        stores.stacks,
        session_ceiling_micro_usd=config.claude.session_ceiling_micro_usd,
    )
    return Services(
        sessions=sessions,
        designs=DesignService(
            _Previews(shared.designers[OfflineDesigner.name], stores.boards),
            shared.catalogue,
            stores.designs,
            stores.sessions,
        ),
        builds=BuildService(stores.sessions, sessions),
        simulations=SimulationService(stores.sessions, sessions),
        live_simulations=LiveSimulationService(
            lives, stores.lives, stores.sessions, stores.console_log, stores.answers
        ),
        deployments=DeploymentService(
            rollouts, stores.deployments, stores.sessions, stores.journal, stores.answers
        ),
        stacks=StackService(
            cloud.stacks,
            stores.stacks,
            stores.journal,
            stores.answers,
            cloud.telemetry,
            cloud.sender,
        ),
        bench=BenchService(stores.boards, shared.leases, care, recoveries),
        consoles=ConsoleService(
            stores.console_log,
            stores.boards,
            BoardTypist(shared.leases, shared.commands),
        ),
        artifacts=ArtifactService(stores.artifacts),
        server=ServerService(
            _ToolChecks(shared, config.provisioning),
            DesignerStates(shared.claude),
            version=__version__,
            data_dir=config.instance.data_dir,
            start_time=datetime.now(UTC),
        ),
        agent_link=AgentLink(
            registry=shared.registry,
            boards=stores.boards,
            commands=stores.commands,
            console_log=stores.console_log,
            health=stores.health,
            clouds=DeviceClouds(stores.bindings, stores.boards, cloud.credentials.find),
        ),
    )


class _Previews:
    """Designs without a session."""

    def __init__(self, designer: Designer, boards: BoardStore) -> None:
        self._designer = designer
        self._boards = boards

    async def preview(self, prompt: str, board: str) -> Preview:
        bench = await self._boards.boards() if board else []
        answer = await self._designer.design(
            DesignRequest(prompt=prompt, board=board, bench=tuple(bench))
        )
        if isinstance(answer, Refusal):
            return Preview(design=None, findings=answer.findings, understood=answer.understood)
        return Preview(design=answer, findings=answer.findings, understood=answer.understood)


class _ToolChecks:
    """The checks of the confinement, the compilers, the simulators, and of what makes clouds."""

    def __init__(self, shared: _Shared, provisioning: ProvisioningSettings) -> None:
        self._shared = shared
        self._provisioning = provisioning

    async def run(self) -> Sequence[Check]:
        found = await tool_checks(self._shared.vendors)
        found += await simulator_checks(self._shared.ladder, self._shared.catalogue)
        found += await cloud_checks(self._provisioning)
        claude = self._shared.claude
        checks = [Check(check_name=c.name, ok=c.ok, detail=c.detail, fix=c.fix) for c in found]
        detail = claude_detail(claude.settings, await claude.spent_this_month())
        return [*checks, Check(check_name="claude", ok=True, detail=detail)]


@contextmanager
def _only_one(instance: Instance) -> Iterator[None]:
    """Hold the lock of the data directory; it goes with the process, however it ends."""
    path = instance.run_dir / "controlplane.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise NotReadyError(
            "ALREADY_RUNNING",
            f"another control plane serves {instance.data_dir}",
            path=str(instance.data_dir),
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _pid_file(path: Path) -> Iterator[None]:
    path.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
