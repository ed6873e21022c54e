"""Images by digest: fetched in resumable ranges, checked, kept in a small cache on disk."""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from benchagent.command import CommandError, Reason, Segment, inline_bytes
from benchline.errors import BenchlineError, CorruptError, NotFoundError

log = logging.getLogger(__name__)

CACHE_BYTES = 64 * 1024 * 1024
_RETRY_FIRST_S, _RETRY_LAST_S = 0.1, 1.0
PATIENCE_S = 30.0


class ArtifactSource(Protocol):
    """Where artifacts are read from."""

    def read(self, sha256: str, offset: int) -> AsyncIterator[bytes]:
        """The bytes of an artifact from `offset` on. Raises BenchlineError."""
        ...


class ImageCache:
    """The images of an agent. A file is under its digest only once it was checked.

    `patience_s` is how long a link that is away is waited for.
    """

    def __init__(
        self,
        folder: Path,
        source: ArtifactSource,
        *,
        cap_bytes: int = CACHE_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._source = source
        self._cap_bytes = cap_bytes
        self._patience_s = patience_s
        self._fetches: dict[str, asyncio.Task[None]] = {}

    async def get(self, segment: Segment) -> tuple[Path, bytes]:
        """The file of a segment and its bytes, which have the right digest and size.

        Raises:
            CommandError: IMAGE_CORRUPT, IMAGE_MISSING or IMAGE_UNREACHABLE.
        """
        path = self._folder / segment.sha256
        data = _read(path, segment)
        if data is None:
            if segment.inline is None:
                await self._fetch_once(segment)
            else:
                path.write_bytes(inline_bytes(segment))
            data = _read(path, segment)
            if data is None:
                raise _corrupt(segment)
            self._make_room(path)
        with contextlib.suppress(OSError):
            os.utime(path)
        return path, data

    def kept(self, segment: Segment) -> Path | None:
        """The file of a segment if it is here; its bytes are not checked."""
        path = self._folder / segment.sha256
        return path if _size(path) == segment.size_bytes else None

    async def _fetch_once(self, segment: Segment) -> None:
        """Two boards that need the same image share one fetch."""
        fetch = self._fetches.get(segment.sha256)
        if fetch is None:
            fetch = asyncio.create_task(self._fetch(segment))
            self._fetches[segment.sha256] = fetch
            fetch.add_done_callback(self._forget(segment.sha256))
        await asyncio.shield(fetch)

    def _forget(self, sha256: str) -> Callable[[asyncio.Task[None]], None]:
        def done(task: asyncio.Task[None]) -> None:
            self._fetches.pop(sha256, None)
            if not task.cancelled():
                task.exception()  # whoever still waits gets it; nobody may be left

        return done

    async def _fetch(self, segment: Segment) -> None:
        partial = self._folder / f"{segment.sha256}.part"
        wait_s = _RETRY_FIRST_S
        try:
            async with asyncio.timeout(self._patience_s) as patience:
                while True:
                    had = _size(partial)
                    try:
                        await self._append(segment, partial)
                        break
                    except CorruptError as error:
                        raise _corrupt(segment) from error
                    except NotFoundError as error:
                        message = f"the control plane has no image {segment.sha256}"
                        raise CommandError(Reason.IMAGE_MISSING, message) from error
                    except BenchlineError as error:
                        log.info("image not read yet", extra={"why": str(error)})
                    if _size(partial) > had:
                        wait_s = _RETRY_FIRST_S
                        patience.reschedule(asyncio.get_running_loop().time() + self._patience_s)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, _RETRY_LAST_S)
        except TimeoutError as error:
            message = f"image {segment.sha256} could not be read for {self._patience_s:.0f} s"
            raise CommandError(Reason.IMAGE_UNREACHABLE, message) from error
        self._check_in(segment, partial)

    async def _append(self, segment: Segment, partial: Path) -> None:
        """Add what is missing of an image; never more than its size."""
        held = _size(partial)
        if held >= segment.size_bytes:
            return
        with partial.open("ab") as stream:
            async for data in self._source.read(segment.sha256, held):
                held += len(data)
                stream.write(data)
                if held > segment.size_bytes:
                    return

    def _check_in(self, segment: Segment, partial: Path) -> None:
        if _read(partial, segment) is None:
            partial.unlink(missing_ok=True)
            raise _corrupt(segment)
        partial.replace(self._folder / segment.sha256)

    def _make_room(self, keep: Path) -> None:
        """Remove the images that were not used for longest."""
        files = sorted(
            (path for path in self._folder.iterdir() if path != keep),
            key=lambda path: path.stat().st_mtime,
        )
        total = sum(path.stat().st_size for path in files) + _size(keep)
        for path in files:
            if total <= self._cap_bytes:
                return
            total -= _size(path)
            path.unlink(missing_ok=True)


def _read(path: Path, segment: Segment) -> bytes | None:
    """The bytes of a file if they are the segment's, else None."""
    if _size(path) != segment.size_bytes:
        return None
    data = path.read_bytes()
    return data if hashlib.sha256(data).hexdigest() == segment.sha256 else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _corrupt(segment: Segment) -> CommandError:
    message = f"the bytes of image {segment.sha256} do not match their digest; nothing was erased"
    return CommandError(Reason.IMAGE_CORRUPT, message)
