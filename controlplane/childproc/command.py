"""What to run, how much of the machine it may use, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MIB = 1 << 20


class Confinement(StrEnum):
    """How far a child is separated from the machine, strongest first."""

    BUBBLEWRAP = "bubblewrap"
    """Own namespaces, no network, a read-only view that holds only the named directories."""
    USER_NAMESPACE = "user-namespace"
    """No network; limits and files as below."""
    RLIMITS = "rlimits"
    """Resource limits, own session, dies with this process; network and files stay visible."""

    @property
    def hides_files(self) -> bool:
        """Whether the child sees only the directories that its command names."""
        return self is Confinement.BUBBLEWRAP


class LimitHit(StrEnum):
    """The limit that ended a child, as far as the kernel says it."""

    NONE = "none"
    WALL = "wall"
    CPU = "cpu"
    FILE_SIZE = "file-size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds for one child and everything that it starts.

    `memory_bytes` bounds private writable memory of each process (RLIMIT_DATA): an address
    space limit would refuse emulators, which reserve far more than they touch. `processes` is
    enforced only in a namespace of its own, elsewhere it would count the user's other programs.
    `niceness` (0 to 19) lets programs with less of it go first.
    """

    wall_s: float = 60.0
    cpu_s: int = 60
    memory_bytes: int = 1024 * MIB
    file_bytes: int = 256 * MIB
    processes: int = 64
    open_files: int = 256
    output_bytes: int = 4 * MIB
    niceness: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program call: an argument list, never a shell line.

    `argv[0]` is an absolute path. The child may write only below `writable`; it sees
    `read_only` and the system's programs besides. `env` is the whole environment. With `hold_input`
    its standard input is a pipe that stays open, into which `Child.write` puts bytes; else it is at
    its end. With `join_output` what it writes to stderr comes with its stdout, in the order of
    writing.
    """

    argv: tuple[str, ...]
    cwd: Path
    writable: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    hold_input: bool = False
    join_output: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a child ended; `rc` is negative for a signal, as in `subprocess`."""

    rc: int
    stdout: bytes
    stderr: bytes
    wall_s: float
    truncated: bool
    limit_hit: LimitHit
    confinement: Confinement
