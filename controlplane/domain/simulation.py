"""What the simulator said about a firmware."""

from dataclasses import dataclass

from controlplane.domain.verdict import Outcome, ScenarioResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUse:
    """How often a firmware used a register that the simulator does not model."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """All scenarios of a session in one simulator; `rung` is its place on the ladder."""

    session: str
    attempt: int
    outcome: Outcome
    rung: str
    simulator: str
    confinement: str
    results: tuple[ScenarioResult, ...]
    registers: tuple[RegisterUse, ...] = ()
