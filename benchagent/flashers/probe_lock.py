"""One operation per probe: a lock file per probe, held by the parent and by its child."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchagent.flashers.protocol import FlasherError, ProbeRef, Reason

_POLL_S = 0.05


@contextlib.asynccontextmanager
async def probe_lock(directory: Path, probe: ProbeRef, *, wait_s: float) -> AsyncIterator[int]:
    """Hold the probe; gives the descriptor, for a child that must go on holding it.

    The lock belongs to the open file: an orphaned child keeps the probe until it ends. The key is
    the probe's serial number, or its address when that is not known. Raises FlasherError
    PROBE_BUSY when another operation holds it longer than `wait_s` seconds.
    """
    descriptor = _open_lock(directory, probe.uid or probe.address)
    try:
        deadline = time.monotonic() + wait_s
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise FlasherError(
                    Reason.PROBE_BUSY, f"another operation uses the probe {probe.address}"
                )
            await asyncio.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def _open_lock(directory: Path, key: str) -> int:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
