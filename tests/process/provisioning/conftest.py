"""A stack of the local module, its broker ended after the test."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.localcloud.cloud import LocalCloud
from controlplane.provisioning.modules import Module, shipped_module
from controlplane.provisioning.settings import ProvisioningSettings
from tests.process.provisioning.local_rig import Clock, Stack

MakeStack = Callable[..., Stack]


@pytest.fixture
async def make_stack(tmp_path: Path) -> AsyncIterator[MakeStack]:
    """Makes a stack of which nothing is applied yet."""
    async with AsyncExitStack() as ending:

        def make(
            *,
            name: str = "demo",
            devices: Iterable[str] = ("dev-1", "dev-2"),
            port: int | None = None,
            modules: Callable[[str], Module] = shipped_module,
            **more: Any,
        ) -> Stack:
            clock = Clock()
            host = TerraformHost(
                stacks_dir=tmp_path / "stacks",
                cache_dir=tmp_path / "cache",
                settings=ProvisioningSettings(),
                modules=modules,
            )
            root = host.workspace(name).root
            root.mkdir(parents=True, mode=0o700, exist_ok=True)
            cloud = LocalCloud(name, root / "cloud", now=clock.now, **more)
            ending.push_async_callback(cloud.close)
            return Stack(host=host, cloud=cloud, devices=devices, port=port, clock=clock)

        yield make
