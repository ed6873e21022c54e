"""Finds the boards of the virtual bench by its registry folder."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from benchagent.board import Board, virtual_board

BOARD_FILE = "board.json"
_MAX_ENTRY_BYTES = 64 * 1024
_MAX_ENTRIES = 256
_START_SLACK_S = 2.0


def scan_virtual(folder: Path) -> list[Board]:
    """The boards that the registry folder names, by name; also those whose process died."""
    boards: list[Board] = []
    try:
        places = sorted(folder.iterdir())[:_MAX_ENTRIES]
    except OSError:
        return boards
    for place in places:
        entry = _entry(place / BOARD_FILE)
        if entry is None:
            continue
        alive = is_running(entry.get("pid"), entry.get("boot_time"))
        board = virtual_board(place, entry, alive=alive)
        if board is not None:
            boards.append(board)
    return boards


def is_running(pid: object, since: object) -> bool:
    """Whether the process that wrote an entry lives: the pid does, and is not a later one's."""
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    if fields[0] in "ZX":
        return False
    try:
        started = _boot_time_s() + int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return started <= datetime.fromisoformat(str(since)).timestamp() + _START_SLACK_S
    except ValueError:
        return True


def _entry(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(_MAX_ENTRY_BYTES))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _boot_time_s() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
