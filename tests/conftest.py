"""What every run of the tests tells at its end: how long each ring took."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Any


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
