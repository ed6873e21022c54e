"""Faults of virtual boards, under the stock tools and a reader that holds the port."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchagent.discovery.virtual import scan_virtual
from benchagent.ports import open_port
from benchagent.virtual.store import registered_boards
from tests.process.virtual.boards import (
    ROOT,
    STOCK_TARGET,
    WAIT_S,
    RunningBoard,
    board_command,
    build_firmware,
    c3_image,
    console,
    environment,
    esptool,
    flash_image,
    order,
    pyocd,
    stock_esptool,
    stock_flash,
    stock_readback,
    virtual_board,
    wait_for,
)

FAMILIES = ["stm32", "esp32"]
MODELS: dict[str, tuple[str, ...]] = {"stm32": (), "esp32": ("--model", "esp32-c3-devkitm-1")}
QUICK = ("--connect-attempts", "1")


@contextlib.contextmanager
def board_with_firmware(
    directory: Path, family: str, *options: str, name: str = "board"
) -> Iterator[RunningBoard]:
    image = c3_image() if family == "esp32" else flash_image(build_firmware(directory))
    (directory / name).mkdir()
    size = (4 if family == "esp32" else 1) << 20
    (directory / name / "flash.bin").write_bytes(image.ljust(size, b"\xff"))
    with virtual_board(directory, *MODELS[family], *options, name=name) as board:
        yield board


def answers(board: RunningBoard, family: str) -> bool:
    """Whether the stock tool finds the chip where the registry says."""
    entry = board.now()
    if family == "esp32":
        return esptool(entry["probe"], *QUICK, "--after", "no-reset", "chip-id").returncode == 0
    options = ("-u", entry["probe"], "-t", STOCK_TARGET, "-M", "attach")
    return pyocd("cmd", *options, "-c", "read32 0x08000000 4").returncode == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_board_that_is_plugged_in_again_has_other_ports(tmp_path: Path, family: str) -> None:
    with board_with_firmware(tmp_path, family) as board, console(board.entry["tty"]) as tty:
        tty.until(b"boot one")
        before = board.now()
        assert order(board, op="fault", fault="replug=0.5") == {"ok": True}
        # It answers unplugged; how long it stays so is over when a busy machine gets to look.
        wait_for("the board to come back", lambda: (board.directory / "board.json").exists())
        assert not Path(before["tty"]).exists()
        after = board.now()
        assert after["probe_uid"] == before["probe_uid"]
        for way in ("tty", "probe"):
            assert after[way] != before[way]
        tty.until_lost()
        with console(after["tty"]) as again:
            again.until(b"boot one")
        assert answers(board, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_unplugged_board_is_gone_until_it_is_plugged_in(tmp_path: Path, family: str) -> None:
    with board_with_firmware(tmp_path, family) as board:
        assert order(board, op="fault", fault="unplug") == {"ok": True}
        assert registered_boards(tmp_path) == []
        refused = order(board, op="power", state="cycle")
        assert not refused["ok"]
        assert "unplugged" in refused["message"]
        assert order(board, op="fault", fault="clear") == {"ok": True}
        assert [entry.name for entry in registered_boards(tmp_path)] == ["board"]
        assert answers(board, family)


def test_a_board_can_be_pulled_in_the_middle_of_a_write(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(os.urandom(200_000))
    with virtual_board(tmp_path, *MODELS["esp32"], "--fault", "unplug=60") as board:
        done = esptool(board.entry["probe"], "write-flash", "0x0", str(image))
        assert done.returncode != 0
        assert registered_boards(tmp_path) == []
        order(board, op="fault", fault="clear")
        stock_esptool(board.now()["probe"], "write-flash", "0x0", str(image))
    saved = (board.directory / "flash.bin").read_bytes()
    assert saved[:200_000] == image.read_bytes()


def test_a_stm32_board_can_be_pulled_in_the_middle_of_a_write(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path, padding=60_000)
    with virtual_board(tmp_path, "--fault", "unplug=400") as board:
        done = pyocd("flash", "-u", board.probe, "--target", STOCK_TARGET, str(elf))
        assert done.returncode != 0
        assert registered_boards(tmp_path) == []
        order(board, op="fault", fault="clear")
        probe = board.now()["probe"]
        assert probe != board.probe
        stock_flash(probe, elf)
        assert stock_readback(probe, tmp_path) == flash_image(elf)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_port_fails_while_it_is_read_and_is_there_again(tmp_path: Path, family: str) -> None:
    with board_with_firmware(tmp_path, family) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000000\n")
        behind = Path(board.entry["tty"]).resolve()
        tty.forget()
        order(board, op="fault", fault="eio=40")
        tty.until_lost()
        assert len(tty.seen) <= 40
        assert board.now()["tty"] == board.entry["tty"]
        wait_for("a fresh PTY", lambda: Path(board.entry["tty"]).resolve() != behind)
        with console(board.entry["tty"]) as again:
            again.until(b"tick")
            again.send(b"ping\n")
            again.until(b"pong\n")


def test_a_wrong_bit_shows_in_every_read_of_an_esp32(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(bytes(8192))
    with virtual_board(tmp_path, *MODELS["esp32"]) as board:
        port = board.entry["probe"]
        order(board, op="fault", fault="readback=0x123")
        done = esptool(port, "write-flash", "0x0", str(image))
        assert done.returncode != 0
        assert "MD5" in done.stdout + done.stderr
        assert esptool(port, "verify-flash", "0x0", str(image)).returncode != 0
        order(board, op="fault", fault="clear")
        stock_esptool(port, "verify-flash", "0x0", str(image))


def test_a_wrong_bit_shows_in_every_read_of_an_stm32(tmp_path: Path) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path, "--fault", "readback=0x08010000") as board:
        stock_flash(board.probe, elf)
        wrong = bytearray(flash_image(elf))
        wrong[0x10000] ^= 1
        assert stock_readback(board.probe, tmp_path) == wrong
        answer = order(board, op="fault", fault="readback=0x20000000")
        assert not answer["ok"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wedged_board_is_cured_by_power_alone(tmp_path: Path, family: str) -> None:
    with board_with_firmware(tmp_path, family) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000000\n")
        order(board, op="fault", fault="wedged")
        tty.until_quiet()
        assert board.now()["run_state"] == "WEDGED"
        assert not answers(board, family)
        assert order(board, op="reset", mode="app") == {"ok": True}
        assert not answers(board, family)
        tty.forget()
        assert order(board, op="power", state="cycle") == {"ok": True}
        tty.until(b"boot one")
        assert answers(board, family)


def test_an_esp32_wedges_in_the_middle_of_a_write(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(os.urandom(200_000))
    with virtual_board(tmp_path, *MODELS["esp32"], "--fault", "wedged=60") as board:
        assert esptool(board.entry["probe"], "write-flash", "0x0", str(image)).returncode != 0
        board.wait_run_state("WEDGED")
        order(board, op="power", state="cycle")
        stock_esptool(board.entry["probe"], "write-flash", "0x0", str(image))


@pytest.mark.parametrize("family", FAMILIES)
def test_swapped_boards_keep_their_identities_and_exchange_their_ports(
    tmp_path: Path, family: str
) -> None:
    with (
        virtual_board(tmp_path, *MODELS[family], name="one") as one,
        virtual_board(tmp_path, *MODELS[family], name="two") as two,
    ):
        for board, other in ((one, "two"), (two, "one")):
            order(board, op="fault", fault=f"swapped={other}")
        found = {entry.name: entry for entry in registered_boards(tmp_path)}
        assert found["one"].probe_uid == one.uid
        for way in ("probe", "tty", "control", "rfc2217"):
            assert getattr(found["one"], way) == two.entry[way]
            assert getattr(found["two"], way) == one.entry[way]
        for seen in scan_virtual(tmp_path):  # an agent can use them, as it can a swapped cable
            assert seen.port is not None
            os.close(open_port(seen.port, seen.port_owner))
        if family == "esp32":
            said = stock_esptool(found["one"].probe, "chip-id")
            assert two.uid in said
            assert one.uid not in said
        order(one, op="fault", fault="clear")
        assert one.now()["probe"] == one.entry["probe"]


def test_a_silent_loader_answers_no_sync(tmp_path: Path) -> None:
    with virtual_board(tmp_path, *MODELS["esp32"], "--fault", "silent") as board:
        done = esptool(board.entry["probe"], *QUICK, "chip-id")
        assert done.returncode != 0
        assert "Failed to connect" in done.stdout + done.stderr
        order(board, op="fault", fault="clear")
        assert answers(board, "esp32")


def test_a_silent_probe_takes_a_request_and_never_answers(tmp_path: Path) -> None:
    with virtual_board(tmp_path, "--fault", "silent") as board:
        port = int(board.probe.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(b'{"id": 7, "request": "hello", "arguments": [1]}\n')
            with pytest.raises(TimeoutError):
                client.recv(1)
        order(board, op="fault", fault="clear")
        assert answers(board, "stm32")


@pytest.mark.parametrize("text", ["fire", "readback", "swapped=../x"])
def test_a_fault_that_nobody_knows_is_refused(tmp_path: Path, text: str) -> None:
    with virtual_board(tmp_path) as board:
        answer = order(board, op="fault", fault=text)
        assert answer["ok"] is False
    done = subprocess.run(
        board_command(tmp_path, "other", "--fault", text),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env=environment(),
    )
    assert done.returncode == 3
    assert done.stderr
