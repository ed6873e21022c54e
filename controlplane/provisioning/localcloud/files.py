"""Files of a local cloud: whole or not there at all, and read as if nothing were certain."""

from pathlib import Path

from controlplane.provisioning.workspace import disk_error, write_private


def put(path: Path, data: bytes) -> None:
    """Replace a file, mode 0600. Its folder exists.

    Raises:
        ExhaustedError: DISK_FULL; the old file stands.
        NotReadyError: STACK_FOLDER_UNUSABLE.
    """
    try:
        write_private(path, data)
    except OSError as error:
        raise disk_error(error) from error


def put_when_other(path: Path, data: bytes) -> bool:
    """Write a file unless it holds these bytes already; whether it was written.

    Raises:
        ExhaustedError: DISK_FULL.
        NotReadyError: STACK_FOLDER_UNUSABLE.
    """
    if read_or_none(path) == data:
        return False
    put(path, data)
    return True


def read_or_none(path: Path) -> bytes | None:
    """The bytes of a file; None when there is none that can be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None
