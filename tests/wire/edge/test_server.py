"""The server itself: socket, principal, errors, health and reflection."""

import socket
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from benchline.channel import open_channel
from benchline.errors import InvalidRequestError, NotReadyError, error_from
from benchline.v1 import (
    agent_link_pb2,
    artifact_pb2,
    bench_pb2,
    build_service_pb2,
    console_pb2,
    deployment_pb2,
    design_pb2,
    design_pb2_grpc,
    live_simulation_pb2,
    server_pb2,
    server_pb2_grpc,
    session_pb2,
    simulation_pb2,
    stack_pb2,
)
from controlplane.access.principal import Role
from controlplane.edge.interceptors import EdgeInterceptor, required_role
from controlplane.edge.server import _remove_stale, build_server
from controlplane.edge.server_service import ServerService
from tests.wire.edge.conftest import Edge, NoChecks, TwoDesigners

SERVICE_MODULES: list[Any] = [
    agent_link_pb2,
    artifact_pb2,
    bench_pb2,
    build_service_pb2,
    console_pb2,
    deployment_pb2,
    design_pb2,
    live_simulation_pb2,
    server_pb2,
    session_pb2,
    simulation_pb2,
    stack_pb2,
]


def mode_of(path: Path) -> int:
    return path.lstat().st_mode


async def test_the_caller_on_the_socket_is_the_local_admin(edge: Edge) -> None:
    answer = await server_pb2_grpc.ServerServiceStub(edge.channel).GetServer(
        server_pb2.GetServerRequest(run_checks=True)
    )
    assert answer.principal.startswith("local:")
    assert (answer.role, answer.version) == ("admin", "0.1.0")
    assert answer.checks[0].check_name == "qemu"
    offline, claude = answer.designers
    assert (offline.designer, offline.costs) == ("offline", False)
    assert (claude.ready, claude.session_ceiling_micro_usd) == (True, 5_000_000)


async def test_a_caller_that_is_not_on_a_unix_socket_is_not_known(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    server = grpc.aio.server(interceptors=[EdgeInterceptor()])
    server_pb2_grpc.add_ServerServiceServicer_to_server(
        ServerService(
            NoChecks(),
            TwoDesigners(),
            version="1",
            data_dir=tmp_path,
            start_time=datetime.now(UTC),
        ),
        server,
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server_pb2_grpc.ServerServiceStub(channel).GetServer(
                server_pb2.GetServerRequest()
            )
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    await server.stop(grace=0)


async def test_the_text_of_a_bug_never_reaches_the_caller(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    stub = design_pb2_grpc.DesignServiceStub(edge.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PreviewDesign(design_pb2.PreviewDesignRequest(prompt="crash"))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    details = caught.value.details() or ""
    assert "secret" not in details
    incident = details.split("incident ")[1][:8]
    assert incident in {getattr(record, "incident", None) for record in caplog.records}


async def test_a_unary_call_that_hangs_is_ended_by_the_server(
    monkeypatch: pytest.MonkeyPatch, edge: Edge
) -> None:
    monkeypatch.setattr("controlplane.edge.interceptors.LONGEST_UNARY_S", 0.05)
    stub = design_pb2_grpc.DesignServiceStub(edge.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PreviewDesign(design_pb2.PreviewDesignRequest(prompt="hang"))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_that_its_caller_leaves_does_no_harm(edge: Edge) -> None:
    stub = design_pb2_grpc.DesignServiceStub(edge.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PreviewDesign(design_pb2.PreviewDesignRequest(prompt="hang"), timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    answer = await stub.PreviewDesign(design_pb2.PreviewDesignRequest(prompt="Fly."))
    assert answer.findings


def test_what_changes_something_needs_more_than_a_viewer() -> None:
    changing = {
        f"{service.name}.{method.name}"
        for module in SERVICE_MODULES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if required_role(f"/{service.full_name}/{method.name}") > Role.VIEWER
    }
    assert changing == {
        "AgentLinkService.Connect",
        "AgentLinkService.FetchDeviceCredential",
        "AgentLinkService.UploadConsole",
        "ConsoleService.SendConsole",
        "DeploymentService.CancelDeployment",
        "DeploymentService.CreateDeployment",
        "ArtifactService.WriteArtifact",
        "BenchService.AcquireLease",
        "BenchService.IdentifyBoard",
        "BenchService.PowerBoard",
        "BenchService.QuarantineBoard",
        "BenchService.RecoverBoard",
        "BenchService.ResetBoard",
        "BenchService.ReturnBoard",
        "BenchService.ReleaseLease",
        "BenchService.RenewLease",
        "BuildService.CancelBuild",
        "BuildService.StartBuild",
        "DesignService.SaveDesign",
        "DesignService.UpdateDesign",
        "LiveSimulationService.ResetLiveSimulation",
        "LiveSimulationService.SendToLiveSimulation",
        "LiveSimulationService.SetLiveSignal",
        "LiveSimulationService.StartLiveSimulation",
        "LiveSimulationService.StopLiveSimulation",
        "SessionService.AnswerQuestions",
        "SessionService.CancelSession",
        "SessionService.CreateSession",
        "SimulationService.CancelSimulation",
        "SimulationService.StartSimulation",
        "StackService.ApplyStack",
        "StackService.ApproveStack",
        "StackService.CancelOperation",
        "StackService.CreateStack",
        "StackService.DeleteStack",
        "StackService.DestroyStack",
        "StackService.DetectDrift",
        "StackService.PlanStack",
        "StackService.RejectPlan",
        "StackService.SendToDevice",
    }


async def test_a_sentence_that_is_not_understood_is_refused_with_findings(edge: Edge) -> None:
    stub = design_pb2_grpc.DesignServiceStub(edge.channel)
    answer = await stub.PreviewDesign(design_pb2.PreviewDesignRequest(prompt="Fly."))
    assert answer.outcome == 5
    assert answer.findings[0].code == "E200"
    assert answer.findings[0].severity == 3


async def test_an_unknown_method_is_unimplemented(edge: Edge) -> None:
    call = edge.channel.unary_unary(
        "/benchline.v1.SessionService/Fly",
        request_serializer=empty_pb2.Empty.SerializeToString,
        response_deserializer=empty_pb2.Empty.FromString,
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(empty_pb2.Empty())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("service", ["", "benchline.v1.SessionService"])
async def test_health_is_serving(edge: Edge, service: str) -> None:
    stub = health_pb2_grpc.HealthStub(edge.channel)
    request = health_pb2.HealthCheckRequest(service=service)
    assert (await stub.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(request)
    assert (await anext(aiter(watch))).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


async def test_health_of_an_unknown_service_is_not_found(edge: Edge) -> None:
    stub = health_pb2_grpc.HealthStub(edge.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="x"))
    assert error_from(caught.value).reason == "SERVICE_NOT_FOUND"


async def test_reflection_lists_every_service(edge: Edge) -> None:
    async def ask() -> Any:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        yield reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="benchline.v1.SessionService"
        )

    stub = reflection_pb2_grpc.ServerReflectionStub(edge.channel)
    answers = [answer async for answer in stub.ServerReflectionInfo(ask())]
    names = {service.name for service in answers[0].list_services_response.service}
    assert len([name for name in names if name.startswith("benchline.v1.")]) == 12
    assert "grpc.health.v1.Health" in names
    assert answers[1].file_descriptor_response.file_descriptor_proto


async def test_the_socket_is_for_its_owner_alone(edge: Edge) -> None:
    path = Path(edge.target.removeprefix("unix:"))
    assert stat.S_IMODE(mode_of(path)) == 0o600


async def test_a_socket_that_answers_is_not_taken_over(edge: Edge) -> None:
    path = Path(edge.target.removeprefix("unix:"))
    with pytest.raises(NotReadyError, match="another control plane answers"):
        _remove_stale(path)
    assert stat.S_ISSOCK(mode_of(path))


def test_a_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    _remove_stale(path)
    assert not path.exists()


def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    path.write_text("mine")
    with pytest.raises(InvalidRequestError, match="not a socket"):
        _remove_stale(path)
    assert path.read_text() == "mine"


async def test_nothing_but_a_unix_socket_is_served() -> None:
    services: Any = None
    with pytest.raises(InvalidRequestError, match="not unix:PATH"):
        build_server(services, "0.0.0.0:1")
