"""How long a proved flash takes, against the bare tool with a read-back of its own.

`python tests/bench/bench_flash.py [--rounds N]` starts a virtual board and interleaves, round by
round: our flasher with a full write, with one changed sector and with an image of the size of the
demo's, and `pyocd flash` followed by `pyocd cmd savemem` and a comparison, with such images. The
first flash after a pause, which has to import pyOCD, is `first`. One JSON object on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchagent.flashers.protocol import (  # noqa: E402
    FlashOutcome,
    FlashPlan,
    FlashSegment,
    ProbeRef,
)
from benchagent.flashers.pyocd import PyocdFlasher  # noqa: E402

START = 0x0800_4000
IMAGE_SIZE = 1008 * 1024
"""Everything from sector 1 on, where a new stimulus table goes for each run."""
DEMO_SIZE = 16 * 1024
"""About what the demo's test image has."""


def image(seed: int, *, changed: bool = False, size: int = IMAGE_SIZE) -> bytes:
    """Random bytes; `changed` differs in one byte of the first sector (16 KiB)."""
    data = bytearray(random.Random(seed).randbytes(size))
    if changed:
        data[2_000] ^= 0xFF
    return bytes(data)


async def ours(flasher: PyocdFlasher, probe: ProbeRef, data: bytes) -> float:
    """Seconds of one flash with its read-back."""
    started = time.perf_counter()
    plan = FlashPlan(part="stm32f405rg", segments=(FlashSegment.of(START, data),))
    result = await flasher.flash(probe, plan)
    if result.outcome is not FlashOutcome.PASSED:
        raise RuntimeError(result.message)
    return time.perf_counter() - started


def bare(probe: ProbeRef, data: bytes, directory: Path) -> float:
    """Seconds of stock pyOCD: flash, read the same bytes back, compare."""
    source, readback = directory / "image.bin", directory / "readback.bin"
    source.write_bytes(data)
    started = time.perf_counter()
    common = ["-u", probe.address, "--target", "stm32f412xg"]
    flash = ["flash", *common, "--base-address", hex(START), str(source)]
    save = ["cmd", *common, "-c", f"savemem {START:#x} {len(data):#x} {readback}"]
    for arguments in (flash, save):
        command = [sys.executable, "-m", "pyocd", *arguments]
        subprocess.run(command, check=True, capture_output=True)
    if readback.read_bytes() != data:
        raise RuntimeError("the tool's read-back differs")
    return time.perf_counter() - started


async def measure(probe: ProbeRef, directory: Path, rounds: int) -> dict[str, list[float]]:
    """The seconds of every round, by way of flashing."""
    flasher = PyocdFlasher(state_dir=directory / "state")
    names = ("first", "full", "one_sector", "unchanged", "demo")
    bare_names = ("full_bare", "one_sector_bare", "demo_bare")
    seconds: dict[str, list[float]] = {name: [] for name in (*names, *bare_names)}
    for turn in range(rounds):
        first, second = 2 * turn, 2 * turn + 1
        seconds["first"].append(await ours(flasher, probe, image(second, size=DEMO_SIZE)))
        seconds["demo"].append(await ours(flasher, probe, image(first, size=DEMO_SIZE)))
        seconds["full"].append(await ours(flasher, probe, image(first)))
        seconds["one_sector"].append(await ours(flasher, probe, image(first, changed=True)))
        seconds["unchanged"].append(await ours(flasher, probe, image(first, changed=True)))
        flasher.close()
        demo = image(second, size=DEMO_SIZE)
        seconds["demo_bare"].append(bare(probe, demo, directory))
        seconds["full_bare"].append(bare(probe, image(second), directory))
        seconds["one_sector_bare"].append(bare(probe, image(second, changed=True), directory))
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds and write medians, ratios and all samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        command = [sys.executable, "-m", "benchagent.virtual.board"]
        with subprocess.Popen(
            [*command, "--dir", scratch, "--name", "bench", "--parent-pid", str(os.getpid())],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        ) as board:
            if board.stdout is None:
                raise RuntimeError("the board has no stdout")
            entry = json.loads(board.stdout.readline())
            probe = ProbeRef(address=entry["probe"], uid=entry["probe_uid"])
            try:
                seconds = asyncio.run(measure(probe, directory, rounds))
            finally:
                board.terminate()
    medians = {name: round(statistics.median(samples), 3) for name, samples in seconds.items()}
    report = {
        "image_bytes": IMAGE_SIZE,
        "demo_bytes": DEMO_SIZE,
        "rounds": rounds,
        "median_s": medians,
        "ratio_full": round(medians["full"] / medians["full_bare"], 2),
        "ratio_demo": round(medians["demo"] / medians["demo_bare"], 2),
        "ratio_first": round(medians["first"] / medians["demo_bare"], 2),
        "ratio_one_sector": round(medians["one_sector"] / medians["one_sector_bare"], 2),
        "ratio_one_sector_to_full": round(medians["one_sector"] / medians["full"], 2),
        "samples_s": seconds,
    }
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
