"""The catalogue's STM32 entries, the bench core's headers and the flasher's table say the same.

Each was written on its own, from the documents; where they meet they must agree.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchagent.flashers.stm32_parts import PARTS
from benchagent.virtual.models import MODELS
from controlplane.bench_core.core_port import CorePort, Variant
from controlplane.bench_core.families import stm32f4
from controlplane.bench_core.families.stm32f4 import catalogue_variant
from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import CatalogueError, load_catalogue
from controlplane.domain.design import Active
from controlplane.domain.part import BoardModel, Part

CATALOGUE = load_catalogue()
STM32 = [
    pytest.param(port, variant, id=variant.board_model)
    for port in PORTS.values()
    if port.family == "stm32"
    for variant in port.variants.values()
]

PROBE = r"""
#include <cstdio>
#include <initializer_list>
#include BENCH_VARIANT_HEADER
#include "part.h"
using namespace bench_variant;
int main() {
  std::printf("%u %u %u ", LED_BUILTIN, USER_BTN, kConsoleUsart);
  std::printf("%u %u %u %d\n", kConsoleTx, kConsoleRx, kHseHz, kHseIsClock);
  for (uint32_t pin : kReservedPins) std::printf("%u ", pin);
  std::printf("\n");
  for (uint32_t pin = 0; pin < 16 * stm32f4::kPorts; pin++)
    if (stm32f4::kPackage.has(pin)) std::printf("%u ", pin);
  std::printf("\n");
  for (uint32_t pin : {ANALOG}) std::printf("%u ", pin);
  std::printf("\n");
}
"""


@dataclass(frozen=True)
class Header:
    """What the compiler makes of a variant's header, and the words of its comments."""

    led: str
    button: str
    usart: int
    tx: str
    rx: str
    hse_hz: int
    hse_is_clock: bool
    reserved: list[str]
    pads: list[str]
    analog: list[str]
    text: str


def name_of(pin: str) -> str:
    return f"P{'ABCDEFGHI'[int(pin) // 16]}{int(pin) % 16}"


def read_header(folder: Path, port: CorePort, variant: Variant) -> Header:
    compiler = shutil.which("g++")
    if compiler is None:
        raise RuntimeError("g++ is missing: apt-get install g++")
    headers = port.linker_script.parent
    name = re.search(r"<(.*)>", variant.defines[0])
    assert name is not None
    text = (headers / name[1]).read_text()
    analog = re.findall(r"^constexpr uint32_t (A\d+) = ", text, re.MULTILINE)
    if name[1].endswith("from_catalogue.h"):
        analog = [each for each in analog if f"-DBENCH_{each}=" in " ".join(variant.defines)]
    (folder / "probe.cpp").write_text(PROBE.replace("ANALOG", ", ".join(analog)))
    defines = [flag for flag in (*port.compile_flags, *variant.defines) if flag.startswith("-D")]
    command = [compiler, "-std=c++17", f"-I{headers}", *defines]
    command += [str(folder / "probe.cpp"), "-o", str(folder / "probe")]
    subprocess.run(command, check=True, timeout=120)
    out = subprocess.run([folder / "probe"], capture_output=True, text=True, check=True).stdout
    first, *lists = (line.split() for line in out.splitlines())
    reserved, pads, inputs = ([name_of(pin) for pin in each] for each in lists)
    return Header(
        led=name_of(first[0]),
        button=name_of(first[1]),
        usart=int(first[2]),
        tx=name_of(first[3]),
        rx=name_of(first[4]),
        hse_hz=int(first[5]),
        hse_is_clock=first[6] == "1",
        reserved=reserved,
        pads=pads,
        analog=inputs,
        text=text,
    )


def kept_pins(board: BoardModel, part: Part) -> set[str]:
    """The pins that a design never hands out."""
    return {
        *(pin.name for pin in part.pins if pin.kept_for),
        *(pin for pin, _ in board.reserved),
        board.console.tx,
        board.console.rx,
    }


@pytest.mark.parametrize(("port", "variant"), STM32)
def test_a_board_is_the_same_in_its_header_and_in_the_catalogue(
    tmp_path: Path, port: CorePort, variant: Variant
) -> None:
    header = read_header(tmp_path, port, variant)
    board = CATALOGUE.boards[variant.board_model]
    part = CATALOGUE.part_of(board)
    led = next(each for each in board.onboard if each.kind == "led")
    button = next(each for each in board.onboard if each.kind == "button")

    assert board.part == port.part
    assert (header.led, header.button) == (led.pin, button.pin)
    lights = re.search(r"lights when (P[A-I]\d+) is (high|low)", header.text)
    assert lights is not None
    assert lights.groups() == (led.pin, "low" if led.active is Active.LOW else "high")
    pressed = re.search(r"(high|low) while pressed", header.text)
    assert pressed is not None
    assert pressed[1] == ("low" if button.active is Active.LOW else "high")
    assert (f"usart{header.usart}", header.tx, header.rx) == (
        board.console.uart,
        board.console.tx,
        board.console.rx,
    )
    assert header.hse_hz == board.oscillator_hz
    assert header.hse_is_clock is board.clock_input
    (simulator,) = board.simulators
    assert simulator.console_serial == header.usart - 1

    assert {header.tx, header.rx, "PA13", "PA14", "PH0", "PH1"} <= set(header.reserved)
    assert set(header.reserved) <= kept_pins(board, part)
    assert not set(header.reserved) & set(board.preferred)
    assert not set(header.analog) & set(header.reserved)
    adc = {pin.name for pin in part.pins if pin.adc is not None}
    assert len(set(header.analog)) == len(header.analog)
    assert set(header.analog) <= adc


@pytest.mark.parametrize(("port", "variant"), STM32)
def test_a_part_is_the_same_in_its_port_the_catalogue_and_the_flasher(
    tmp_path: Path, port: CorePort, variant: Variant
) -> None:
    header = read_header(tmp_path, port, variant)
    part = CATALOGUE.parts[port.part]
    flasher = PARTS[port.part]

    assert set(header.pads) == {pin.name for pin in part.pins}
    flash = {region.name: (region.base, region.size) for region in part.flash}
    vectors, code = port.flash_regions
    assert flash["vectors"] == (vectors.origin, vectors.length)
    assert flash["table"] == (port.table_address, port.table_size)
    assert flash["code"] == (code.origin, code.length)
    assert code.origin + code.length == part.flash_base + part.flash_bytes
    (ram,) = port.ram_regions
    assert (ram.origin, ram.length) == (part.ram_base, part.ram_bytes)

    assert (flasher.flash_address, flasher.flash_size) == (part.flash_base, part.flash_bytes)
    assert (flasher.ram_address, flasher.ram_size) == (part.ram_base, part.ram_bytes)
    starts = {sector.address: sector.size for sector in flasher.sectors}
    assert starts[port.table_address] == port.table_size
    assert flash["storage"][0] in starts
    assert port.code_address in starts


@pytest.mark.parametrize(("port", "variant"), STM32)
def test_a_board_without_a_header_is_filled_from_its_entry(
    tmp_path: Path, port: CorePort, variant: Variant
) -> None:
    board = CATALOGUE.boards[variant.board_model]
    part = CATALOGUE.part_of(board)
    own = read_header(tmp_path, port, variant)
    filled = read_header(tmp_path, port, catalogue_variant(part, board))

    for name in ("led", "button", "usart", "tx", "rx", "hse_hz", "hse_is_clock", "pads"):
        assert getattr(own, name) == getattr(filled, name), name
    assert set(own.reserved) == set(filled.reserved)
    analog = [pin for pin in board.preferred if part.pin(pin) and part.pin(pin).adc is not None]
    assert filled.analog == analog[:6]


def test_a_line_or_a_console_that_the_port_does_not_know_is_refused() -> None:
    board = CATALOGUE.boards["nucleo-f401re"]
    part = CATALOGUE.part_of(board)
    console = replace(board.console, uart="uart4")
    with pytest.raises(CatalogueError, match="usart1, usart2"):
        catalogue_variant(part, replace(board, console=console))
    with pytest.raises(CatalogueError, match="core_line must be one of f401"):
        stm32f4._port(replace(part, core_line="f999"), [])


@pytest.mark.parametrize(("port", "variant"), STM32)
def test_a_virtual_board_is_as_the_catalogue_says(port: CorePort, variant: Variant) -> None:
    board = CATALOGUE.boards[variant.board_model]
    virtual = MODELS[variant.board_model]
    assert (virtual.part, virtual.flash_tool) == (port.part, board.flash_tool)
    assert virtual.led == next(each.pin for each in board.onboard if each.kind == "led")
    assert virtual.console_serial == board.simulators[0].console_serial


def test_every_board_with_a_bench_core_has_a_port() -> None:
    wanted = {
        board.key
        for board in CATALOGUE.boards.values()
        if CATALOGUE.part_of(board).bench_core and CATALOGUE.part_of(board).family == "stm32"
    }
    assert wanted == {model for port in PORTS.values() for model in port.variants} & wanted
    assert set(PARTS) == {key for key, part in CATALOGUE.parts.items() if part.family == "stm32"}
