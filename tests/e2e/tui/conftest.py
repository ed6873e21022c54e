"""A real terminal of 80x24 and a real local instance."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiled_core import keep_objects, lend_objects

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 180.0


class Terminal:
    """One tmux server of its own with one window of 80x24."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._socket = str(folder / "tmux.sock")
        self._environment = environment

    def open(self, *words: str) -> None:
        line = f"{shlex.join(words)}; echo EXIT $?; sleep 600"
        self._tmux("new-session", "-d", "-x", "80", "-y", "24", line)

    def keys(self, *names: str) -> None:
        self._tmux("send-keys", *names)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def picture(self) -> str:
        return self._tmux("capture-pane", "-p")

    def shows(self, pattern: str) -> str:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            text = self.picture()
            if re.search(pattern, text):
                return text
            time.sleep(0.05)
        pytest.fail(f"{pattern!r} did not appear:\n{self.picture()}")

    def close(self) -> None:
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False
        )

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    # A test runner may export the size of its own terminal; programs believe it over the real one.
    inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    chosen = {
        **inherited,
        "BENCHLINE_DATA_DIR": str(tmp_path / "data"),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}",
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    lend_objects(tmp_path / "data")
    yield chosen
    benchline(chosen, "down")
    keep_objects(tmp_path / "data")


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.fail("tmux is missing: apt install tmux")
    terminal = Terminal(tmp_path, environment)
    yield terminal
    terminal.close()


def benchline(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "tui", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
