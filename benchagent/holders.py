"""Which programs have a device node open, as far as this user may see: /proc/PID/fd."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_MAX_PARENTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that has a node open."""

    pid: int
    program: str


def holders_of(path: Path, proc: Path = PROC) -> list[Holder]:
    """Processes but this one that have the node behind `path` open, by pid.

    Processes of other users are seen by root only.
    """
    target = os.path.realpath(path)
    found: list[Holder] = []
    for folder in proc.glob("[0-9]*"):
        pid = int(folder.name)
        if pid != os.getpid() and _has_open(folder / "fd", target):
            found.append(Holder(pid=pid, program=program_of(folder)))
    return sorted(found, key=lambda holder: holder.pid)


def program_of(folder: Path) -> str:
    """Name of a process by its folder in /proc."""
    try:
        return (folder / "comm").read_text(errors="replace").strip()[:64] or "a program"
    except OSError:
        return "a program"


def is_ours(pid: int, proc: Path = PROC) -> bool:
    """Whether a process descends from this one: a flash tool of ours."""
    for _ in range(_MAX_PARENTS):
        if pid == os.getpid():
            return True
        try:
            stat = (proc / str(pid) / "stat").read_text(errors="replace")
            pid = int(stat.rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
        if pid <= 1:
            return False
    return False


def _has_open(descriptors: Path, target: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(descriptors) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if os.readlink(entry.path) == target:  # noqa: PTH115 - the text, not the file
                    return True
    return False
