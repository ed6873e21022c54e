"""ESP32 sessions whose firmware a vendor's toolchain builds, here programs that answer like it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Operator
from tests.process.simulators.wokwi_service import TOKEN
from tests.process.toolchains.vendor_programs import install

SKETCH = """void setup() { Serial.begin(115200); }
void loop() { Serial.println("count"); delay(1000); }
//> 200 count 0
//> 1200 count 1
//> 2200 count 2
"""
SCENARIO = """scenario: 1
id: counts
duration: 3s
requires: [serial.rx]
steps:
  - expect: {id: one, line: '^count 1$', after: 1s, within: 500ms}
  - expect_period: {id: rate, line: '^count [0-9]$', period: 1s, tolerance: 20ms, count: 2}
"""
BOARD = "esp32-devkitc-v4"


@dataclass(frozen=True)
class VendorOperator(Operator):
    """An operator with a vendor's tool, and what else the environment says."""

    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.more


@pytest.fixture
def vendor_operator(tmp_path: Path) -> Iterator[VendorOperator]:
    command = (sys.executable, "-m", "tests.process.simulators.wokwi_service")
    service = subprocess.Popen(
        [*command, "--record", str(tmp_path / "requests.jsonl")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert service.stdout is not None
    server = service.stdout.readline().strip()
    more = install(tmp_path / "vendor", "pio")
    more |= {"WOKWI_CLI_TOKEN": TOKEN, "WOKWI_CLI_SERVER": server}
    operator = VendorOperator(tmp_path / "data", more=more)
    yield operator
    operator("down")
    service.kill()
    service.communicate()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "counter"
    (folder / "scenarios").mkdir(parents=True)
    (folder / "counter.ino").write_text(SKETCH)
    (folder / "scenarios" / "counts.yaml").write_text(SCENARIO)
    return folder


def test_a_sketch_for_an_esp32_is_built_and_its_text_judged_by_simulated_time(
    vendor_operator: VendorOperator, project: Path, tmp_path: Path
) -> None:
    done = vendor_operator(
        *("run", "--from", str(project), "--board", BOARD, "--until", "SIMULATE", "--json")
    )
    assert done.code == 0, done
    [result] = done.session["scenarioResults"]
    assert result["runner"] == "wokwi-board-esp32-devkit-c-v4"
    kinds = {artifact["kind"] for artifact in done.session["artifacts"]}
    assert {"firmware.vendor.hex", "firmware.vendor.bin", "firmware.vendor.elf"} <= kinds

    exported = tmp_path / "exported"
    assert vendor_operator("project", "export", done.session["name"], str(exported)).code == 0
    image = (exported / "firmware" / "firmware.bin").read_bytes()
    assert image[0x1000] == image[0x10000] == 0xE9


def test_all_pieces_reach_a_virtual_esp32(vendor_operator: VendorOperator, project: Path) -> None:
    up = vendor_operator.instance()
    assert up
    virtual = vendor_operator.data_dir / "virtual"
    board = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "benchagent.virtual.board"),
            *("--dir", str(virtual), "--name", "ve32-01", "--model", BOARD),
        ],
        env=vendor_operator.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert board.stdout is not None
        assert json.loads(board.stdout.readline())
        (project / "scenarios" / "counts.yaml").write_text(
            SCENARIO.split("steps:")[0]
            + "steps:\n  - never: {id: calm, line: 'Guru Meditation', for: 2s}\n"
        )
        done = vendor_operator("run", "--from", str(project), "--board", BOARD, "--json")
        flash = (virtual / "ve32-01" / "flash.bin").read_bytes()
    finally:
        board.terminate()
        board.communicate()
    deploy = next(s for s in done.session["stages"] if s["stage"] == "STAGE_DEPLOY")
    assert deploy["outcome"] == "OUTCOME_PASSED", done
    assert flash[0x1000] == flash[0x10000] == 0xE9
    assert flash[0x8000:0x8002] == b"\xaa\x50"
    assert b"1200 count 1" in flash[0x10000:0x11000]


def test_without_a_toolchain_the_session_says_what_to_install(
    lone_operator: Operator, project: Path
) -> None:
    done = lone_operator("run", "--from", str(project), "--board", BOARD, "--json")
    assert done.code == 4, done
    [finding] = [f for f in done.session["findings"] if f["code"] == "NO_TOOLCHAIN"]
    for word in ("pip install platformio", "arduino-cli", "esp-idf"):
        assert word in finding["fix"]
