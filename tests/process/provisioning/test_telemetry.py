"""What devices publish, read by the cloud's own reader from a real broker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from benchline.client_tls import client_context
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.telemetry import KEPT, Telemetry

STACK, DEVICE = "lab", "thermo-1"


@pytest.fixture
async def clouds(tmp_path: Path) -> AsyncIterator[LocalClouds]:
    async with LocalClouds(tmp_path / "stacks") as found:
        await found.cloud(STACK).ensure_broker()
        await found.cloud(STACK).ensure_device(DEVICE)
        yield found
        await found.cloud(STACK).delete_broker()


async def publish(clouds: LocalClouds, *payloads: bytes) -> None:
    """As the device does."""
    credential = await clouds.cloud(STACK).device_credential(DEVICE)
    context = client_context(credential.certificate_pem, credential.key_pem, credential.ca_pem)
    host, _, port = credential.endpoint.rpartition(":")
    async with aiomqtt.Client(host, int(port), tls_context=context) as client:
        for payload in payloads:
            await client.publish(f"devices/{DEVICE}/lab/temperature", payload, qos=1)


async def arrived(clouds: LocalClouds, telemetry: Telemetry, payload: bytes) -> None:
    """Publish until the reader, which may still be connecting, has it."""
    async with asyncio.timeout(60):
        while not any(one.payload == payload for one in telemetry.after(STACK, 0)):
            await publish(clouds, payload)
            with_in = asyncio.create_task(telemetry.wait(STACK, telemetry.head(STACK)))
            await asyncio.wait([with_in], timeout=0.5)
            with_in.cancel()


async def test_the_newest_messages_of_each_device_are_kept_and_all_are_counted(
    clouds: LocalClouds,
) -> None:
    async with Telemetry(clouds) as telemetry:
        assert not telemetry.reads(STACK)
        telemetry.follow(STACK, [DEVICE])
        await arrived(clouds, telemetry, b"first")
        before = telemetry.head(STACK)

        await publish(clouds, *(b"%d" % n for n in range(KEPT + 5)))
        async with asyncio.timeout(60):
            while telemetry.head(STACK) < before + KEPT + 5:
                await telemetry.wait(STACK, telemetry.head(STACK))
        kept = telemetry.after(STACK, 0, DEVICE)
        assert [one.payload for one in kept] == [b"%d" % n for n in range(5, KEPT + 5)]
        assert (kept[-1].count, kept[-1].topic) == (before + KEPT + 5, "lab/temperature")
        assert telemetry.after(STACK, kept[-2].number) == [kept[-1]]
        assert telemetry.after(STACK, 0, "another") == []

        telemetry.follow(STACK, ["another"])
        assert telemetry.after(STACK, 0) == []


async def test_a_broker_that_comes_back_is_read_again(clouds: LocalClouds) -> None:
    async with Telemetry(clouds) as telemetry:
        telemetry.follow(STACK, [DEVICE])
        await arrived(clouds, telemetry, b"before")
        await clouds.cloud(STACK).close()
        await clouds.cloud(STACK).ensure_broker()
        await arrived(clouds, telemetry, b"after")

        waiting = asyncio.create_task(telemetry.wait(STACK, telemetry.head(STACK)))
        await asyncio.sleep(0)
        await telemetry.leave(STACK)
        async with asyncio.timeout(60):
            await waiting
        assert not telemetry.reads(STACK)
