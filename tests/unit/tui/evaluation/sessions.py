"""Recorded sessions, and sessions whose device did something else than it was recorded to do."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from tui.evaluation.evidence import Ending, Evidence, read_design, read_run
from tui.evaluation.labels import Case, PromptSet
from tui.evaluation.reader import read_set

ROOT = Path(__file__).resolve().parents[4]
RECORDED = Path(__file__).parent / "recorded"
NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))


@cache
def first_set() -> PromptSet:
    return read_set((ROOT / "tests/prompts/first_set.yaml").read_bytes())


def case_of(name: str) -> Case:
    return next(case for case in first_set().cases if case.id == name)


@dataclass(frozen=True)
class Recorded:
    """A session of the offline designer as it was recorded in a simulator."""

    design: dict[str, Any]
    runs: tuple[dict[str, Any], ...]

    def evidence(self) -> Evidence:
        text = json.dumps(self.design, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        facts = read_design(text)
        scenarios = {one.id: one for one in facts.scenarios}
        runs = []
        for run in self.runs:
            console = rehash(run["console"], digest)
            values = json.dumps({"values": run["values"]}).encode()
            runs.append(
                read_run(scenarios[run["scenario"]], run["runner"], values, console.encode())
            )
        return Evidence(ending=Ending.PASSED, design=facts, runs=tuple(runs), judged=True)

    def with_design(self, change: Callable[[dict[str, Any]], None]) -> "Recorded":
        """A changed copy of the design; the firmware still says that it is of it."""
        copy = json.loads(json.dumps(self.design))
        change(copy)
        return replace(self, design=copy)

    def with_console(self, change: Callable[[str], str], scenario: str = "") -> "Recorded":
        """A device that said something else, in one scenario or in all of them."""
        runs = [
            run | {"console": change(run["console"])} if scenario in {"", run["scenario"]} else run
            for run in self.runs
        ]
        assert runs != list(self.runs)
        return replace(self, runs=tuple(runs))


def rehash(console: str, digest: str) -> str:
    head, _, rest = console.partition("design=")
    return f"{head}design={digest}{rest[12:]}"


def recorded(name: str) -> Recorded:
    raw = json.loads((RECORDED / f"{name}.json").read_text())
    return Recorded(design=json.loads(raw["design"]), runs=tuple(raw["runs"]))
