"""Deployments over a real channel: planned, refused, listed, watched, cancelled."""

import hashlib
import struct
import uuid
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import artifact_pb2, deployment_pb2, deployment_pb2_grpc, design_pb2, verdict_pb2
from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.domain.deployment import BoardDeployment
from controlplane.domain.event import DeploymentChanged
from controlplane.domain.verdict import Outcome, State
from tests.wire.edge.conftest import Edge

STM32 = struct.pack("<II", 0x2002_0000, 0x0800_0189) + bytes(64)
SCENARIO = "scenario: 1\nid: t\ntitle: T\nduration: 1s\nsteps:\n  - expect: {line: x, within: 1s}\n"


def stub_of(edge: Edge) -> Any:
    return deployment_pb2_grpc.DeploymentServiceStub(edge.channel)


async def image(edge: Edge, data: bytes = STM32, title: str = "fw.bin", **fields: Any) -> Any:
    await edge.artifacts.put(data, kind="image", filename=title)
    sha256 = hashlib.sha256(data).hexdigest()
    file = artifact_pb2.ImageFile(sha256=sha256, filename=title)
    return artifact_pb2.FirmwareImage(title=title, files=[file], **fields)


async def bench(edge: Edge, **parts: str) -> None:
    await edge.boards.link_agent("bench", version="1", host="lab")
    boards = [
        Board(
            name=f"agents/bench/boards/{name}",
            model="",
            part=part,
            kind=BoardKind.VIRTUAL,
            state=BoardState.ACTIVE,
            probe_id="p",
            identity=name,
            port="",
            family=part[:5],
        )
        for name, part in parts.items()
    ]
    await edge.boards.put_inventory("bench", boards)


def request(*images: Any, **fields: Any) -> Any:
    return deployment_pb2.CreateDeploymentRequest(
        request_id=str(uuid.uuid4()), images=images, **fields
    )


async def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = error_from(caught.value)
    return error.reason, error.message


async def test_a_deployment_is_planned_before_anything_is_touched(edge: Edge) -> None:
    await bench(edge, a="stm32f405rg", b="stm32f411ce", c="esp32c3", d="stm32f405rg")
    wanted = request(await image(edge), selector="kind=virtual", waves="1,rest")

    made = (await stub_of(edge).CreateDeployment(wanted)).deployment

    assert made.state == verdict_pb2.STATE_PENDING
    assert made.images[0].family == "stm32"
    assert made.images[0].sha256 == hashlib.sha256(STM32).hexdigest()
    assert [(b.board[-1], b.wave, b.image, b.reason) for b in made.boards] == [
        ("c", 0, "", "NO_IMAGE_FOR_PART"),
        ("a", 1, "fw.bin", ""),
        ("b", 2, "fw.bin", ""),
        ("d", 2, "fw.bin", ""),
    ]
    again = (await stub_of(edge).CreateDeployment(wanted)).deployment
    assert again.name == made.name
    assert again.boards == made.boards
    got = await stub_of(edge).GetDeployment(
        deployment_pb2.GetDeploymentRequest(name=made.name[: len("deployments/") + 12])
    )
    assert got.deployment == made


async def test_when_no_image_fits_any_board_it_is_over_at_once(edge: Edge) -> None:
    await bench(edge, c="esp32c3")
    made = (
        await stub_of(edge).CreateDeployment(request(await image(edge), selector="c"))
    ).deployment
    assert (made.state, made.outcome) == (verdict_pb2.STATE_DONE, verdict_pb2.OUTCOME_REFUSED)
    assert made.message == "0 of 1 boards passed; 1 REFUSED"
    watched = stub_of(edge).WatchDeployment(deployment_pb2.WatchDeploymentRequest(name=made.name))
    events = [event async for answer in watched for event in answer.events]
    assert [event.WhichOneof("fact") for event in events] == [
        "deployment_changed",
        "board_deployment",
        "deployment_changed",
    ]
    assert {event.deployment for event in events} == {made.name}
    late = stub_of(edge).CancelDeployment(deployment_pb2.CancelDeploymentRequest(name=made.name))
    assert (await refusal(late))[0] == "DEPLOYMENT_ENDED"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"selector": "part=esp32s3"}, "NO_BOARD_MATCHES"),
        ({"selector": "colour=red"}, "INVALID_SELECTOR"),
        ({"boards": ["nobody"]}, "BOARD_NOT_FOUND"),
        ({}, "SELECTOR_NEEDED"),
        ({"selector": "a", "waves": "0"}, "INVALID_ROLLOUT"),
        ({"selector": "a", "stop_rule": {"max_failed_percent": 101}}, "INVALID_ROLLOUT"),
        ({"selector": "a", "request_id": "x"}, "INVALID_REQUEST_ID"),
        ({"selector": "a", "retry_of": "deployments/x"}, "RETRY_WITH_OPTIONS"),
        (
            {"selector": "a", "scenarios": [design_pb2.Scenario(scenario_id="t", yaml="{")]},
            "SCENARIO_INVALID",
        ),
        (
            {
                "selector": "a",
                "no_reset": True,
                "scenarios": [design_pb2.Scenario(scenario_id="t", yaml=SCENARIO)],
            },
            "INVALID_ROLLOUT",
        ),
    ],
)
async def test_what_cannot_be_planned_is_refused_with_its_reason(
    edge: Edge, fields: dict[str, Any], reason: str
) -> None:
    await bench(edge, a="stm32f405rg", b="stm32f411ce")
    wanted = request(await image(edge), **{k: v for k, v in fields.items() if k != "request_id"})
    wanted.request_id = fields.get("request_id", wanted.request_id)
    assert (await refusal(stub_of(edge).CreateDeployment(wanted)))[0] == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"files": []}, "INVALID_SOURCE"),
        ({"title": "../x"}, "INVALID_SOURCE"),
        ({"part": "STM 32"}, "INVALID_SOURCE"),
        ({"part": "esp32c3"}, "IMAGE_INVALID"),
        ({"files": [{"sha256": "0" * 64, "filename": "x.bin"}]}, "ARTIFACT_NOT_FOUND"),
        ({"files": [{"sha256": "zz", "filename": "x.bin"}]}, "INVALID_DIGEST"),
        ({"files": [{"sha256": "0" * 64, "filename": "a/b.bin"}]}, "INVALID_SOURCE"),
        ({"files": [{"sha256": "0" * 64, "filename": "b", "address": 1 << 40}]}, "INVALID_SOURCE"),
    ],
)
async def test_images_are_hostile(edge: Edge, change: dict[str, Any], reason: str) -> None:
    await bench(edge, a="stm32f405rg")
    good = await image(edge)
    fields = {"title": good.title, "files": list(good.files)} | change
    wanted = request(artifact_pb2.FirmwareImage(**fields), selector="a")
    assert (await refusal(stub_of(edge).CreateDeployment(wanted)))[0] == reason


async def test_an_image_is_needed_and_one_image_is_given_once(edge: Edge) -> None:
    await bench(edge, a="stm32f405rg")
    assert (await refusal(stub_of(edge).CreateDeployment(request(selector="a"))))[
        0
    ] == "IMAGE_NEEDED"
    one = await image(edge)
    twice = request(one, one, selector="a")
    assert (await refusal(stub_of(edge).CreateDeployment(twice)))[0] == "IMAGE_TWICE"


async def test_without_a_selector_the_only_board_that_fits_is_taken(edge: Edge) -> None:
    await bench(edge, a="stm32f405rg", c="esp32c3")
    made = (await stub_of(edge).CreateDeployment(request(await image(edge)))).deployment
    assert [board.board[-1] for board in made.boards] == ["a"]


async def test_deployments_are_listed_page_by_page(edge: Edge) -> None:
    await bench(edge, a="stm32f405rg")
    names = [
        (
            await stub_of(edge).CreateDeployment(request(await image(edge), selector="a"))
        ).deployment.name
        for _ in range(3)
    ]
    first = await stub_of(edge).ListDeployments(deployment_pb2.ListDeploymentsRequest(page_size=2))
    rest = await stub_of(edge).ListDeployments(
        deployment_pb2.ListDeploymentsRequest(page_token=first.next_page_token)
    )
    assert {d.name for d in (*first.deployments, *rest.deployments)} == set(names)
    assert not rest.next_page_token
    assert not first.deployments[0].boards


async def test_cancelling_is_remembered_and_answered_the_same_twice(edge: Edge) -> None:
    await bench(edge, a="stm32f405rg")
    made = (
        await stub_of(edge).CreateDeployment(request(await image(edge), selector="a"))
    ).deployment
    wish = deployment_pb2.CancelDeploymentRequest(name=made.name, request_id=str(uuid.uuid4()))
    first = await stub_of(edge).CancelDeployment(wish)
    assert await stub_of(edge).CancelDeployment(wish) == first
    assert (await edge.deployments.get(made.name.rpartition("/")[2])).cancel_requested


async def test_a_watch_resumes_exactly_and_ends_with_the_deployment(edge: Edge) -> None:
    await bench(edge, a="stm32f405rg")
    made = (
        await stub_of(edge).CreateDeployment(request(await image(edge), selector="a"))
    ).deployment
    identity = made.name.rpartition("/")[2]
    fence = await edge.deployments.claim(identity, "me")
    watched = stub_of(edge).WatchDeployment(
        deployment_pb2.WatchDeploymentRequest(name=made.name, from_sequence=2)
    )
    seen: list[int] = []
    async for answer in watched:
        seen += [event.sequence for event in answer.events]
        if not answer.events:  # a heartbeat: everything that was stored has come
            assert answer.head_sequence == made.last_sequence
            done = BoardDeployment(
                board=made.boards[0].board,
                part="stm32f405rg",
                wave=1,
                state=State.DONE,
                outcome=Outcome.PASSED,
            )
            ended = DeploymentChanged(state=State.DONE, outcome=Outcome.PASSED)
            await edge.deployments.record(identity, [done, ended], fence=fence, change=finished)
    assert seen == [2, 3, 4]


def finished(deployment: Any) -> Any:
    from dataclasses import replace

    return replace(deployment, state=State.DONE, outcome=Outcome.PASSED)
