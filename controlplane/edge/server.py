"""The gRPC server: which services it has and where it listens."""

import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from benchline.channel import KEEPALIVE, MAX_MESSAGE_BYTES
from benchline.errors import InvalidRequestError, NotReadyError
from benchline.v1 import (
    agent_link_pb2,
    agent_link_pb2_grpc,
    artifact_pb2,
    artifact_pb2_grpc,
    bench_pb2,
    bench_pb2_grpc,
    build_service_pb2,
    build_service_pb2_grpc,
    console_pb2,
    console_pb2_grpc,
    deployment_pb2,
    deployment_pb2_grpc,
    design_pb2,
    design_pb2_grpc,
    live_simulation_pb2,
    live_simulation_pb2_grpc,
    server_pb2,
    server_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    simulation_pb2,
    simulation_pb2_grpc,
    stack_pb2,
    stack_pb2_grpc,
)
from controlplane.edge.health import HealthService
from controlplane.edge.interceptors import EdgeInterceptor

_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
OPTIONS: tuple[tuple[str, int], ...] = (
    *KEEPALIVE,
    # Our clients ping every 7.5 s; the default of five minutes would hang up on them. A server
    # that was held up finds several pings at once, which is not their fault: none is too many.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 1_000),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that is served."""

    sessions: session_pb2_grpc.SessionServiceServicer
    designs: design_pb2_grpc.DesignServiceServicer
    builds: build_service_pb2_grpc.BuildServiceServicer
    simulations: simulation_pb2_grpc.SimulationServiceServicer
    live_simulations: live_simulation_pb2_grpc.LiveSimulationServiceServicer
    deployments: deployment_pb2_grpc.DeploymentServiceServicer
    stacks: stack_pb2_grpc.StackServiceServicer
    bench: bench_pb2_grpc.BenchServiceServicer
    consoles: console_pb2_grpc.ConsoleServiceServicer
    artifacts: artifact_pb2_grpc.ArtifactServiceServicer
    server: server_pb2_grpc.ServerServiceServicer
    agent_link: agent_link_pb2_grpc.AgentLinkServiceServicer


def build_server(services: Services, target: str) -> grpc.aio.Server:
    """A server bound to `unix:PATH`, not started yet.

    The socket is made readable and writable for its owner alone. A socket that a dead process
    left behind is removed; one that answers is not.

    Raises:
        NotReadyError: ALREADY_RUNNING.
        InvalidRequestError: INVALID_TARGET, not a unix socket or another file in its place.
    """
    path = _socket_path(target)
    _remove_stale(path)
    server = grpc.aio.server(interceptors=[EdgeInterceptor()], options=list(OPTIONS))
    names = _add_services(server, services)
    health_pb2_grpc.add_HealthServicer_to_server(HealthService(names), server)
    reflection.enable_server_reflection([*names, _HEALTH, reflection.SERVICE_NAME], server)
    before = os.umask(0o177)
    try:
        server.add_insecure_port(target)
        path.chmod(0o600)
    finally:
        os.umask(before)
    return server


def _add_services(server: grpc.aio.Server, services: Services) -> list[str]:
    """Add every service; their full names."""
    pairs: tuple[tuple[Any, Callable[[Any, Any], None], Any], ...] = (
        (session_pb2, session_pb2_grpc.add_SessionServiceServicer_to_server, services.sessions),
        (design_pb2, design_pb2_grpc.add_DesignServiceServicer_to_server, services.designs),
        (
            build_service_pb2,
            build_service_pb2_grpc.add_BuildServiceServicer_to_server,
            services.builds,
        ),
        (
            simulation_pb2,
            simulation_pb2_grpc.add_SimulationServiceServicer_to_server,
            services.simulations,
        ),
        (
            live_simulation_pb2,
            live_simulation_pb2_grpc.add_LiveSimulationServiceServicer_to_server,
            services.live_simulations,
        ),
        (
            deployment_pb2,
            deployment_pb2_grpc.add_DeploymentServiceServicer_to_server,
            services.deployments,
        ),
        (stack_pb2, stack_pb2_grpc.add_StackServiceServicer_to_server, services.stacks),
        (bench_pb2, bench_pb2_grpc.add_BenchServiceServicer_to_server, services.bench),
        (console_pb2, console_pb2_grpc.add_ConsoleServiceServicer_to_server, services.consoles),
        (
            artifact_pb2,
            artifact_pb2_grpc.add_ArtifactServiceServicer_to_server,
            services.artifacts,
        ),
        (server_pb2, server_pb2_grpc.add_ServerServiceServicer_to_server, services.server),
        (
            agent_link_pb2,
            agent_link_pb2_grpc.add_AgentLinkServiceServicer_to_server,
            services.agent_link,
        ),
    )
    names: list[str] = []
    for module, add_to, servicer in pairs:
        add_to(servicer, server)
        names += [item.full_name for item in module.DESCRIPTOR.services_by_name.values()]
    return names


def _socket_path(target: str) -> Path:
    if not target.startswith("unix:"):
        raise InvalidRequestError(
            "INVALID_TARGET", f"{target!r} is not unix:PATH; nothing else is served", target=target
        )
    return Path(target.removeprefix("unix:"))


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise InvalidRequestError(
            "INVALID_TARGET", f"{path} exists and is not a socket; remove it", path=str(path)
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise NotReadyError(
                "ALREADY_RUNNING", f"{path} is in use: {error.strerror}", path=str(path)
            ) from error
    raise NotReadyError(
        "ALREADY_RUNNING", f"another control plane answers on {path}", path=str(path)
    )
