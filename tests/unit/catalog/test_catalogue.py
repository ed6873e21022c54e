"""The catalogue: consistent, complete, every fact with a source."""

import subprocess
import sys
from dataclasses import replace

import pytest

from benchagent.discovery.table import usb_table
from controlplane.bench_core.manifest import PORTS, CorePort
from controlplane.catalog.checks import board_problems, part_problems
from controlplane.catalog.loader import load_catalogue
from controlplane.domain.design import PinRole, Pull
from controlplane.domain.part import BoardModel, FlashTool, UsbId

CATALOGUE = load_catalogue()


def test_the_part_has_the_pads_of_its_package() -> None:
    names = [pin.name for pin in CATALOGUE.parts["stm32f405rg"].pins]

    assert len(names) == len(set(names)) == 51


@pytest.mark.parametrize(("pin", "channel"), [("PA0", 0), ("PA7", 7), ("PB1", 9), ("PC5", 15)])
def test_adc_channels_follow_the_data_sheet(pin: str, channel: int) -> None:
    pad = CATALOGUE.parts["stm32f405rg"].pin(pin)

    assert pad is not None
    assert pad.adc == channel


def test_the_console_pins_can_carry_their_uart() -> None:
    board = CATALOGUE.boards["olimex-stm32-h405"]
    part = CATALOGUE.part_of(board)
    for name, role in ((board.console.tx, PinRole.UART_TX), (board.console.rx, PinRole.UART_RX)):
        pad = part.pin(name)
        assert pad is not None
        assert any(u.role is role and u.instance == board.console.uart for u in pad.uarts)


@pytest.mark.parametrize("name", ["olimex-stm32-h405", "STM32F405RG", "Olimex STM32-H405", "h405"])
def test_a_board_is_found_by_model_part_or_name(name: str) -> None:
    found = CATALOGUE.named(name)

    assert found is not None
    assert found.meant == "olimex-stm32-h405"


def test_unknown_boards_are_not_guessed() -> None:
    assert CATALOGUE.named("arduino-uno") is None


@pytest.mark.parametrize("name", ["esp32-c3-devkitm-1", "ESP32C3", "ESP32-C3-DevKitM-1", "c3"])
def test_the_esp32_c3_is_found(name: str) -> None:
    found = CATALOGUE.named(name)

    assert found is not None
    assert found.meant == "esp32-c3-devkitm-1"


def test_flash_straps_usb_and_converters_of_the_esp32_c3_are_told_apart() -> None:
    part = CATALOGUE.parts["esp32c3"]

    assert [pin.name for pin in part.pins if pin.strapping] == ["GPIO2", "GPIO8", "GPIO9"]
    assert [pin.name for pin in part.pins if pin.usb_jtag] == ["GPIO18", "GPIO19"]
    assert {pin.name for pin in part.pins if "flash" in pin.reserved} == {
        f"GPIO{number}" for number in range(11, 18)
    }
    assert [(pin.name, pin.adc_unit) for pin in part.pins if pin.adc is not None] == [
        *((f"GPIO{number}", 1) for number in range(5)),
        ("GPIO5", 2),
    ]


def test_bench_cores_are_said_of_the_parts_that_have_one() -> None:
    built = {part.key for part in CATALOGUE.parts.values() if part.bench_core}

    assert built == set(PORTS)


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS)
def test_memory_is_that_which_images_are_linked_for(port: CorePort) -> None:
    part = CATALOGUE.parts[port.part]
    regions = {region.name: (region.base, region.size) for region in part.flash}

    assert part.family == port.family
    assert part.flash_base == port.flash_base
    assert regions["table"] == (port.table_address, port.table_size)
    assert regions["code"][0] == port.code_address
    linked = [(region.origin, region.length) for region in port.flash_regions]
    assert set(linked) <= set(regions.values())
    assert [(part.ram_base, part.ram_bytes)] == [(r.origin, r.length) for r in port.ram_regions]
    assert {b.key for b in CATALOGUE.boards.values() if b.part == part.key} == set(port.variants)


def test_everything_has_sources() -> None:
    assert all(part.sources for part in CATALOGUE.parts.values())
    assert all(board.sources for board in CATALOGUE.boards.values())
    assert all(kind.sources for kind in CATALOGUE.components.values())


def test_importing_the_loader_reads_no_file() -> None:
    code = (
        "import sys, controlplane.catalog.loader as l; "
        "sys.exit(l.load_catalogue.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


USB = [(board, usb) for board in CATALOGUE.boards.values() for usb in board.usb]


@pytest.mark.parametrize(("board", "usb"), USB, ids=[f"{b.key}-{u.product_id:04x}" for b, u in USB])
def test_an_agent_knows_the_usb_devices_of_a_board(board: BoardModel, usb: UsbId) -> None:
    rows = [
        row
        for row in usb_table().rows
        if any(
            ids.vendor_id == usb.vendor_id
            and ids.first_product <= usb.product_id <= ids.last_product
            for ids in row.ids
        )
    ]

    assert rows, f"{usb.vendor_id:04x}:{usb.product_id:04x}"
    assert CATALOGUE.part_of(board).family in rows[0].families
    assert rows[0].flash_tool in ("", board.flash_tool)


def test_a_catalogue_that_contradicts_itself_is_refused() -> None:
    parts, boards = dict(CATALOGUE.parts), dict(CATALOGUE.boards)
    c3, devkit = parts["esp32c3"], boards["esp32-c3-devkitm-1"]
    parts["esp32c3"] = replace(c3, flash=c3.flash[1:], default_model="nucleo-f446re")
    boards["esp32-c3-devkitm-1"] = replace(
        devkit,
        flash_tool=FlashTool.PYOCD,
        preferred=(*devkit.preferred, "GPIO18", "GPIO99"),
        onboard=tuple(replace(item, pull=Pull.NONE) for item in devkit.onboard),
    )

    assert part_problems(parts, boards) == [
        "esp32c3: nucleo-f446re is no board model of this part",
        "esp32c3: flash region storage leaves a gap or overlaps",
    ]
    assert board_problems(parts, boards) == [
        "esp32-c3-devkitm-1: esp32c3 has no GPIO99",
        "esp32-c3-devkitm-1: GPIO18 is not free",
        "esp32-c3-devkitm-1: the BOOT button is on when low and has no pull up",
        "esp32-c3-devkitm-1: pyocd has no name for esp32c3",
    ]


def test_sensors_that_span_a_converter_follow_what_the_part_measures() -> None:
    pot, sensor = CATALOGUE.components["potentiometer"], CATALOGUE.components["tmp36"]
    on_c3 = CATALOGUE.components_on(CATALOGUE.parts["esp32c3"])

    assert CATALOGUE.components_on(CATALOGUE.parts["stm32f405rg"]) == CATALOGUE.components
    assert on_c3["tmp36"] == sensor
    assert (pot.mv_per_unit, on_c3["potentiometer"].mv_per_unit) == (33, 25)
    assert "3.2 kOhm" in on_c3["potentiometer"].note
    assert on_c3["analog_input"].maximum == 2500
