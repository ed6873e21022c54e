"""The catalogue: consistent, complete, every fact with a source."""

import subprocess
import sys

import pytest

from controlplane.catalog.loader import load_catalogue
from controlplane.domain.design import PinRole

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
    found = CATALOGUE.find_board(name)

    assert found is not None
    assert found.key == "olimex-stm32-h405"


def test_unknown_boards_are_not_guessed() -> None:
    assert CATALOGUE.find_board("esp32-c3-devkitm-1") is None


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
