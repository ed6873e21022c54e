"""What one kind of simulator that is a child program says about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controlplane.childproc.command import Command, Confinement
from controlplane.childproc.tools import LocatedTool
from controlplane.simulators.fault import FirmwareFault
from controlplane.simulators.following import PieceReader, Run
from controlplane.simulators.pads import RegisterLog
from controlplane.simulators.protocol import SimulationLimits, Spans, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run that a machine is to describe a command for; `root` is its private directory.

    `log` is where the register log is expected, a named pipe that exists by then. `table` is None
    for a run without stimuli.
    """

    tool: LocatedTool
    target: Target
    root: Path
    image: Path
    table: bytes | None
    log: Path
    end_ms: int
    limits: SimulationLimits

    @property
    def console_cap(self) -> int:
        """The bytes that its console may carry."""
        return self.limits.console_cap(self.end_ms)


class CodeReader(PieceReader, Protocol):
    """What reads the code that ran out of a log."""

    @property
    def spans(self) -> Spans:
        """What ran so far."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """How a machine is run to tell which code it runs; `command` as `Machine.command`."""

    command: Callable[[Job], Command]
    new_log: Callable[[], CodeReader]


class Machine(Protocol):
    """What one kind of simulator says about itself.

    Everything else is `ChildSimulator`'s, and `LiveMachine`'s in real time.
    """

    key: str
    optional: str
    file_bytes: int
    """How large a file the child may write."""
    limits: SimulationLimits
    """Bounds of a run unless the caller has others."""

    async def locate(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """Find the program, and that it has the machine.

        Raises:
            ToolBrokenError: it cannot be used.
        """
        ...

    async def examine(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """Look as closely as a doctor should; raises as `locate` does."""
        ...

    def clock(self, end_ms: int) -> str:
        """How virtual time is kept in a run of `end_ms`: part of what makes two runs the same."""
        ...

    def command(self, job: Job) -> Command:
        """The command of a run; may write files into `job.root`. Runs in a thread.

        Raises:
            UnloadableImageError: the image cannot be put into the machine.
        """
        ...

    def live_command(self, job: Job) -> Command:
        """The command of a run in real time without stimuli, typed at through its standard input.

        Runs in a thread; may write files and raises as `command` does.
        """
        ...

    @property
    def tracing(self) -> Tracing | None:
        """How it tells which code it runs; None when it does not."""
        ...

    def canary(self, target: Target) -> bytes:
        """An image that prints `CANARY_TEXT` on any machine that works."""
        ...

    def new_log(self) -> RegisterLog | None:
        """What reads the register log; None where there is none."""
        ...

    def notes(self, target: Target) -> tuple[str, ...]:
        """What a reader of every result should know."""
        ...

    def fault(self, run: Run) -> FirmwareFault | None:
        """What the way in which the child ended proves about the firmware."""
        ...

    def core_stopped(self, run: Run) -> FirmwareFault | None:
        """Why nothing but a reset helps firmware whose live child ended in this way."""
        ...
