"""A local instance of its own in a scratch directory, driven as an operator drives it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Live:
    """A data directory with everything up."""

    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables under which every verb finds this instance."""
        return os.environ | {
            "BENCHLINE_DATA_DIR": str(self.data_dir),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}",
        }

    def __call__(self, *words: str) -> list[dict[str, Any]]:
        """Run a verb with --json to its success; gives its lines."""
        command = [sys.executable, "-P", "-m", "tui", *words, "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{words} ended {done.returncode}: {done.stderr[-2000:].decode()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def timed(self, *words: str) -> tuple[float, dict[str, Any]]:
        """Seconds of a verb's whole process, and its last line."""
        started = time.perf_counter()
        lines = self(*words)
        return time.perf_counter() - started, lines[-1]

    @property
    def target(self) -> str:
        """What a channel connects to."""
        return str(self("up")[-1]["target"])

    def artifact(self, session: dict[str, Any], kind: str) -> bytes:
        """The bytes of an artifact of a finished session."""
        digest = next(a["sha256"] for a in session["artifacts"] if a["kind"] == kind)
        return (self.data_dir / "artifacts" / digest[:2] / digest[2:]).read_bytes()


@contextmanager
def live_instance() -> Iterator[Live]:
    """Up, and down again with everything removed."""
    with tempfile.TemporaryDirectory(prefix="benchline-bench-") as folder:
        live = Live(Path(folder))
        live("up")
        try:
            yield live
        finally:
            live("down")
