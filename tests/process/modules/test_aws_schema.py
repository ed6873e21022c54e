"""The module aws-iot checked where the provider cannot be had: against its schema alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.provisioning.binary import find_terraform
from controlplane.provisioning.modules import module_dir

HERE = Path(__file__).parent
PROVIDER = "registry.terraform.io/hashicorp/aws"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Run]:
    """Terraform in a copy of the module, with the schema as its provider."""
    command = asyncio.run(find_terraform())
    folder, socket = tmp_path / "module", tmp_path / "aws.sock"
    shutil.copytree(module_dir("aws-iot"), folder)
    serving = subprocess.Popen(
        [sys.executable, str(HERE / "schema_provider" / "serve.py"), str(socket)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    assert serving.stdout.readline() == "ready\n"
    reattach = {
        PROVIDER: {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": serving.pid,
            "Test": True,
            "Addr": {"Network": "unix", "String": str(socket)},
        }
    }
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TF_CLI_CONFIG_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
        "TF_REATTACH_PROVIDERS": json.dumps(reattach),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command.argv, *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    started = run("init", "-backend=false")
    assert started.returncode == 0, started.stderr
    yield run
    serving.communicate()


def test_the_module_is_valid_and_its_own_tests_pass(terraform: Run) -> None:
    checked = terraform("validate", "-json")
    assert json.loads(checked.stdout)["valid"], checked.stdout
    tested = terraform("test", "-no-color")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "0 failed" in tested.stdout


def test_wrong_names_types_and_missing_arguments_are_found(terraform: Run, tmp_path: Path) -> None:
    for file, right, wrong in (
        ("telemetry.tf", "billing_mode = ", "biling_mode = "),
        ("telemetry.tf", 'hash_key     = "thing"', 'hash_key     = ["thing"]'),
        ("main.tf", '"devices" {\n  name = local.name\n', '"devices" {\n'),
    ):
        path = tmp_path / "module" / file
        text = path.read_text()
        assert right in text
        path.write_text(text.replace(right, wrong))

    found: dict[str, Any] = json.loads(terraform("validate", "-json").stdout)
    told = "\n".join(f"{one['summary']} {one['detail']}" for one in found["diagnostics"])
    assert not found["valid"]
    assert 'Did you mean "billing_mode"' in told
    assert 'The argument "name" is required' in told
    assert '"hash_key": string required' in told
