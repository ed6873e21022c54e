"""A stack of the local module, its broker ended after the test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from controlplane.provisioning.localcloud.cloud import LocalCloud
from tests.process.provisioning.local_rig import Clock, Stack

MakeStack = Callable[..., Awaitable[Stack]]


@pytest.fixture
async def make_stack(tmp_path: Path) -> AsyncIterator[MakeStack]:
    """Makes a stack that is initialised and not applied yet."""
    async with AsyncExitStack() as ending:

        async def make(
            *, name: str = "demo", devices: Iterable[str] = ("dev-1", "dev-2"), **more: Any
        ) -> Stack:
            port = more.pop("port", None)
            clock = Clock()
            cloud = LocalCloud(name, tmp_path / name / "cloud", now=clock.now, **more)
            ending.push_async_callback(cloud.close)
            (tmp_path / name).mkdir()
            folder = tmp_path / name / "module"
            stack = Stack(cloud, folder, devices=devices, port=port, clock=clock)
            ending.callback(stack.end_processes)
            await stack.init()
            return stack

        yield make
