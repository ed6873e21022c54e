"""Firmware that runs in a simulator in real time, for somebody to watch and to type at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from benchline.scenario import Signal
from controlplane.domain.verdict import Outcome, State


class EndReason(StrEnum):
    """Why a live simulation ended."""

    STOPPED = "STOPPED"
    IDLE = "IDLE"
    """Nobody watched or typed for too long."""
    TIME_CAP = "TIME_CAP"
    BYTE_CAP = "BYTE_CAP"
    """Its console said more than may be kept."""
    SERVER_STOPPED = "SERVER_STOPPED"
    INTERRUPTED = "INTERRUPTED"
    """The control plane died with it."""
    TOOL_BROKEN = "TOOL_BROKEN"
    IMAGE_UNUSABLE = "IMAGE_UNUSABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLimits:
    """How many live simulations may run at once, and how long and how loud each may be.

    `idle` is how long nobody has to watch or type until it ends, `time` how long it may run at all,
    `console_bytes` how much it may say.
    """

    simulations: int
    idle: timedelta
    time: timedelta
    console_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSimulation:
    """A live simulation as it stands now; `revision` rises with every change.

    `console` is its console stream. `reason` is an `EndReason` once it has ended. `outcome` is set
    when something is at fault:
    nothing is judged here. `signals` are the inputs that have a name.
    """

    name: str
    session: str
    console: str
    title: str
    board_model: str
    image_sha256: str
    test_build: bool
    rung: str
    principal: str
    create_time: datetime
    signals: tuple[Signal, ...] = ()
    state: State = State.PENDING
    reason: str = ""
    outcome: Outcome | None = None
    message: str = ""
    fix: str = ""
    simulator: str = ""
    confinement: str = ""
    epoch: int = 0
    revision: int = 1
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def live_id(self) -> str:
        """The name without its collection."""
        return self.name.removeprefix("liveSimulations/")

    @property
    def again(self) -> str:
        """What to type to have it once more."""
        return f"benchline simulate {self.session.removeprefix('sessions/')}"
