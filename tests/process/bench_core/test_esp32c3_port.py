"""What only the port for the ESP32-C3 has: its clocks, real pins, and its place in flash."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.bench_core.families.esp32c3 import catalogue_variant
from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import load_catalogue
from controlplane.domain.design import Active
from controlplane.toolchains.elf import segments
from tests.process.bench_core.rig import ESP32C3, Run, emulator_c3

PORT = PORTS["esp32c3"]
FOLDER = PORT.linker_script.parent
CATALOGUE = load_catalogue()
BAUDS = (300, 1200, 9600, 19200, 57600, 115200, 230400, 460800, 921600, 2_000_000)
READY = rb"\x1eBL \d+ READY\n"

PROBE = r"""
#include <cstdio>
#include <initializer_list>
#include "uart_plan.hpp"
int main() {
  for (uint32_t baud : {BAUDS}) {
    const esp32c3::UartDivisors d = esp32c3::uartDivisors(40000000, baud);
    std::printf("%u %u %u\n", baud, d.clkConf(), d.clkdiv());
  }
}
"""

PINS = r"""
#include <cstdio>
#include BENCH_VARIANT_HEADER
int main() { std::printf("%u %u\n", LED_BUILTIN, USER_BTN); }
"""


def native(folder: Path, text: str, *flags: str) -> list[list[int]]:
    """Compile a header of the port for this machine; the numbers that the program prints."""
    compiler = shutil.which("g++")
    if compiler is None:
        raise RuntimeError("g++ is missing: apt-get install g++")
    (folder / "probe.cpp").write_text(text)
    command = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{FOLDER}", *flags]
    command += [str(folder / "probe.cpp"), "-o", str(folder / "probe")]
    subprocess.run(command, check=True, timeout=120)
    out = subprocess.run([folder / "probe"], capture_output=True, text=True, check=True).stdout
    return [[int(word) for word in line.split()] for line in out.splitlines()]


def test_baud_rates_are_within_two_percent(tmp_path: Path) -> None:
    rows = native(tmp_path, PROBE.replace("BAUDS", ", ".join(map(str, BAUDS))))

    assert [row[0] for row in rows] == list(BAUDS)
    for baud, clk_conf, clkdiv in rows:
        assert clk_conf >> 20 & 3 == 3  # the crystal
        divided = 40e6 / ((clk_conf >> 12 & 0xFF) + 1)
        divisor = (clkdiv & 0xFFF) + (clkdiv >> 20 & 0xF) / 16
        assert abs(divided / divisor / baud - 1) <= 0.02, baud


def test_an_image_is_one_segment_that_the_rom_starts(tmp_path: Path) -> None:
    elf = ESP32C3.build(tmp_path, "void setup() {}\nvoid loop() {}\n").read_bytes()

    (whole,) = segments(elf)
    assert whole.address == 0
    assert whole.data[:8] == bytes.fromhex("1d04dbae") * 2
    assert int.from_bytes(elf[24:28], "little") == 0x4200_0008  # entry


@pytest.mark.parametrize("model", sorted(PORT.variants))
def test_a_board_is_the_same_in_its_header_and_in_the_catalogue(tmp_path: Path, model: str) -> None:
    board = CATALOGUE.boards[model]
    led, button = board.fixed("led"), board.fixed("button")
    assert button is not None
    for variant in (PORT.variants[model], catalogue_variant(board)):
        [(led_pin, button_pin)] = native(tmp_path, PINS, *variant.defines)
        assert f"GPIO{led_pin}" == (led.pin if led else board.preferred[0])
        assert f"GPIO{button_pin}" == button.pin
    text = (FOLDER / f"variants/{model.replace('-', '_')}.h").read_text()
    assert "low while pressed" in text
    assert button.active is Active.LOW
    if led is not None:
        assert f"lights when {led.pin} is {led.active.value}" in text


def test_a_part_is_the_same_in_its_port_and_in_the_catalogue() -> None:
    part = CATALOGUE.parts["esp32c3"]
    flash = {region.name: (region.base, region.size) for region in part.flash}
    (code,), (ram,) = PORT.flash_regions, PORT.ram_regions

    assert flash["code"] == (code.origin, code.length)
    assert flash["table"] == (PORT.table_address, PORT.table_size)
    assert code.origin + code.length == flash["storage"][0]
    assert (ram.origin, ram.length) == (part.ram_base, part.ram_bytes)
    assert {model for model, board in CATALOGUE.boards.items() if board.part == "esp32c3"} == set(
        PORT.variants
    )


def test_real_edges_call_the_attached_handler(tmp_path: Path) -> None:
    sketch = """
volatile int changes, falls;
void setup() {
  Serial.begin(115200);
  pinMode(GPIO4, OUTPUT); pinMode(GPIO5, OUTPUT);
  attachInterrupt(digitalPinToInterrupt(GPIO4), [] { changes = changes + 1; }, CHANGE);
  attachInterrupt(digitalPinToInterrupt(GPIO5), [] { falls = falls + 1; }, FALLING);
  for (int i = 0; i < 6; i++) { digitalWrite(GPIO4, i % 2 == 0); digitalWrite(GPIO5, i % 2 == 0); }
  Serial.println(changes); Serial.println(falls);
  detachInterrupt(digitalPinToInterrupt(GPIO4));
  digitalWrite(GPIO4, HIGH);
  Serial.println(changes);
}
void loop() {}"""

    trace = ESP32C3.run(ESP32C3.build(tmp_path, sketch), None, stop=READY)

    assert trace.lines == ["6", "3", "6"]


def test_the_converter_is_scaled_to_the_full_scale_of_the_core(tmp_path: Path) -> None:
    def measured(run: Run) -> list[str]:
        return [*emulator_c3(run), "--adc", "1=2000", "--adc", "2=4095"]

    sketch = """
void setup() {
  Serial.begin(115200); analogReadResolution(12);
  Serial.println(analogRead(A1)); Serial.println(analogRead(A2)); Serial.println(analogRead(A3));
}
void loop() {}"""

    trace = replace(ESP32C3, machine=measured).run(
        ESP32C3.build(tmp_path, sketch), None, stop=READY
    )

    counts = [int(line) for line in trace.lines]
    assert [count * 3300 / 4095 for count in counts] == pytest.approx([1370, 2805, 0], abs=1)
    assert trace.of("ERR") == []


def test_the_log_shows_source_mode_and_level_of_every_mirrored_pin(tmp_path: Path) -> None:
    sketch = """
void setup() {
  pinMode(GPIO4, OUTPUT); pinMode(GPIO10, INPUT_PULLUP); pinMode(GPIO8, OUTPUT_OPENDRAIN);
  digitalWrite(GPIO4, HIGH); digitalWrite(GPIO8, LOW); digitalWrite(GPIO8, HIGH);
}
void loop() {}"""

    log = ESP32C3.prove(tmp_path, sketch, end_ms=3).registers

    last = dict(re.findall(r"^gpio \d+ (\w+) (0x\w+)", log, re.MULTILINE))
    assert int(last["enable"], 16) == 1 << 4 | 1 << 8
    assert int(last["out"], 16) == 1 << 4 | 1 << 8
    assert {int(last[f"func{pin}"], 16) for pin in (4, 8)} == {128}
    assert "exception" not in log


def test_time_goes_on_while_interrupts_are_off(tmp_path: Path) -> None:
    sketch = """
void setup() {
  Serial.begin(115200);
  delay(1);
  unsigned long ms = millis(), us = micros();
  noInterrupts(); delayMicroseconds(5500); interrupts();
  delayMicroseconds(100);
  Serial.println(millis() - ms); Serial.println((micros() - us) / 100);
}
void loop() {}"""

    assert ESP32C3.prove(tmp_path, sketch, end_ms=20).lines == ["5", "56"]
