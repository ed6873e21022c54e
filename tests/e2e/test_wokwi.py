"""A whole session whose simulator is Wokwi's service: here a local program that speaks for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Operator
from tests.process.simulators.wokwi_service import TOKEN

PROMPT = "Blink an LED at 2 Hz and report the temperature every second."


@dataclass(frozen=True)
class WokwiOperator(Operator):
    """An operator who chose Wokwi and has a token."""

    server: str = ""

    @property
    def environment(self) -> dict[str, str]:
        chosen = {"BENCHLINE_SIMULATOR": "wokwi", "WOKWI_CLI_TOKEN": TOKEN}
        return super().environment | chosen | {"WOKWI_CLI_SERVER": self.server}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.process.simulators.wokwi_service"),
            *("--record", str(tmp_path / "requests.jsonl")),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.communicate()


@pytest.fixture
def wokwi_operator(tmp_path: Path, service: str) -> Iterator[WokwiOperator]:
    operator = WokwiOperator(tmp_path / "data", server=service)
    yield operator
    operator("down")


def test_a_sentence_is_proved_by_the_service_and_its_project_opens_there(
    wokwi_operator: WokwiOperator, tmp_path: Path
) -> None:
    done = wokwi_operator(
        "run", PROMPT, "--board", "esp32-c3-devkitm-1", "--until", "SIMULATE", "--json"
    )
    assert done.code == 0, done
    results = done.session["scenarioResults"]
    assert {r["runner"] for r in results} == {"wokwi-board-esp32-c3-devkitm-1"}
    assert {r["outcome"] for r in results} == {"OUTCOME_PASSED"}
    assert "not run against the service" in done.out

    folder = tmp_path / "exported"
    exported = wokwi_operator("project", "export", done.session["name"], str(folder))
    assert exported.code == 0, exported
    diagram = json.loads((folder / "diagram.json").read_text())
    sent = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    drawn = [json.loads(r["text"])["parts"] for r in sent if r.get("name") == "diagram.json"]
    # Each scenario sends what its own signals are wired to; they run at the same time.
    assert {one["type"] for one in max(drawn, key=len)} == {p["type"] for p in diagram["parts"]}
    assert (folder / "firmware" / "firmware.bin").stat().st_size > 1000
    assert (folder / "platformio.ini").exists()
    assert "have no counterpart" in exported.talk

    doctor = wokwi_operator("doctor", "--json")
    [check] = [line for line in doctor.lines if line["checkName"] == "wokwi"]
    assert "a run sends the image" in check["detail"]


def test_a_service_that_is_away_is_no_fault_of_the_firmware(
    wokwi_operator: WokwiOperator,
) -> None:
    away = WokwiOperator(wokwi_operator.data_dir, server="ws://127.0.0.1:9/nobody")
    done = away("run", PROMPT, "--board", "esp32-c3-devkitm-1", "--until", "SIMULATE", "--json")
    assert done.code == 3, done
    [finding] = [f for f in done.session["findings"] if f["code"] == "SIMULATOR_BROKEN"]
    assert "cannot be reached" in finding["message"]
    assert finding["fix"]
