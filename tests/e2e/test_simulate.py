"""Firmware live in a simulator, as an operator at a shell has it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Operator

SKETCH = """
void setup() {
  Serial.begin(115200);
  analogReadResolution(12);
  Serial.println("ready");
}

void loop() {
  if (Serial.available()) {
    const String line = Serial.readStringUntil('\\n');
    Serial.println("you said " + line);
    Serial.println(analogRead(ANALOG_PIN));
  }
  delay(1);
}
"""
BOARDS = {"olimex-stm32-h405": "PA1", "esp32-c3-devkitm-1": "GPIO1"}


class Typed:
    """``benchline simulate`` with somebody at the keyboard."""

    def __init__(self, operator: Operator, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tui", "simulate", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=operator.environment,
        )

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def says(self, words: str) -> None:
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:  # ends with the program, and so does a wait in vain
            seen.append(line)
            if words in line:
                return
        raise AssertionError(f"{words!r} is not in {seen}\n{self.process.stderr.read()}")


def sketch(folder: Path, board: str) -> Path:
    path = folder / board / "echo.ino"
    path.parent.mkdir()
    path.write_text(SKETCH.replace("ANALOG_PIN", BOARDS[board]))
    return path


def newest(operator: Operator) -> dict[str, Any]:
    return operator("simulate", "list", "--json").lines[0]


def simulators_of(operator: Operator) -> list[str]:
    """Live simulators of this instance: their files lie in its folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            live = "-kernel" in words and "/live-" in words
            if live and str(operator.data_dir) in words:
                found.append(words.replace("\0", " "))
    return found


def test_a_sketch_is_typed_at_and_survives_nothing(lone_operator: Operator, tmp_path: Path) -> None:
    typed = Typed(lone_operator, str(sketch(tmp_path, "olimex-stm32-h405")))
    typed.says("ready")
    typed.type("hello")
    typed.says("you said hello")
    live = newest(lone_operator)
    name = live["name"].rpartition("/")[2]
    assert (live["state"], live["rung"]) == ("STATE_RUNNING", "qemu-netduinoplus2")
    assert simulators_of(lone_operator)

    assert lone_operator("simulate", "set", name[:-1], "PA1=2048").code == 0
    assert lone_operator("simulate", "send", name, "read").code == 0
    typed.says("you said read")
    typed.says("2048")
    assert lone_operator("simulate", "reset", name).code == 0
    typed.says("ready")

    os.kill(lone_operator.instance()["pids"]["controlplane"], signal.SIGKILL)
    _, talk = typed.process.communicate(timeout=120)
    assert typed.process.returncode == 3, talk
    assert "its simulator with it" in talk
    ended = newest(lone_operator)
    assert (ended["reason"], ended["outcome"]) == ("INTERRUPTED", "OUTCOME_BROKEN")
    assert ended["epoch"] == "2"
    deadline = time.monotonic() + 60
    while simulators_of(lone_operator):  # the kernel ends it, in its own time
        assert time.monotonic() < deadline, simulators_of(lone_operator)
        time.sleep(0.1)

    again = ended["fix"].rpartition(" ")[2]
    typed = Typed(lone_operator, again)
    typed.says("ready")
    typed.process.send_signal(signal.SIGINT)
    _, talk = typed.process.communicate(timeout=60)
    assert (typed.process.returncode, newest(lone_operator)["reason"]) == (130, "STOPPED"), talk


def test_a_sketch_and_its_image_run_on_the_other_family_too(
    operator: Operator, tmp_path: Path
) -> None:
    board = "esp32-c3-devkitm-1"
    whole = operator(
        "simulate", str(sketch(tmp_path, board)), "--board", board, "--for", "3", "--json"
    )
    assert whole.code == 0, whole
    ended = whole.lines[-1]
    assert (ended["reason"], ended["rung"]) == ("STOPPED", "unicorn-esp32c3")

    digest = ended["imageSha256"]
    (stored,) = operator.data_dir.rglob(f"{digest[:2]}/{digest[2:]}")
    image = tmp_path / "echo.elf"
    image.write_bytes(stored.read_bytes())
    typed = Typed(operator, str(image), "--board", board)
    typed.says("ready")
    typed.type("hello")
    typed.says("you said hello")
    typed.process.send_signal(signal.SIGINT)
    typed.process.communicate(timeout=60)

    broken = tmp_path / "broken.ino"
    broken.write_text("void setup() { int x = ; }\nvoid loop() {}\n")
    failed = operator("simulate", str(broken))
    assert failed.code == 1, failed
    assert "broken.ino:1" in failed.talk
    assert json.loads(operator("simulate", "list", "--json", "--limit", "1").out)["testBuild"]
