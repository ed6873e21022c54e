"""Which switch a board hangs on: `bench.toml` in the agent's folder.

```toml
[power.nucleo-1]        # a board id, as `benchline boards` lists it
driver = "uhubctl"      # or "command", "http"
location = "1-1.4"
port = 2
```

Written by the bench's owner; read again whenever it changes.
"""

import contextlib
import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchagent.board import Board
from benchagent.power.http import HttpSwitch
from benchagent.power.program import CommandSwitch, UhubctlSwitch
from benchagent.power.protocol import PowerError, PowerSwitch
from benchagent.power.virtual import ControlSwitch
from benchline.names import BOARD_ID

log = logging.getLogger(__name__)

FILE = "bench.toml"
_MAX_BYTES = 256 * 1024
_SECONDS = ("off_s", "run_s", "answer_s")
_LONGEST_S = 120.0
_NOTHING: Mapping[str, PowerSwitch] = MappingProxyType({})

_DRIVERS: dict[str, tuple[Callable[..., PowerSwitch], dict[str, type]]] = {
    "uhubctl": (UhubctlSwitch, {"location": str, "port": int, "program": str}),
    "command": (CommandSwitch, {"on": list, "off": list, "cycle": list}),
    "http": (HttpSwitch, {"on": str, "off": str, "cycle": str, "method": str}),
}


class SwitchFileError(ValueError):
    """The file says something that means nothing; the message says what and where."""


class PowerSwitches:
    """The switches of the boards of an agent."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._stamp: tuple[int, int] | None = None
        self._switches = _NOTHING
        self.fault = ""
        """Why the file cannot be used; empty when it can, or is not there."""

    def of(self, board_id: str, board: Board | None) -> PowerSwitch | None:
        """The switch of a board that may be away; None when it has none."""
        self.look()
        configured = self._switches.get(board_id)
        if configured is not None:
            return configured
        if board is not None and board.control is not None:
            return ControlSwitch(path=str(board.control))
        return None

    def marked(self, board: Board) -> Board:
        """The board as it is told: with the ability `power` when it hangs on a switch."""
        if "power" in board.abilities or self.of(board.board_id, board) is None:
            return board
        return replace(board, abilities=(*board.abilities, "power"))

    def required(self, board_id: str, board: Board | None) -> PowerSwitch:
        """The switch of a board. Raises PowerError."""
        found = self.of(board_id, board)
        if found is None:
            why = self.fault or f"add [power.{board_id}] to {self._path}"
            raise PowerError(f"nothing here switches the power of {board_id}: {why}")
        return found

    def look(self) -> bool:
        """Read the file again when it changed; whether it did."""
        stamp = None
        with contextlib.suppress(OSError):
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        if stamp is None:
            self._switches, self.fault = _NOTHING, ""
        else:
            self._read()
        return True

    def _read(self) -> None:
        try:
            with self._path.open("rb") as stream:
                self._switches = parse_switches(stream.read(_MAX_BYTES).decode())
            self.fault = ""
        except (OSError, ValueError) as error:
            self._switches, self.fault = _NOTHING, f"{self._path}: {error}"
            log.warning("power switches not readable", extra={"why": self.fault})


def parse_switches(text: str) -> dict[str, PowerSwitch]:
    """The switches by board id. Raises ValueError, which says what is wrong where."""
    tables = tomllib.loads(text).get("power", {})
    if not isinstance(tables, dict):
        raise SwitchFileError("power is a table of boards: [power.BOARD]")
    return {board_id: _switch(board_id, entry) for board_id, entry in tables.items()}


def _switch(board_id: str, entry: Any) -> PowerSwitch:
    where = f"[power.{board_id}]"
    if not BOARD_ID.fullmatch(board_id) or not isinstance(entry, dict):
        raise SwitchFileError(f"{where} is no table of a board")
    driver = entry.get("driver")
    if driver not in _DRIVERS:
        raise SwitchFileError(f"{where} driver = {driver!r} is not one of {', '.join(_DRIVERS)}")
    make, kinds = _DRIVERS[driver]
    fields: dict[str, Any] = {}
    for name, value in entry.items():
        if name in _SECONDS:
            fields[name] = _seconds(where, name, value)
        elif name in kinds:
            fields[name] = _field(where, name, value, kinds[name])
        elif name != "driver":
            raise SwitchFileError(f"{where} {name} means nothing to the driver {driver}")
    try:
        return make(**fields)
    except TypeError as error:
        needed = " and ".join(name for name in kinds if name not in (*fields, "cycle", "method"))
        raise SwitchFileError(f"{where} needs {needed or 'other fields'}") from error
    except ValueError as error:
        raise SwitchFileError(f"{where} {error}") from error


def _seconds(where: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SwitchFileError(f"{where} {name} is a number of seconds")
    if not 0 <= value <= _LONGEST_S:
        raise SwitchFileError(f"{where} {name} is {_LONGEST_S:g} at most")
    return float(value)


def _field(where: str, name: str, value: Any, kind: type) -> Any:
    if kind is list:
        if not isinstance(value, list) or not value or not all(isinstance(w, str) for w in value):
            raise SwitchFileError(f'{where} {name} is a program with its words: ["relay", "on"]')
        return tuple(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise SwitchFileError(f"{where} {name} is {'a number' if kind is int else 'a text'}")
    return value
