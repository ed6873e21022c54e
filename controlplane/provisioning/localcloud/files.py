"""Reading and writing files of which some may not be there. Faults of the disk are OSError."""

from pathlib import Path

from controlplane.ops.private_file import write_private


def write_when_other(path: Path, data: bytes) -> bool:
    """Write a file, mode 0600, unless it holds these bytes already; whether it was written."""
    if read_or_none(path) == data:
        return False
    write_private(path, data)
    return True


def read_or_none(path: Path) -> bytes | None:
    """The bytes of a file; None when there is no file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
