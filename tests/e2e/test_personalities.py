"""Boards that are not perfect: each verdict that a comparison with the simulator can give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Finished, Operator

C3, F405 = "esp32-c3-devkitm-1", "olimex-stm32-h405"
BOARDS = (
    f"c3-blind:{C3}:missing-sensor=GPIO1",
    f"c3-mirror:{C3}:inverted-led=GPIO3",
    f"c3-offset:{C3}:adc-offset=40",
    f"c3-slow:{C3}:clock=-4%",
    f"f405-blind:{F405}:missing-sensor=PA1",
    f"f405-slow:{F405}:clock=-4%",
)
SKETCH = """\
unsigned long due = 0;
void setup() {{ Serial.begin(115200); pinMode({lamp}, OUTPUT); }}
void loop() {{
  if (millis() < due) delay(due - millis());
  due += 250;
  int level = analogRead({sensor});
  digitalWrite({lamp}, level > 300 ? {bright} : {dark});
  Serial.print("counts "); Serial.println(level);
}}
"""
SCENARIO = """\
scenario: 1
id: lamp
title: The lamp follows the sensor
duration: 5s
requires: [serial.rx, pin.read, inject.analog]
signals:
  sensor: {{kind: analog, pin: {sensor}, mv_at_zero: 0, mv_per_unit: 1, min: 0, max: 2500}}
  lamp: {{kind: digital_out, pin: {lamp}, active: high}}
vars:
  dark: {{draw: [300, 700], step: 10}}
  bright: {{draw: [1500, 2300], step: 10}}
steps:
  - stimulus: {{at: 0ms, signal: sensor, value: $dark}}
  - expect: {{id: boot, type: READY, within: 1s}}
  - never: {{id: dark_is_off, pin: lamp, level: on, until: 2s}}
  - stimulus: {{at: 2s, signal: sensor, value: $bright}}
  - expect: {{id: bright_is_on, pin: lamp, level: on, after: 2s, within: 1s}}
  - never: {{id: no_fault, type: FAULT}}
"""


class Bench:
    """One instance with boards of every personality."""

    def __init__(self, operator: Operator, folder: Path) -> None:
        self._operator = operator
        self._folder = folder

    def compare(self, board: str, *options: str, inverted: bool = False) -> tuple[Any, Finished]:
        """The session that ran the lamp on one board, and what `scenario diff` says of it."""
        names = ("GPIO1", "GPIO3") if "c3" in board else ("PA1", "PB0")
        numbers = ("1", "3") if "c3" in board else ("PA1", "PB0")
        folder = self._folder / f"{board}{inverted}"
        folder.mkdir(exist_ok=True)
        bright, dark = ("LOW", "HIGH") if inverted else ("HIGH", "LOW")
        sketch, scenario = folder / "lamp.ino", folder / "lamp.yaml"
        sketch.write_text(
            SKETCH.format(sensor=numbers[0], lamp=numbers[1], bright=bright, dark=dark)
        )
        scenario.write_text(SCENARIO.format(sensor=names[0], lamp=names[1]))
        ran = self._operator(
            *("scenario", "run", str(scenario), "--from", str(sketch)),
            *("--board", f"name={board}", "--json", *options),
        )
        assert ran.code in (0, 1), ran
        # Values are compared exactly; a busy host delays what a board does, by its own clock too.
        diff = self._operator("scenario", "diff", ran.session["name"], "--tolerance", "1000")
        return ran.session, diff


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("personalities")
    operator = Operator(folder / "data", virtual_boards=",".join(BOARDS))
    up = operator("up")
    assert up.code == 0, up
    yield Bench(operator, folder)
    operator("down")


def outcomes(session: Any) -> dict[str, str]:
    return {
        ("board" if result["stage"] == "STAGE_DEPLOY" else "sim"): result["outcome"]
        for result in session["scenarioResults"]
    }


PASSED, FAILED = "OUTCOME_PASSED", "OUTCOME_FAILED"


@pytest.mark.parametrize("board", ["vc3-01", "vf405-01"])
def test_a_perfect_board_does_what_the_simulator_does(bench: Bench, board: str) -> None:
    session, diff = bench.compare(board)
    assert outcomes(session) == {"sim": PASSED, "board": PASSED}
    assert "BOTH_PASS" in diff.out, diff
    assert diff.code == 0


@pytest.mark.parametrize("board", ["c3-blind", "f405-blind"])
def test_a_missing_sensor_fails_on_the_board_alone(bench: Bench, board: str) -> None:
    session, diff = bench.compare(board)
    assert outcomes(session) == {"sim": PASSED, "board": FAILED}
    assert "SIM_ONLY at event 0 of lines like 'counts #'" in diff.out, diff
    assert diff.code == 1


def test_firmware_for_an_inverted_lamp_passes_on_such_a_board_alone(bench: Bench) -> None:
    session, diff = bench.compare("c3-mirror", "--board-anyway", inverted=True)
    assert outcomes(session) == {"sim": FAILED, "board": PASSED}
    assert session["outcome"] == FAILED
    assert "BOARD_ONLY at event 0 of PIN GPIO3" in diff.out, diff
    assert diff.code == 1


def test_a_failed_simulation_reaches_no_board_unless_it_is_asked_for(bench: Bench) -> None:
    session, _ = bench.compare("vc3-01", inverted=True)
    assert outcomes(session) == {"sim": FAILED}


def test_a_converter_with_an_offset_passes_and_diverges(bench: Bench) -> None:
    session, diff = bench.compare("c3-offset")
    assert outcomes(session) == {"sim": PASSED, "board": PASSED}
    assert "DIVERGED at event 0 of lines like 'counts #'" in diff.out, diff
    assert diff.code == 1


@pytest.mark.parametrize("board", ["c3-slow", "f405-slow"])
def test_a_slow_clock_is_seen_although_the_device_cannot_tell(bench: Bench, board: str) -> None:
    # A busy host cannot read a clock, and then says nothing or less than there is.
    slow = r"clock [2-6]\.[0-9] % slow"
    for _ in range(20):
        session, diff = bench.compare(board)
        assert outcomes(session) == {"sim": PASSED, "board": PASSED}
        if re.search(f"DIVERGED: {slow}", diff.out):
            break
    assert re.search(f"DIVERGED: {slow}", diff.out), diff
    assert diff.code == 1
    (on_board,) = (r for r in session["scenarioResults"] if r["stage"] == "STAGE_DEPLOY")
    assert re.match(f"note: {slow} against the host's", on_board["message"])
