"""Virtual ESP32 boards under stock esptool, over a real PTY."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.process.virtual.boards import (
    RunningBoard,
    c3_image,
    children_of,
    console,
    esptool,
    is_alive,
    order,
    stock_esptool,
    virtual_board,
    wait_for,
)

C3 = ("--model", "esp32-c3-devkitm-1")
ESP32 = ("--model", "esp32-devkitc-v4")
IMAGE = random.Random(7).randbytes(20_000) + bytes(30_000)  # half of it compresses


def port(board: RunningBoard) -> str:
    return str(board.entry["probe"])


def flash(board: RunningBoard) -> bytes:
    return (board.directory / "flash.bin").read_bytes()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(IMAGE)
    return path


@pytest.mark.parametrize(
    ("model", "chip"),
    [(C3, "ESP32-C3 (QFN32) (revision v0.4)"), (ESP32, "ESP32-D0WD-V3 (revision v3.0)")],
)
@pytest.mark.parametrize("stub", [(), ("--no-stub",)])
def test_esptool_knows_the_chip_its_mac_and_its_flash(
    tmp_path: Path, model: tuple[str, ...], chip: str, stub: tuple[str, ...]
) -> None:
    with virtual_board(tmp_path, *model) as board:
        said = stock_esptool(port(board), *stub, "flash-id")
        assert chip in said
        assert board.uid in said
        assert "Crystal frequency:  40MHz" in said
        assert "Detected flash size: 4MB" in said
        assert board.now()["run_state"] == "DOWNLOAD"


@pytest.mark.parametrize("model", [C3, ESP32])
@pytest.mark.parametrize(
    "options", [("-z",), ("-u",), ("--no-stub", "-z"), ("--no-stub", "-u")], ids=" ".join
)
def test_esptool_writes_verifies_and_reads_back_exactly_the_bytes(
    tmp_path: Path, image: Path, model: tuple[str, ...], options: tuple[str, ...]
) -> None:
    *stub, compression = options
    back = tmp_path / "back.bin"
    with virtual_board(tmp_path, *model) as board:
        said = stock_esptool(port(board), *stub, "write-flash", compression, "0x0", str(image))
        assert "Hash of data verified" in said
        stock_esptool(port(board), *stub, "verify-flash", "0x0", str(image))
        stock_esptool(port(board), *stub, "read-flash", "0x4000", "0x2345", str(back))
        assert back.read_bytes() == IMAGE[0x4000 : 0x4000 + 0x2345]
        wait_for("the flash to be saved", lambda: flash(board)[: len(IMAGE)] == IMAGE)
        assert set(flash(board)[0xD000:]) == {0xFF}
        assert board.stats()["sector_erases"][:14] == [1] * 13 + [0]


def test_only_sectors_that_differ_are_written_again(tmp_path: Path, image: Path) -> None:
    changed = bytearray(IMAGE)
    changed[5000] ^= 0xFF
    second = tmp_path / "second.bin"
    second.write_bytes(changed)
    with virtual_board(tmp_path, *C3) as board:
        stock_esptool(port(board), "write-flash", "0x0", str(image))
        stock_esptool(port(board), "write-flash", "0x0", str(second), "--diff-with", str(image))
        stock_esptool(port(board), "verify-flash", "0x0", str(second))
        said = stock_esptool(port(board), "write-flash", "--skip-flashed", "0x0", str(second))
        assert "already in flash" in said
        wait_for("the counters", lambda: board.stats()["sector_erases"][:3] == [1, 2, 1])


def test_a_region_and_the_whole_flash_are_erased(tmp_path: Path, image: Path) -> None:
    with virtual_board(tmp_path, *C3) as board:
        stock_esptool(port(board), "write-flash", "0x0", str(image))
        stock_esptool(port(board), "erase-region", "0x1000", "0x2000")
        gone = IMAGE[:0x1000] + b"\xff" * 0x2000 + IMAGE[0x3000:]
        wait_for("the region to go", lambda: flash(board)[: len(IMAGE)] == gone)
        stock_esptool(port(board), "erase-flash")
        wait_for("the flash to go", lambda: set(flash(board)) == {0xFF})
        assert board.stats()["mass_erases"] == 1


def test_a_range_beyond_the_flash_is_refused(tmp_path: Path, image: Path) -> None:
    with virtual_board(tmp_path, *C3) as board:
        done = esptool(port(board), "write-flash", "--force", "0x3ff000", str(image))
        assert done.returncode != 0
        done = esptool(port(board), "erase-region", "0x3ff000", "0x2000")
        assert done.returncode != 0
        assert set(flash(board)) == {0xFF}


def test_security_flags_are_read(tmp_path: Path) -> None:
    with virtual_board(tmp_path, *C3) as board:
        said = stock_esptool(port(board), "get-security-info")
        assert "Secure Boot: Disabled" in said
        assert "Chip ID: 5" in said


def test_flash_counters_and_identity_outlive_a_kill(tmp_path: Path, image: Path) -> None:
    with virtual_board(tmp_path, *C3) as board:
        stock_esptool(port(board), "write-flash", "0x0", str(image))
        wait_for("the flash to be saved", lambda: flash(board)[: len(IMAGE)] == IMAGE)
        wait_for("the counters", lambda: board.stats()["sector_erases"][0] == 1)
        board.kill()
    with virtual_board(tmp_path, *C3) as again:
        assert again.uid == board.uid
        stock_esptool(port(again), "verify-flash", "0x0", str(image))
        assert again.stats()["sector_erases"][:13] == [1] * 13


def test_an_empty_flash_is_told_a_few_times_and_not_for_ever(tmp_path: Path) -> None:
    with virtual_board(tmp_path, *C3) as board, console(board.entry["tty"]) as tty:
        tty.until(b"invalid header: 0xffffffff\r\n" * 5)
        seen = tty.until_quiet()
        assert seen.startswith(b"ESP-ROM:esp32c3")
        assert seen.count(b"invalid header") == 5
        assert board.now()["run_state"] == "BLANK"


def test_orders_reset_the_board_into_its_loader_and_back(tmp_path: Path) -> None:
    with virtual_board(tmp_path, *C3) as board, console(board.entry["tty"]) as tty:
        tty.until_quiet()
        tty.forget()
        assert order(board, op="reset", mode="download") == {"ok": True}
        tty.until(b"waiting for download")
        assert board.now()["run_state"] == "DOWNLOAD"
        tty.forget()
        assert order(board, op="reset", mode="app") == {"ok": True}
        tty.until(b"SPI_FAST_FLASH_BOOT")
        assert board.now()["run_state"] == "BLANK"
        assert board.stats()["resets"] == 3


def test_a_board_without_power_answers_nobody(tmp_path: Path) -> None:
    with virtual_board(tmp_path, *C3) as board:
        assert order(board, op="power", state="off") == {"ok": True}
        assert board.now()["run_state"] == "OFF"
        assert not order(board, op="reset", mode="app")["ok"]
        done = esptool(port(board), "--connect-attempts", "1", "chip-id")
        assert done.returncode != 0
        assert order(board, op="power", state="on") == {"ok": True}
        stock_esptool(port(board), "chip-id")


def test_identify_is_answered_counted_and_shown(tmp_path: Path) -> None:
    with virtual_board(tmp_path, *C3) as board:
        answer = order(board, op="identify")
        assert answer == {"ok": True, "name": "vf405-01", "identity": board.uid}
        assert board.now()["identified"] == 1


@pytest.mark.parametrize(
    "wrong", [{}, {"op": "explode"}, {"op": "reset", "mode": "x"}, {"op": "power", "state": 3}]
)
def test_a_wrong_order_is_refused_with_its_reason(tmp_path: Path, wrong: dict[str, object]) -> None:
    with virtual_board(tmp_path, *C3) as board:
        answer = order(board, **wrong)
        assert answer["ok"] is False
        assert answer["message"]


def test_a_watchdog_reset_by_esptool_leaves_the_loader(tmp_path: Path, image: Path) -> None:
    with virtual_board(tmp_path, *C3) as board:
        stock_esptool(port(board), "--after", "watchdog-reset", "write-flash", "0x0", str(image))
        board.wait_run_state("BLANK")  # the bytes are no image


@pytest.mark.parametrize("stub", [(), ("--no-stub",)])
def test_a_tool_that_stays_finds_the_loader_again(tmp_path: Path, stub: tuple[str, ...]) -> None:
    with virtual_board(tmp_path, *C3) as board:
        for _ in range(2):
            stock_esptool(port(board), *stub, "--after", "no-reset", "chip-id")
            assert board.now()["run_state"] == "DOWNLOAD"


def test_firmware_that_nothing_here_can_run_is_said_so(tmp_path: Path) -> None:
    header = tmp_path / "header.bin"
    header.write_bytes(b"\xe9" + bytes(63))
    with virtual_board(tmp_path, *ESP32, "--qemu", "no-such-qemu") as board:
        stock_esptool(port(board), "write-flash", "--force", "0x1000", str(header))
        assert order(board, op="reset", mode="app") == {"ok": True}
        entry = json.loads((board.directory / "board.json").read_text())
        assert entry["run_state"] == "NO_RUNNER"
        assert "qemu-xtensa" in entry["note"]
        assert entry["fault"] is None


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    path = tmp_path / "alpha.bin"
    path.write_bytes(c3_image("alpha"))
    return path


def test_flashed_firmware_runs_and_shares_its_port_with_the_loader(
    tmp_path: Path, firmware: Path
) -> None:
    second = tmp_path / "beta.bin"
    second.write_bytes(c3_image("beta"))
    with virtual_board(tmp_path, *C3) as board, console(board.entry["tty"]) as tty:
        tty.until(b"invalid header")
        stock_esptool(port(board), "write-flash", "0x0", str(firmware))
        tty.forget()
        order(board, op="reset", mode="app")
        tty.until(b"boot alpha table=ffffffff\n")
        tty.until(b"tick 00000001")
        tty.send(b"ping\n")
        tty.until(b"pong\n")
        stock_esptool(port(board), "write-flash", "0x0", str(second))
        tty.forget()
        order(board, op="reset", mode="app")
        tty.until(b"boot beta")
        board.wait_run_state("RUNNING")
        assert board.now()["fault"] is None


def test_over_reset_lines_esptool_resets_into_the_loader_and_out_of_it(
    tmp_path: Path, firmware: Path
) -> None:
    with virtual_board(tmp_path, *C3) as board, console(board.entry["tty"]) as tty:
        tty.until(b"invalid header")
        said = stock_esptool(board.entry["rfc2217"], "write-flash", "0x0", str(firmware))
        assert "Hash of data verified" in said
        assert "Chip was NOT reset" not in said
        seen = tty.until(b"boot alpha")
        assert seen.index(b"waiting for download") < seen.rindex(b"SPI_FAST_FLASH_BOOT")


def test_the_emulator_ends_with_power_and_with_a_killed_board(
    tmp_path: Path, firmware: Path
) -> None:
    with virtual_board(tmp_path, *C3) as board, console(board.entry["tty"]) as tty:
        stock_esptool(port(board), "--after", "watchdog-reset", "write-flash", "0", str(firmware))
        tty.until(b"tick 00000001")
        (child,) = children_of(board.process.pid)
        order(board, op="power", state="off")
        wait_for("the emulator to end", lambda: not is_alive(child))
        assert board.now()["run_state"] == "OFF"
        tty.forget()
        order(board, op="power", state="cycle")
        tty.until(b"boot alpha")
        (child,) = children_of(board.process.pid)
        board.kill()
        wait_for("the emulator to end", lambda: not is_alive(child))


def test_without_unicorn_a_board_is_flashed_and_names_the_extra(
    tmp_path: Path, firmware: Path
) -> None:
    missing = tmp_path / "missing"
    missing.mkdir()
    (missing / "unicorn.py").write_text("raise ImportError('not here')\n")
    (tmp_path / "vc3-01").mkdir()
    flashed = c3_image("alpha").ljust(4 << 20, b"\xff")
    (tmp_path / "vc3-01" / "flash.bin").write_bytes(flashed)
    with virtual_board(tmp_path, *C3, name="vc3-01", first=missing) as board:
        board.wait_run_state("FAULT")
        assert "benchline[virtual]" in board.now()["fault"]["package"]
        stock_esptool(port(board), "verify-flash", "0x0", str(firmware))


def listing_qemu(path: Path, machine: str) -> str:
    """A program that calls itself a QEMU with that machine, and cannot run anything."""
    path.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "QEMU emulator version 9.0.0"; exit; fi\n'
        f'if [ "$2" = help ]; then echo "{machine}  Espressif machine"; exit; fi\n'
        "exit 7\n"
    )
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(("machine", "state"), [("esp32", "FAULT"), ("lx60", "NO_RUNNER")])
def test_only_a_qemu_that_lists_the_machine_is_asked_to_run_it(
    tmp_path: Path, machine: str, state: str
) -> None:
    (tmp_path / "vesp").mkdir()
    flashed = (b"\xff" * 0x1000 + b"\xe9" + bytes(63)).ljust(4 << 20, b"\xff")
    (tmp_path / "vesp" / "flash.bin").write_bytes(flashed)
    tool = listing_qemu(tmp_path / "qemu", machine)
    with virtual_board(tmp_path, *ESP32, "--qemu", tool, name="vesp") as board:
        board.wait_run_state(state)
