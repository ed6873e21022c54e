"""The provider as Terraform meets it: on a unix socket, with values that may be anything."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import msgpack
import pytest
from google.protobuf import empty_pb2

from benchline.errors import NotReadyError
from controlplane.provisioning.localcloud.cloud import LocalCloud
from controlplane.provisioning.provider.resource import Attribute, Problem
from controlplane.provisioning.provider.server import serve_provider
from controlplane.provisioning.provider.servicer import ProviderServicer
from controlplane.provisioning.provider.values import UNKNOWN, Values, decode, encode
from controlplane.provisioning.provider.wire import (
    goplugin_pb2,
    goplugin_pb2_grpc,
    tfplugin6_pb2_grpc,
)
from controlplane.provisioning.provider.wire import tfplugin6_pb2 as wire

BROKER, DEVICE = "benchline_broker", "benchline_device"


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    async with serve_provider(LocalCloud("demo", tmp_path / "cloud"), tmp_path) as socket:
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        async with grpc.aio.insecure_channel(f"unix:{socket}") as open_channel:
            yield open_channel
    assert not socket.parent.exists()


@pytest.fixture
def provider(channel: grpc.aio.Channel) -> Any:
    return tfplugin6_pb2_grpc.ProviderStub(channel)


def plan_of(kind: str, prior: Values | None, proposed: Values | None) -> Any:
    return wire.PlanResourceChange.Request(
        type_name=kind, prior_state=encode(prior), proposed_new_state=encode(proposed)
    )


async def test_every_attribute_is_described(provider: Any) -> None:
    answer = await provider.GetProviderSchema(wire.GetProviderSchema.Request())

    assert set(answer.resource_schemas) == {BROKER, DEVICE}
    for schema in answer.resource_schemas.values():
        for attribute in schema.block.attributes:
            assert attribute.description.endswith(".")
            assert json.loads(attribute.type) in ("string", "number")
            assert attribute.required != (attribute.optional or attribute.computed)


async def test_a_new_device_is_known_but_for_its_certificate(provider: Any) -> None:
    answer = await provider.PlanResourceChange(
        plan_of(DEVICE, None, {"device_id": "dev-1", "broker": "demo"})
    )

    assert decode(answer.planned_state) == {
        "device_id": "dev-1",
        "id": "dev-1",
        "client_id": "dev-1",
        "topic_prefix": "devices/dev-1",
        "credential_ref": "local:demo/dev-1",
        "broker": "demo",
        "certificate_fingerprint": UNKNOWN,
        "certificate_expires": UNKNOWN,
        "condition": "ready",
    }


async def test_another_id_is_another_device(provider: Any) -> None:
    first = await provider.PlanResourceChange(
        plan_of(DEVICE, None, {"device_id": "dev-1", "broker": "demo"})
    )
    prior = {**(decode(first.planned_state) or {}), "certificate_fingerprint": "f"}

    answer = await provider.PlanResourceChange(
        plan_of(DEVICE, prior, {**prior, "device_id": "dev-2"})
    )

    assert [path.steps[0].attribute_name for path in answer.requires_replace] == ["device_id"]
    planned = decode(answer.planned_state)
    assert planned is not None
    assert (planned["id"], planned["certificate_fingerprint"]) == ("dev-2", UNKNOWN)


async def test_an_id_that_is_not_known_yet_is_no_fault(provider: Any) -> None:
    config = encode({"device_id": UNKNOWN, "broker": UNKNOWN})

    checked = await provider.ValidateResourceConfig(
        wire.ValidateResourceConfig.Request(type_name=DEVICE, config=config)
    )
    planned = await provider.PlanResourceChange(
        plan_of(DEVICE, None, {"device_id": UNKNOWN, "broker": UNKNOWN})
    )

    assert not checked.diagnostics
    assert (decode(planned.planned_state) or {})["topic_prefix"] is UNKNOWN


@pytest.mark.parametrize("port", [0, 1023, 65_536, -1])
async def test_a_bad_port_is_named(provider: Any, port: int) -> None:
    answer = await provider.ValidateResourceConfig(
        wire.ValidateResourceConfig.Request(type_name=BROKER, config=encode({"port": port}))
    )

    (complaint,) = answer.diagnostics
    assert complaint.attribute.steps[0].attribute_name == "port"


async def test_a_port_that_was_lost_is_found_anew(provider: Any) -> None:
    lost = {
        "port": 0,
        "id": "demo",
        "endpoint": "127.0.0.1:0",
        "ca_fingerprint": "",
        "condition": "broken: it was removed in part",
    }

    answer = await provider.PlanResourceChange(plan_of(BROKER, lost, lost))

    planned = decode(answer.planned_state)
    assert planned is not None
    assert (planned["port"], planned["endpoint"]) == (UNKNOWN, UNKNOWN)


async def test_a_cloud_that_is_not_there_is_gone(provider: Any) -> None:
    for kind, state in ((BROKER, {"port": 18_883}), (DEVICE, {"device_id": "dev-1"})):
        answer = await provider.ReadResource(
            wire.ReadResource.Request(type_name=kind, current_state=encode(state))
        )
        assert decode(answer.new_state) is None
        assert not answer.diagnostics


@pytest.mark.parametrize("rubbish", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x81"])
async def test_rubbish_is_a_diagnostic_and_changes_no_state(provider: Any, rubbish: bytes) -> None:
    value = wire.DynamicValue(msgpack=rubbish)

    read = await provider.ReadResource(
        wire.ReadResource.Request(type_name=DEVICE, current_state=value)
    )
    applied = await provider.ApplyResourceChange(
        wire.ApplyResourceChange.Request(type_name=DEVICE, prior_state=value, planned_state=value)
    )
    checked = await provider.ValidateResourceConfig(
        wire.ValidateResourceConfig.Request(type_name=DEVICE, config=value)
    )
    planned = await provider.PlanResourceChange(
        wire.PlanResourceChange.Request(type_name=DEVICE, proposed_new_state=value)
    )

    for answer in (read, applied, checked, planned):
        assert [one.summary for one in answer.diagnostics] == ["Bad value"]
    assert read.new_state == applied.new_state == value


async def test_a_resource_that_there_is_not_is_named(provider: Any) -> None:
    answer = await provider.PlanResourceChange(plan_of("benchline_moon", None, {}))

    assert "benchline_moon" in answer.diagnostics[0].detail


@pytest.mark.parametrize(
    ("version", "state", "complaint"),
    [(2, b"{}", "upgrade this one"), (1, b"[]", "not an object"), (1, b"{", "")],
)
async def test_a_state_that_cannot_be_read_is_named(
    provider: Any, version: int, state: bytes, complaint: str
) -> None:
    request = wire.UpgradeResourceState.Request(
        type_name=DEVICE, version=version, raw_state=wire.RawState(json=state)
    )

    answer = await provider.UpgradeResourceState(request)

    assert complaint in answer.diagnostics[0].detail


async def test_a_state_keeps_what_the_resource_knows(provider: Any) -> None:
    state = json.dumps({"device_id": "dev-1", "of_the_past": 1}).encode()
    request = wire.UpgradeResourceState.Request(
        type_name=DEVICE, version=1, raw_state=wire.RawState(json=state)
    )

    answer = await provider.UpgradeResourceState(request)

    upgraded = decode(answer.upgraded_state)
    assert upgraded is not None
    assert upgraded["device_id"] == "dev-1"
    assert "of_the_past" not in upgraded


async def test_shutdown_ends_nothing(channel: grpc.aio.Channel, provider: Any) -> None:
    controller: Any = goplugin_pb2_grpc.GRPCControllerStub(channel)
    stdio: Any = goplugin_pb2_grpc.GRPCStdioStub(channel)
    printing = stdio.StreamStdio(empty_pb2.Empty())

    await controller.Shutdown(goplugin_pb2.Empty())

    assert await provider.GetProviderSchema(wire.GetProviderSchema.Request())
    printing.cancel()


class Clumsy:
    """A resource whose every call ends as a test wants."""

    attributes: Sequence[Attribute] = (Attribute(name="id", description="It.", computed=True),)

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.begun = asyncio.Event()
        self.cancelled = False

    def validate(self, config: Values) -> list[Problem]:
        return []

    def plan(self, prior: Values | None, proposed: Values) -> Values:
        return {"id": "x"}

    async def read(self, state: Values) -> Values | None:
        if self.error is not None:
            raise self.error
        return state

    async def apply(self, planned: Values) -> Values:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return planned

    async def delete(self, state: Values) -> None:
        return


async def test_an_unforeseen_error_is_told_by_its_number_alone() -> None:
    servicer: Any = ProviderServicer({"clumsy": Clumsy(RuntimeError("the key is hunter2"))})
    state = encode({"id": "x"})

    answer = await servicer.ReadResource(
        wire.ReadResource.Request(type_name="clumsy", current_state=state), None
    )

    assert "incident" in answer.diagnostics[0].detail
    assert b"hunter2" not in answer.SerializeToString()
    assert answer.new_state == state


async def test_an_error_of_ours_is_told_with_its_reason() -> None:
    error = NotReadyError("BROKER_PORT_IN_USE", "port 18883 is taken", port="18883")
    servicer: Any = ProviderServicer({"clumsy": Clumsy(error)})

    answer = await servicer.ReadResource(
        wire.ReadResource.Request(type_name="clumsy", current_state=encode({"id": "x"})), None
    )

    (complaint,) = answer.diagnostics
    assert (complaint.summary, complaint.detail) == ("BROKER_PORT_IN_USE", "port 18883 is taken")


async def test_a_stop_ends_what_is_under_way() -> None:
    clumsy = Clumsy()
    servicer: Any = ProviderServicer({"clumsy": clumsy})
    request = wire.ApplyResourceChange.Request(
        type_name="clumsy", prior_state=encode(None), planned_state=encode({"id": "x"})
    )
    applying = asyncio.create_task(servicer.ApplyResourceChange(request, None))
    await clumsy.begun.wait()

    await servicer.StopProvider(wire.StopProvider.Request(), None)
    answer = await applying

    assert clumsy.cancelled
    assert decode(answer.new_state) is None
    assert answer.diagnostics[0].summary == "Stopped"


async def test_a_call_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.provisioning.provider.servicer.CALL_SECONDS", 0.05)
    servicer: Any = ProviderServicer({"clumsy": Clumsy()})
    request = wire.ApplyResourceChange.Request(
        type_name="clumsy", prior_state=encode({"id": "x"}), planned_state=encode({"id": "y"})
    )

    answer = await servicer.ApplyResourceChange(request, None)

    assert answer.diagnostics[0].summary == "Too slow"
    assert decode(answer.new_state) == {"id": "x"}


def test_unknown_is_spelled_as_terraform_spells_it() -> None:
    value = encode({"a": UNKNOWN, "b": 1, "c": None})

    assert msgpack.unpackb(value.msgpack) == {"a": msgpack.ExtType(0, b"\0"), "b": 1, "c": None}
    refined = msgpack.packb({"a": msgpack.ExtType(12, b"\x81\x01\xc2")})
    assert decode(wire.DynamicValue(msgpack=refined)) == {"a": UNKNOWN}
