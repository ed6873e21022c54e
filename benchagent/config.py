"""What an agent is told when it starts."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from benchagent.discovery import UsbTree
from benchline.errors import InvalidRequestError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One agent: where its control plane is, its name, its folder, its virtual bench."""

    server: str
    name: str
    folder: Path
    virtual_dir: Path | None = None
    grace_s: float = 10.0
    """How long a stop waits for running commands."""
    pid_file: Path | None = None
    usb: UsbTree = field(default_factory=UsbTree)

    def __post_init__(self) -> None:
        """Raises InvalidRequestError: INVALID_NAME."""
        if not _NAME.fullmatch(self.name):
            raise InvalidRequestError(
                "INVALID_NAME",
                f"{self.name!r} is no agent name: lower-case letters, digits and -, 63 at most",
                name=self.name,
            )

    @property
    def journal(self) -> Path:
        """The command journal."""
        return self.folder / "agent.db"

    @property
    def spool_dir(self) -> Path:
        """Console bytes, a folder a board."""
        return self.folder / "spool"

    @property
    def image_dir(self) -> Path:
        """Images by digest."""
        return self.folder / "images"

    @property
    def record_dir(self) -> Path:
        """Results that flash tools leave should the agent die, by command."""
        return self.folder / "flashing"

    @property
    def lock(self) -> Path:
        """Held while an agent uses the folder."""
        return self.folder / "lock"


def pid_file_of_environment() -> Path | None:
    """Where the program that started this one wants its pid."""
    found = os.environ.get("BENCHLINE_PID_FILE")
    return Path(found) if found else None
