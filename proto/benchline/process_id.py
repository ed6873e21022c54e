"""Processes of this machine by an identity that a reused pid cannot fake."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """A pid with the moment its process started, in clock ticks since boot (proc(5))."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """That very process still runs (a zombie does not)."""
        return started_ticks(self.pid) == self.started


def started_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None for a process that is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def identify(pid: int) -> ProcessId | None:
    """The identity of a running process."""
    started = started_ticks(pid)
    return None if started is None else ProcessId(pid=pid, started=started)
