"""``benchline eval`` with both designers, from the sentence to the verdict of the oracle."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Operator
from tests.e2e.test_claude import (
    FIRMWARE,
    STM32,
    Asking,
    asked_for_design,
    asked_for_firmware,
    asking,
    configured,
    serving,
)
from tests.loopback_messages.answers import (
    CUSTOM_PROMPT,
    DEMO_SKETCH,
    STAIRCASE_SKETCH,
    demo_design,
    sources,
    staircase_design,
)

__all__ = ["asking"]

SET = ROOT / "tests/prompts/first_set.yaml"
CLAUDE_CASES = f"""
  - id: staircase
    prompt: {CUSTOM_PROMPT}
    answer: design
    things:
      button: {{kind: button, on_board: may}}
      lamp: {{kind: lamp}}
    does:
      - pulse: {{by: button, thing: lamp, for: 3 s}}
"""


def trials(out: Path) -> dict[str, dict[str, Any]]:
    return {one["case"]: one for one in json.loads(out.read_text())["trials"]}


@pytest.mark.xdist_group("shared-instance")
def test_offline_designs_are_judged_right_and_by_their_labels(
    operator: Operator, tmp_path: Path
) -> None:
    chosen = ["greenhouse_demo", "heater_c3", "crossed_thresholds", "dht22", "blink_esp32"]
    cases = [word for name in chosen for word in ("--case", name)]
    out = tmp_path / "right.json"
    ran = operator("eval", str(SET), *cases, "--out", str(out))
    assert ran.code == 0, ran
    told = {name: one["verdict"] for name, one in trials(out).items()}
    assert told == {
        "greenhouse_demo": "accepted-right",
        "heater_c3": "accepted-right",
        "crossed_thresholds": "refused-right",
        "dht22": "not-offered",
        "blink_esp32": "not-offered",
    }

    other = tmp_path / "set.yaml"
    labels = SET.read_text()
    other.write_text(
        labels.replace("on: above 30 C, off: below 28", "on: above 33 C, off: below 28")
    )
    out = tmp_path / "wrong.json"
    ran = operator("eval", str(other), "--case", "greenhouse_demo", "--out", str(out))
    assert ran.code == 1, ran
    problems = trials(out)["greenhouse_demo"]["problems"]
    assert any("on_value is 30 C, not 33 C" in one for one in problems)
    assert any("relay" in one and "is on, not off" in one for one in problems)


def test_claude_is_judged_by_the_same_labels_and_tells_its_cost(
    asking: Asking, tmp_path: Path
) -> None:
    prompts = tmp_path / "set.yaml"
    prompts.write_text(SET.read_text() + CLAUDE_CASES)
    warmer = demo_design(STM32)
    warmer["thresholds"] = [warmer["thresholds"][0] | {"on_value": 31}]
    designs = [warmer, staircase_design(STM32), demo_design(STM32), staircase_design(STM32)]
    warm_sketch = DEMO_SKETCH.replace("> 30.0f", "> 31.0f")
    thermostat = f"{FIRMWARE}.\\n\\nBoard: {STM32}. Thermostat"
    rules = [
        *(asked_for_design(one, times=1) for one in designs),
        {"marker": thermostat, "times": 1, "reply": {"json": sources(warm_sketch)}},
        {"marker": thermostat, "reply": {"json": sources(DEMO_SKETCH)}},
        asked_for_firmware(STAIRCASE_SKETCH),
    ]
    out = tmp_path / "out.json"
    with serving(*rules) as server:
        operator = configured(asking, server)
        words = ("eval", str(prompts), "--designer", "claude", "--jobs", "1", "--repeat", "2")
        cases = ("--case", "greenhouse_demo", "--case", "staircase", "--out", str(out))
        ran = operator(*words, *cases)
        asked = len(server.requests)
        assert operator(*words, *cases).code == 1
        assert len(server.requests) == asked == 8

    assert ran.code == 1, ran
    result = json.loads(out.read_text())
    told = {(one["case"], one["repeat"]): one for one in result["trials"]}
    verdicts = {key: one["verdict"] for key, one in told.items()}
    assert verdicts == {
        ("greenhouse_demo", 1): "accepted-wrong",
        ("staircase", 1): "accepted-right",
        ("greenhouse_demo", 2): "accepted-right",
        ("staircase", 2): "accepted-right",
    }
    problems = told["greenhouse_demo", 1]["problems"]
    assert any("on_value is 31 C, not 30 C" in one for one in problems)
    assert all(one["spending"]["calls"] == 2 for one in result["trials"])
    assert result["summary"]["cost_usd"] > 0
    assert result["summary"]["pass@1"] == 0.75
    assert result["summary"]["pass@2"] == 1.0
