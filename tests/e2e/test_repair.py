"""Repairs judged by evidence: whole sessions whose first answers are wrong."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Finished
from tests.e2e.test_claude import (
    ESP32,
    FIRMWARE,
    STM32,
    Asking,
    asked_for_design,
    asked_for_firmware,
    claude,
    configured,
    serving,
)
from tests.loopback_messages.answers import (
    CUSTOM_PROMPT,
    STAIRCASE_SKETCH,
    sources,
    staircase_design,
)

UNBUILT = STAIRCASE_SKETCH.replace("litAt = now;", "litAt = later;")
TOO_SHORT = STAIRCASE_SKETCH.replace("litAt >= 3000", "litAt >= 1000")
AFTER_BUILD = "sources of attempt {} do not build"
AFTER_SIMULATION = "firmware of attempt {} fails its scenarios in the simulator"


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    """An instance of its own; `extra` is given by the test before its first verb."""
    alone = Asking(tmp_path / "data")
    yield alone
    alone("down")


def repaired(marker: str, sketch: str, **more: Any) -> dict[str, Any]:
    return {"marker": marker, "reply": {"json": sources(sketch)}, **more}


def two_repairs(board: str) -> list[dict[str, Any]]:
    """Rules, the newest turn first: a conversation holds all older ones."""
    return [
        repaired(AFTER_SIMULATION.format(2), STAIRCASE_SKETCH),
        repaired(AFTER_BUILD.format(1), TOO_SHORT),
        asked_for_firmware(UNBUILT),
        asked_for_design(staircase_design(board)),
    ]


def attempts(run: Finished) -> list[tuple[int, str]]:
    return [(a["attempt"], a["outcome"][8:]) for a in run.session["attempts"]]


@pytest.mark.parametrize("board", [STM32, ESP32])
def test_two_repairs_end_passed_on_a_virtual_board(asking: Asking, board: str) -> None:
    with serving(*two_repairs(board)) as server:
        operator = configured(asking, server)
        run = claude(operator, CUSTOM_PROMPT, board)
        shown = operator("show", run.session["name"], "--no-transcript")
        whole = operator("show", run.session["name"], "--attempts")
        bodies = [request.body for request in server.requests]

    assert run.code == 0, run
    assert run.session["outcome"] == "OUTCOME_PASSED"
    assert run.session["evidence"] == "EVIDENCE_VIRTUAL"
    assert attempts(run) == [(1, "FAILED"), (2, "FAILED"), (3, "PASSED")]
    assert len(bodies) == 4
    written = [body["messages"] for body in bodies[1:]]
    assert [len(turns) for turns in written] == [1, 3, 5]
    assert written[2][:3] == written[1]
    assert "later" in json.dumps(written[1][-1])
    assert "attempt 3 was made from this evidence" in whole.out
    assert "of at most $5.00" in whole.out
    assert "attempt 3 is proved" in whole.out
    assert "light/" in json.dumps(written[2][-1])
    assert "transcript_light" in json.dumps(written[2][-1])
    told = json.dumps(written[2][-1])
    assert "never_ran" in told
    assert "lines with code ran in light on" in told
    assert "lines with code ran in light on" in shown.out
    covered = [a.get("coverage") for a in run.session["attempts"]]
    assert covered[0] is covered[2] is None
    assert 0 < covered[1]["executed"] <= covered[1]["executable"]
    assert not covered[1].get("unknown")
    assert "+1 -1 in 1 file" in shown.out
    assert "-  if (lit && now - litAt >= 1000) {" in shown.out
    assert "$" in shown.out


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_killed_in_the_middle_no_answer_is_paid_twice(asking: Asking, moment: int) -> None:
    with serving(*two_repairs(STM32)) as server:
        operator = configured(asking, server)
        pid = operator.instance()["pids"]["controlplane"]
        running = operator.start(
            "run", CUSTOM_PROMPT, "--designer", "claude", "--board", STM32, "--json"
        )
        before = _until_answer(running, moment)
        os.kill(pid, signal.SIGKILL)
        out, talk = running.communicate(timeout=300)
        run = Finished(running.returncode, before + out, talk)
        texts = [request.text for request in server.requests]

    assert run.code == 0, run
    assert attempts(run) == [(1, "FAILED"), (2, "FAILED"), (3, "PASSED")]
    assert len(texts) == len(set(texts)) == 4


def _until_answer(running: subprocess.Popen[str], number: int) -> str:
    """Read events until the answer with that number of the author was received."""
    read, answers = "", 0
    assert running.stdout is not None
    while answers < number:
        line = running.stdout.readline()
        assert line, read
        read += line
        answers += "Claude (firmware, " in line
    return read


def test_a_failure_that_repeats_ends_with_the_best_candidate(asking: Asking) -> None:
    rules = [
        repaired(AFTER_BUILD.format(2), UNBUILT),
        repaired(AFTER_SIMULATION.format(1), UNBUILT),
        asked_for_firmware(TOO_SHORT),
        asked_for_design(staircase_design(STM32)),
    ]
    with serving(*rules) as server:
        operator = configured(asking, server)
        run = claude(operator, CUSTOM_PROMPT, STM32, "--until", "simulate")

    assert run.code == 1, run
    assert attempts(run) == [(1, "FAILED"), (2, "FAILED"), (3, "FAILED")]
    message = run.session["message"]
    assert "attempt 3 failed exactly as attempt 2 did" in message
    assert "this is attempt 1" in message
    assert message.startswith("simulate: light/")
    assert run.session["bestAttempt"] == 1
    stages = {s["stage"]: s["outcome"] for s in run.session["stages"]}
    assert stages == {
        "STAGE_DESIGN": "OUTCOME_PASSED",
        "STAGE_BUILD": "OUTCOME_PASSED",
        "STAGE_SIMULATE": "OUTCOME_FAILED",
    }


def test_a_stronger_model_is_asked_once_and_what_it_finds_passes(asking: Asking) -> None:
    rules = [
        {"marker": '"model":"claude-fable-5-1"', "reply": {"json": sources(STAIRCASE_SKETCH)}},
        repaired(AFTER_SIMULATION.format(1), TOO_SHORT),
        asked_for_firmware(TOO_SHORT),
        asked_for_design(staircase_design(STM32)),
    ]
    with serving(*rules) as server:
        operator = configured(
            asking,
            server,
            BENCHLINE_CLAUDE_REPAIR_MODEL="claude-fable-5-1",
            BENCHLINE_CLAUDE_REPAIR_EFFORT="xhigh",
        )
        run = claude(operator, CUSTOM_PROMPT, STM32, "--until", "simulate")
        models = [request.body["model"] for request in server.requests]

    assert run.code == 0, run
    assert attempts(run) == [(1, "FAILED"), (2, "FAILED"), (3, "PASSED")]
    assert models[-2:] == ["claude-opus-5-5", "claude-fable-5-1"]


def test_five_attempts_are_the_most(asking: Asking) -> None:
    rules = [
        repaired(
            AFTER_SIMULATION.format(number),
            STAIRCASE_SKETCH.replace("litAt >= 3000", f"litAt >= {wrong}"),
        )
        for number, wrong in ((5, 3000), (4, 900), (3, 700), (2, 500), (1, 300))
    ]
    rules += [asked_for_firmware(TOO_SHORT), asked_for_design(staircase_design(STM32))]
    with serving(*rules) as server:
        run = claude(configured(asking, server), CUSTOM_PROMPT, STM32, "--until", "simulate")

    assert run.code == 1, run
    assert [number for number, _ in attempts(run)] == [1, 2, 3, 4, 5]
    assert "5 attempts were made" in run.session["message"]
    assert len(server.requests) == 6


def test_an_answer_that_edits_a_scenario_is_refused_and_may_be_mended(asking: Asking) -> None:
    cheat = sources(TOO_SHORT)
    cheat["files"].append({"path": "scenarios/light.yaml", "content": "steps: []"})
    rules = [
        {"marker": "there is no place for it", "reply": {"json": sources(STAIRCASE_SKETCH)}},
        {"marker": AFTER_SIMULATION.format(1), "reply": {"json": cheat}},
        asked_for_firmware(TOO_SHORT),
        asked_for_design(staircase_design(STM32)),
    ]
    with serving(*rules) as server:
        operator = configured(asking, server)
        run = claude(operator, CUSTOM_PROMPT, STM32, "--until", "simulate")
        told = server.requests[-1].body["messages"][-1]

    assert run.code == 0, run
    assert "scenarios/light.yaml" in json.dumps(told)
    assert attempts(run) == [(1, "FAILED"), (2, "PASSED")]


def test_an_answer_that_stays_refused_ends_with_the_candidate_before_it(asking: Asking) -> None:
    cheat = sources(TOO_SHORT)
    cheat["files"].append({"path": "scenarios/light.yaml", "content": "steps: []"})
    rules = [
        {"marker": AFTER_SIMULATION.format(1), "reply": {"json": cheat}},
        asked_for_firmware(TOO_SHORT),
        asked_for_design(staircase_design(STM32)),
    ]
    with serving(*rules) as server:
        run = claude(configured(asking, server), CUSTOM_PROMPT, STM32, "--until", "simulate")

    assert run.code == 1, run
    assert run.session["bestAttempt"] == 1
    assert "attempt 2 brought no firmware" in run.session["message"]
    assert "scenarios/light.yaml" in {f["subject"] for f in run.session["findings"]}


def test_a_pin_that_is_claimed_and_not_driven_is_told_and_repaired(asking: Asking) -> None:
    """Saying `lamp on` drives nothing: the scenario sees the pin."""
    claims = STAIRCASE_SKETCH.replace(
        "digitalWrite(LAMP_PIN, LAMP_ON);", 'Serial.println("lamp on");'
    )
    rules = [
        repaired(AFTER_SIMULATION.format(1), STAIRCASE_SKETCH),
        asked_for_firmware(claims),
        asked_for_design(staircase_design(ESP32)),
    ]
    with serving(*rules) as server:
        operator = configured(asking, server)
        run = claude(operator, CUSTOM_PROMPT, ESP32, "--until", "simulate")
        told = json.dumps(server.requests[-1].body["messages"][-1])

    assert run.code == 0, run
    assert "light/lit" in told
    assert "lamp on" in told


def test_the_session_ceiling_ends_the_loop_with_what_there_is(asking: Asking) -> None:
    rules = two_repairs(STM32)
    with serving(*rules) as server:
        operator = configured(
            asking,
            server,
            BENCHLINE_CLAUDE_SESSION_CEILING_USD="0.70",
            BENCHLINE_CLAUDE_MAX_TOKENS="32000",
        )
        run = claude(operator, CUSTOM_PROMPT, STM32, "--until", "simulate")

    assert run.code in (1, 4), run
    assert "session_ceiling_usd" in json.dumps(run.lines)
    assert len(server.requests) < 4


def test_the_offline_author_stops_after_its_first_attempt(asking: Asking) -> None:
    """It fails nothing by itself: a project that was brought is never repaired."""
    with serving() as server:
        operator = configured(asking, server)
        run = operator("run", "Blink the on-board LED at 2 Hz.", "--until", "simulate", "--json")

    assert run.code == 0, run
    assert attempts(run) == [(1, "PASSED")]
    assert server.requests == []


def test_the_marker_of_the_first_question_is_what_the_author_asks() -> None:
    assert FIRMWARE == "Write the firmware of this design"


def test_scenarios_that_notice_too_little_are_said_to_be_inadequate(asking: Asking) -> None:
    """A scenario that only looks whether the lamp ever lights lets most mistakes pass."""
    weak = staircase_design(STM32)
    weak["scenarios"][0]["steps"] = (
        "- press: {id: first, at: 1s, signal: button, for: 200ms}\n"
        "- expect: {id: lit, pin: lamp, edge: rising, after: 1s, within: 400ms}\n"
    )
    with serving(asked_for_design(weak), asked_for_firmware(STAIRCASE_SKETCH)) as server:
        operator = configured(asking, server)
        run = claude(operator, CUSTOM_PROMPT, STM32, "--until", "simulate")

    assert run.code == 0, run
    found = [f for f in run.session["findings"] if f["code"] == "NOT_ADEQUATE"]
    assert len(found) == 1
    assert "time in line 30: '3000' became '4500'" in found[0]["message"]
    assert "not adequate" in run.session["message"]


def test_scenarios_that_notice_what_is_asked_for_pass_without_a_word(asking: Asking) -> None:
    rules = [asked_for_design(staircase_design(ESP32)), asked_for_firmware(STAIRCASE_SKETCH)]
    with serving(*rules) as server:
        operator = configured(asking, server)
        run = claude(operator, CUSTOM_PROMPT, ESP32, "--until", "simulate")

    assert run.code == 0, run
    assert "NOT_ADEQUATE" not in json.dumps(run.session["findings"])
    assert "wrong variants of the firmware" in json.dumps(run.lines)
