"""Files that only their owner may read."""

import os
from contextlib import suppress
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 that is either the old one or the whole new one.

    Raises:
        OSError: it could not be written, and names the file; the old one stands and nothing else
            is left.
    """
    temporary = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        if not error.filename:  # a full disk is told of a descriptor
            error.filename = str(path)
        raise
