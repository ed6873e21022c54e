"""The file that keeps board ids: `boards.toml` in the agent's folder.

The agent and `benchline agent boards` both write it, each under a lock and all at once, so that
neither loses what the other wrote. Operators may read it and, with the agent stopped, edit it.
"""

import contextlib
import fcntl
import json
import logging
import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchagent.board import Chip
from benchagent.discovery.record import Record
from benchline.names import BOARD_ID

log = logging.getLogger(__name__)

FILE = "boards.toml"
_HEAD = """\
# Boards that this agent knows by their USB keys, so that their ids survive another socket and
# another device name. Written by the agent; see `benchline agent boards --help`.
"""
_FIELD_TYPES: dict[str, type] = {
    "location": str,
    "pinned": bool,
    "ignored": bool,
    "enrolled_time": datetime,
    "family": str,
    "part": str,
    "model": str,
}
_MAX_BYTES = 4 * 1024 * 1024

Change = Callable[[dict[str, Record]], dict[str, Record]]


class BoardBook:
    """Records of boards by id, on disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = folder / "boards.lock"

    def stamp(self) -> tuple[int, int]:
        """Changes when the file does."""
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def read(self) -> dict[str, Record]:
        """The records as they are now."""
        with self._locked():
            return self._load()

    def change(self, change: Change) -> dict[str, Record]:
        """Read, change and write; what `change` raises leaves the file as it is."""
        with self._locked():
            before = self._load()
            after = change(dict(before))
            if after != before:
                self._store(after)
            return after

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _load(self) -> dict[str, Record]:
        try:
            with self.path.open("rb") as stream:
                text = stream.read(_MAX_BYTES).decode()
        except FileNotFoundError:
            return {}
        try:
            return parse_records(text)
        except (ValueError, TypeError, KeyError) as error:
            aside = self.path.with_name(f"{FILE}.unreadable")
            self.path.replace(aside)
            log.warning(
                "boards file not readable; ids and names begin anew",
                extra={"kept": str(aside), "why": str(error)},
            )
            return {}

    def _store(self, records: dict[str, Record]) -> None:
        fresh = self.path.with_name(f"{FILE}.new")
        with fresh.open("w", encoding="utf-8") as stream:
            stream.write(records_text(records))
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self.path)


def records_text(records: dict[str, Record]) -> str:
    """Records as TOML, by id."""
    parts = [_HEAD]
    for board_id in sorted(records):
        record = records[board_id]
        parts.append(_table(f"board.{board_id}", _record_fields(record)))
        if record.chip is not None:
            parts.append(_table(f"board.{board_id}.chip", asdict(record.chip)))
    return "\n".join(parts)


def parse_records(text: str) -> dict[str, Record]:
    """Records from TOML. Raises KeyError, TypeError or ValueError."""
    found: dict[str, dict[str, Any]] = tomllib.loads(text).get("board", {})
    return {board_id: _record(board_id, entry) for board_id, entry in found.items()}


def _record(board_id: str, entry: dict[str, Any]) -> Record:
    if not BOARD_ID.fullmatch(board_id):
        raise ValueError(f"{board_id!r} is no board id")
    chip = entry.pop("chip", None)
    keys = entry.pop("keys")
    if not all(isinstance(key, str) for key in keys):
        raise TypeError(f"the keys of {board_id} are no texts")
    for name, value in entry.items():
        if not isinstance(value, _FIELD_TYPES[name]):
            raise TypeError(f"{name} of {board_id} is {value!r}")
    return Record(board_id=board_id, keys=tuple(keys), chip=_chip(chip), **entry)


def _chip(entry: dict[str, Any] | None) -> Chip | None:
    if entry is None:
        return None
    entry.setdefault("name", "")
    entry["features"] = tuple(entry.get("features", ()))
    entry["protections"] = tuple(entry.get("protections", ()))
    return Chip(**entry)


def _record_fields(record: Record) -> dict[str, object]:
    return {name: getattr(record, name) for name in ("keys", *_FIELD_TYPES)}


def _table(name: str, fields: dict[str, object]) -> str:
    lines = [f"[{name}]"]
    lines += [
        f"{key} = {_value(value)}" for key, value in fields.items() if value not in (None, "")
    ]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case _:
            # A JSON string is a TOML basic string but for DEL, which JSON leaves as it is.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
