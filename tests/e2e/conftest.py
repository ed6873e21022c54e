"""A whole local instance, driven from the command line as an operator would."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchline.v1 import console_pb2, console_pb2_grpc
from tests.compiled_core import keep_objects, lend_objects

ROOT = Path(__file__).resolve().parents[2]
DEMO = (
    "Blink the on-board LED at 2 Hz and report the temperature every second; switch a relay on "
    "above 30 C and off below 28 C; answer 'status' with the last temperature."
)


@dataclass(frozen=True)
class Finished:
    """What a verb left behind."""

    code: int
    out: str
    talk: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def session(self) -> dict[str, Any]:
        """The finished session that `run --json` ends with."""
        return self.lines[-1]

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out[-3000:]}\n{self.talk[-6000:]}"


@dataclass(frozen=True)
class Operator:
    """Somebody at a shell, with one data directory."""

    data_dir: Path
    path: str = os.environ["PATH"]
    virtual_boards: str = ""

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BENCHLINE_")}
        return kept | {
            "BENCHLINE_DATA_DIR": str(self.data_dir),
            "BENCHLINE_VIRTUAL_BOARDS": self.virtual_boards,
            "PATH": self.path,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}",
            "NO_COLOR": "1",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        lend_objects(self.data_dir)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def __call__(self, *arguments: str, timeout: float = 180) -> Finished:
        verb = self.start(*arguments)
        out, talk = verb.communicate(timeout=timeout)
        keep_objects(self.data_dir)
        return Finished(verb.returncode, out, talk)

    def console(self, span: dict[str, Any]) -> bytes:
        """The bytes that a result points to."""
        request = console_pb2.ReadConsoleRequest(
            console=span["console"], offset=int(span["start"]), end=int(span["end"])
        )
        with grpc.insecure_channel(self.instance()["target"]) as channel:
            answers = console_pb2_grpc.ConsoleServiceStub(channel).ReadConsole(request, timeout=60)
            return b"".join(chunk.data for answer in answers for chunk in answer.chunks)

    def instance(self) -> dict[str, Any]:
        """Processes and boards of the running instance."""
        return dict(json.loads(self("up", "--json").out.splitlines()[-1]))


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """One instance that all tests which do not harm it share."""
    shared = Operator(tmp_path_factory.mktemp("instance"))
    up = shared("up")
    assert up.code == 0, up
    yield shared
    shared("down")


@pytest.fixture
def lone_operator(tmp_path: Path) -> Iterator[Operator]:
    """An instance of its own, for a test that kills or breaks things."""
    alone = Operator(tmp_path / "data")
    yield alone
    alone("down")


@pytest.fixture(scope="session")
def demo(operator: Operator) -> Finished:
    """The demo's session, run once."""
    return operator("run", DEMO, "--json")


@pytest.fixture(scope="session")
def project(operator: Operator, demo: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's project as exported: sketch, design and scenarios."""
    folder = tmp_path_factory.mktemp("exported") / "demo"
    exported = operator("project", "export", demo.session["name"], str(folder))
    assert exported.code == 0, exported
    return folder
