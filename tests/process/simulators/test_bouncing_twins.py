"""A model presses cleanly; the twin of its scenario tells firmware that debounces from other."""

import json
from pathlib import Path

import pytest

from benchline.scenario import Outcome, parse_scenario, resolve
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.claude_reading import Wish, read_answer
from controlplane.domain.build import SourceFile
from controlplane.domain.design import Design, DesignerStamp
from controlplane.firmware.board_pins import board_pins
from controlplane.simulators.qemu import qemu_simulator
from controlplane.simulators.unicorn import emulator_simulator
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildVariant
from tests.loopback_messages.answers import component, design
from tests.process.simulators import conftest as stm32
from tests.process.simulators import test_esp32c3 as esp32c3

STEPS = """- press: {id: one, at: $first, signal: button, for: 80ms}
- expect: {id: red, pin: red, level: on, after: $first, within: 100ms}
- press: {id: two, at: $first + 500, signal: button, for: 80ms}
- expect: {id: green, pin: green, level: on, after: $first + 500, within: 100ms, save: lit}
- expect_latency: {id: quick, from: two, to: lit, max: 60ms}
- pin: {id: red_off, signal: red, level: off, at: $first + 900}
- press: {at: $first + 1000, signal: button, for: 80ms}
- expect: {id: blue, pin: blue, level: on, after: $first + 1000, within: 100ms}
- pin: {id: green_off, signal: green, level: off, at: $first + 1400}
- expect_count: {id: once, pin: blue, edge: rising, count: 1}
"""

SKETCH = """#include <Arduino.h>
#include "board_pins.h"

static int lit = -1;
static bool pressed = false, seen = false;
static unsigned long changedAt = 0;

static void show() {
  digitalWrite(RED_PIN, lit == 0 ? RED_ON : RED_OFF);
  digitalWrite(GREEN_PIN, lit == 1 ? GREEN_ON : GREEN_OFF);
  digitalWrite(BLUE_PIN, lit == 2 ? BLUE_ON : BLUE_OFF);
}

void setup() {
  show();
  pinMode(RED_PIN, OUTPUT);
  pinMode(GREEN_PIN, OUTPUT);
  pinMode(BLUE_PIN, OUTPUT);
  pinMode(BUTTON_PIN, BUTTON_MODE);
}

void loop() {
  const unsigned long now = millis();
  const bool down = digitalRead(BUTTON_PIN) == BUTTON_PRESSED;
  DEBOUNCE
    if (pressed) {
      lit = (lit + 1) % 3;
      show();
    }
  }
  delay(1);
}
"""
SETTLING = """if (down != seen) {
    seen = down;
    changedAt = now;
  }
  if (down != pressed && now - changedAt >= 30) {
    pressed = down;"""
LOCKING = """if (down != pressed && now - changedAt >= 5) {
    pressed = down;
    changedAt = now;"""
NONE = """if (down != pressed) {
    pressed = down;"""


def designed(board: str) -> Design:
    answer = design(
        title="Three lights",
        board=board,
        components=[component("button", "button")]
        + [component(light, "led") for light in ("red", "green", "blue")],
        custom=[
            {
                "id": "next",
                "text": "Each press lights the next of three LEDs, and no other.",
                "reads": ["button"],
                "drives": ["red", "green", "blue"],
                "idle": "off",
            }
        ],
        scenarios=[
            {
                "id": "presses",
                "title": "Presses light the next",
                "proves": ["next"],
                "control": False,
                "duration_ms": 3000,
                "vars": "first: {draw: [300, 700], step: 10}",
                "steps": STEPS,
            }
        ],
    )
    wish = Wish(prompt="A wish.", fixed=None, stamp=DesignerStamp(name="claude", version="1"))
    made = read_answer(json.dumps(answer), wish, load_catalogue())
    assert isinstance(made, Design), made
    return made


@pytest.mark.parametrize("board", [stm32.BOARD, stm32.C3_BOARD])
async def test_only_what_debounces_passes_the_twin(board: str, cache: Path, tmp_path: Path) -> None:
    made = designed(board)
    of_stm32 = board == stm32.BOARD
    simulator = (qemu_simulator if of_stm32 else emulator_simulator)(tmp_path / "runs")
    target = stm32.TARGET if of_stm32 else esp32c3.TARGET
    toolchain = BareMetalToolchain(cache)
    told = {}
    for kind, debounce in (("settling", SETTLING), ("locking", LOCKING), ("none", NONE)):
        request = BuildRequest(
            name="sketch",
            sources=(
                SourceFile(path="sketch.ino", content=SKETCH.replace("DEBOUNCE", debounce)),
                SourceFile(path="board_pins.h", content=board_pins(made)),
            ),
            board_model=board,
            variants=(BuildVariant.TEST,),
        )
        built = await toolchain.build(request, tmp_path / kind)
        assert built.images, built
        elf = built.images[BuildVariant.TEST].elf
        for scenario in made.scenarios:
            plan = resolve(parse_scenario(scenario.yaml), 3)
            done = await simulator.simulate(target, elf, plan, build=built.build_id)
            told[kind, scenario.id] = done.outcome

    failed = {key for key, outcome in told.items() if outcome is not Outcome.PASSED}
    assert len(told) == 12
    assert failed == {("none", "presses_bounces")}
    assert told["none", "presses_bounces"] is Outcome.FAILED
