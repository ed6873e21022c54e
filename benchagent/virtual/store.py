"""The directory of one virtual board: its flash, its counters, its registry entry, its lock."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchagent.virtual import f405
from benchagent.virtual.flash_memory import Wear
from benchagent.virtual.machine import Fault, RunState

FLASH_FILE = "flash.bin"
STATS_FILE = "stats.json"
BOARD_FILE = "board.json"
PORT_FILE = "port"
LOCK_FILE = "lock"
CONSOLE_LINK = "console"
_MAX_JSON = 64 * 1024
_LOCK_WAIT_S = 0.5
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


class BoardDirectoryError(RuntimeError):
    """The board's directory cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardEntry:
    """What `board.json` tells an agent about a virtual board."""

    name: str
    kind: str
    board_model: str
    part: str
    probe: str
    """Address for `pyocd -u`: `remote:127.0.0.1:PORT`."""
    probe_uid: str
    """Stable over restarts: derived from the name."""
    tty: str
    pid: int
    boot_time: str
    """When the board process started, RFC 3339 in UTC."""
    run_state: RunState
    fault: Fault | None


def probe_uid(name: str) -> str:
    """The serial number of a virtual board's probe: 24 upper case hex digits, as an ST-Link's."""
    return hashlib.sha256(b"virtual probe " + name.encode()).hexdigest()[:24].upper()


class BoardStore:
    """Reads and writes one board's directory; only one process at a time holds it.

    Raises BoardDirectoryError when the name is bad, the directory is in use or flash.bin is not
    a flash image.
    """

    def __init__(self, directory: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise BoardDirectoryError(
                f"{name!r} is no board name: [a-z0-9][a-z0-9_.-]*, 63 at most"
            )
        self.path = directory / name
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock_soon(self._lock):
            os.close(self._lock)
            raise BoardDirectoryError(f"another process runs the board in {self.path}")

    @property
    def flash_path(self) -> Path:
        """The flash contents, always a whole image."""
        return self.path / FLASH_FILE

    def load_flash(self) -> bytes:
        """The saved flash, or a blank one. Raises BoardDirectoryError for a wrong size."""
        try:
            contents = self.flash_path.read_bytes()
        except FileNotFoundError:
            return b"\xff" * f405.FLASH_SIZE
        if len(contents) != f405.FLASH_SIZE:
            raise BoardDirectoryError(
                f"{self.flash_path} has {len(contents)} bytes, not {f405.FLASH_SIZE}: "
                "remove it to start with a blank board"
            )
        return contents

    def save_flash(self, contents: bytes) -> None:
        """Replace the saved flash in one step."""
        self._replace(FLASH_FILE, contents)

    def load_wear(self) -> Wear:
        """The saved counters, or zeros when there are none."""
        found = _read_json(self.path / STATS_FILE)
        wear = Wear()
        erases = found.get("sector_erases")
        if isinstance(erases, list) and len(erases) == len(wear.sector_erases):
            wear.sector_erases = [int(count) for count in erases]
        for counter in (
            "mass_erases",
            "programmed_bytes",
            "program_errors",
            "resets",
            "boots",
            "console_dropped_bytes",
        ):
            setattr(wear, counter, int(found.get(counter, 0)))
        return wear

    def save_wear(self, wear: Wear) -> None:
        """Replace the saved counters in one step."""
        self._replace(STATS_FILE, json.dumps(asdict(wear)).encode() + b"\n")

    def last_port(self) -> int:
        """The probe's TCP port of the last run, 0 when there is none."""
        try:
            port = int((self.path / PORT_FILE).read_text()[:8])
        except (OSError, ValueError):
            return 0
        return port if 0 < port < 65536 else 0

    def save_port(self, port: int) -> None:
        """Remember the probe's TCP port."""
        self._replace(PORT_FILE, f"{port}\n".encode())

    def link_console(self, tty: str) -> Path:
        """Point the stable console link at the PTY."""
        link = self.path / CONSOLE_LINK
        fresh = self.path / (CONSOLE_LINK + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(tty)
        fresh.replace(link)
        return link

    def publish(self, entry: BoardEntry) -> None:
        """Replace the registry entry in one step."""
        self._replace(BOARD_FILE, json.dumps(asdict(entry)).encode() + b"\n")

    def withdraw(self) -> None:
        """Remove the registry entry and the console link, and free the directory."""
        (self.path / BOARD_FILE).unlink(missing_ok=True)
        (self.path / CONSOLE_LINK).unlink(missing_ok=True)
        os.close(self._lock)

    def _replace(self, name: str, contents: bytes) -> None:
        fresh = self.path / (name + ".new")
        fresh.write_bytes(contents)
        fresh.replace(self.path / name)


def registered_boards(directory: Path) -> list[BoardEntry]:
    """The boards under `directory` whose process lives, by name; broken entries are left out.

    A process that was killed leaves its entry but not its lock, and so is not listed.
    """
    found: list[BoardEntry] = []
    for path in sorted(directory.glob(f"*/{BOARD_FILE}")):
        if not _is_running(path.parent):
            continue
        raw = _read_json(path)
        try:
            fault = raw["fault"]
            raw["fault"] = Fault(**fault) if fault is not None else None
            raw["run_state"] = RunState(raw["run_state"])
            found.append(BoardEntry(**raw))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _lock_soon(lock: int) -> bool:
    """Take the lock; a reader of the registry holds it for an instant, a board for its life."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _is_running(board: Path) -> bool:
    try:
        lock = os.open(board / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(_MAX_JSON))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
