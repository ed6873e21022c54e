"""What the control plane sends to devices reaches the one that it is for, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from benchline.client_tls import client_context
from benchline.errors import InvalidRequestError, NotFoundError, UnreachableError
from controlplane.provisioning.localcloud.cloud import Credential
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.sender import Sender

STACK = "lab"


@pytest.fixture
async def clouds(tmp_path: Path) -> AsyncIterator[LocalClouds]:
    async with LocalClouds(tmp_path / "stacks") as found:
        await found.cloud(STACK).ensure_broker()
        for device in ("lamp-1", "lamp-2"):
            await found.cloud(STACK).ensure_device(device)
        yield found
        await found.cloud(STACK).delete_broker()


@asynccontextmanager
async def connected(credential: Credential) -> AsyncIterator[aiomqtt.Client]:
    context = client_context(credential.certificate_pem, credential.key_pem, credential.ca_pem)
    host, _, port = credential.endpoint.rpartition(":")
    async with aiomqtt.Client(host, int(port), tls_context=context) as client:
        yield client


async def test_a_message_reaches_its_device_alone(clouds: LocalClouds) -> None:
    cloud, sender = clouds.cloud(STACK), Sender(clouds)
    one, two = [await cloud.device_credential(f"lamp-{n}") for n in (1, 2)]
    async with connected(one) as first, connected(two) as second:
        await first.subscribe("devices/lamp-1/#", qos=1)
        await second.subscribe("#", qos=1)
        await sender.send(STACK, "lamp-1", "lamp", b"on")
        await sender.send(STACK, "lamp-2", "lamp", b"off")
        async with asyncio.timeout(60):
            got = await anext(first.messages)
            other = await anext(second.messages)
    assert (str(got.topic), got.payload) == ("devices/lamp-1/lamp", b"on")
    assert (str(other.topic), other.payload) == ("devices/lamp-2/lamp", b"off")


async def test_the_sender_hears_nothing(clouds: LocalClouds) -> None:
    cloud = clouds.cloud(STACK)
    async with connected(await cloud.sender_credential()) as spy:
        await spy.subscribe("#", qos=1)
        async with connected(await cloud.device_credential("lamp-1")) as lamp:
            await lamp.publish("devices/lamp-1/secret", "x", qos=1)
        # Its own message would come after the device's.
        async with connected(await cloud.ingest_credential()) as reader:
            await reader.subscribe("devices/#", qos=1)
            await spy.publish("devices/lamp-1/end", "y", qos=1)
            async with asyncio.timeout(60):
                assert (await anext(reader.messages)).payload == b"y"
        assert not spy.messages._client._queue.qsize()


@pytest.mark.parametrize(
    ("topic", "payload"), [("a b", b""), ("", b""), ("#", b""), ("../+", b""), ("lamp", b"x" * 257)]
)
async def test_what_no_device_could_take_is_refused(
    clouds: LocalClouds, topic: str, payload: bytes
) -> None:
    with pytest.raises(InvalidRequestError):
        await Sender(clouds).send(STACK, "lamp-1", topic, payload)


async def test_a_cloud_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with LocalClouds(tmp_path / "stacks") as clouds:
        with pytest.raises(NotFoundError, match="apply the stack"):
            await Sender(clouds).send(STACK, "lamp-1", "lamp", b"on")


async def test_a_broker_that_is_down_is_told(clouds: LocalClouds) -> None:
    await clouds.cloud(STACK).close()
    with pytest.raises(UnreachableError, match="stack drift lab"):
        await Sender(clouds).send(STACK, "lamp-1", "lamp", b"on")
