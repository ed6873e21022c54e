"""What a simulation is asked for and what it gives back, whatever the simulator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchline.scenario import Event, Outcome, RunPlan, ScenarioResult

OnEvent = Callable[[Event], None]
"""Called for each event as it is printed; must not block."""

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationLimits:
    """Bounds of one run.

    The wall limit is `wall_factor` times the device time plus `wall_base_s`; on an idle machine a
    busy loop takes 0.6 and an idle one 0.02 of its device time.
    """

    wall_base_s: float = 10.0
    wall_factor: float = 2.0
    console_bytes: int = 4 * MIB
    log_bytes: int = 32 * MIB

    def wall_s(self, device_ms: int) -> float:
        """The wall time, in seconds, that a run of `device_ms` may take."""
        return self.wall_base_s + self.wall_factor * device_ms / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """One run: its verdict, everything that it printed, and how it was run.

    `scenario` carries the assertions, those about pins and the simulator included. `registers`
    counts accesses to devices that the simulator does not model, most frequent first. When the
    outcome is BROKEN by a tool, `tool` and `package` name it. `build` is the identity that the
    firmware gave in BOOT.
    """

    scenario: ScenarioResult
    rung: str
    machine: str
    versions: Mapping[str, str]
    icount: str
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

    @property
    def outcome(self) -> Outcome:
        """The scenario's outcome."""
        return self.scenario.outcome

    @property
    def device_ms(self) -> int:
        """The last device time that the firmware printed."""
        return self.scenario.end_ms


class Simulator(Protocol):
    """One rung of a part's ladder."""

    key: str
    capabilities: frozenset[str]

    def simulates(self, part: str) -> bool:
        """Whether this simulator runs firmware of the part."""
        ...

    async def version(self) -> str:
        """The program's version: part of what makes two runs the same.

        Raises:
            ToolBrokenError: the simulator cannot be used.
        """
        ...

    async def simulate(
        self,
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
