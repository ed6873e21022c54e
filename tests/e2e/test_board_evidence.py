"""What a board shows otherwise than the simulator goes to the author; a fault of the lab not."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.test_claude import (
    STM32,
    Asking,
    asked_for_design,
    asked_for_firmware,
    claude,
    configured,
    serving,
)
from tests.e2e.test_repair import attempts, repaired
from tests.loopback_messages.answers import component, design

PROMPT = "Switch the lamp on while the measured light is bright, and off while it is dim."
AFTER_BOARD = "firmware of attempt {} passes in the simulator and fails on a board"
WEAK, LIAR = "f405-weak", "f405-liar"
BOARDS = f"{WEAK}:{STM32}:adc-gain=0.6,{LIAR}:{STM32}::readback=0x08010000"

SKETCH = """#include <Arduino.h>
#include "board_pins.h"

static bool lit = false;

void setup() {
  Serial.begin(115200);
  analogReadResolution(12);
  digitalWrite(LAMP_PIN, LAMP_OFF);
  pinMode(LAMP_PIN, OUTPUT);
}

void loop() {
  const float mv = analogRead(LIGHT_PIN) * LIGHT_FULL_SCALE_MV / 4095.0f;
  const bool bright = mv > 1450.0f;
  if (bright != lit) {
    lit = bright;
    digitalWrite(LAMP_PIN, lit ? LAMP_ON : LAMP_OFF);
    Serial.println(lit ? "bright" : "dim");
  }
  delay(10);
}
"""
"""Its limit stands close to the dimmest bright light: a weak converter never reaches it."""

TOLERANT = SKETCH.replace("1450.0f", "650.0f")

STEPS = """- stimulus: {at: 0ms, signal: light, value: $dim}
- never: {id: dim_is_off, pin: lamp, level: on, until: 1s}
- stimulus: {at: 1s, signal: light, value: $bright}
- expect: {id: bright_is_on, pin: lamp, level: on, after: 1s, within: 500ms}
- expect: {id: told, line: '^bright$', after: 1s, within: 500ms}
- stimulus: {at: 2s, signal: light, value: $dim}
- expect: {id: dim_again, pin: lamp, level: off, after: 2s, within: 500ms}
- expect_count: {id: once, pin: lamp, edge: rising, after: 500ms, until: 3s, count: 1}
"""


def dusk() -> dict[str, Any]:
    """A design whose scenario leaves room between dim and bright."""
    return design(
        title="Daylight lamp",
        summary="The lamp is on while it is bright.",
        board=STM32,
        components=[component("light", "analog_input"), component("lamp", "lamp")],
        custom=[
            {
                "id": "daylight",
                "text": "The lamp is on while the light is bright, off while it is dim.",
                "reads": ["light"],
                "drives": ["lamp"],
                "idle": "off",
            }
        ],
        scenarios=[
            {
                "id": "daylight",
                "title": "The lamp follows the light",
                "proves": ["daylight"],
                "control": False,
                "duration_ms": 3500,
                "vars": "dim: {draw: [100, 350], step: 10}\nbright: {draw: [1600, 2300], step: 10}",
                "steps": STEPS,
            }
        ],
    )


def told_to(body: dict[str, Any]) -> str:
    return json.dumps(body["messages"][-1])


def test_a_board_that_fails_what_the_simulator_passed_is_repaired_and_a_broken_lab_costs_nothing(
    tmp_path: Path,
) -> None:
    operator = Asking(tmp_path / "data", virtual_boards=BOARDS)
    rules = [
        repaired(AFTER_BOARD.format(1), TOLERANT),
        asked_for_firmware(SKETCH),
        asked_for_design(dusk()),
    ]
    with serving(*rules) as server:
        operator = configured(operator, server)
        try:
            run = claude(operator, PROMPT, f"name={WEAK}")
            bodies = [request.body for request in server.requests]
            broken = claude(operator, PROMPT, f"name={LIAR}")
            after = [request.body for request in server.requests[len(bodies) :]]
        finally:
            operator("down")

    assert run.code == 0, run
    assert run.session["evidence"] == "EVIDENCE_VIRTUAL"
    assert run.session["board"].endswith(WEAK)
    assert attempts(run) == [(1, "FAILED"), (2, "PASSED")]
    first, second = run.session["attempts"]
    assert first["stage"] == "STAGE_DEPLOY"
    assert not first.get("coverage")
    assert len(bodies) == 3
    turn = told_to(bodies[2])
    assert "board_differs_daylight" in turn
    assert f"+++ {WEAK}" in turn
    assert "--- qemu-netduinoplus2" in turn
    assert "-bright" in turn
    assert "daylight/bright_is_on (expect) on f405-weak" in turn
    assert "The scenarios cannot be changed." in turn
    assert (second["linesAdded"], second["linesRemoved"]) == (1, 1)
    made = next(line["designMade"] for line in run.lines if "designMade" in line)
    assert [s.partition(":")[0] for s in made["scenarios"]] == ["control", "daylight", "idle"]
    judged = {(r["scenarioId"], r["stage"]) for r in run.session["scenarioResults"]}
    names = ("control", "daylight", "idle")
    assert judged == {(n, s) for n in names for s in ("STAGE_SIMULATE", "STAGE_DEPLOY")}

    assert broken.code == 3, broken
    assert attempts(broken) == [(1, "BROKEN")]
    assert [s["outcome"][8:] for s in broken.session["stages"]][-1] == "BROKEN"
    assert len(after) == 2
    assert not any("was seen" in told_to(body) for body in after)
