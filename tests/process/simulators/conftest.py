"""A toolchain and a simulator with the installed compiler and QEMU."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from benchline.scenario import RunPlan, parse_scenario, resolve
from controlplane.domain.build import SourceFile
from controlplane.simulators.protocol import SimulationLimits, SimulationResult, Target
from controlplane.simulators.qemu import qemu_simulator
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildResult, BuildVariant

BOARD = "olimex-stm32-h405"
C3_BOARD = "esp32-c3-devkitm-1"
TARGET = Target(
    part="stm32f405rg",
    part_name="STM32F405RG",
    machine="netduinoplus2",
    console_serial=1,
    flash_bytes=1 << 20,
)

SCENARIO = """
scenario: 1
id: blink_and_report
title: The LED blinks and the temperature is told
duration: 4s
signals:
  temperature:
    {kind: analog, pin: PA1, unit: C, mv_at_zero: 500, mv_per_unit: 10, min: -40, max: 125}
  led: {kind: digital_out, pin: PC12, active: low}
vars:
  room: {draw: [25.0, 45.0], step: 0.5}
steps:
  - reset: {}
  - stimulus: {at: 0ms, signal: temperature, value: $room}
  - expect: {id: boot, type: READY, within: 1s}
  - expect_period: {id: led_rate, pin: led, edge: rising, period: 500ms, tolerance: 2%, count: 5}
  - expect:
      id: report
      line: '^temperature (?P<v>-?[0-9]+\\.[0-9]) C$'
      where: "abs(v - room) <= 0.5"
      within: 2s
"""

HONEST = """
bool on = false;
unsigned long blinked = 0;
unsigned long reported = 0;

void setup() {
  Serial.begin(115200);
  analogReadResolution(12);
  pinMode(PC12, OUTPUT);
  digitalWrite(PC12, HIGH);
}

void loop() {
  const unsigned long now = millis();
  if (now - blinked >= 250) {
    blinked += 250;
    on = !on;
    digitalWrite(PC12, on ? LOW : HIGH);
  }
  if (now - reported >= 1000) {
    reported += 1000;
    const float millivolts = analogRead(PA1) * 3300.0f / 4095.0f;
    Serial.print("temperature ");
    Serial.print((millivolts - 500.0f) / 10.0f, 1);
    Serial.println(" C");
  }
  delay(1);
}
"""


@pytest.fixture
def plan() -> RunPlan:
    return resolve(parse_scenario(SCENARIO), 7)


Build = Callable[[str], Awaitable[BuildResult]]


def building(cache: Path, out: Path, board: str) -> Build:
    async def build_sketch(text: str) -> BuildResult:
        request = BuildRequest(
            name="Sketch",
            sources=(SourceFile(path="Sketch.ino", content=text),),
            board_model=board,
            variants=(BuildVariant.TEST,),
        )
        result = await BareMetalToolchain(cache).build(request, out)
        assert result.images, result
        return result

    return build_sketch


@pytest.fixture
def build(cache: Path, tmp_path: Path) -> Build:
    return building(cache, tmp_path / "out", BOARD)


@pytest.fixture
def build_c3(cache: Path, tmp_path: Path) -> Build:
    return building(cache, tmp_path / "c3", C3_BOARD)


@pytest.fixture
def simulate(
    build: Build, plan: RunPlan, tmp_path: Path
) -> Callable[..., Awaitable[SimulationResult]]:
    async def run(
        text: str, *, limits: SimulationLimits | None = None, seeded: RunPlan | None = None
    ) -> SimulationResult:
        result = await build(text)
        image = result.images[BuildVariant.TEST].elf
        simulator = qemu_simulator(tmp_path / "runs")
        return await simulator.simulate(
            TARGET, image, seeded or plan, limits=limits, build=result.build_id
        )

    return run
