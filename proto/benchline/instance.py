"""Where one instance of Benchline keeps its things, agreed on by all its programs.

`BENCHLINE_DATA_DIR` moves everything of an instance to one folder. Without it the instance lives
in `$XDG_DATA_HOME/benchline` (`~/.local/share/benchline`).
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

# A unix socket's path must fit into sockaddr_un.sun_path: 108 bytes with the final zero on Linux.
_LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True, slots=True)
class Instance:
    """The folders of one instance. Nothing is created by asking."""

    data_dir: Path

    @property
    def state_dir(self) -> Path:
        """Database of the control plane."""
        return self.data_dir / "state"

    @property
    def artifact_dir(self) -> Path:
        """Immutable bytes by digest."""
        return self.data_dir / "artifacts"

    @property
    def cache_dir(self) -> Path:
        """What can be made again, e.g. compiled objects."""
        return self.data_dir / "cache"

    @property
    def log_dir(self) -> Path:
        """Logs of the programs."""
        return self.data_dir / "logs"

    @property
    def stacks_dir(self) -> Path:
        """Device clouds: the folder of each stack, with its state."""
        return self.data_dir / "stacks"

    @property
    def run_dir(self) -> Path:
        """Pid files and locks of running programs."""
        return self.data_dir / "run"

    @property
    def agent_dir(self) -> Path:
        """Journal and spool of the local agent."""
        return self.data_dir / "agent"

    @property
    def virtual_dir(self) -> Path:
        """Virtual boards: their flash, registry entries and consoles."""
        return self.data_dir / "virtual"

    @property
    def socket_path(self) -> Path:
        """Socket of the control plane, always inside a folder of mode 0700.

        A data directory whose path is too long for a socket gets one in the runtime directory,
        named by the digest of the data directory.
        """
        inside = self.run_dir / "control.sock"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        base = runtime_dir()
        return base / f"benchline-{digest}" / "control.sock"

    @property
    def target(self) -> str:
        """What a gRPC channel connects to."""
        return f"unix:{self.socket_path}"


def current_instance() -> Instance:
    """The instance of the environment."""
    chosen = os.environ.get("BENCHLINE_DATA_DIR")
    if chosen:
        return Instance(Path(chosen).expanduser().absolute())
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Instance(Path(base).expanduser().absolute() / "benchline")


def runtime_dir() -> Path:
    """Where sockets go whose own place has too long a path; whether it is private is not said."""
    chosen = os.environ.get("XDG_RUNTIME_DIR")
    return Path(chosen or f"/tmp/benchline-{os.getuid()}")  # noqa: S108 - proved by its users


def make_private(folder: Path) -> Path:
    """Create a folder that only its owner can enter, or prove that it is one.

    Raises:
        PermissionError: the folder exists and belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} exists and does not belong to you; remove it")
    folder.chmod(0o700)
    return folder
