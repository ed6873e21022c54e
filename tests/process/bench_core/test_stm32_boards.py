"""Every STM32 board model boots in the simulator, on its own console, and knows its LED."""

from pathlib import Path

import pytest

from controlplane.bench_core.core_port import CorePort, Variant
from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import load_catalogue
from tests.process.bench_core.rig import Run, Target, qemu_stm32

CATALOGUE = load_catalogue()
BOARDS = [
    pytest.param(port, variant, id=variant.board_model)
    for port in PORTS.values()
    if port.family == "stm32"
    for variant in port.variants.values()
]
SKETCH = """
void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  digitalWrite(LED_BUILTIN, HIGH);
  pinMode(USER_BTN, INPUT_PULLUP);
  Serial.println(analogRead(A0));
}
void loop() { delay(1); }
"""


@pytest.mark.parametrize(("port", "variant"), BOARDS)
def test_a_board_boots_and_drives_its_led(tmp_path: Path, port: CorePort, variant: Variant) -> None:
    board = CATALOGUE.boards[variant.board_model]
    (simulator,) = board.simulators

    def machine(run: Run) -> list[str]:
        return qemu_stm32(run, serial=simulator.console_serial)

    target = Target(
        name=board.key, port=port, variant=variant, machine=machine, pins={}, on_grid_us=0
    )
    trace = target.prove(tmp_path, SKETCH, end_ms=5)

    assert f" part={port.part} " in trace.records[0]
    assert trace.records[0].endswith(" clk=sim-168")
    led = board.fixed("led")
    assert led is not None
    assert trace.of("PIN") == [f"0 {led.pin} v=1"]
    assert trace.lines == ["0"]
    assert trace.of("ERR") == []
    assert trace.records[-1] == "BL 5 END dropped=0"
