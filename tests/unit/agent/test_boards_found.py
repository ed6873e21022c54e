"""Registry entries of virtual boards, hostile ones included."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from benchagent.board import Board, BoardKind, virtual_board
from benchagent.discovery import is_running, scan_virtual
from benchagent.discovery.virtual import Departures

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=10,
)


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "name": "vf405-01",
        "board_model": "olimex-stm32-h405",
        "part": "stm32f405rg",
        "probe": "remote:127.0.0.1:4000",
        "probe_uid": "ABC",
        "tty": "/bench/vf405-01/console",
        "pid": os.getpid(),
        "boot_time": datetime.now(UTC).isoformat(),
        "fault": None,
        **fields,
    }


def found(alive: bool = True, **fields: Any) -> Board:
    board = virtual_board(Path("/bench/vf405-01"), entry(**fields), alive=alive)
    assert board is not None
    return board


def test_a_healthy_entry_becomes_a_board() -> None:
    board = found()
    assert (board.board_id, board.kind, board.health) == ("vf405-01", BoardKind.VIRTUAL, "ok")
    assert board.port == Path("/bench/vf405-01/console")
    assert not board.experimental


def test_a_dead_board_has_no_port_and_says_how_to_start_it() -> None:
    board = found(alive=False)
    assert board.port is None
    assert "benchline up" in board.health


def test_a_fault_names_the_tool_and_its_package() -> None:
    fault = {"tool": "qemu-system-arm", "reason": "not found", "package": "qemu-system-arm"}
    assert found(fault=fault).health == "qemu-system-arm: not found (apt package qemu-system-arm)"


def test_an_entry_under_another_name_is_left_out() -> None:
    assert virtual_board(Path("/bench/other"), entry(), alive=True) is None


@given(fields=st.dictionaries(st.sampled_from(sorted(entry())), anything), alive=st.booleans())
def test_no_entry_breaks_the_agent(fields: dict[str, Any], alive: bool) -> None:
    board = virtual_board(Path("/bench/vf405-01"), entry(**fields), alive=alive)
    assert board is None or len(board.health) < 1000


def test_a_board_that_was_ended_and_stays_away_has_left(tmp_path: Path) -> None:
    now = 0.0
    looks = Departures(tmp_path, after_s=30, clock=lambda: now)
    for name in ("ended", "killed", "unplugged", "Bad name", "returned"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
    (tmp_path / "killed" / "board.json").write_text(json.dumps(entry(name="killed")))
    with (tmp_path / "unplugged" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert looks.look() == ()
        now = 29.0
        assert looks.look() == ()
        (tmp_path / "returned" / "board.json").touch()
        now = 31.0
        assert looks.look() == ("ended",)
        now = 45.0
        assert looks.look() == ("ended",)
    now = 61.0
    assert looks.look() == ("ended", "unplugged")
    (tmp_path / "ended" / "board.json").touch()
    assert looks.look() == ("unplugged",)
    assert Departures(tmp_path / "missing").look() == ()


def test_a_folder_of_entries_is_scanned_by_name(tmp_path: Path) -> None:
    for name in ("vf405-02", "vf405-01", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "board.json").write_text(json.dumps(entry(name=name)))
    (tmp_path / "broken" / "board.json").write_text("{")
    assert [board.board_id for board in scan_virtual(tmp_path)] == ["vf405-01", "vf405-02"]
    assert scan_virtual(tmp_path / "missing") == []


def test_a_process_lives_until_it_ends_and_a_later_one_of_its_number_does_not_count() -> None:
    now = datetime.now(UTC).isoformat()
    assert is_running(os.getpid(), now)
    assert not is_running(os.getpid(), "2000-01-01T00:00:00+00:00")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not is_running(child.pid, now)
    for nonsense in (None, "1", -1, True, 0):
        assert not is_running(nonsense, now)
