"""Builds and simulations on their own, over the wire: sessions that end with their stage."""

import asyncio
import uuid
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import (
    build_pb2,
    build_service_pb2,
    build_service_pb2_grpc,
    design_pb2,
    session_pb2,
    simulation_pb2,
    simulation_pb2_grpc,
    verdict_pb2,
)
from tests.wire.edge.conftest import Edge

SKETCH = build_pb2.SourceFile(path="blink.ino", content="void setup() {}\nvoid loop() {}\n")
SCENARIO = design_pb2.Scenario(scenario_id="main", yaml="scenario: 1\n")


def builds(edge: Edge) -> Any:
    return build_service_pb2_grpc.BuildServiceStub(edge.channel)


def simulations(edge: Edge) -> Any:
    return simulation_pb2_grpc.SimulationServiceStub(edge.channel)


async def test_a_build_is_started_once_told_and_cancelled(edge: Edge) -> None:
    request = build_service_pb2.StartBuildRequest(
        request_id=str(uuid.uuid4()),
        source=session_pb2.Source(files=[SKETCH]),
        board="nucleo-f446re",
    )
    first, again = [await builds(edge).StartBuild(request) for _ in range(2)]
    name = first.session.name
    state = await builds(edge).GetBuildState(build_service_pb2.GetBuildStateRequest(session=name))
    cancelled = await builds(edge).CancelBuild(
        build_service_pb2.CancelBuildRequest(session=name, request_id=str(uuid.uuid4()))
    )

    assert again.session.name == name
    assert state.session.until == verdict_pb2.STAGE_BUILD
    assert state.session.board_wish == "nucleo-f446re"
    assert cancelled.session.state == verdict_pb2.STATE_CANCELLED


async def test_a_build_is_watched_from_a_sequence_number(edge: Edge) -> None:
    request = build_service_pb2.StartBuildRequest(source=session_pb2.Source(files=[SKETCH]))
    started = await builds(edge).StartBuild(request)
    name = started.session.name
    await edge.sessions.finish(name.removeprefix("sessions/"))

    async def watched(start: int) -> list[int]:
        call = builds(edge).WatchBuild(
            build_service_pb2.WatchBuildRequest(session=name, from_sequence=start)
        )
        async with asyncio.timeout(60):
            return [event.sequence async for told in call for event in told.events]

    assert await watched(1) == [1, 2]
    assert await watched(2) == [2]


async def test_an_image_is_not_built(edge: Edge) -> None:
    source = session_pb2.Source(image_sha256="0" * 64, image_filename="a.elf")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await builds(edge).StartBuild(build_service_pb2.StartBuildRequest(source=source))

    assert error_from(caught.value).reason == "NOTHING_TO_BUILD"


async def test_nothing_to_build_and_nothing_built_yet_are_errors(edge: Edge) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as empty:
        await builds(edge).StartBuild(build_service_pb2.StartBuildRequest())
    started = await builds(edge).StartBuild(
        build_service_pb2.StartBuildRequest(source=session_pb2.Source(files=[SKETCH]))
    )
    with pytest.raises(grpc.aio.AioRpcError) as early:
        await builds(edge).GetBuild(build_pb2.GetBuildRequest(session=started.session.name))

    assert error_from(empty.value).reason == "PROMPT_OR_SOURCE"
    assert error_from(early.value).reason == "BUILD_NOT_FOUND"


async def test_a_simulation_of_an_image_is_started_watched_and_cancelled(edge: Edge) -> None:
    stored = await edge.artifacts.put(b"\x7fELF", kind="image", filename="a.elf")
    request = simulation_pb2.StartSimulationRequest(
        request_id=str(uuid.uuid4()),
        source=session_pb2.Source(
            image_sha256=stored.sha256, image_filename="a.elf", scenarios=[SCENARIO]
        ),
        board="stm32f405rg",
        seed=7,
    )
    started = await simulations(edge).StartSimulation(request)
    name = started.session.name
    state = await simulations(edge).GetSimulationState(
        simulation_pb2.GetSimulationStateRequest(session=name)
    )
    await simulations(edge).CancelSimulation(simulation_pb2.CancelSimulationRequest(session=name))
    call = simulations(edge).WatchSimulation(simulation_pb2.WatchSimulationRequest(session=name))
    async with asyncio.timeout(60):
        told = [event.sequence async for message in call for event in message.events]

    assert (state.session.until, state.session.seed) == (verdict_pb2.STAGE_SIMULATE, 7)
    assert told == [1, 2]
