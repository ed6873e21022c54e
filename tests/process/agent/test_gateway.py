"""The gateway of a board, with a real agent, a real broker and the devices' own certificates."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import pytest

from benchline.client_tls import client_context
from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import bench_pb2
from controlplane.provisioning.localcloud.cloud import Credential as CloudCredential
from controlplane.provisioning.localcloud.cloud import LocalCloud
from tests.process.agent.control_plane import (
    WAIT_S,
    ControlPlane,
    PtyBoard,
    agent,
    control_plane,
    pty_board,
    until,
)

BOARD, DEVICE = "pty-01", "thermo-1"
CONNECTED = bench_pb2.BoardCloud.STATE_CONNECTED
CONNECTING = bench_pb2.BoardCloud.STATE_CONNECTING
REFUSED = bench_pb2.BoardCloud.STATE_REFUSED


@pytest.fixture
def board(tmp_path: Path) -> Iterator[PtyBoard]:
    with pty_board(tmp_path) as found:
        yield found


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[LocalCloud]:
    made = LocalCloud("lab", tmp_path / "cloud")
    await made.ensure_broker()
    await made.ensure_device(DEVICE)
    yield made
    await made.delete_broker()


def record(text: str) -> bytes:
    return b"\x1e" + text.encode() + b"\n"


@dataclass
class Rig:
    """A control plane that has bound the board to the device."""

    server: ControlPlane
    cloud: LocalCloud

    async def bind(self) -> CloudCredential:
        credential = await self.cloud.device_credential(DEVICE)
        reference = f"local:lab/{DEVICE}"
        self.server.credentials[reference] = pb.FetchDeviceCredentialResponse(
            certificate_pem=credential.certificate_pem,
            key_pem=credential.key_pem,
            ca_pem=credential.ca_pem,
        )
        binding = pb.CloudBinding(
            board=BOARD,
            stack="lab",
            device=DEVICE,
            endpoint=credential.endpoint,
            client_id=DEVICE,
            topic_prefix=f"devices/{DEVICE}",
            credential_ref=reference,
        )
        self.say([binding])
        return credential

    def say(self, bindings: list[pb.CloudBinding]) -> None:
        self.server.say(pb.ConnectResponse(cloud_bindings=pb.CloudBindings(bindings=bindings)))

    def now(self) -> bench_pb2.BoardCloud:
        return self.server.gateways.get(BOARD, bench_pb2.BoardCloud())

    async def told(self, what: str, condition: Callable[[bench_pb2.BoardCloud], bool]) -> None:
        await until(f"{what}, not {self.now()}", lambda: condition(self.now()))


@contextlib.asynccontextmanager
async def reader(cloud: LocalCloud, topic: str = "devices/#") -> AsyncIterator[aiomqtt.Client]:
    """The cloud's own reader of telemetry, subscribed."""
    ingest = await cloud.ingest_credential()
    host, _, port = ingest.endpoint.rpartition(":")
    context = client_context(ingest.certificate_pem, ingest.key_pem, ingest.ca_pem)
    async with aiomqtt.Client(host, int(port), tls_context=context) as client:
        await client.subscribe(topic, qos=1)
        yield client


async def next_message(client: aiomqtt.Client) -> tuple[str, bytes]:
    async with asyncio.timeout(WAIT_S):
        message = await anext(aiter(client.messages))
    assert isinstance(message.payload, bytes)
    return str(message.topic), message.payload


async def test_messages_are_carried_both_ways_and_the_key_is_on_no_disk(
    tmp_path: Path, board: PtyBoard, cloud: LocalCloud
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        rig = Rig(server, cloud)
        await server.board_ready(BOARD)
        # Announced and published before the board was bound: the one counts, the other does not.
        await board.say(record("CL SUB fan/set") + record("CL PUB early 0"))
        await server.said(BOARD, b"early 0\n")
        async with reader(cloud) as telemetry:
            credential = await rig.bind()
            await rig.told("a connected gateway", lambda now: now.state == CONNECTED)

            await board.say(b"text " + record("CL PUB temperature 21.5") + b"\x1e\x1eCL PUB x 1\n")
            assert await next_message(telemetry) == (f"devices/{DEVICE}/temperature", b"21.5")
            await board.say(record("CL PUB raw %1E%0A%C3") + record("CL PUB bad topic %zz"))
            assert await next_message(telemetry) == (f"devices/{DEVICE}/raw", b"\x1e\n\xc3")
            await rig.told("counts", lambda now: (now.published, now.refused) == (2, 1))

            device = await cloud.device_credential(DEVICE)
            context = client_context(device.certificate_pem, device.key_pem, device.ca_pem)
            host, _, port = device.endpoint.rpartition(":")
            async with aiomqtt.Client(host, int(port), tls_context=context) as self_client:
                for payload in (b"x" * 257, b"on\n"):
                    await self_client.publish(f"devices/{DEVICE}/fan/set", payload, qos=1)
            typed = bytearray()
            await until("the message", lambda: bool(typed.extend(board.typed())) or b"\n" in typed)
            assert typed == b"\x1eCL MSG fan/set on%0A\n"
            await rig.told("counts", lambda now: (now.received, now.refused) == (1, 2))

        rig.say([])
        await board.say(record("CL PUB late 1"))
        await server.said(BOARD, b"late 1\n")
        assert rig.now().published == 2

    lines = [line for line in credential.key_pem.splitlines() if b"-" not in line]
    assert lines
    files = [tmp_path / "agent.log", *(tmp_path / "agent").rglob("*")]
    for path in files:
        if path.is_file():
            data = path.read_bytes()
            assert not any(line in data for line in lines), path


async def test_a_lost_broker_is_told_and_what_waits_is_carried_when_it_is_back(
    tmp_path: Path, board: PtyBoard, cloud: LocalCloud
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path):
        rig = Rig(server, cloud)
        await server.board_ready(BOARD)
        await rig.bind()
        await rig.told("a connected gateway", lambda now: now.state == CONNECTED)

        await cloud.close()
        await rig.told("a lost broker", lambda now: now.state == CONNECTING and now.message != "")
        flood = b"".join(record(f"CL PUB count {n}") for n in range(300))
        await board.say(flood)
        await rig.told("a full queue", lambda now: now.dropped == 300 - 256)

        await cloud.ensure_broker()
        await rig.told("all of the rest", lambda now: now.published == 256)
        assert rig.now().state == CONNECTED
        assert rig.now().dropped == 300 - 256


async def test_a_device_that_is_not_let_in_is_refused_with_the_reason(
    tmp_path: Path, board: PtyBoard, cloud: LocalCloud
) -> None:
    async with control_plane(tmp_path) as server, agent(server, tmp_path) as running:
        rig = Rig(server, cloud)
        await server.board_ready(BOARD)
        await rig.bind()
        await rig.told("a connected gateway", lambda now: now.state == CONNECTED)

        server.credentials.clear()  # another device's reference, as the control plane sees it
        rig.say([])
        binding = pb.CloudBinding(
            board=BOARD,
            stack="other",
            device=DEVICE,
            endpoint=(await cloud.device_credential(DEVICE)).endpoint,
            client_id=DEVICE,
            topic_prefix=f"devices/{DEVICE}",
            credential_ref=f"local:other/{DEVICE}",
        )
        rig.say([binding])
        await rig.told("a refusal", lambda now: now.state == REFUSED and now.stack == "other")

        await rig.bind()
        await rig.told("a connected gateway", lambda now: now.state == CONNECTED)
        os.kill(running.process.pid, signal.SIGKILL)
        await running.process.wait()
        server.gateways.clear()
        async with agent(server, tmp_path):
            await server.linked(2)
            await server.board_ready(BOARD)
            await rig.bind()
            await rig.told("a connected gateway", lambda now: now.state == CONNECTED)
