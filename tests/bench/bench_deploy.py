"""A flash through control plane and agent against stock pyOCD with a read-back of its own.

`python -m tests.bench.bench_deploy [ROUNDS]`. Each round flashes an image with new random bytes by
a session, from the FlashRecord's start to its end: order, transfer of the image to the agent, plan,
erase, write, read-back, reset. Then `pyocd flash` and `pyocd cmd savemem` write and compare an
image of the same size with other random bytes, on the same board.
"""

import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.live import Live, live_instance
from tests.bench.row import Row

BASE = 0x0800_0000
IMAGE_BYTES = 768 * 1024
SCENARIO = """
scenario: 1
id: boot
title: The image starts
duration: 1s
signals:
  led: {kind: digital_out, pin: PC12, active: low}
steps:
  - reset: {}
  - expect: {id: ready, type: READY, within: 500ms}
"""


def padded(firmware: bytes, seed: int) -> bytes:
    """Firmware with random bytes behind it."""
    filler = random.Random(seed).randbytes(IMAGE_BYTES - len(firmware))
    return firmware + filler


def seconds_of(flash: dict[str, Any]) -> float:
    """Seconds from the start of a flash record to its end."""
    start, end = (datetime.fromisoformat(flash[key]) for key in ("startTime", "endTime"))
    return (end - start).total_seconds()


def ours(live: Live, image: Path, scenario: Path) -> tuple[float, str]:
    """Seconds of the test image's flash in a session, and the board it went to."""
    lines = live("run", "--from", str(image), "--scenario", str(scenario), "--until", "deploy")
    ended = [line["flash"] for line in lines if line.get("flash", {}).get("outcome")]
    flash = next(one for one in ended if one["image"] == "test")
    if flash["outcome"] != "OUTCOME_PASSED" or int(flash["bytesProgrammed"]) < IMAGE_BYTES // 2:
        raise RuntimeError(str(flash))
    return seconds_of(flash), str(flash["board"])


def bare(probe: str, image: Path, scratch: Path) -> float:
    """Seconds of the stock tool: write, read the same bytes back, compare."""
    readback = scratch / "readback.bin"
    common = ["-u", probe, "--target", "stm32f412xg"]
    flash = ["flash", *common, "--base-address", hex(BASE), str(image)]
    save = ["cmd", *common, "-c", f"savemem {BASE:#x} {IMAGE_BYTES:#x} {readback}"]
    started = time.perf_counter()
    for words in (flash, save):
        command = [sys.executable, "-m", "pyocd", *words]
        subprocess.run(command, check=True, capture_output=True)
    if readback.read_bytes() != image.read_bytes():
        raise RuntimeError("the tool's read-back differs")
    return time.perf_counter() - started


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """The row of the table, and what it says about sizes."""
    plain, product = [], []
    with live_instance() as live, tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        scenario, image = scratch / "boot.yaml", scratch / "image.bin"
        scenario.write_text(SCENARIO)
        session = live("run", "Blink the on-board LED at 2 Hz", "--until", "build")[-1]
        firmware = live.artifact(session, "firmware.test.bin")
        for turn in range(rounds):
            image.write_bytes(padded(firmware, 2 * turn))
            seconds, board = ours(live, image, scenario)
            product.append(seconds)
            probe = next(b["probeId"] for b in live("boards") if b["name"] == board)
            image.write_bytes(padded(firmware, 2 * turn + 1))
            plain.append(bare(probe, image, scratch))
    row = Row(
        what="flash and read back, through control plane and agent",
        ours=product,
        beside=plain,
        beside_what="`pyocd flash` and `savemem`",
        most_ratio=1.1,
    )
    rate = IMAGE_BYTES / 1024 / statistics.median(product)
    return [row], [f"A flash writes {IMAGE_BYTES // 1024} KiB of new bytes: {rate:.0f} KiB/s."]


if __name__ == "__main__":
    rows, notes = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    sys.stdout.write("\n".join([*(row.markdown() for row in rows), *notes]) + "\n")
