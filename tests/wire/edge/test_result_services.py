"""What the stages made, over a real unix socket."""

from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import (
    build_pb2,
    build_service_pb2_grpc,
    deployment_pb2,
    deployment_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    simulation_pb2,
    simulation_pb2_grpc,
)
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.artifact import Artifact
from controlplane.domain.build import Build, SourceFile
from controlplane.domain.deployment import SessionDeployment
from controlplane.domain.design import Design
from controlplane.domain.simulation import Simulation
from controlplane.domain.verdict import Evidence, Outcome
from controlplane.storage.codec import to_json
from tests.wire.edge.conftest import Edge

BUILD = Build(
    session="sessions/x",
    attempt=1,
    outcome=Outcome.PASSED,
    build_id="0123456789ab",
    toolchain="arm-none-eabi-gcc 12.2",
    part="stm32f405rg",
    artifacts=(Artifact(kind="firmware.elf", filename="a.elf", sha256="0" * 64, size_bytes=3),),
    diagnostics=(),
    flash_used_bytes=1,
    flash_limit_bytes=2,
    ram_used_bytes=3,
    ram_limit_bytes=4,
    confinement="bubblewrap",
    sources=(SourceFile(path="a.ino", content="void setup(){}"),),
)
SIMULATION = Simulation(
    session="sessions/x",
    attempt=1,
    outcome=Outcome.FAILED,
    rung="qemu-netduinoplus2",
    simulator="qemu 7.2",
    confinement="bubblewrap",
    results=(),
)
DEPLOYMENT = SessionDeployment(
    session="sessions/x",
    attempt=1,
    board="agents/bench/boards/a",
    outcome=Outcome.BROKEN,
    evidence=Evidence.VIRTUAL,
    flashes=(),
    results=(),
    left_image="unknown",
)


async def session(edge: Edge) -> str:
    request = session_pb2.CreateSessionRequest(prompt="Blink.")
    stub: Any = session_pb2_grpc.SessionServiceStub(edge.channel)
    return str((await stub.CreateSession(request)).session.name)


def calls(edge: Edge, name: str) -> dict[str, Any]:
    builds: Any = build_service_pb2_grpc.BuildServiceStub(edge.channel)
    simulations: Any = simulation_pb2_grpc.SimulationServiceStub(edge.channel)
    deployments: Any = deployment_pb2_grpc.DeploymentServiceStub(edge.channel)
    return {
        "build": builds.GetBuild(build_pb2.GetBuildRequest(session=name)),
        "simulation": simulations.GetSimulation(simulation_pb2.GetSimulationRequest(session=name)),
        "deployment": deployments.GetSessionDeployment(
            deployment_pb2.GetSessionDeploymentRequest(session=name)
        ),
    }


async def test_what_was_not_made_yet_is_not_found(edge: Edge) -> None:
    for key, call in calls(edge, await session(edge)).items():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert error_from(caught.value).reason == f"{key.upper()}_NOT_FOUND"


async def test_what_the_stages_made_is_told(edge: Edge) -> None:
    name = await session(edge)
    for key, made in (("build", BUILD), ("simulation", SIMULATION), ("deployment", DEPLOYMENT)):
        await edge.store.put_checkpoint(name.removeprefix("sessions/"), key, to_json(made))
    asked = calls(edge, name)
    build = (await asked["build"]).build
    assert (build.build_id, build.artifacts[0].kind) == ("0123456789ab", "firmware.elf")
    assert (await asked["simulation"]).simulation.rung == "qemu-netduinoplus2"
    assert (await asked["deployment"]).deployment.left_image == "unknown"


async def test_a_design_is_told_with_its_sketch(edge: Edge) -> None:
    prompt = "Blink the on-board LED at 2 Hz."
    designer = OfflineDesigner(load_catalogue())
    design = await designer.design(DesignRequest(prompt=prompt, board=""))
    assert isinstance(design, Design)
    name = await session(edge)
    identity = name.removeprefix("sessions/")
    await edge.store.put_checkpoint(identity, "design", design.to_json())
    await edge.store.put_checkpoint(identity, "build", to_json(BUILD))
    stub: Any = session_pb2_grpc.SessionServiceStub(edge.channel)
    answer = await stub.GetSessionDesign(session_pb2.GetSessionDesignRequest(name=name))
    assert answer.design.design_hash == design.design_hash
    assert Design.from_json(answer.design.json) == design
    assert answer.design.pins[0].pin
    assert "".join(prompt[span.start : span.end] for span in answer.design.understood) == "".join(
        span.text for span in answer.design.understood
    )
    assert answer.sources[0].path == "a.ino"
