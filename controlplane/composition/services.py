"""What is served."""

from datetime import UTC, datetime

from benchline import __version__
from controlplane.composition.doctor import Doctor
from controlplane.composition.parts import Parts
from controlplane.composition.workers import Workers
from controlplane.designers.states import DesignerStates
from controlplane.edge.bench_service import BenchService
from controlplane.edge.byte_services import ArtifactService, ConsoleService
from controlplane.edge.deployment_service import DeploymentService
from controlplane.edge.design_service import DesignService
from controlplane.edge.live_simulation_service import LiveSimulationService
from controlplane.edge.result_services import BuildService, SimulationService
from controlplane.edge.server import Services
from controlplane.edge.server_service import ServerService
from controlplane.edge.session_service import SessionService
from controlplane.edge.stack_service import StackService
from controlplane.fleet.device_clouds import DeviceClouds
from controlplane.fleet.link import AgentLink
from controlplane.pipeline.typist import BoardTypist


def all_services(parts: Parts, workers: Workers) -> Services:
    """Every service of the contract."""
    stores, fleet, cloud = parts.stores, parts.fleet, parts.cloud
    sessions = SessionService(
        workers.engine,
        stores.sessions,
        stores.journal,
        stores.artifacts,
        stores.answers,
        stores.designs,
        stores.stacks,
        session_ceiling_micro_usd=parts.config.claude.session_ceiling_micro_usd,
    )
    return Services(
        sessions=sessions,
        designs=DesignService(
            parts.designing.previews, parts.designing.catalogue, stores.designs, stores.sessions
        ),
        builds=BuildService(stores.sessions, sessions),
        simulations=SimulationService(stores.sessions, sessions),
        live_simulations=LiveSimulationService(
            workers.lives, stores.lives, stores.sessions, stores.console_log, stores.answers
        ),
        deployments=DeploymentService(
            workers.rollouts, stores.deployments, stores.sessions, stores.journal, stores.answers
        ),
        stacks=StackService(
            workers.stacks,
            stores.stacks,
            stores.journal,
            stores.answers,
            cloud.telemetry,
            cloud.sender,
        ),
        bench=BenchService(stores.boards, fleet.leases, fleet.care, workers.recoveries),
        consoles=ConsoleService(
            stores.console_log, stores.boards, BoardTypist(fleet.leases, fleet.commands)
        ),
        artifacts=ArtifactService(stores.artifacts),
        server=_server(parts),
        agent_link=_agent_link(parts),
    )


def _server(parts: Parts) -> ServerService:
    return ServerService(
        Doctor(parts),
        DesignerStates(parts.designing.claude),
        version=__version__,
        data_dir=parts.config.instance.data_dir,
        start_time=datetime.now(UTC),
    )


def _agent_link(parts: Parts) -> AgentLink:
    stores = parts.stores
    return AgentLink(
        registry=parts.fleet.registry,
        boards=stores.boards,
        commands=stores.commands,
        console_log=stores.console_log,
        health=stores.health,
        clouds=DeviceClouds(stores.bindings, stores.boards, parts.cloud.credentials.find),
    )
