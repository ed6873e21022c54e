"""What devices connect with, wherever their target keeps it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.errors import NotFoundError
from controlplane.domain.stack import CloudBinding
from controlplane.provisioning.aws_target import AwsTarget
from controlplane.provisioning.credentials import DeviceCredentials
from controlplane.provisioning.localcloud.clouds import LocalClouds

CLOUD = CloudBinding(
    stack="lab",
    device="d1",
    endpoint="cloud.example:8883",
    client_id="d1",
    topic_prefix="devices/d1",
    credential_ref="custody:lab/d1",
    ca_ref="system",
)


class Outputs:
    """The sensitive outputs of a state, and who read them."""

    def __init__(self, certificates: Mapping[str, str]) -> None:
        self.certificates = certificates
        self.read_by: list[str] = []

    async def __call__(self, stack_id: str, principal: str) -> Mapping[str, str]:
        self.read_by.append(f"{principal} of {stack_id}")
        return {"certificates": json.dumps(self.certificates), "other": "1"}


def credentials(tmp_path: Path, outputs: Outputs) -> DeviceCredentials:
    return DeviceCredentials(LocalClouds(tmp_path), AwsTarget(tmp_path), outputs)


async def test_the_key_comes_from_custody_and_the_certificate_from_the_state(
    tmp_path: Path,
) -> None:
    outputs = Outputs({"d1": "CERTIFICATE"})
    found = credentials(tmp_path, outputs)
    AwsTarget(tmp_path).custody("lab").request_of("d1")

    credential = await found.find(CLOUD, "agents/bench")
    assert credential.certificate_pem == b"CERTIFICATE"
    assert credential.key_pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert credential.ca_pem == b""
    assert "PRIVATE" not in repr(credential)

    await found.find(CLOUD, "agents/bench")
    assert outputs.read_by == ["agents/bench of lab"]  # each reading is an event
    found.forget("lab")
    await found.find(CLOUD, "agents/bench")
    assert len(outputs.read_by) == 2


@pytest.mark.parametrize(
    "binding",
    [
        CLOUD,  # its key was never made
        replace(CLOUD, credential_ref="custody:other/d1"),
        replace(CLOUD, credential_ref="custody:lab/d2"),
        replace(CLOUD, credential_ref="local:lab/d2"),
        replace(CLOUD, credential_ref="../../etc/passwd"),
    ],
)
async def test_a_reference_names_the_device_of_its_binding_and_no_other(
    tmp_path: Path, binding: CloudBinding
) -> None:
    AwsTarget(tmp_path).custody("lab").request_of("d2")
    AwsTarget(tmp_path).custody("other").request_of("d1")
    with pytest.raises(NotFoundError) as caught:
        await credentials(tmp_path, Outputs({"d1": "A", "d2": "B"})).find(binding, "agents/bench")
    assert caught.value.reason == "CREDENTIAL_NOT_FOUND"
