"""The claim of one control plane on its data directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchline.errors import NotReadyError
from benchline.instance import Instance


@contextmanager
def claimed(instance: Instance) -> Iterator[None]:
    """Hold the data directory: two control planes never serve one. The process id stands beside.

    Raises:
        NotReadyError: ALREADY_RUNNING.
    """
    with _only_one(instance), _pid_file(instance.run_dir / "controlplane.pid"):
        yield


@contextmanager
def _only_one(instance: Instance) -> Iterator[None]:
    """Hold the lock of the data directory; it goes with the process, however it ends."""
    path = instance.run_dir / "controlplane.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise NotReadyError(
            "ALREADY_RUNNING",
            f"another control plane serves {instance.data_dir}",
            path=str(instance.data_dir),
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _pid_file(path: Path) -> Iterator[None]:
    path.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
