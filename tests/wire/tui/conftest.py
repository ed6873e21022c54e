import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchline.instance import Instance, make_private
from tests.wire.edge.conftest import edge
from tests.wire.tui.fake_server import FakeControlPlane

__all__ = ["edge"]

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str


class Command:
    """Runs ``benchline`` as a child against the instance of one test."""

    def __init__(self, data_dir: Path) -> None:
        self.environment = os.environ | {
            "BENCHLINE_DATA_DIR": str(data_dir),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}",
        }

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "tui", *words),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *words: str) -> Ran:
        child = await self.start(*words)
        async with asyncio.timeout(60):
            out, err = await child.communicate()
        return Ran(code=child.returncode or 0, out=out.decode(), err=err.decode())


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path / "data"))
    return Instance(tmp_path / "data")


@pytest.fixture
async def plane(instance: Instance) -> AsyncIterator[FakeControlPlane]:
    make_private(instance.data_dir)
    make_private(instance.socket_path.parent)
    plane = FakeControlPlane()
    await plane.serve(instance.target)
    yield plane
    await plane.stop()


@pytest.fixture
def benchline(instance: Instance) -> Command:
    return Command(instance.data_dir)
