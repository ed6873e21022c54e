"""All benchmarks, one after the other: `python -m tests.bench` renews docs/performance.md.

Each benchmark has a section of its own there, with the day, the machine and its load.

Nothing else should run on the machine; the load before and after is written down.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tests.bench import bench_cloud, bench_deploy, bench_serial, bench_session
from tests.bench.live import ROOT
from tests.bench.row import Row

PAGE = ROOT / "docs" / "performance.md"
QUIET_LOAD = 1.5
Found = tuple[list[Row], list[str]]

HEAD = """# Performance

Measured by `make bench`, which renews this page section by section. Each row is the median of its
rounds with the range in brackets; a ratio compares two medians of one run, whose rounds alternate.
The budgets are those of the design; "new" sentences have numbers that were never used before.

One benchmark alone: `.venv/bin/python -m tests.bench session --rounds 9`. How long
the tests take is in [testing.md](testing.md).
"""


def script(name: str, *words: str) -> dict[str, object]:
    """Run one of the scripts beside this file; gives the JSON object it prints first."""
    command = [sys.executable, str(Path(__file__).parent / name), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} ended {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, object] = json.loads(done.stdout.splitlines()[0])
    return found


def simulation(rounds: int) -> Found:
    """A minute of firmware beside each simulator's bare command."""
    rows = []
    for case, what, beside in (
        ("stm32", "simulate a scenario of 60 s", "the bare QEMU command"),
        ("esp32c3", "the same on an ESP32-C3", "the bare emulator"),
    ):
        facts = script("bench_simulation.py", str(rounds), case)
        rows.append(
            Row(
                what=what,
                ours=facts["ours_samples_s"],
                beside=facts["bare_samples_s"],
                beside_what=beside,
                most_ratio=1.3,
            )
        )
    return rows, []


def flashers(rounds: int) -> Found:
    """Each flasher alone beside the stock tool, whole and with one sector changed."""
    rows: list[Row] = []
    stock = {
        "pyocd": "`pyocd flash` and `savemem`",
        "esptool": "`esptool write-flash` and `read-flash`",
    }
    for tool, beside_what in stock.items():
        facts = script("bench_flash.py", "--tool", tool, "--rounds", str(rounds))
        samples: dict[str, list[float]] = facts["samples_s"]
        rows += [
            Row(
                what=f"flash 1008 KiB and read back, the {tool} flasher alone",
                ours=samples["full"],
                beside=samples["full_bare"],
                beside_what=beside_what,
                most_ratio=1.1,
            ),
            Row(
                what="the same with one changed sector",
                ours=samples["one_sector"],
                beside=samples["full"],
                beside_what="a full write",
                most_ratio=0.2,
            ),
        ]
    return rows, []


def leases(rounds: int) -> Found:
    """Lending boards, as notes: the comparison is with what the disk allows."""
    command = [sys.executable, str(Path(__file__).parent / "bench_leases.py")]
    done = subprocess.run(
        [*command, "--rounds", str(min(rounds, 2))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    notes = [
        f"Lending, {one['what']}: {one['pairs_per_s']:.0f} pairs of acquire and release a second, "
        f"{one['p50_ms']:.1f} ms at the median, {one['p99_ms']:.1f} ms at the 99th percentile."
        for one in lines
    ]
    return [], notes


def demo(rounds: int) -> Found:
    """`make demo` with every package there, on an instance of its own each round."""
    seconds = []
    for _ in range(min(rounds, 3)):
        with tempfile.TemporaryDirectory(prefix="benchline-bench-") as folder:
            environment = os.environ | {"BENCHLINE_DATA_DIR": folder}
            started = time.perf_counter()
            quiet = {"cwd": ROOT, "env": environment, "stdin": subprocess.DEVNULL}
            done = subprocess.run(["make", "demo"], **quiet, capture_output=True, check=False)
            seconds.append(time.perf_counter() - started)
            subprocess.run(["./benchline", "down"], **quiet, capture_output=True, check=False)
            if done.returncode:
                raise RuntimeError(f"make demo ended {done.returncode}: {done.stderr[-2000:]}")
    what = "`make demo` with the packages there, nothing cached"
    return [Row(what=what, ours=seconds, most_s=60)], []


BENCHMARKS: dict[str, Callable[[int], Found]] = {
    "simulation": simulation,
    "session": bench_session.measure,
    "flash": flashers,
    "deploy": bench_deploy.measure,
    "serial": bench_serial.measure,
    "leases": leases,
    "cloud": bench_cloud.measure,
    "demo": demo,
}


def machine() -> str:
    """Processor, cores and the versions that matter."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    tools = [first_line(name) for name in ("qemu-system-arm", "arm-none-eabi-g++")]
    packages = [f"{name} {metadata.version(name)}" for name in ("grpcio", "pyocd", "esptool")]
    versions = [f"Python {platform.python_version()}", *packages, *tools]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}; "
        f"{', '.join(versions)}."
    )


def first_line(tool: str) -> str:
    """The first line of a tool's --version."""
    done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def wait_for_quiet(seconds: float) -> None:
    """Wait until the machine has little else to do, at most so long."""
    end = time.monotonic() + seconds
    while os.getloadavg()[0] >= QUIET_LOAD and time.monotonic() < end:
        time.sleep(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; gives 1 when a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for quiet")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    missed = False
    for name in options.names or BENCHMARKS:
        wait_for_quiet(options.patience)
        load = os.getloadavg()[0]
        sys.stderr.write(f"{name} (load {load:.1f})\n")
        rows, notes = BENCHMARKS[name](options.rounds)
        sys.stderr.writelines(f"  {row.markdown()}\n" for row in rows)
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), name, section(rows, notes, load)), "utf-8")
        missed |= any(row.holds is False for row in rows)
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    return int(missed)


def section(rows: Sequence[Row], notes: Sequence[str], load: float) -> str:
    """What the page says of one benchmark."""
    table = [
        "| what | measured | beside it | ratio | budget | holds |",
        "| --- | --- | --- | --- | --- | --- |",
        *(row.markdown() for row in rows),
        "",
    ]
    lines = [
        f"On {datetime.now(UTC):%Y-%m-%d}, load {load:.1f} before: {machine()}",
        "",
        *(table if rows else ()),
        *(f"- {note}" for note in notes),
    ]
    return "\n".join(lines).rstrip()


def renewed(page: str, name: str, text: str) -> str:
    """The page with the section of one benchmark replaced, in the order of the benchmarks."""
    found = dict(re.findall(r"(?ms)^## (\w+)\n\n(.*?)\s*(?=^## |\Z)", page)) | {name: text}
    parts = [HEAD.rstrip(), *(f"## {one}\n\n{found[one]}" for one in BENCHMARKS if one in found)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
