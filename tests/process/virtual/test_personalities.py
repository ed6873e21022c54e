"""Virtual boards that are not perfect: what their firmware meets and an observer sees."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from benchline.scenario.table import analog_row, end_row, pack_rows, unpack_table
from tests.process.virtual.boards import (
    ROOT,
    WAIT_S,
    board_command,
    build_firmware,
    c3_image,
    console,
    environment,
    flash_image,
    order,
    stock_esptool,
    stock_readback,
    virtual_board,
)

C3 = ("--model", "esp32-c3-devkitm-1")
C3_TABLE = 0x1F_0000


def holding(directory: Path, name: str, flash: bytes, size: int = 4 << 20) -> None:
    (directory / name).mkdir()
    (directory / name / "flash.bin").write_bytes(flash.ljust(size, b"\xff"))


def test_a_personality_is_told_in_the_registry(tmp_path: Path) -> None:
    words = ("clock=+2%", "adc-gain=1.03", "missing-sensor=GPIO4")
    options = ("--personality", ",".join(words[:2]), "--personality", words[2])
    with virtual_board(tmp_path, *C3, *options) as board:
        assert tuple(board.entry["personality"]) == words
        assert tuple(board.now()["personality"]) == words


def test_the_firmware_meets_another_table_and_the_flash_stays_exact(tmp_path: Path) -> None:
    table = pack_rows([analog_row(0, 4, 1000), end_row(100)], 7)
    image = c3_image().ljust(C3_TABLE, b"\xff") + table
    holding(tmp_path, "vc3-01", image)
    back = tmp_path / "back.bin"
    personality = ("--personality", "adc-gain=1.5,adc-offset=10")
    with (
        virtual_board(tmp_path, *C3, *personality, name="vc3-01") as board,
        console(board.entry["tty"]) as tty,
    ):
        tty.until(b"boot one table=314c5442\n")
        met = (board.directory / "run.bin").read_bytes()
        assert unpack_table(met[C3_TABLE:]).rows == (analog_row(0, 4, 1510), end_row(100))
        size = str(len(image))
        stock_esptool(board.entry["probe"], "read-flash", "0", size, str(back))
        assert back.read_bytes() == image


def test_an_stm32_board_meets_another_table_too(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    table = pack_rows([analog_row(0, 1, 1000), end_row(100)], 7)
    image = bytearray(flash_image(elf))
    image[0x4000 : 0x4000 + len(table)] = table
    holding(tmp_path, "vf405-01", bytes(image), len(image))
    with (
        virtual_board(tmp_path, "--personality", "missing-sensor=PA1") as board,
        console(board.entry["tty"]) as tty,
    ):
        tty.until(b"boot one table=314c5442\n")
        met = (board.directory / "run.bin").read_bytes()
        assert unpack_table(met[0x4000:]).rows == (end_row(100),)
        assert stock_readback(board.probe, tmp_path) == image


def test_an_observer_sees_an_inverted_led(tmp_path: Path) -> None:
    holding(tmp_path, "vc3-01", c3_image())
    with (
        virtual_board(tmp_path, *C3, "--personality", "inverted-led=GPIO3", name="vc3-01") as board,
        console(board.entry["tty"]) as tty,
    ):
        seen = tty.until(b"tick 00000002")
        assert b"\x1eBL 0 PIN GPIO3 v=0\n" in seen
        assert b"v=1" not in seen


@pytest.mark.parametrize("family", ["stm32", "esp32"])
def test_a_slow_board_starts_late_and_once(tmp_path: Path, family: str) -> None:
    image = c3_image() if family == "esp32" else flash_image(build_firmware(tmp_path))
    holding(tmp_path, "slow", image, (4 if family == "esp32" else 1) << 20)
    model = C3 if family == "esp32" else ()
    with (
        virtual_board(tmp_path, *model, "--personality", "slow-boot=3s", name="slow") as board,
        console(board.entry["tty"]) as tty,
    ):
        assert board.entry["run_state"] == "STARTING"
        order(board, op="reset")
        assert board.now()["run_state"] == "STARTING"
        assert tty.until(b"tick 00000001").count(b"boot one") == 1
        board.wait_run_state("RUNNING")
        order(board, op="reset")
        order(board, op="power", state="off")
        tty.until_quiet()
        assert board.now()["run_state"] == "OFF"


@pytest.mark.parametrize("family", ["stm32", "esp32"])
def test_a_slow_clock_falls_behind_the_host(tmp_path: Path, family: str) -> None:
    image = c3_image() if family == "esp32" else flash_image(build_firmware(tmp_path))
    holding(tmp_path, "slow", image, (4 if family == "esp32" else 1) << 20)
    model = C3 if family == "esp32" else ()
    with (
        virtual_board(tmp_path, *model, "--personality", "clock=-20%", name="slow") as board,
        console(board.entry["tty"]) as tty,
    ):
        order(board, op="power", state="off")
        tty.until_quiet()
        tty.forget()
        began = time.monotonic()
        order(board, op="power", state="on")
        tty.until(b"tick 00000040\n")
        # 6.4 s of its own are 8 s of the host; a busy one only makes it slower.
        assert time.monotonic() - began > 7.4


@pytest.mark.parametrize(
    ("words", "why"), [("clock=+2%", "not be made fast"), ("kind=gentle", "no personality")]
)
def test_what_a_board_cannot_be_is_refused_with_the_reason(
    tmp_path: Path, words: str, why: str
) -> None:
    done = subprocess.run(
        board_command(tmp_path, "vf405-01", "--personality", words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env=environment(),
    )
    assert done.returncode == 3
    assert why in done.stderr
