"""Firmware cannot claim its way to a pass."""

import re
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Finished, Operator
from tests.sketch_mutants import mutants_of

pytestmark = pytest.mark.xdist_group("shared-instance")

# Says everything that an honest demo would say, from constants: the values are plausible, the
# records well formed, the pins never driven.
CONSTANT_LIAR = """
const int LED = LED_BUILTIN;
unsigned long nextReport = 0;
unsigned long nextBlink = 0;
bool on = false;

void setup() {
  Serial.begin(115200);
  pinMode(LED, OUTPUT);
}

void loop() {
  if (millis() >= nextBlink) {
    nextBlink += 250;
    on = !on;
    digitalWrite(LED, on ? LOW : HIGH);
  }
  if (millis() >= nextReport) {
    nextReport += 1000;
    Serial.println("temperature 23.4 C");
    BL.val("temperature", 23.4);
    BL.state("relay", "on");
  }
  if (Serial.available() > 0 && Serial.readStringUntil('\\n') == "status") {
    Serial.println("status temperature 23.4 C");
  }
  delay(1);
}
"""

# Writes the console's data register itself: the records are byte for byte what the core prints.
FORGER = """
void raw(const char *text) {
  volatile unsigned int *sr = (volatile unsigned int *)0x40004400;
  volatile unsigned int *dr = (volatile unsigned int *)0x40004404;
  for (; *text; text++) {
    while (!(*sr & 0x80)) {
    }
    *dr = (unsigned char)*text;
  }
}

unsigned long half = 0;
bool on = false;

void setup() { Serial.begin(115200); }

void loop() {
  if (millis() >= half) {
    half += 250;
    on = !on;
    char record[48];
    snprintf(record, sizeof record, "\\x1e" "BL %lu PIN PC12 v=%d\\n", millis(), on ? 0 : 1);
    raw(record);
  }
  delay(1);
}
"""


def project_with(project: Path, folder: Path, sketch: str) -> Path:
    """A copy of an exported project whose sketch says something else."""
    shutil.copytree(project, folder)
    (main,) = folder.glob("*.ino")
    main.write_text(sketch)
    return folder


def failed_assertions(finished: Finished) -> set[str]:
    return {
        assertion["assertionId"]
        for result in finished.session["scenarioResults"]
        for assertion in result["assertions"]
        if assertion["outcome"] == "OUTCOME_FAILED"
    }


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("liar", [CONSTANT_LIAR, FORGER], ids=["constants", "forged-pin"])
def test_firmware_that_lies_fails(
    operator: Operator, project: Path, tmp_path: Path, liar: str, seed: int
) -> None:
    folder = project_with(project, tmp_path / "liar", liar)

    run = operator(
        "run", "--from", str(folder), "--seed", str(seed), "--until", "simulate", "--json"
    )

    assert run.code == 1, run
    assert run.session["outcome"] == "OUTCOME_FAILED"
    # A constant may happen to be near the first value that a seed draws, but not near all of them.
    expected = "pin_corroboration" if liar is FORGER else "temperature_"
    assert any(expected in name for name in failed_assertions(run)), failed_assertions(run)


def test_every_mutant_of_the_demo_fails_and_names_the_assertion(
    operator: Operator, project: Path, tmp_path: Path
) -> None:
    (sketch,) = project.glob("*.ino")
    mutants = mutants_of(sketch.read_text())
    survivors = []
    for number, mutant in enumerate(mutants):
        folder = project_with(project, tmp_path / f"{number}", mutant.text)
        run = operator("run", "--from", str(folder), "--until", "simulate", "--json")
        failed = failed_assertions(run) if run.code == 1 else set()
        named = any(name.startswith(prefix) for name in failed for prefix in mutant.expected)
        if not named:
            survivors.append((mutant.name, run.code, failed, run.session["message"]))

    kinds = {re.split(r"[^a-z]", mutant.name)[0] for mutant in mutants}
    assert len(mutants) >= 6, kinds
    assert survivors == []
