"""What a simulation is asked for and what it gives back, whatever the simulator."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchline.scenario import Event, Outcome, RunPlan, ScenarioResult

OnEvent = Callable[[Event], None]
"""Called for each event as it is printed; must not block."""

MIB = 1 << 20
_SPARE_SECONDS = 2.0

TEST_BUILD_CAPABILITIES = frozenset(
    {
        "serial.rx",
        "serial.tx",
        "pin.read",
        "pin.edges",
        "inject.digital",
        "inject.analog",
        "inject.console",
        "inject.echo",
    }
)
"""What a test build on the bench core offers in every simulator that runs it."""


class UnloadableImageError(Exception):
    """The image is none that the machine could load: the firmware's fault, not the lab's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What firmware was made for, and the machine that is to run it.

    `console_serial` is the machine's serial line that carries the console, from 0. `part` is a
    catalogue key, `part_name` its name for people.
    """

    part: str
    part_name: str
    machine: str
    console_serial: int
    flash_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationLimits:
    """Bounds of one run.

    The wall limit is `wall_factor` times the device time plus `wall_base_s`; on an idle machine a
    busy loop takes 0.6 and an idle one 0.02 of its device time. The console may carry
    `console_bytes_per_s` of device time, which is twice what a line at 115,200 baud does, and
    never more than `console_bytes`, which such a line does not reach in the longest scenario.
    """

    wall_base_s: float = 10.0
    wall_factor: float = 2.0
    console_bytes: int = 8 * MIB
    console_bytes_per_s: int = 2 * 11_520
    log_bytes: int = 32 * MIB

    def wall_s(self, device_ms: int) -> float:
        """The wall time, in seconds, that a run of `device_ms` may take."""
        return self.wall_base_s + self.wall_factor * device_ms / 1000

    def console_cap(self, device_ms: int) -> int:
        """The bytes that the console of a run of `device_ms` may carry: more are a flood."""
        seconds = device_ms / 1000 + _SPARE_SECONDS
        return min(self.console_bytes, int(self.console_bytes_per_s * seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """One run: its verdict, everything that it printed, and how it was run.

    `scenario` carries the assertions, those about pins and the simulator included. `clock` says how
    virtual time was kept. `registers` counts accesses to devices that the simulator does not model,
    most frequent first. When the outcome is BROKEN by a tool, `tool`, `package` and `fix` name it.
    """

    scenario: ScenarioResult
    rung: str
    machine: str
    versions: Mapping[str, str]
    clock: str
    confinement: str
    key: str
    nonce: int
    events: tuple[Event, ...] = ()
    console: bytes = b""
    notes: tuple[str, ...] = ()
    registers: Mapping[str, int] = field(default_factory=dict)
    wall_s: float = 0.0
    tool: str = ""
    package: str = ""
    fix: str = ""

    @property
    def outcome(self) -> Outcome:
        """The scenario's outcome."""
        return self.scenario.outcome

    @property
    def device_ms(self) -> int:
        """The last device time that the firmware printed."""
        return self.scenario.end_ms


class LiveRun(Protocol):
    """Firmware between two resets."""

    simulator: str
    """Program and version."""

    confinement: str

    async def read(self, max_bytes: int) -> bytes:
        """The next bytes of the console; empty at its end."""
        ...

    def write(self, data: bytes) -> bool:
        """Type bytes; False when what was typed before still waits to be taken."""
        ...

    async def ending(self) -> str:
        """After the end of the console: why the processor has stopped, so that only a reset helps.

        Raises:
            ToolBrokenError: the simulator is at fault.
            UnloadableImageError: the image cannot be run.
        """
        ...


class LiveSimulator(Protocol):
    """Runs firmware in real time."""

    def boot(
        self, target: Target, image: Path, *, cpu_s: int
    ) -> AbstractAsyncContextManager[LiveRun]:
        """Run the file `image` with at most `cpu_s` seconds of a processor, until the block ends.

        Raises:
            ToolBrokenError: the simulator cannot be used.
            UnloadableImageError: the image cannot be put into the machine.
        """
        ...


Spans = tuple[tuple[int, int], ...]
"""Pieces of code, each by its first address and the one after its last; sorted, apart."""


class Tracer(Protocol):
    """Tells which code of a firmware a scenario reaches."""

    async def trace(self, target: Target, image: Path, plan: RunPlan) -> Spans:
        """Run the ELF file `image` through `plan` once more; what of it ran.

        Raises:
            ToolBrokenError: the simulator cannot be used, or told nothing.
            UnloadableImageError: the image cannot be put into the machine.
        """
        ...


class Simulator(Protocol):
    """One kind of simulator; with a machine it is a rung of a ladder."""

    key: str
    """As the catalogue's board models name it (`backend`)."""

    capabilities: frozenset[str]

    @property
    def live(self) -> LiveSimulator | None:
        """What runs firmware in real time, to be typed at; None when it runs scenarios alone."""
        ...

    @property
    def tracer(self) -> Tracer | None:
        """What tells which code ran; None when it cannot."""
        ...

    tells_time_of_text: bool
    """Whether it knows the device time of text, for firmware that prints no records."""

    @property
    def remote(self) -> str:
        """What a run sends to where, if it runs outside this machine; "" for all others.

        It is taken only when chosen, or where nothing on this machine would do.
        """
        ...

    @property
    def optional(self) -> str:
        """How to get it, where no package brings it; "" where its absence is a broken instance."""
        ...

    async def version(self, machine: str) -> str:
        """The program's version: part of what makes two runs the same.

        Raises:
            ToolBrokenError: the simulator, or this machine in it, cannot be used.
        """
        ...

    async def examine(self, machine: str) -> str:
        """The version, after a closer look than each run needs: for the doctor.

        Raises:
            ToolBrokenError: as `version`.
        """
        ...

    async def simulate(
        self,
        target: Target,
        image: Path,
        plan: RunPlan,
        *,
        limits: SimulationLimits | None = None,
        on_event: OnEvent | None = None,
        build: str | None = None,
    ) -> SimulationResult:
        """Run the ELF file `image` through `plan` and judge it.

        `build` is the identity that BOOT must carry, None for any. Cancelling kills the simulator
        and leaves nothing behind.
        """
        ...
