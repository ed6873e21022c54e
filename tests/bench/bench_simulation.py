"""Simulating 60 s of firmware against the same QEMU command run bare, side by side.

Run: python tests/bench/bench_simulation.py [ROUNDS]. Rounds alternate between the two, each reads
the console until END. Prints one JSON object and a row for docs/performance.md.
"""

import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "proto")]

from benchline.scenario import RunPlan, pack_table, parse_scenario, resolve  # noqa: E402
from controlplane.domain.build import SourceFile  # noqa: E402
from controlplane.simulators.identity import icount_option, run_nonce  # noqa: E402
from controlplane.simulators.machine import ChildSimulator  # noqa: E402
from controlplane.simulators.protocol import Target  # noqa: E402
from controlplane.simulators.qemu import qemu_simulator  # noqa: E402
from controlplane.toolchains.bare_metal import BareMetalToolchain  # noqa: E402
from controlplane.toolchains.protocol import BuildRequest, BuildVariant  # noqa: E402

BUDGET_RATIO = 1.3
TARGET = Target(
    part="stm32f405rg",
    part_name="STM32F405RG",
    machine="netduinoplus2",
    console_serial=1,
    flash_bytes=1 << 20,
)
SKETCH = """
bool on = false;
void setup() { Serial.begin(115200); pinMode(PC12, OUTPUT); }
void loop() {
  static unsigned long blinked, told;
  const unsigned long now = millis();
  if (now - blinked >= 250) { blinked += 250; on = !on; digitalWrite(PC12, on ? LOW : HIGH); }
  if (now - told >= 1000) { told += 1000; Serial.print("up "); Serial.println(now / 1000); }
  delay(1);
}
"""
SCENARIO = """
scenario: 1
id: minute
title: A minute of blinking
duration: 60s
signals:
  led: {kind: digital_out, pin: PC12, active: low}
steps:
  - reset: {}
  - expect_period: {id: rate, pin: led, edge: rising, period: 500ms, tolerance: 2%, count: 110}
"""


def bare(image: Path, table: Path, end_ms: int) -> float:
    """Seconds of the plain command until its END record."""
    argv = ["qemu-system-arm", "-M", "netduinoplus2", "-nodefaults", "-display", "none"]
    argv += ["-icount", icount_option(end_ms), "-serial", "null", "-serial", "stdio"]
    argv += ["-kernel", str(image)]
    argv += ["-device", f"loader,file={table},addr=0x08004000,force-raw=on"]
    argv += ["-d", "unimp,guest_errors", "-D", "/dev/null"]
    started = time.perf_counter()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        seen = b""
        while b" END dropped=" not in seen:
            if child.stdout is None or not (piece := os.read(child.stdout.fileno(), 65536)):
                raise RuntimeError("QEMU ended before END")
            seen = seen[-64:] + piece
        child.kill()
    return time.perf_counter() - started


async def simulated(simulator: ChildSimulator, image: Path, plan: RunPlan) -> float:
    """Seconds of the product's simulation of the same image and table."""
    started = time.perf_counter()
    result = await simulator.simulate(TARGET, image, plan)
    if result.outcome != "PASSED":
        raise RuntimeError(result.scenario.reason)
    return time.perf_counter() - started


async def measure(rounds: int) -> dict[str, object]:
    """Alternate both forms and compare their medians."""
    root = Path(tempfile.mkdtemp(prefix="benchline-bench-"))
    try:
        request = BuildRequest(
            name="Minute",
            sources=(SourceFile(path="Minute.ino", content=SKETCH),),
            board_model="olimex-stm32-h405",
            variants=(BuildVariant.TEST,),
        )
        built = await BareMetalToolchain(root / "cache").build(request, root / "out")
        image = built.images[BuildVariant.TEST].elf
        plan = resolve(parse_scenario(SCENARIO), 1)
        table = root / "table.bin"
        table.write_bytes(pack_table(plan, run_nonce(plan)))
        simulator = qemu_simulator(root / "runs")
        await simulated(simulator, image, plan)
        plain, ours = [], []
        for _ in range(rounds):
            plain.append(await asyncio.to_thread(bare, image, table, plan.end_ms))
            ours.append(await simulated(simulator, image, plan))
    finally:
        shutil.rmtree(root)
    return {
        "benchmark": "simulate_60_s",
        "rounds": rounds,
        "bare_samples_s": plain,
        "ours_samples_s": ours,
        "bare_median_s": round(statistics.median(plain), 3),
        "bare_range_s": [round(min(plain), 3), round(max(plain), 3)],
        "ours_median_s": round(statistics.median(ours), 3),
        "ours_range_s": [round(min(ours), 3), round(max(ours), 3)],
        "ratio": round(statistics.median(ours) / statistics.median(plain), 3),
        "budget": BUDGET_RATIO,
        "cpus": os.cpu_count(),
        "machine": platform.platform(),
    }


def main() -> None:
    """Print the measurement."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    facts = asyncio.run(measure(rounds))
    low, high = facts["ours_range_s"]  # type: ignore[misc]
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.write(
        f"| simulate a 60 s scenario | {facts['ours_median_s']} s ({low}-{high}) | "
        f"{facts['bare_median_s']} s bare | {facts['ratio']}x | {BUDGET_RATIO}x |\n"
    )


if __name__ == "__main__":
    main()
