"""A life of the module aws-iot: the real provider against moto's AWS."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from controlplane.provisioning.custody import Custody
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.modules import Module, module_dir, shipped_module
from controlplane.provisioning.runner import Terraform
from controlplane.provisioning.settings import ProvisioningSettings
from tests.process.modules.aws_double import ENDPOINT, aws_double

_MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
_PROVIDER = "registry.terraform.io/hashicorp/aws"
# Buckets are reached by path: a name below "localhost" has no address everywhere.
_BY_PATH = 'provider "aws" {\n  s3_use_path_style = true\n}\n'


def mirror_of_aws() -> Path | None:
    """A folder with the provider in it, as `terraform providers mirror` lays it out."""
    named = os.environ.get("BENCHLINE_TEST_PROVIDERS", "")
    places = [Path(named)] if named else [Path(each).expanduser() for each in _MIRRORS]
    places += (
        [] if named else [each.parent for each in Path("/opt").glob("*/registry.terraform.io")]
    )
    return next((place for place in places if (place / _PROVIDER).is_dir()), None)


@pytest.fixture(scope="module")
def mirror() -> Path:
    found = mirror_of_aws()
    if found is None:
        pytest.skip(
            "there is no mirror of the provider hashicorp/aws here and no package registry has it:"
            " `terraform providers mirror DIR`, then BENCHLINE_TEST_PROVIDERS=DIR"
        )
    return found


@pytest.fixture
def aws() -> Iterator[str]:
    with aws_double() as url:
        yield url


@dataclass(frozen=True)
class Lab:
    """A stack on the double."""

    host: TerraformHost
    url: str
    custody: Custody

    async def open(self, devices: tuple[str, ...], **settings: object) -> Terraform:
        requests = {device: {"csr_pem": self.custody.request_of(device)} for device in devices}
        return await self.host.open(
            "lab",
            target="aws-iot",
            variables={
                "stack": "lab",
                "region": "eu-central-1",
                "devices": requests,
                **settings,
            },
            credentials={
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing-secret",
                "AWS_ENDPOINT_URL": self.url,
                "AWS_EC2_METADATA_DISABLED": "true",
            },
        )


@pytest.fixture
def lab(tmp_path: Path, mirror: Path, aws: str) -> Lab:
    copy = tmp_path / "aws-iot"
    shutil.copytree(module_dir("aws-iot"), copy)
    (copy / "by_path_override.tf").write_text(_BY_PATH)

    def module(name: str) -> Module:
        return replace(shipped_module(name), path=copy)

    host = TerraformHost(
        stacks_dir=tmp_path / "stacks",
        cache_dir=tmp_path / "cache",
        settings=ProvisioningSettings(provider_mirror=mirror),
        modules=module,
    )
    return Lab(host=host, url=aws, custody=Custody(tmp_path / "stacks" / "lab" / "keys"))


async def apply(terraform: Terraform, name: str, *, destroy: bool = False) -> Mapping[str, int]:
    """Plan and apply; what the plan counted."""
    path = terraform.workspace.plans_dir / f"{name}.tfplan"
    plan = await terraform.plan(path, destroy=destroy)
    await terraform.apply(path, digest=plan.digest)
    return {"add": plan.counts.add, "remove": plan.counts.remove, "change": plan.counts.change}


async def test_devices_come_and_go_and_nothing_is_left(lab: Lab) -> None:
    wishes = {"telemetry": "both", "telemetry_days": 7}
    terraform = await lab.open(("plant-1", "plant-2"), **wishes)
    await terraform.init()
    assert (await apply(terraform, "first"))["remove"] == 0
    outputs = {name: output.value for name, output in (await terraform.outputs()).items()}

    assert outputs["broker_endpoint"] == f"{ENDPOINT}:8883"
    assert outputs["ca_ref"] == "system"
    assert outputs["devices"]["plant-2"] == {
        "client_id": "lab_plant-2",
        "topic_prefix": "benchline/lab/lab_plant-2",
        "credential_ref": "custody:lab/plant-2",
    }
    assert outputs["telemetry_sink"] == (
        "dynamodb:benchline-lab-telemetry and s3:benchline-lab-t-123456789012"
    )
    assert "BEGIN CERTIFICATE" in outputs["certificates"]["plant-1"]
    state = terraform.workspace.state_file.read_bytes()
    for device in ("plant-1", "plant-2"):
        assert (lab.custody.key_of(device) or b"?").split(b"\n")[1] not in state

    # The same wishes again change nothing, also after the keys were read anew.
    again = await lab.open(("plant-1", "plant-2"), **wishes)
    assert not (await again.plan(again.workspace.plans_dir / "again.tfplan")).has_changes

    fewer = await lab.open(("plant-2",), telemetry="none")
    counted = await apply(fewer, "fewer")
    assert (counted["add"], counted["change"]) == (0, 0)
    assert (await fewer.outputs())["telemetry_sink"].value == ""
    assert set((await fewer.outputs())["devices"].value) == {"plant-2"}

    await apply(fewer, "destroy", destroy=True)
    left = json.loads(fewer.workspace.state_file.read_bytes())
    assert left["resources"] == []
