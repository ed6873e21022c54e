"""How healthy boards are, and how one that fell out of step was brought back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from controlplane.domain.verdict import Outcome


class RecoveryAction(StrEnum):
    """One kind of step of a recovery."""

    CHECK = "CHECK"
    SOFT_RESET = "SOFT_RESET"
    HARD_RESET = "HARD_RESET"
    BOOTLOADER = "BOOTLOADER"
    SLOWER = "SLOWER"
    OTHER_FLASHER = "OTHER_FLASHER"
    POWER_CYCLE = "POWER_CYCLE"
    CANARY = "CANARY"
    RESTORE = "RESTORE"

    @property
    def words(self) -> str:
        """For people: `power cycle`."""
        return self.value.lower().replace("_", " ")


class ResetMode(StrEnum):
    """What a reset starts."""

    APP = "APP"
    BOOTLOADER = "BOOTLOADER"


class PowerState(StrEnum):
    """What happens to the power of a board."""

    ON = "ON"
    OFF = "OFF"
    CYCLE = "CYCLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryStep:
    """One step; without outcome while it goes on, SKIPPED when it cannot help."""

    action: RecoveryAction
    outcome: Outcome | None = None
    reason: str = ""
    message: str = ""
    start_time: datetime | None = None
    duration: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One attempt to bring a board back; `lease` is what it works under."""

    name: str
    board: str
    trouble: str
    principal: str
    automatic: bool
    create_time: datetime
    steps: tuple[RecoveryStep, ...] = ()
    outcome: Outcome | None = None
    reason: str = ""
    message: str = ""
    left_image: str = ""
    end_time: datetime | None = None
    lease: str = ""
    own_lease: bool = True
    """The lease was taken for it, not lent by the caller."""

    @property
    def recovery_id(self) -> str:
        """Last part of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A board is out of service; an automatic one ends with a passed recovery."""

    reason: str
    message: str
    principal: str
    automatic: bool
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardOutcome:
    """Something that the score of a board follows from, and the score just after it."""

    action: str
    outcome: Outcome
    reason: str
    score: int
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CureRate:
    """How often a step of recovery was done on boards of one model, and how often it cured one."""

    action: RecoveryAction
    tried: int
    cured: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardHealth:
    """What is known of the health of a board."""

    board: str
    score: int
    quarantine: Quarantine | None
    outcomes: tuple[BoardOutcome, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    cure_rates: tuple[CureRate, ...] = ()
