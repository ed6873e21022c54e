"""Firmware that was built elsewhere: several files, no records, judged by its text on a board."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Operator
from tests.e2e.test_main_job import artifact, stored

SCENARIO = """\
scenario: 1
id: text
title: It tells the temperature
duration: 4s
steps:
  - expect: {id: told, line: 'temperature', within: 4s}
  - never: {id: calm, line: 'panic'}
"""


@pytest.fixture(scope="module")
def build(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder as ESP-IDF leaves one, around firmware that runs on a virtual ESP32-C3."""
    made = operator(
        *("run", "Report the temperature every second.", "--board", "esp32-c3-devkitm-1"),
        *("--until", "build", "--json"),
    )
    assert made.code in (0, 5), made
    folder = tmp_path_factory.mktemp("build")
    (folder / "app").mkdir()
    binary = stored(operator, artifact(made.session, "firmware.release.bin")).read_bytes()
    (folder / "app" / "app.bin").write_bytes(binary)
    (folder / "data.bin").write_bytes(b"calibration " * 100)
    manifest = {
        "flash_files": {"0x0": "app/app.bin", "0x180000": "data.bin"},
        "extra_esptool_args": {"chip": "esp32c3", "stub": True},
    }
    (folder / "flasher_args.json").write_text(json.dumps(manifest))
    (folder / "text.yaml").write_text(SCENARIO)
    return folder / "flasher_args.json"


def test_a_manifest_is_flashed_whole_and_judged_by_its_text(
    operator: Operator, build: Path
) -> None:
    done = operator(
        "run", "--from", str(build), "--scenario", str(build.with_name("text.yaml")), "--json"
    )

    assert done.code == 0, done
    assert done.session["boardModel"] == "esp32-c3-devkitm-1"
    stages = {stage["stage"]: stage["outcome"] for stage in done.session["stages"]}
    assert stages == {"STAGE_SIMULATE": "OUTCOME_SKIPPED", "STAGE_DEPLOY": "OUTCOME_PASSED"}
    (result,) = done.session["scenarioResults"]
    assert [a["assertionId"] for a in result["assertions"]] == ["told", "calm"]
    (flash,) = [line["flash"] for line in done.lines if line.get("flash", {}).get("outcome")]
    assert flash["readBackSha256"] == flash["imageSha256"]


def test_a_scenario_that_text_cannot_answer_is_skipped_and_says_why(
    operator: Operator, build: Path, tmp_path: Path
) -> None:
    more = tmp_path / "pins.yaml"
    more.write_text(
        "scenario: 1\nid: pins\ntitle: T\nduration: 1s\n"
        "signals:\n  led: {kind: digital_out, pin: GPIO8}\n"
        "steps:\n  - expect: {id: on, pin: led, level: on, within: 1s}\n"
    )
    done = operator("run", "--from", str(build), "--scenario", str(more), "--json")

    assert done.code == 5, done
    assert "pin.read" in done.session["scenarioResults"][0]["message"]


def test_an_image_for_another_part_is_refused_before_a_board_is_leased(
    operator: Operator, build: Path
) -> None:
    done = operator(
        *("run", "--from", str(build), "--scenario", str(build.with_name("text.yaml"))),
        *("--board", "olimex-stm32-h405", "--json"),
    )

    assert done.code == 4, done
    assert "esp32c3" in done.session["message"]
    assert not any("leaseChanged" in line for line in done.lines)


def test_the_text_of_a_deployment_is_judged_on_the_board(operator: Operator, build: Path) -> None:
    bad = build.with_name("bad.yaml")
    bad.write_text(SCENARIO.replace("id: text", "id: bad").replace("'temperature'", "'never so'"))
    done = operator(
        *("flash", "--image", str(build), "--board", "vc3-02", "--json"),
        *("--scenario", str(build.with_name("text.yaml")), "--scenario", str(bad)),
    )

    assert done.code == 1, done
    (board,) = done.session["boards"]
    assert [r["outcome"] for r in board["results"]] == ["OUTCOME_PASSED", "OUTCOME_FAILED"]
    assert board["reason"] == "SCENARIO_FAILED"
    assert "never so" in board["message"]


@pytest.mark.parametrize("ending", ["bin", "hex", "elf"])
@pytest.mark.parametrize(
    ("board", "pin"), [("olimex-stm32-h405", "PC12"), ("esp32-c3-devkitm-1", "GPIO10")]
)
def test_a_test_build_is_simulated_from_any_of_its_files(
    operator: Operator, tmp_path: Path, board: str, pin: str, ending: str
) -> None:
    made = operator(
        *("run", "Blink the LED at 2 Hz.", "--board", board, "--until", "build", "--json")
    )
    image = tmp_path / f"image.{ending}"
    found = stored(operator, artifact(made.session, f"firmware.test.{ending}"))
    image.write_bytes(found.read_bytes())
    scenario = tmp_path / "blinks.yaml"
    scenario.write_text(
        "scenario: 1\nid: blinks\ntitle: It blinks\nduration: 1s\n"
        f"signals:\n  led: {{kind: digital_out, pin: {pin}}}\nsteps:\n"
        "  - expect: {id: ready, type: READY, within: 500ms}\n"
        "  - expect: {id: high, pin: led, level: on, within: 600ms}\n"
    )

    done = operator(
        *("run", "--from", str(image), "--scenario", str(scenario), "--board", board),
        *("--until", "simulate", "--json"),
    )

    assert done.code == 0, done
    assert done.session["evidence"] == "EVIDENCE_SIMULATED"
