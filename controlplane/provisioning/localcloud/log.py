"""A log that never grows beyond twice its cap."""

import os
from contextlib import suppress
from pathlib import Path

from controlplane.childproc.command import MIB

CAP_BYTES = MIB
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class CappedLog:
    """Appends lines; at the cap the file is moved to `<name>.1`, whose place it takes.

    What cannot be written is lost: a full disk does not stop what is logged.
    """

    def __init__(self, path: Path, cap_bytes: int = CAP_BYTES) -> None:
        self.path = path
        self._cap_bytes = cap_bytes

    def append(self, line: bytes) -> None:
        """Add a line."""
        with suppress(OSError):
            with os.fdopen(os.open(self.path, _FLAGS, 0o600), "ab") as file:
                file.write(line + b"\n")
                size = file.tell()
            if size >= self._cap_bytes:
                self.path.replace(self.path.with_name(f"{self.path.name}.1"))
