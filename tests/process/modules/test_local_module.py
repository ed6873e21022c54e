"""The module local by its own tests, with Terraform's player of the provider."""

import asyncio
import json
import os
import shutil
from pathlib import Path

from controlplane.provisioning.binary import find_terraform
from controlplane.provisioning.localcloud.cloud import LocalCloud
from controlplane.provisioning.modules import module_dir
from controlplane.provisioning.provider.server import PROVIDER, serve_provider

PATIENCE_S = 120.0


async def test_the_module_passes_its_own_tests(tmp_path: Path) -> None:
    command = await find_terraform()
    module = shutil.copytree(module_dir("local"), tmp_path / "module")
    (tmp_path / "cli.tfrc").write_text("")
    cloud = LocalCloud("greenhouse", tmp_path / "cloud")

    async with serve_provider(cloud, tmp_path) as socket:
        attached = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "unix", "String": str(socket)},
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(tmp_path / "cli.tfrc"),
            "TF_REATTACH_PROVIDERS": json.dumps({PROVIDER: attached}),
        }
        for words in (["init", "-no-color"], ["validate", "-no-color"], ["test", "-no-color"]):
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                *words,
                cwd=module,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            told, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
            assert process.returncode == 0, told.decode()

    assert b"5 passed, 0 failed" in told
    assert not (tmp_path / "cloud").exists()
