"""Simulating 60 s of firmware against the same simulator's command run bare, side by side.

Run: python tests/bench/bench_simulation.py [ROUNDS] [stm32|esp32c3]. Rounds alternate between the
two, each reads the console until END. Prints one JSON object and a row for docs/performance.md.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "proto")]

from benchline.scenario import RunPlan, pack_table, parse_scenario, resolve
from controlplane.domain.build import SourceFile
from controlplane.simulators.flash_file import flash_contents
from controlplane.simulators.identity import icount_option, run_nonce
from controlplane.simulators.machine import ChildSimulator
from controlplane.simulators.protocol import Target
from controlplane.simulators.qemu import qemu_simulator
from controlplane.simulators.unicorn import emulator_simulator
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildVariant

BUDGET_RATIO = 1.3


@dataclass(frozen=True)
class Case:
    """A board model, the pin of its LED, and how its simulator is started bare."""

    board: str
    pin: str
    pin_number: str
    target: Target
    simulator: Callable[[Path], ChildSimulator]
    command: Callable[[Path, Path, int], list[str]]


def qemu_command(image: Path, table: Path, end_ms: int) -> list[str]:
    """QEMU for the STM32F405, its log thrown away."""
    argv = ["qemu-system-arm", "-M", "netduinoplus2", "-nodefaults", "-display", "none"]
    argv += ["-icount", icount_option(end_ms), "-serial", "null", "-serial", "stdio"]
    argv += ["-kernel", str(image)]
    argv += ["-device", f"loader,file={table},addr=0x08004000,force-raw=on"]
    return [*argv, "-d", "unimp,guest_errors", "-D", "/dev/null"]


def emulator_command(image: Path, table: Path, end_ms: int) -> list[str]:
    """The ESP32-C3 emulator, its log thrown away."""
    flash = table.with_suffix(".flash")
    flash.write_bytes(flash_contents(image, 4 << 20))
    argv = [sys.executable, "-m", "benchline.emulator.esp32c3", "--flash", str(flash)]
    return [*argv, "--table", str(table), "--log", "/dev/null", "--max-ms", str(end_ms + 1000)]


CASES = {
    "stm32": Case(
        board="olimex-stm32-h405",
        pin="PC12",
        pin_number="PC12",
        target=Target(
            part="stm32f405rg",
            part_name="STM32F405RG",
            machine="netduinoplus2",
            console_serial=1,
            flash_bytes=1 << 20,
        ),
        simulator=qemu_simulator,
        command=qemu_command,
    ),
    "esp32c3": Case(
        board="esp32-c3-devkitm-1",
        pin="GPIO10",
        pin_number="10",
        target=Target(
            part="esp32c3",
            part_name="ESP32-C3",
            machine="esp32c3",
            console_serial=0,
            flash_bytes=4 << 20,
        ),
        simulator=emulator_simulator,
        command=emulator_command,
    ),
}
SKETCH = """
bool on = false;
void setup() { Serial.begin(115200); pinMode(LED, OUTPUT); }
void loop() {
  static unsigned long blinked, told;
  const unsigned long now = millis();
  if (now - blinked >= 250) { blinked += 250; on = !on; digitalWrite(LED, on ? LOW : HIGH); }
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
  led: {kind: digital_out, pin: LED_PIN, active: low}
steps:
  - reset: {}
  - expect_period: {id: rate, pin: led, edge: rising, period: 500ms, tolerance: 2%, count: 110}
"""


def bare(argv: list[str]) -> float:
    """Seconds of the plain command until its END record."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "proto")}
    started = time.perf_counter()
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment
    ) as child:
        seen = b""
        while b" END dropped=" not in seen:
            if child.stdout is None or not (piece := os.read(child.stdout.fileno(), 65536)):
                raise RuntimeError("the simulator ended before END")
            seen = seen[-64:] + piece
        child.kill()
    return time.perf_counter() - started


async def simulated(simulator: ChildSimulator, target: Target, image: Path, plan: RunPlan) -> float:
    """Seconds of the product's simulation of the same image and table."""
    started = time.perf_counter()
    result = await simulator.simulate(target, image, plan)
    if result.outcome != "PASSED":
        raise RuntimeError(result.scenario.reason)
    return time.perf_counter() - started


async def measure(rounds: int, case: Case) -> dict[str, object]:
    """Alternate both forms and compare their medians."""
    root = Path(tempfile.mkdtemp(prefix="benchline-bench-"))
    try:
        request = BuildRequest(
            name="Minute",
            sources=(
                SourceFile(path="Minute.ino", content=SKETCH.replace("LED", case.pin_number)),
            ),
            board_model=case.board,
            variants=(BuildVariant.TEST,),
        )
        built = await BareMetalToolchain(root / "cache").build(request, root / "out")
        image = built.images[BuildVariant.TEST].elf
        plan = resolve(parse_scenario(SCENARIO.replace("LED_PIN", case.pin)), 1)
        table = root / "table.bin"
        table.write_bytes(pack_table(plan, run_nonce(plan)))
        simulator = case.simulator(root / "runs")
        command = case.command(image, table, plan.end_ms)
        await simulated(simulator, case.target, image, plan)
        plain, ours = [], []
        for _ in range(rounds):
            plain.append(await asyncio.to_thread(bare, command))
            ours.append(await simulated(simulator, case.target, image, plan))
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
    case = CASES[sys.argv[2] if len(sys.argv) > 2 else "stm32"]
    facts = asyncio.run(measure(rounds, case))
    low, high = facts["ours_range_s"]
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.write(
        f"| simulate a 60 s scenario | {facts['ours_median_s']} s ({low}-{high}) | "
        f"{facts['bare_median_s']} s bare | {facts['ratio']}x | {BUDGET_RATIO}x |\n"
    )


if __name__ == "__main__":
    main()
