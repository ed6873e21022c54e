"""The files of a virtual board."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchagent.virtual.flash_array import Wear
from benchagent.virtual.machine import Fault, RunState
from benchagent.virtual.store import (
    BoardDirectoryError,
    BoardEntry,
    BoardStore,
    probe_uid,
    registered_boards,
)

SIZE = 1 << 20


def entry(name: str, fault: Fault | None = None) -> BoardEntry:
    return BoardEntry(
        name=name,
        kind="VIRTUAL",
        board_model="olimex-stm32-h405",
        part="stm32f405rg",
        family="stm32",
        flash_tool="pyocd",
        probe="remote:127.0.0.1:5555",
        probe_uid=probe_uid(name),
        tty="/dev/null",
        tty_pid=os.getpid(),
        control="/dev/null",
        rfc2217="",
        personality=("slow-boot=1s",),
        identified=0,
        pid=os.getpid(),
        boot_time="2026-01-01T00:00:00.000+00:00",
        run_state=RunState.BLANK,
        note="",
        fault=fault,
    )


@pytest.mark.parametrize("name", ["", "../up", "UPPER", "a/b", "x" * 64, ".hidden"])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BoardDirectoryError, match="no board name"):
        BoardStore(tmp_path, name)


def test_a_directory_is_held_by_one_store_at_a_time(tmp_path: Path) -> None:
    first = BoardStore(tmp_path, "a")
    with pytest.raises(BoardDirectoryError, match="another process"):
        BoardStore(tmp_path, "a")
    first.withdraw()
    BoardStore(tmp_path, "a").withdraw()


def test_flash_and_counters_come_back_as_saved(tmp_path: Path) -> None:
    store = BoardStore(tmp_path, "a")
    assert store.load_flash(SIZE) == b"\xff" * SIZE
    contents = bytes(SIZE)
    store.save_flash(contents)
    store.save_wear(Wear(mass_erases=3, sector_erases=list(range(12)), resets=9))
    assert store.load_flash(SIZE) == contents
    assert store.load_wear(12) == Wear(mass_erases=3, sector_erases=list(range(12)), resets=9)
    store.withdraw()


def test_a_flash_file_of_the_wrong_size_is_not_taken_for_flash(tmp_path: Path) -> None:
    store = BoardStore(tmp_path, "a")
    store.flash_path.write_bytes(b"short")
    with pytest.raises(BoardDirectoryError, match="has 5 bytes"):
        store.load_flash(SIZE)
    store.withdraw()


def test_a_port_that_is_no_port_is_forgotten(tmp_path: Path) -> None:
    store = BoardStore(tmp_path, "a")
    assert store.last_port() == 0
    store.save_port(40_000)
    assert store.last_port() == 40_000
    (store.path / "port").write_text("99999999")
    assert store.last_port() == 0
    store.withdraw()


def test_only_held_and_readable_entries_are_listed(tmp_path: Path) -> None:
    held, broken, left = (BoardStore(tmp_path, name) for name in ("held", "broken", "left"))
    fault = Fault(tool="qemu-system-arm", package="qemu-system-arm", reason="it is not installed")
    held.publish(entry("held", fault))
    broken.publish(entry("broken"))
    (broken.path / "board.json").write_text(json.dumps({"name": "broken"}))
    left.publish(entry("left"))
    stale = (left.path / "board.json").read_text()
    left.withdraw()
    (left.path / "board.json").write_text(stale)
    assert registered_boards(tmp_path) == [entry("held", fault)]
    held.withdraw()
    broken.withdraw()
    assert registered_boards(tmp_path) == []


def test_a_probe_keeps_its_serial_number() -> None:
    assert probe_uid("vf405-01") == probe_uid("vf405-01") != probe_uid("vf405-02")
    assert len(probe_uid("vf405-01")) == 24
