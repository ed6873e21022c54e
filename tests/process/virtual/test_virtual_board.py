"""A virtual board under stock pyOCD, real QEMU and a real PTY."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchagent.virtual.models import MODELS
from benchagent.virtual.store import registered_boards
from tests.process.virtual.boards import (
    ROOT,
    WAIT_S,
    board_command,
    build_firmware,
    children_of,
    console,
    environment,
    flash_image,
    is_alive,
    order,
    pyocd,
    require,
    stock_flash,
    stock_readback,
    stock_reset,
    virtual_board,
    wait_for,
)


def test_stock_pyocd_flashes_an_elf_and_reads_back_exactly_its_bytes(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path, padding=80_000)
    with virtual_board(tmp_path) as board:
        stock_flash(board.probe, elf)
        assert stock_readback(board.probe, tmp_path) == flash_image(elf)


def test_flashed_firmware_runs_and_a_waiting_reader_misses_no_byte(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path, tag="alpha")
    with virtual_board(tmp_path) as board, console(board.entry["tty"]) as tty:
        stock_flash(board.probe, elf)
        assert tty.until(b"tick 00000001").startswith(b"boot alpha table=ffffffff\ntick 00000000\n")
        tty.send(b"ping\n")
        tty.until(b"pong\n")


def test_a_reader_that_comes_later_still_gets_the_first_bytes(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path, tag="alpha")
    with virtual_board(tmp_path, holding=elf) as board:
        board.wait_run_state("RUNNING")
        with console(board.entry["tty"]) as tty:
            assert tty.until(b"tick 00000002").startswith(b"boot alpha")


def test_the_console_stays_open_over_resets_and_a_reflash(tmp_path: Path) -> None:
    first = build_firmware(tmp_path, tag="alpha")
    second = build_firmware(tmp_path, tag="beta")
    with virtual_board(tmp_path, holding=first) as board, console(board.entry["tty"]) as tty:
        tty.until(b"boot alpha")
        tty.forget()
        stock_reset(board.probe)
        tty.until(b"boot alpha")
        stock_flash(board.probe, second)
        tty.until(b"boot beta")


def test_the_table_sector_reaches_the_firmware(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    table = tmp_path / "table.bin"
    table.write_bytes(b"BTL1" + bytes(60))
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        stock_flash(board.probe, table, "--base-address", "0x08004000")
        tty.until(b"boot one table=314c5442")


def test_every_connect_mode_of_stock_pyocd_resets_the_board(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        for mode in ("halt", "under-reset", "attach", "pre-reset"):
            tty.until(b"tick 00000001")
            tty.forget()
            resets = board.stats()["resets"]
            stock_reset(board.probe, "-M", mode)
            tty.until(b"boot one")
            assert board.stats()["resets"] > resets, mode


def test_reading_flash_does_not_disturb_running_firmware(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000001")
        boots = board.stats()["boots"]
        assert stock_readback(board.probe, tmp_path) == flash_image(elf)
        last = max(int(tick, 16) for tick in re.findall(rb"tick (\w{8})", tty.until(b"tick")))
        seen = tty.until(b"tick %08x" % (last + 3))
        assert seen.count(b"boot") == 1
        ticks = [int(tick, 16) for tick in re.findall(rb"tick (\w{8})\n", seen)]
        assert ticks == list(range(len(ticks)))
        assert board.stats()["boots"] == boots


def test_two_clients_at_once_do_not_harm_one_another(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path, padding=30_000)
    with virtual_board(tmp_path) as board, ThreadPoolExecutor() as pool:
        flashed = pool.submit(stock_flash, board.probe, elf)
        while not flashed.done():
            command = "read32 0x08000000 64"
            looked = pyocd(
                *("cmd", "-u", board.probe, "-t", "stm32f412xg", "-M", "attach", "-c", command)
            )
            assert looked.returncode == 0, looked.stderr
        flashed.result()
        assert stock_readback(board.probe, tmp_path) == flash_image(elf)


def test_a_killed_board_comes_back_with_its_flash_its_port_and_its_name(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path, tag="alpha")
    with virtual_board(tmp_path) as board:
        stock_flash(board.probe, elf)
        board.wait_run_state("RUNNING")
        before = board.stats()
        board.kill()
        assert registered_boards(tmp_path) == []
    with virtual_board(tmp_path) as again, console(again.entry["tty"]) as tty:
        tty.until(b"boot alpha")
        assert (again.probe, again.uid) == (board.probe, board.uid)
        assert again.stats()["sector_erases"] == before["sector_erases"]
    assert (again.directory / "flash.bin").read_bytes() == flash_image(elf)


def test_qemu_dies_with_a_killed_board(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, holding=elf) as board:
        board.wait_run_state("RUNNING")
        children = children_of(board.process.pid)
        assert children
        board.kill()
        wait_for("QEMU to end", lambda: not any(is_alive(child) for child in children))


def test_a_board_lists_itself_and_withdraws_at_its_end(tmp_path: Path) -> None:
    with virtual_board(tmp_path) as board:
        (entry,) = registered_boards(tmp_path)
        assert entry.kind == "VIRTUAL"
        assert entry.board_model == "olimex-stm32-h405"
        assert entry.probe == board.probe
        assert entry.run_state == "BLANK"
        assert Path(entry.tty).resolve().as_posix().startswith("/dev/pts/")
    assert not (board.directory / "board.json").exists()
    assert not (board.directory / "console").is_symlink()


def test_one_directory_takes_one_process(tmp_path: Path) -> None:
    with virtual_board(tmp_path):
        second = subprocess.run(
            board_command(tmp_path, "vf405-01"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    assert second.returncode == 3
    assert "another process runs the board" in second.stderr


def test_a_board_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(["/bin/sleep", "600"])
    with parent, virtual_board(tmp_path, "--parent-pid", str(parent.pid)) as board:
        parent.kill()
        assert board.process.wait(timeout=WAIT_S) == 0


def _program(path: Path, text: str) -> str:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "not installed"),
        ("echo hello", "did not answer --version as QEMU does"),
        ("exec sleep 600", "did not answer --version in"),
    ],
)
def test_a_bad_qemu_is_named_with_its_package(
    tmp_path: Path, script: str | None, reason: str
) -> None:
    tool = str(tmp_path / "qemu")
    if script is not None:
        _program(Path(tool), script)
    with virtual_board(tmp_path, "--qemu", tool, "--tool-answer", "1") as board:
        fault = board.entry["fault"]
        assert (fault["tool"], fault["package"]) == (tool, "qemu-system-arm")
        assert reason in fault["reason"]


@pytest.mark.parametrize("run", ["exec sleep 600", "echo nonsense", "exit 7"])
def test_a_qemu_that_fails_to_run_leaves_a_silent_board_with_a_fault(
    tmp_path: Path, run: str
) -> None:
    elf = build_firmware(tmp_path)
    version = 'if [ "$1" = --version ]; then echo "QEMU emulator version 7.2.0"; exit; fi\n'
    tool = _program(tmp_path / "qemu", version + run)
    with virtual_board(tmp_path, "--qemu", tool, "--tool-answer", "1", holding=elf) as board:
        board.wait_run_state("FAULT")
        assert board.now()["fault"]["package"] == "qemu-system-arm"


def test_a_board_without_qemu_still_gives_its_flash(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, "--qemu", str(tmp_path / "none"), holding=elf) as board:
        board.wait_run_state("FAULT")
        assert stock_readback(board.probe, tmp_path) == flash_image(elf)


def test_a_board_heals_when_qemu_is_installed_later(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path, tag="alpha")
    tool = tmp_path / "qemu"
    with (
        virtual_board(tmp_path, "--qemu", str(tool), holding=elf) as board,
        console(board.entry["tty"]) as tty,
    ):
        board.wait_run_state("FAULT")
        real = require("qemu-system-arm", "qemu-system-arm")
        _program(tool, f'exec {real} "$@"')
        tty.until(b"boot alpha")
        wait_for("health", lambda: board.now()["fault"] is None)


def test_a_core_that_locks_up_is_silent_until_the_next_reset(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000001")
        tty.send(b"!")
        board.wait_run_state("LOCKED_UP")
        assert board.now()["fault"] is None
        tty.forget()
        stock_reset(board.probe)
        tty.until(b"boot one")


def test_firmware_that_floods_an_unread_console_never_blocks(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000001")
        tty.send(b"#")
        wait_for("dropped bytes", lambda: board.stats()["console_dropped_bytes"] > 20_000)
        tty.forget()
        stock_reset(board.probe)
        tty.until(b"boot one")


def test_a_missing_unicorn_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "unicorn.py").write_text("raise ImportError('not here')\n")
    done = subprocess.run(
        board_command(tmp_path, "vf405-01"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env=environment(tmp_path),
    )
    assert done.returncode == 3
    assert "benchline[virtual]" in done.stderr


def test_nonsense_on_the_probe_port_is_answered_and_survived(tmp_path: Path) -> None:
    with virtual_board(tmp_path) as board:
        port = int(board.probe.rpartition(":")[2])
        for line in (
            b"\x00\xff\n",
            b"[]\n",
            b'{"id": 1, "request": "read_mem", "arguments": [0, -1, 32]}\n',
            b'{"id": 1, "request": "read_block32", "arguments": [0, 0, 1e99]}\n',
            b'{"id": 1, "request": "write_block8", "arguments": [0, 536870912, [999]]}\n',
            b'{"id": 1, "request": "nothing"}\n',
            b'{"id": 1, "request": "reset", "arguments": [1, 2, 3]}\n',
            b'{"id": 1, "request": "read_mem", "arguments": [0, 2415919104, 32]}\n',
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
                client.sendall(line)
                answer = json.loads(client.makefile("rb").readline())
                assert answer["status"] != 0, line
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
            client.sendall(b'{"id": 7, "request": "hello", "arguments": [1]}\n')
            assert json.loads(client.makefile("rb").readline()) == {"id": 7, "status": 0}


def test_a_board_ends_cleanly_on_sigterm_with_its_flash_saved(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path) as board:
        stock_flash(board.probe, elf)
        board.process.send_signal(signal.SIGTERM)
        assert board.process.wait(timeout=WAIT_S) == 0
    assert (board.directory / "flash.bin").read_bytes() == flash_image(elf)


@pytest.mark.parametrize(
    ("model", "part", "device_id", "flash_kib"),
    [
        ("nucleo-f401re", "stm32f401re", 0x433, 512),
        ("nucleo-f411re", "stm32f411re", 0x431, 512),
        ("nucleo-f446re", "stm32f446re", 0x421, 512),
        ("blackpill-f411ce", "stm32f411ce", 0x431, 512),
        ("stm32f407g-disc1", "stm32f407vg", 0x413, 1024),
    ],
)
def test_every_stm32_model_is_its_part_and_runs_what_is_flashed(
    tmp_path: Path, model: str, part: str, device_id: int, flash_kib: int
) -> None:
    usart = MODELS[model].console_serial + 1
    elf = build_firmware(tmp_path, tag="small", usart=usart)
    with (
        virtual_board(tmp_path, "--model", model) as board,
        console(board.entry["tty"]) as tty,
    ):
        entry = board.entry
        assert (entry["board_model"], entry["part"], entry["family"]) == (model, part, "stm32")
        looked = pyocd(
            *("cmd", "-u", board.probe, "-t", "stm32f412xg", "-M", "attach"),
            *("-c", "read32 0xE0042000", "-c", "read16 0x1FFF7A22"),
        )
        assert looked.returncode == 0, looked.stderr
        idcode, size = (line.split()[1] for line in looked.stdout.splitlines() if line[8:9] == ":")
        assert int(idcode, 16) & 0xFFF == device_id
        assert int(size, 16) == flash_kib
        stock_flash(board.probe, elf)
        tty.until(b"boot small")
        assert len(board.stats()["sector_erases"]) == (8 if flash_kib == 512 else 12)
        wait_for("the flash to be saved", lambda: board.stats()["sector_erases"][4] == 1)
        saved = (board.directory / "flash.bin").read_bytes()
        assert saved == flash_image(elf)[: flash_kib * 1024]


def test_a_board_without_power_answers_no_debugger_until_it_has_some(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        tty.until(b"boot one")
        assert order(board, op="power", state="off") == {"ok": True}
        assert board.now()["run_state"] == "OFF"
        assert pyocd("reset", "-u", board.probe, "-t", "stm32f412xg").returncode != 0
        assert board.now()["run_state"] == "OFF"
        tty.until_quiet()
        tty.forget()
        assert order(board, op="power", state="on") == {"ok": True}
        tty.until(b"boot one")
        stock_reset(board.probe)


def test_orders_reset_a_halted_board_and_refuse_a_loader_that_it_lacks(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000001")
        tty.forget()
        assert order(board, op="reset", mode="app") == {"ok": True}
        tty.until(b"boot one")
        assert not order(board, op="reset", mode="download")["ok"]
