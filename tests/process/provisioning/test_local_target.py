"""The local target: what its devices may do, what a plan sees, and what it mends."""

import asyncio
import os
import shutil
import signal
import ssl
from pathlib import Path

import aiomqtt
import pytest

from controlplane.provisioning.localcloud.authority import issue, new_authority
from controlplane.provisioning.localcloud.cloud import Credential
from controlplane.provisioning.modules import Module, module_dir
from tests.process.provisioning.cloud_checks import nothing_left, refusal, settled_as
from tests.process.provisioning.conftest import MakeStack
from tests.process.provisioning.local_rig import client, mosquitto_pids, written

BROKER = "benchline_broker.this"
PATIENCE_S = 60.0


def device(name: str) -> str:
    return f'benchline_device.this["{name}"]'


async def test_devices_talk_below_their_own_prefix_and_nowhere_else(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    stack = make_stack()
    await stack.plan_and_apply()
    ingest = await stack.cloud.ingest_credential()
    mine, other = [await stack.cloud.device_credential(name) for name in ("dev-1", "dev-2")]

    async with client(ingest, tmp_path / "i") as reader, client(other, tmp_path / "o") as second:
        await reader.subscribe("devices/#", qos=1)
        await second.subscribe("#", qos=1)
        async with client(mine, tmp_path / "m") as one:
            await one.publish("devices/dev-2/temperature", "stolen", qos=1)
            await one.publish("elsewhere", "stolen", qos=1)
            await one.publish("devices/dev-1/temperature", "21.5", qos=1)
        await second.publish("devices/dev-2/last", "end", qos=1)
        async with asyncio.timeout(PATIENCE_S):
            heard = [await anext(reader.messages) for _ in range(2)]
            own = await anext(second.messages)

    assert [(str(m.topic), m.payload) for m in heard] == [
        ("devices/dev-1/temperature", b"21.5"),
        ("devices/dev-2/last", b"end"),
    ]
    assert str(own.topic) == "devices/dev-2/last"


async def test_strangers_are_refused(make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    good = await stack.cloud.device_credential("dev-1")
    utc_now = stack.clock.now()
    forger = new_authority("demo", utc_now)
    forged = issue(forger, "dev-1", utc_now, server=False)
    strange = Credential(
        name="dev-1",
        endpoint=good.endpoint,
        ca_pem=good.ca_pem,
        certificate_pem=forged.certificate_pem,
        key_pem=forged.key_pem,
    )
    host, port = good.endpoint.split(":")
    roots_only = ssl.create_default_context(cafile=str(written(good, tmp_path / "g") / "ca.crt"))
    reader, writer = await asyncio.open_connection(host, int(port), ssl=roots_only)

    assert not await refusal(good, tmp_path / "good")
    assert await refusal(strange, tmp_path / "strange")
    with pytest.raises(OSError, match=r"certificate required|reset"):
        await reader.read()
    writer.transport.abort()


async def test_a_second_apply_has_nothing_to_do(make_stack: MakeStack) -> None:
    stack = make_stack()
    planned = await stack.plan()
    assert planned.actions == dict.fromkeys([BROKER, device("dev-1"), device("dev-2")], "create")
    assert not (await stack.apply(planned)).failure

    await settled_as(stack, ("dev-1", "dev-2"))


async def test_a_killed_broker_is_drift_and_comes_back_where_it_was(make_stack: MakeStack) -> None:
    stack = make_stack()
    await stack.plan_and_apply()
    before = await stack.outputs()
    (pid,) = mosquitto_pids(stack.root)
    os.kill(pid, signal.SIGKILL)

    planned = await stack.plan()

    assert planned.drift == {BROKER: "update"}
    assert planned.actions == {BROKER: "update"}
    assert not (await stack.apply(planned)).failure
    assert await stack.outputs() == before
    await settled_as(stack, ("dev-1", "dev-2"))


@pytest.mark.parametrize("lost", ["dev-1.crt", "dev-1.key"])
async def test_a_lost_certificate_is_drift_and_the_old_key_opens_nothing(
    make_stack: MakeStack, tmp_path: Path, lost: str
) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    old = await stack.cloud.device_credential("dev-1")
    (stack.cloud_folder / "devices" / lost).unlink()

    planned = await stack.plan()

    assert planned.drift == {device("dev-1"): "update"}
    assert planned.actions == {device("dev-1"): "update"}
    assert not (await stack.apply(planned)).failure
    await settled_as(stack, ("dev-1",))
    assert await refusal(old, tmp_path / "old")


async def test_a_lost_authority_is_drift_of_everything_it_signed(make_stack: MakeStack) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    (stack.cloud_folder / "ca.key").unlink()

    planned = await stack.plan()

    assert planned.actions == {BROKER: "update", device("dev-1"): "update"}
    assert not (await stack.apply(planned)).failure
    await settled_as(stack, ("dev-1",))


async def test_a_removed_device_loses_its_voice_at_once(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    stack = make_stack()
    await stack.plan_and_apply()
    gone = await stack.cloud.device_credential("dev-2")
    ingest = await stack.cloud.ingest_credential()
    stack.devices = ("dev-1", "dev-3")

    async with client(ingest, tmp_path / "ingest") as reader:
        await reader.subscribe("devices/#", qos=1)
        connected = client(gone, tmp_path / "gone")
        await connected.__aenter__()
        planned = await stack.plan()
        assert planned.actions == {device("dev-2"): "delete", device("dev-3"): "create"}
        assert not (await stack.apply(planned)).failure
        try:
            await connected.publish("devices/dev-2/ghost", "boo", qos=1)
            await connected.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            pass  # it may also be shown the door
        fresh = await stack.cloud.device_credential("dev-3")
        async with client(fresh, tmp_path / "fresh") as new:
            await new.publish("devices/dev-3/here", "hello", qos=1)
        async with asyncio.timeout(PATIENCE_S):
            heard = await anext(reader.messages)

    assert str(heard.topic) == "devices/dev-3/here"
    assert await refusal(gone, tmp_path / "gone-again")
    await settled_as(stack, ("dev-1", "dev-3"))


@pytest.mark.parametrize("bad", ["Dev", "a b", "dev\n1", "-dev", "", "é", "a" * 64, "@ingest"])
async def test_a_bad_device_id_is_refused_by_the_plan(make_stack: MakeStack, bad: str) -> None:
    stack = make_stack(devices=("dev-1", bad))

    planned = await stack.plan()

    assert planned.failure is not None
    assert "A device id has 1 to 63" in planned.text
    assert not stack.cloud_folder.exists()


async def test_the_provider_names_the_bad_attribute_itself(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    own = shutil.copytree(module_dir("local"), tmp_path / "own")
    (own / "main.tf").write_text(
        'resource "benchline_device" "this" {\n'
        '  device_id = "dev\\n1"\n'
        '  broker    = "other"\n'
        "}\n"
        'resource "benchline_broker" "this" {\n'
        "  port = 80\n"
        "}\n"
    )
    (own / "outputs.tf").unlink()
    stack = make_stack(modules=lambda name: Module(name=name, path=own))

    planned = await stack.plan()

    assert {(one.summary, one.where) for one in planned.complaints} == {
        ("Not a device id", "main.tf:2"),
        ("Not the broker of this stack", "main.tf:3"),
        ("Not a port that the broker can have", "main.tf:6"),
    }


async def test_an_expired_certificate_is_refused_seen_and_renewed(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    stack = make_stack(devices=())
    await stack.plan_and_apply()
    stack.clock.days = -400
    stack.devices = ("dev-1",)
    await stack.plan_and_apply()
    stack.clock.days = 0
    old = await stack.cloud.device_credential("dev-1")
    assert await refusal(old, tmp_path / "expired")

    planned = await stack.plan()

    assert planned.drift == {device("dev-1"): "update"}
    assert not (await stack.apply(planned)).failure
    await settled_as(stack, ("dev-1",))


async def test_certificates_are_renewed_before_they_end(make_stack: MakeStack) -> None:
    stack = make_stack(devices=("dev-1",))
    stack.clock.days = -340
    await stack.plan_and_apply()
    await settled_as(stack, ("dev-1",))
    stack.clock.days = 0

    planned = await stack.plan()

    assert planned.actions == {BROKER: "update", device("dev-1"): "update"}
    assert not (await stack.apply(planned)).failure
    await settled_as(stack, ("dev-1",))


async def test_destroy_leaves_no_process_no_port_and_no_key(make_stack: MakeStack) -> None:
    stack = make_stack()
    await stack.plan_and_apply()
    port = int((await stack.outputs())["broker_endpoint"].split(":")[1])

    planned = await stack.plan(destroy=True)

    assert set(planned.actions.values()) == {"delete"}
    assert not (await stack.apply(planned)).failure
    await nothing_left(stack, port)


async def test_what_terraform_never_recorded_is_cleared_away(make_stack: MakeStack) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    await stack.cloud.ensure_device("dev-9")

    await stack.cloud.keep_only((await stack.outputs())["devices"])

    await settled_as(stack, ("dev-1",))
    await stack.cloud.keep_only(None)
    assert not stack.cloud_folder.exists()
    assert mosquitto_pids(stack.root) == []
