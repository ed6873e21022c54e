"""Ten sentences are the same device on an STM32 and on an ESP32, event by event in simulation.

Pins are compared by what they are for, levels by active and inactive; what names the board model
in BOOT is masked. Everything else is equal: lines, values, times, records.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from benchline.scenario import Event, RecordSplitter, diff_traces, parse_scenario, pin_names
from tests.e2e.conftest import Operator

pytestmark = pytest.mark.xdist_group("shared-instance")

TEN = (Path(__file__).parent / "ten_prompts.txt").read_text("utf-8").splitlines()
FAMILIES = ("olimex-stm32-h405", "esp32-c3-devkitm-1")


def simulated(operator: Operator, prompt: str, board: str) -> dict[str, Any]:
    wish = ("--board", board, "--until", "simulate", "--seed", "7", "--json")
    run = operator("run", prompt, *wish)
    assert run.code == 0, f"{prompt} on {board}\n{run}"
    assert run.session["outcome"] == "OUTCOME_PASSED"
    assert run.session["boardModel"] == board
    return run.session


def events_of(operator: Operator, result: dict[str, Any]) -> list[Event]:
    return list(RecordSplitter().feed(operator.console(result["console"])))


@pytest.mark.parametrize("prompt", TEN)
def test_a_prompt_is_the_same_device_on_both_families(operator: Operator, prompt: str) -> None:
    traces, names = [], []
    for board in FAMILIES:
        session = simulated(operator, prompt, board)
        shown = operator("show", session["name"].removeprefix("sessions/"), "--json")
        scenarios = json.loads(shown.out.splitlines()[-1])["design"]["scenarios"]
        # A scenario names the pins that it looks at; the others are driven all the same.
        parsed = [parse_scenario(scenario["yaml"]) for scenario in scenarios]
        names.append({pin: use for one in parsed for pin, use in pin_names(one).items()})
        results = session["scenarioResults"]
        traces.append({r["scenarioId"]: events_of(operator, r) for r in results})

    stm32, esp32 = traces
    assert set(stm32) == set(esp32) >= {"main", "control"}
    for scenario_id, events in stm32.items():
        found = diff_traces(events, esp32[scenario_id], pins=(names[0], names[1]))
        assert found.equal, f"{scenario_id}: {found.message}"
        assert found.compared >= 2
