"""Live simulations over the wire, of an image that prints one line in QEMU."""

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import live_simulation_pb2 as live_pb2
from benchline.v1 import live_simulation_pb2_grpc, verdict_pb2
from controlplane.domain.session import SessionRequest, Source
from controlplane.domain.verdict import Stage
from controlplane.pipeline.images import UPLOADED_IMAGE
from controlplane.pipeline.stage import with_artifact
from controlplane.pipeline.uploaded_image import UploadedImage
from controlplane.simulators.canary import CANARY_TEXT, stm32_canary
from controlplane.storage.codec import to_json
from tests.wire.edge.conftest import Edge


def lives(edge: Edge) -> Any:
    return live_simulation_pb2_grpc.LiveSimulationServiceStub(edge.channel)


async def brought(edge: Edge) -> str:
    """A session whose firmware was brought as an image, which is no test build."""
    stored = await edge.artifacts.put(stm32_canary(), kind=UPLOADED_IMAGE, filename="canary.bin")
    source = Source(image_sha256=stored.sha256, image_filename="canary.bin", title="canary")
    request = SessionRequest(
        prompt="", source=source, board_wish="", until=Stage.SIMULATE, designer="", seed=None
    )
    session = await edge.sessions.start(request, "local", "")
    model = "olimex-stm32-h405"
    await edge.store.put_checkpoint(
        session.session_id, "image", to_json(UploadedImage(board_model=model, test_build=False))
    )
    await edge.store.record(
        session.session_id,
        [stored],
        change=lambda s: replace(with_artifact(s, stored), board_model=model),
    )
    return session.name


async def started(edge: Edge) -> Any:
    request = live_pb2.StartLiveSimulationRequest(session=await brought(edge))
    return (await lives(edge).StartLiveSimulation(request)).live_simulation


async def reason_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from(caught.value).reason


async def watched(edge: Edge, name: str, offset: int, stop: Any) -> tuple[bytes, list[Any]]:
    """The console from an offset and the states, until `stop` says so of both."""
    call = lives(edge).WatchLiveSimulation(
        live_pb2.WatchLiveSimulationRequest(name=name, offset=offset)
    )
    told, states = b"", []
    async with asyncio.timeout(60):
        async for answer in call:
            for chunk in answer.chunks:
                assert chunk.offset == offset + len(told)
                told += chunk.data
            if answer.HasField("live_simulation"):
                states.append(answer.live_simulation)
            if stop(told, states[-1]):
                break
    call.cancel()
    return told, states


async def test_it_is_started_once_watched_reset_and_stopped(edge: Edge) -> None:
    session = await brought(edge)
    request = live_pb2.StartLiveSimulationRequest(request_id=str(uuid.uuid4()), session=session)
    first, again = [await lives(edge).StartLiveSimulation(request) for _ in range(2)]
    live = first.live_simulation
    assert again.live_simulation.name == live.name
    assert (live.state, live.session, live.title) == (verdict_pb2.STATE_PENDING, session, "canary")

    told, states = await watched(edge, live.name, 0, lambda told, _: CANARY_TEXT in told)
    assert told == CANARY_TEXT
    assert states[-1].state == verdict_pb2.STATE_RUNNING
    assert states[-1].console == f"consoles/{session}/live/{live.name.rpartition('/')[2]}"
    revisions = [state.revision for state in states]
    assert revisions == sorted(set(revisions))

    reset = live_pb2.ResetLiveSimulationRequest(name=live.name, request_id=str(uuid.uuid4()))
    once, twice = [await lives(edge).ResetLiveSimulation(reset) for _ in range(2)]
    assert once.live_simulation.epoch == 2
    assert twice == once

    told, _ = await watched(edge, live.name, len(CANARY_TEXT), lambda told, _: CANARY_TEXT in told)
    assert told == CANARY_TEXT

    ending = asyncio.create_task(watched(edge, live.name, 0, lambda *_: False))
    stopped = await lives(edge).StopLiveSimulation(
        live_pb2.StopLiveSimulationRequest(name=live.name)
    )
    told, states = await ending  # the stream ended by itself
    assert told == CANARY_TEXT * 2
    assert states[-1].reason == stopped.live_simulation.reason == "STOPPED"
    assert states[-1].outcome == verdict_pb2.OUTCOME_UNSPECIFIED
    assert states[-1].HasField("end_time")


async def test_it_is_found_by_the_beginning_of_its_id_and_listed(edge: Edge) -> None:
    first, second = await started(edge), await started(edge)
    short = second.name.rpartition("/")[2][:-1]
    found = await lives(edge).GetLiveSimulation(live_pb2.GetLiveSimulationRequest(name=short))
    assert found.live_simulation.name == second.name

    async def listed(**fields: Any) -> Any:
        return await lives(edge).ListLiveSimulations(live_pb2.ListLiveSimulationsRequest(**fields))

    page = await listed(page_size=1)
    rest = await listed(page_size=1, page_token=page.next_page_token)
    assert [one.name for one in page.live_simulations] == [second.name]
    assert [one.name for one in rest.live_simulations] == [first.name]
    assert not rest.next_page_token
    of_session = await listed(session=first.session)
    assert [one.name for one in of_session.live_simulations] == [first.name]
    third = live_pb2.StartLiveSimulationRequest(session=first.session)
    assert await reason_of(lives(edge).StartLiveSimulation(third)) == "LIVE_SIMULATIONS_FULL"


async def test_what_cannot_be_done_is_refused_with_a_reason(edge: Edge) -> None:
    stub = lives(edge)
    live = await started(edge)
    await watched(edge, live.name, 0, lambda told, _: bool(told))

    def send(data: bytes, name: str = live.name) -> Any:
        return stub.SendToLiveSimulation(live_pb2.SendToLiveSimulationRequest(name=name, data=data))

    await send(b"hello\n")
    assert await reason_of(send(b"")) == "SEND_SIZE"
    assert await reason_of(send(b"x" * 4097)) == "SEND_SIZE"
    assert await reason_of(send(b"x", "liveSimulations/0none")) == "LIVE_SIMULATION_NOT_FOUND"
    assert await reason_of(send(b"x", "no/such")) == "INVALID_NAME"
    signal = live_pb2.SetLiveSignalRequest(name=live.name, signal="PA0", value="on")
    assert await reason_of(stub.SetLiveSignal(signal)) == "SIGNALS_NOT_SETTABLE"
    signal.value = "1" * 101
    assert await reason_of(stub.SetLiveSignal(signal)) == "SIGNAL_VALUE_INVALID"
    await stub.StopLiveSimulation(live_pb2.StopLiveSimulationRequest(name=live.name))
    assert await reason_of(send(b"x")) == "LIVE_NOT_RUNNING"
    reset = live_pb2.ResetLiveSimulationRequest(name=live.name)
    assert await reason_of(stub.ResetLiveSimulation(reset)) == "LIVE_NOT_RUNNING"


async def test_typing_is_bounded_when_the_firmware_reads_nothing(edge: Edge) -> None:
    live = await started(edge)
    await watched(edge, live.name, 0, lambda told, _: bool(told))

    async def until_full() -> None:
        for _ in range(100):
            await lives(edge).SendToLiveSimulation(
                live_pb2.SendToLiveSimulationRequest(name=live.name, data=b"x" * 4096)
            )

    assert await reason_of(until_full()) == "LIVE_INPUT_FULL"
