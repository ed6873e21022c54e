"""Compiled objects by the hash of everything that made them."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 512 << 20


def key_of(facts: Mapping[str, str | Sequence[str]]) -> str:
    """A content key: SHA-256 over the facts in a canonical form."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedObject:
    """An object file and what the compiler said when it made it."""

    path: Path
    stderr: bytes


class ObjectCache:
    """A directory of object files; entries appear atomically and are never changed.

    Safe for several processes at once. The oldest entries go when it grows over 512 MiB.
    """

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        directory.mkdir(parents=True, exist_ok=True)

    def find(self, key: str) -> CachedObject | None:
        """The entry of `key`, marked as just used; None when there is none."""
        path = self._object(key)
        try:
            os.utime(path)
            return CachedObject(path=path, stderr=path.with_suffix(".txt").read_bytes())
        except FileNotFoundError:
            return None

    def add(self, key: str, made: Path, stderr: bytes) -> CachedObject:
        """Keep a copy of the object file `made`."""
        path = self._object(key)
        self._write(path.with_suffix(".txt"), stderr)
        self._write(path, made.read_bytes())
        return CachedObject(path=path, stderr=stderr)

    def prune(self) -> None:
        """Drop the least recently used entries beyond the size limit."""
        entries = []
        for path in self.directory.glob("*.o"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                entries.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            path.with_suffix(".txt").unlink(missing_ok=True)
            total -= size

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)

    def _object(self, key: str) -> Path:
        return self.directory / f"{key}.o"

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}")
        temporary.write_bytes(data)
        temporary.replace(path)
