"""Finds the boards of the virtual bench by its registry folder."""

import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchagent.board import Board, virtual_board
from benchagent.virtual.registry import BOARD_FILE, LOCK_FILE, is_locked
from benchline.names import BOARD_ID

LEFT_AFTER_S = 30.0
"""How long a board that was ended may take to be started again before it has left."""
_MAX_ENTRY_BYTES = 64 * 1024
_MAX_ENTRIES = 256
_START_SLACK_S = 2.0


def scan_virtual(folder: Path) -> list[Board]:
    """The boards that the registry folder names, by name; also those whose process died."""
    boards: list[Board] = []
    for place in _places(folder):
        entry = _entry(place / BOARD_FILE)
        if entry is None:
            continue
        alive = is_running(entry.get("pid"), entry.get("boot_time"))
        board = virtual_board(place, entry, alive=alive)
        if board is not None:
            boards.append(board)
    return boards


class Departures:
    """Tells which virtual boards of a registry folder were ended on purpose and stayed away.

    They withdraw their entry. One that is only unplugged does that too, but its process still
    holds the lock; one that was killed leaves its entry behind.
    """

    def __init__(
        self,
        folder: Path,
        *,
        after_s: float = LEFT_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._after_s = after_s
        self._clock = clock
        self._since: dict[str, float] = {}
        self._left: frozenset[str] = frozenset()

    def look(self) -> tuple[str, ...]:
        """Ids of the boards that have left, by name."""
        now = self._clock()
        away = self._away()
        self._since = {name: self._since.get(name, now) for name in away}
        due = {name for name, since in self._since.items() if now - since >= self._after_s}
        # The lock is tried once a board is due, not at each look: the board that takes it waits.
        held = {name for name in due - self._left if _is_held(self._folder / name)}
        self._since |= dict.fromkeys(held, now)
        self._left = frozenset(due - held)
        return tuple(sorted(self._left))

    def _away(self) -> list[str]:
        return [
            place.name
            for place in _places(self._folder)
            if BOARD_ID.fullmatch(place.name)
            and (place / LOCK_FILE).exists()
            and not (place / BOARD_FILE).exists()
        ]


def _places(folder: Path) -> list[Path]:
    """The folders of the boards, by name; none where there is no virtual bench."""
    try:
        return sorted(folder.iterdir())[:_MAX_ENTRIES]
    except OSError:
        return []


def _is_held(place: Path) -> bool:
    """Whether a board's process lives; also where that cannot be seen."""
    try:
        return is_locked(place)
    except OSError:
        return True


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
