"""How long a proved flash takes, against the bare tool with a read-back of its own.

`python tests/bench/bench_flash.py [--tool pyocd|esptool] [--rounds N]` starts a virtual board and
interleaves, round by round: our flasher with a full write, with one changed sector and with an
image of the size of the demo's, and the stock tool with such images, which writes and reads back
in two calls: `pyocd flash` and `pyocd cmd savemem`, or `esptool write-flash` and `read-flash`. The
first flash after a pause, which has to import the tool, is `first`. One JSON object on stdout.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchagent.flashers.esptool import EsptoolFlasher
from benchagent.flashers.protocol import (
    Flasher,
    FlashOutcome,
    FlashPlan,
    FlashSegment,
    ProbeRef,
)
from benchagent.flashers.pyocd import PyocdFlasher

IMAGE_SIZE = 1008 * 1024
DEMO_SIZE = 16 * 1024
"""About what the demo's test image has."""


def pyocd_commands(probe: ProbeRef, source: Path, back: Path, size: int) -> list[list[str]]:
    """Stock pyOCD: write, then read the same bytes back."""
    common = ["-u", probe.address, "--target", "stm32f412xg"]
    flash = ["pyocd", "flash", *common, "--base-address", hex(TOOLS["pyocd"].start), str(source)]
    save = f"savemem {TOOLS['pyocd'].start:#x} {size:#x} {back}"
    return [flash, ["pyocd", "cmd", *common, "-c", save]]


def esptool_commands(probe: ProbeRef, source: Path, back: Path, size: int) -> list[list[str]]:
    """Stock esptool at its usual speed: write with its MD5, then read the same bytes back."""
    common = ["esptool", "--port", probe.address, "--baud", "921600"]
    start = hex(TOOLS["esptool"].start)
    return [
        [*common, "write-flash", "--force", start, str(source)],
        [*common, "read-flash", start, hex(size), str(back)],
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool and a board for it. `start` leaves out the sector that the board boots from."""

    board_options: tuple[str, ...]
    part: str
    start: int
    flasher: Callable[[Path], Flasher]
    commands: Callable[[ProbeRef, Path, Path, int], list[list[str]]]


TOOLS = {
    "pyocd": Tool(
        board_options=(),
        part="stm32f405rg",
        start=0x0800_4000,
        flasher=lambda folder: PyocdFlasher(state_dir=folder),
        commands=pyocd_commands,
    ),
    "esptool": Tool(
        board_options=("--model", "esp32-c3-devkitm-1"),
        part="esp32c3",
        start=0x4000,
        flasher=lambda folder: EsptoolFlasher(state_dir=folder),
        commands=esptool_commands,
    ),
}


def image(seed: int, *, changed: bool = False, size: int = IMAGE_SIZE) -> bytes:
    """Random bytes; `changed` differs in one byte of the first sector."""
    data = bytearray(random.Random(seed).randbytes(size))
    if changed:
        data[2_000] ^= 0xFF
    return bytes(data)


@dataclass(slots=True)
class Bench:
    """One board, our flasher for it, and the stock tool beside it."""

    tool: Tool
    probe: ProbeRef
    directory: Path
    flasher: Flasher
    proven: tuple[FlashSegment, ...] = ()

    async def ours(self, data: bytes) -> float:
        """Seconds of one flash with its read-back and reset, as an agent does it."""
        segments = (FlashSegment.of(self.tool.start, data),)
        plan = FlashPlan(part=self.tool.part, segments=segments, base=self.proven)
        started = time.perf_counter()
        result = await self.flasher.flash(self.probe, plan)
        if result.outcome is not FlashOutcome.PASSED:
            raise RuntimeError(result.message)
        if self.flasher.takes_the_port:
            await self.flasher.reset(self.probe, self.tool.part)
        seconds = time.perf_counter() - started
        self.proven = segments
        return seconds

    def bare(self, data: bytes) -> float:
        """Seconds of the stock tool: flash, read the same bytes back, compare."""
        source, back = self.directory / "image.bin", self.directory / "readback.bin"
        source.write_bytes(data)
        started = time.perf_counter()
        for words in self.tool.commands(self.probe, source, back, len(data)):
            command = [sys.executable, "-m", *words]
            subprocess.run(command, check=True, capture_output=True)
        if back.read_bytes() != data:
            raise RuntimeError("the tool's read-back differs")
        self.proven = ()
        return time.perf_counter() - started


async def measure(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """The seconds of every round, by way of flashing."""
    names = ("first", "full", "one_sector", "unchanged", "demo")
    bare_names = ("full_bare", "one_sector_bare", "demo_bare")
    seconds: dict[str, list[float]] = {name: [] for name in (*names, *bare_names)}
    for turn in range(rounds):
        first, second = 2 * turn, 2 * turn + 1
        seconds["first"].append(await bench.ours(image(second, size=DEMO_SIZE)))
        seconds["demo"].append(await bench.ours(image(first, size=DEMO_SIZE)))
        seconds["full"].append(await bench.ours(image(first)))
        seconds["one_sector"].append(await bench.ours(image(first, changed=True)))
        seconds["unchanged"].append(await bench.ours(image(first, changed=True)))
        bench.flasher.close()
        seconds["demo_bare"].append(bench.bare(image(second, size=DEMO_SIZE)))
        seconds["full_bare"].append(bench.bare(image(second)))
        seconds["one_sector_bare"].append(bench.bare(image(second, changed=True)))
    return seconds


def measured(tool: Tool, rounds: int) -> dict[str, list[float]]:
    """Starts a board for the tool and measures on it."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        command = [sys.executable, "-m", "benchagent.virtual.board", "--dir", scratch]
        options = ("--name", "bench", "--parent-pid", str(os.getpid()), *tool.board_options)
        with subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE) as board:
            if board.stdout is None:
                raise RuntimeError("the board has no stdout")
            entry: dict[str, Any] = json.loads(board.stdout.readline())
            probe = ProbeRef(
                address=entry["probe"], uid=entry["probe_uid"], control=entry["control"]
            )
            bench = Bench(tool, probe, directory, tool.flasher(directory / "state"))
            try:
                return asyncio.run(measure(bench, rounds))
            finally:
                board.terminate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds and write medians, ratios and all samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", choices=sorted(TOOLS), default="pyocd")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    seconds = measured(TOOLS[options.tool], options.rounds)
    medians = {name: round(statistics.median(samples), 3) for name, samples in seconds.items()}
    report = {
        "tool": options.tool,
        "image_bytes": IMAGE_SIZE,
        "demo_bytes": DEMO_SIZE,
        "rounds": options.rounds,
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
