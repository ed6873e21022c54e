"""Designs with a cloud, from the sentence to the verdict: right sketches and wrong ones.

Sketches are compiled on the bench core and simulated; the scenarios of the design judge them.
"""

from functools import cache
from pathlib import Path

import pytest

from benchline.scenario import (
    Evaluator,
    Outcome,
    RecordSplitter,
    ScenarioResult,
    pack_table,
    parse_scenario,
    resolve,
)
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.firmware.sketch import write_sketch
from tests.process.bench_core.rig import ESP32C3, STM32F405, Target
from tests.sketch_mutants import mutants_of

DESIGNER = OfflineDesigner()
NONCE = 0xC10D_0001
SEED = 20

PROMPTS = {
    "periodic": (
        "Publish the temperature every 2 seconds on topic 'lab/temp'; publish the light level "
        "every 500 ms; report the temperature every second; publish the uptime every 1.5 seconds."
    ),
    "limits": (
        "Publish the temperature when it rises above 30 C, and publish the light level when it "
        "falls below 20 %."
    ),
    "changes": (
        "Switch the relay on above 30 C and off below 28 C. Publish the relay state when it "
        "changes. Publish the temperature every second. Toggle the red LED when the button is "
        "pressed and publish the button presses; publish the state changes of the red LED."
    ),
    "messages": (
        "When 'on' arrives on topic lamp turn the red LED on and when 'off' arrives on topic lamp "
        "turn the red LED off; control the relay over MQTT; publish the state of the relay every "
        "second; toggle the fan when a message arrives on topic fan/toggle; "
        "publish the state changes of the fan; subscribe to topic news."
    ),
    "slow": "Publish the temperature every 10 seconds to the cloud.",
}
BOARDS = {"olimex-stm32-h405": STM32F405, "esp32-c3-devkitm-1": ESP32C3}


@cache
def design(prompt: str, board: str) -> Design:
    found = DESIGNER.plan(DesignRequest(prompt=PROMPTS[prompt], board=board))
    assert isinstance(found, Design), [str(f) for f in found.findings]
    return found


def judged(folder: Path, target: Target, design: Design, text: str) -> list[ScenarioResult]:
    """Build a sketch, and run the scenarios until one does not pass."""
    elf = target.build(folder, text)
    results = []
    for scenario in design.scenarios:
        plan = resolve(parse_scenario(scenario.yaml), SEED)
        trace = target.run(elf, pack_table(plan, NONCE))
        splitter = RecordSplitter()
        evaluator = Evaluator(plan, nonce=NONCE, simulated=True)
        evaluator.feed_all(splitter.feed(trace.raw))
        results.append(evaluator.finish())
        if results[-1].outcome is not Outcome.PASSED:
            break
    return results


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_sketch_of_a_design_passes_its_scenarios(
    prompt: str, board: str, tmp_path: Path
) -> None:
    found = design(prompt, board)

    results = judged(tmp_path, BOARDS[board], found, write_sketch(found))

    failed = [
        f"{result.scenario_id}.{each.id}: {each.message}"
        for result in results
        for each in result.assertions
        if each.outcome is not Outcome.PASSED
    ]
    assert failed == []
    assert len(results) == len(found.scenarios)


@pytest.mark.parametrize(
    ("prompt", "board"),
    [
        ("limits", "esp32-c3-devkitm-1"),
        ("changes", "olimex-stm32-h405"),
        ("messages", "esp32-c3-devkitm-1"),
    ],
)
def test_wrong_sketches_are_told_from_right_ones(prompt: str, board: str, tmp_path: Path) -> None:
    found = design(prompt, board)
    mutants = mutants_of(write_sketch(found))
    survivors = []
    for number, mutant in enumerate(mutants):
        results = judged(tmp_path / str(number), BOARDS[board], found, mutant.text)
        if all(result.outcome is Outcome.PASSED for result in results):
            survivors.append(mutant.name)

    assert len(mutants) >= 8
    assert len(survivors) * 10 <= len(mutants), survivors
