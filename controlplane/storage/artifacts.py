"""Immutable bytes by their sha256, as files.

A file is written under another name, flushed, renamed and its folder flushed, so that a name is
either absent or whole. Every read is checked against the digest.
"""

import asyncio
import hashlib
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from benchline.errors import CorruptError, ExhaustedError, InvalidRequestError, NotFoundError
from controlplane.domain.artifact import Artifact
from controlplane.ops.room import make_room
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import from_us, to_us, utc_now

MAX_ARTIFACT_BYTES = 16 * 1024 * 1024
DEFAULT_TOTAL_BYTES = 8 * 1024 * 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COLUMNS = "kind, filename, sha256, size_bytes, create_us"


class ArtifactStore:
    """Artifacts of one instance, in `root/ab/cdef…`."""

    def __init__(
        self,
        root: Path,
        database: Database,
        *,
        total_bytes: int = DEFAULT_TOTAL_BYTES,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._root = root
        self._database = database
        self._total_bytes = total_bytes
        self._now = now

    async def put(self, data: bytes, *, kind: str, filename: str) -> Artifact:
        """Store bytes durably. The same bytes are stored once, and repair a damaged file.

        Raises:
            ExhaustedError: ARTIFACT_TOO_LARGE (16 MiB), ARTIFACTS_FULL or DISK_FULL.
        """
        if len(data) > MAX_ARTIFACT_BYTES:
            raise ExhaustedError(
                "ARTIFACT_TOO_LARGE",
                f"{filename} has {len(data)} bytes; an artifact has at most {MAX_ARTIFACT_BYTES}",
                limit=str(MAX_ARTIFACT_BYTES),
            )
        sha256 = hashlib.sha256(data).hexdigest()
        artifact = Artifact(
            kind=kind,
            filename=filename,
            sha256=sha256,
            size_bytes=len(data),
            create_time=self._now(),
        )
        stored = await self._database.read(lambda connection: _find(connection, sha256))
        if stored is None:
            await self._check_room(len(data))
        await asyncio.to_thread(_write, self.path(sha256), data)
        if stored is None:
            stored = await self._database.transact(lambda tx: _insert(tx, artifact))
        # The bytes are shared; what they are called is each caller's own.
        return replace(stored, kind=kind, filename=filename)

    async def get(self, sha256: str) -> Artifact:
        """Describe stored bytes, under the name they were first stored with.

        Raises:
            NotFoundError: ARTIFACT_NOT_FOUND.
            InvalidRequestError: INVALID_DIGEST.
        """
        check_digest(sha256)
        stored = await self._database.read(lambda connection: _find(connection, sha256))
        if stored is None:
            raise NotFoundError(
                "ARTIFACT_NOT_FOUND", f"no artifact {sha256} is stored", sha256=sha256
            )
        return stored

    async def read(self, sha256: str) -> bytes:
        """The bytes, verified.

        Raises:
            NotFoundError: ARTIFACT_NOT_FOUND.
            CorruptError: ARTIFACT_CORRUPT, with the fact `file`.
        """
        await self.get(sha256)
        path = self.path(sha256)
        data = await asyncio.to_thread(_read_verified, path, sha256)
        if data is None:
            raise CorruptError(
                "ARTIFACT_CORRUPT",
                f"{path} no longer holds the bytes it is named after; make them again",
                file=str(path),
                sha256=sha256,
            )
        return data

    def path(self, sha256: str) -> Path:
        """Where the bytes lie. Only :meth:`read` vouches for them."""
        return self._root / sha256[:2] / sha256[2:]

    async def _check_room(self, size: int) -> None:
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT COALESCE(SUM(size_bytes), 0) FROM artifacts"
            ).fetchone()
        )
        if row[0] + size > self._total_bytes:
            raise ExhaustedError(
                "ARTIFACTS_FULL",
                f"the artifact store holds {row[0]} of {self._total_bytes} bytes;"
                f" {size} more do not fit",
                stored=str(row[0]),
                limit=str(self._total_bytes),
            )


def check_digest(sha256: str) -> None:
    """Refuse what is not 64 lower-case hex digits.

    Raises:
        InvalidRequestError: INVALID_DIGEST.
    """
    if not _DIGEST.fullmatch(sha256):
        raise InvalidRequestError(
            "INVALID_DIGEST", "a digest is the sha256 in 64 lower-case hex digits"
        )


def _find(connection: sqlite3.Connection, sha256: str) -> Artifact | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM artifacts WHERE sha256 = ?",  # noqa: S608 - words of our own
        (sha256,),
    ).fetchone()
    if row is None:
        return None
    return Artifact(
        kind=row[0], filename=row[1], sha256=row[2], size_bytes=row[3], create_time=from_us(row[4])
    )


def _insert(tx: Transaction, artifact: Artifact) -> Artifact:
    tx.connection.execute(
        f"INSERT INTO artifacts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - words of our own
        " ON CONFLICT DO NOTHING",
        (
            artifact.kind,
            artifact.filename,
            artifact.sha256,
            artifact.size_bytes,
            to_us(artifact.create_time or utc_now()),
        ),
    )
    return artifact


def _read_verified(path: Path, sha256: str) -> bytes | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _write(path: Path, data: bytes) -> None:
    if _read_verified(path, path.parent.name + path.name) is not None:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise ExhaustedError(
            "DISK_FULL",
            f"cannot write {path.parent}: {error.strerror}; {make_room(path.parent)}",
            file=str(path),
        ) from error
    _sync_folder(path.parent)
    _sync_folder(path.parent.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
