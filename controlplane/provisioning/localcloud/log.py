"""A log that never grows beyond twice its cap."""

from contextlib import suppress
from pathlib import Path

from controlplane.childproc.command import MIB

CAP_BYTES = MIB


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
            with self.path.open("ab") as file:
                file.write(line + b"\n")
                size = file.tell()
            if size >= self._cap_bytes:
                self.path.replace(self.path.with_name(f"{self.path.name}.1"))
