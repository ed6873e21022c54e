"""Which lines of a sketch run, from the compiler's line table and the simulators' own word."""

from pathlib import Path

import pytest

from benchline.scenario import parse_scenario, resolve
from controlplane.bench_core.manifest import port_for_board
from controlplane.childproc.tools import ToolBrokenError
from controlplane.domain.build import SourceFile
from controlplane.domain.coverage import Coverage
from controlplane.planning.coverage import coverage_of
from controlplane.simulators.machine import ChildSimulator
from controlplane.simulators.protocol import Target
from controlplane.simulators.qemu import qemu_simulator
from controlplane.simulators.unicorn import emulator_simulator
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.line_table import line_table
from controlplane.toolchains.protocol import BuildRequest, BuildVariant
from tests.process.simulators import conftest as stm32
from tests.process.simulators import test_esp32c3 as esp32

SKETCH = """\
void setup() {
  Serial.begin(115200);
  pinMode(LAMP, OUTPUT);
}

void loop() {
  if (millis() < 2000) {
    digitalWrite(LAMP, HIGH);
  } else if (Serial.available() > 0) {
    // nobody types in this scenario
    digitalWrite(LAMP, LOW);
    say("typed");
  }
  if (millis() > 60000) say("late");
  delay(10);
}

void say(const char *text) {
  Serial.print("lamp ");
  Serial.println(text);
}
"""
SCENARIO = """
scenario: 1
id: lamp
title: The lamp goes out
duration: 3s
signals:
  lamp: {kind: digital_out, pin: LAMP, active: high}
steps:
  - expect: {id: boot, type: READY, within: 1s}
  - expect: {id: out, pin: lamp, edge: falling, within: 2500ms}
"""
MACHINES = {
    stm32.BOARD: (stm32.TARGET, qemu_simulator, "PC12", "PC12"),
    stm32.C3_BOARD: (esp32.TARGET, emulator_simulator, "GPIO10", "10"),
}


async def measured(
    board: str, cache: Path, folder: Path, text: str = SKETCH, *, ends: bool = True
) -> tuple[Coverage, ChildSimulator, Target, Path]:
    target, make, pin, number = MACHINES[board]
    sources = {"Sketch.ino": text.replace("LAMP", number)}
    request = BuildRequest(
        name="Sketch",
        sources=tuple(SourceFile(path=p, content=c) for p, c in sources.items()),
        board_model=board,
        variants=(BuildVariant.TEST,),
    )
    built = await BareMetalToolchain(cache).build(request, folder / board)
    image = built.images[BuildVariant.TEST].elf
    simulator = make(folder / "runs")
    tracer = simulator.tracer
    assert tracer is not None
    plan = resolve(parse_scenario(SCENARIO.replace("pin: LAMP", f"pin: {pin}")), 7)
    rows = await line_table(port_for_board(board)[0], image, sources)
    lines = [(r.file, r.line, r.start, r.end) for r in rows]

    async def covered() -> Coverage:
        ran = await tracer.trace(target, image, plan)
        return coverage_of("lamp", "here", lines, ran, sources)

    found = await covered()
    # One that hangs is cut off by the host's clock, at another block each time. One that ends is
    # cut off behind its END, where only the core runs.
    assert not ends or found == await covered()
    return found, simulator, target, image


@pytest.mark.parametrize("board", MACHINES)
async def test_lines_that_never_ran_are_those_that_nothing_led_to(
    board: str, cache: Path, tmp_path: Path
) -> None:
    found, *_ = await measured(board, cache, tmp_path)
    never = {line for r in found.never_ran for line in range(r.first, r.last + 1)}

    assert not found.unknown
    assert {11, 12, 19, 20} <= never
    assert not never & {2, 3, 7, 8, 9, 15}
    assert found.executed < found.executable
    assert {r.file for r in found.never_ran} == {"Sketch.ino"}
    assert 'Serial.print("lamp ");' in "".join(r.text for r in found.never_ran)


@pytest.mark.parametrize("board", MACHINES)
async def test_firmware_that_hangs_is_traced_up_to_there(
    board: str, cache: Path, tmp_path: Path
) -> None:
    hanging = SKETCH.replace("  delay(10);", "  abort();\n  delay(10);")
    found, *_ = await measured(board, cache, tmp_path, hanging, ends=False)
    never = {line for r in found.never_ran for line in range(r.first, r.last + 1)}

    assert not found.unknown
    assert not never & {2, 3, 7, 8}


@pytest.mark.parametrize("board", MACHINES)
async def test_a_missing_objdump_is_named_with_its_package(
    board: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    port, _ = port_for_board(board)

    with pytest.raises(ToolBrokenError, match=r"objdump was not found.*apt install binutils-"):
        await line_table(port, tmp_path / "no.elf", {"Sketch.ino"})
