"""What holds for every run of the tests, and what each tells at its end."""

import os
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.compiled_core import share_in

# How long an example takes says how busy the machine is, nothing about what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def compiled_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toolchain's cache that all workers of this run share."""
    mine = tmp_path_factory.getbasetemp()
    whole = mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine
    share_in(whole / "compiled-core")
    return whole / "compiled-core"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Minutes of each ring, added up over the workers; docs/testing.md keeps the ledger."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            duration = getattr(report, "duration", None)
            parts = PurePosixPath(getattr(report, "nodeid", "").partition("::")[0]).parts
            if duration is None or len(parts) < 2 or parts[0] != "tests":
                continue
            seconds[parts[1]] += duration
            tests[parts[1]] += report.when == "call"
    if seconds:
        terminalreporter.section("minutes of each ring")
    for ring, spent in sorted(seconds.items()):
        terminalreporter.write_line(f"{ring:<8} {spent / 60:5.1f} min  {tests[ring]:5} tests")
