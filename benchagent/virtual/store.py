"""The directory of one virtual board: its flash, its counters, its registry entry, its lock."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchagent.virtual.flash_array import Wear
from benchagent.virtual.machine import Fault, RunState
from benchagent.virtual.registry import BOARD_FILE, LOCK_FILE, is_locked

FLASH_FILE = "flash.bin"
RUN_FILE = "run.bin"
STATS_FILE = "stats.json"
PORT_FILE = "port"
PORTS_FILE = "ports.json"
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
    family: str
    flash_tool: str
    """The program that flashes it: `pyocd` or `esptool`."""
    probe: str
    """How the flash tool finds it: `remote:127.0.0.1:PORT` for `pyocd -u`, a path for esptool."""
    probe_uid: str
    """Stable over restarts: derived from the name."""
    tty: str
    tty_pid: int
    """The process that holds the terminal behind `tty`; another board's while they are swapped."""
    control: str
    """Path of the control socket: reset, power, identify, faults."""
    rfc2217: str
    """The serial port with reset lines as a pyserial URL; empty where there is none."""
    personality: tuple[str, ...]
    """What is different from a perfect board, as `--personality` takes it."""
    identified: int
    """How often somebody asked the board to show itself."""
    pid: int
    boot_time: str
    """When the board process started, RFC 3339 in UTC."""
    run_state: RunState
    note: str
    """What a reader should know about the run state; empty when there is nothing to say."""
    fault: Fault | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the ways to one board really are, whatever its registry entry says."""

    probe: str
    tty: str
    tty_pid: int
    control: str
    rfc2217: str


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
        self._told_ports = self._told_entry = b""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock_soon(self._lock):
            os.close(self._lock)
            raise BoardDirectoryError(f"another process runs the board in {self.path}")

    @property
    def flash_path(self) -> Path:
        """The flash contents, always a whole image."""
        return self.path / FLASH_FILE

    def load_flash(self, size: int) -> bytes:
        """The saved flash, or a blank one. Raises BoardDirectoryError for a wrong size."""
        try:
            contents = self.flash_path.read_bytes()
        except FileNotFoundError:
            return b"\xff" * size
        if len(contents) != size:
            raise BoardDirectoryError(
                f"{self.flash_path} has {len(contents)} bytes, not {size}: "
                "remove it to start with a blank board"
            )
        return contents

    @property
    def run_path(self) -> Path:
        """What the runner of a board with a personality starts from."""
        return self.path / RUN_FILE

    def save_run_image(self, contents: bytes) -> None:
        """Replace what the runner starts from in one step."""
        self._replace(RUN_FILE, contents)

    def save_flash(self, contents: bytes) -> None:
        """Replace the saved flash in one step."""
        self._replace(FLASH_FILE, contents)

    def load_wear(self, sectors: int) -> Wear:
        """The saved counters, or zeros when there are none; for a flash of so many sectors."""
        found = _read_json(self.path / STATS_FILE)
        wear = Wear()
        erases = found.get("sector_erases")
        if isinstance(erases, list) and len(erases) == sectors:
            wear.sector_erases = [int(count) for count in erases]
        for counter in fields(Wear):
            if counter.name != "sector_erases":
                setattr(wear, counter.name, int(found.get(counter.name, 0)))
        return wear

    def save_wear(self, wear: Wear) -> None:
        """Replace the saved counters in one step."""
        self._replace(STATS_FILE, json.dumps(asdict(wear)).encode() + b"\n")

    def last_port(self, name: str = PORT_FILE) -> int:
        """A TCP port of the last run, 0 when there is none."""
        try:
            port = int((self.path / name).read_text()[:8])
        except (OSError, ValueError):
            return 0
        return port if 0 < port < 65536 else 0

    def save_port(self, port: int, name: str = PORT_FILE) -> None:
        """Remember a TCP port."""
        self._replace(name, f"{port}\n".encode())

    def link_console(self, tty: str, name: str = CONSOLE_LINK) -> Path:
        """Point a console link at the PTY."""
        link = self.path / name
        fresh = self.path / (name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(tty)
        fresh.replace(link)
        return link.absolute()

    def unlink_consoles(self) -> None:
        """Remove the console links of this run."""
        for link in self.path.glob(CONSOLE_LINK + "*"):
            link.unlink(missing_ok=True)

    def save_ports(self, ports: Ports) -> None:
        """Tell the other boards where the ways to this one are, if that changed."""
        told = json.dumps(asdict(ports)).encode() + b"\n"
        if told != self._told_ports:
            self._replace(PORTS_FILE, told)
            self._told_ports = told

    def ports_of(self, name: str) -> Ports | None:
        """Where the ways to another board of this bench are; None when it tells nothing."""
        try:
            return Ports(**_read_json(self.path.parent / name / PORTS_FILE))
        except TypeError:
            return None

    def publish(self, entry: BoardEntry) -> None:
        """Replace the registry entry in one step, if it changed."""
        told = json.dumps(asdict(entry)).encode() + b"\n"
        if told != self._told_entry:
            self._replace(BOARD_FILE, told)
            self._told_entry = told

    def hide(self) -> None:
        """Remove the registry entry: the board is not plugged in."""
        (self.path / BOARD_FILE).unlink(missing_ok=True)
        self._told_entry = b""

    def withdraw(self) -> None:
        """Remove the registry entry and the console links, and free the directory."""
        self.hide()
        self.unlink_consoles()
        (self.path / PORTS_FILE).unlink(missing_ok=True)
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
            raw["personality"] = tuple(raw["personality"])
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
        return is_locked(board)
    except OSError:
        return False


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(_MAX_JSON))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
