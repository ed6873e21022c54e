"""Which virtual boards a local instance runs."""

from pathlib import Path

import pytest

from benchline.errors import InvalidRequestError
from benchline.instance import Instance
from tui.supervisor import programs_of
from tui.virtual_boards import DEMO, VARIABLE, VirtualBoard, expected, virtual_boards


def test_without_a_wish_the_demo_has_two_boards_of_each_family() -> None:
    assert virtual_boards({}) == DEMO
    assert expected(DEMO) == ("vf405-01", "vf405-02", "vc3-01", "vc3-02")


def test_the_environment_adds_boards_with_personalities_and_faults() -> None:
    text = (
        "slow:esp32-c3-devkitm-1:clock=-2%/adc-gain=1.03,plain:nucleo-f446re"
        " bad:olimex-stm32-h405::silent/readback=0x10"
    )
    boards = virtual_boards({VARIABLE: text})
    assert boards[len(DEMO) :] == (
        VirtualBoard(
            name="slow", model="esp32-c3-devkitm-1", personality=("clock=-2%", "adc-gain=1.03")
        ),
        VirtualBoard(name="plain", model="nucleo-f446re"),
        VirtualBoard(name="bad", model="olimex-stm32-h405", faults=("silent", "readback=0x10")),
    )
    assert "bad" not in expected(boards)
    assert boards[len(DEMO)].arguments == (
        *("--name", "slow", "--model", "esp32-c3-devkitm-1"),
        *("--personality", "clock=-2%", "--personality", "adc-gain=1.03"),
    )


@pytest.mark.parametrize(
    "text",
    ["lonely", "a:", ":m", "UP:m", "../x:m", "a:b:c:d:e", "vf405-01:nucleo-f446re", "a:m a:m"],
)
def test_a_mistake_is_told(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=VARIABLE):
        virtual_boards({VARIABLE: text})


def test_each_board_is_a_program_that_stops_last(tmp_path: Path) -> None:
    programs = programs_of(Instance(tmp_path), DEMO)
    assert [one.name for one in programs] == [
        *("vf405-01", "vf405-02", "vc3-01", "vc3-02"),
        *("controlplane", "agent"),
    ]
    assert programs[2].arguments[-4:] == ("--name", "vc3-01", "--model", "esp32-c3-devkitm-1")
    assert {one.stop_rank for one in programs[:4]} == {2}
