"""What agents can be told to do, and what they answer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlplane.domain.bench import Chip
from controlplane.domain.deployment import FlashRecord
from controlplane.domain.health import PowerState, RecoveryAction, RecoveryStep, ResetMode
from controlplane.domain.stack import CloudBinding
from controlplane.domain.verdict import Outcome


class ImageRole(StrEnum):
    """What an image is for; printed in events and records."""

    TEST = "test"
    TABLE = "table"
    RELEASE = "release"
    IMAGE = "image"
    CANARY = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashPiece:
    """One contiguous piece of an image, stored as an artifact."""

    address: int
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSector:
    """The sector that tells a board its cloud; without a binding it is erased."""

    address: int
    binding: CloudBinding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashOrder:
    """Write pieces to flash and prove them by reading back; nothing else is erased.

    `config` is written beside the image and counts in no digest of it.
    """

    pieces: tuple[FlashPiece, ...]
    part: str
    reset_after: bool
    image: ImageRole
    config: ConfigSector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetOrder:
    """Reset the board."""

    mode: ResetMode = ResetMode.APP


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOrder:
    """Switch the power of the board."""

    state: PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyOrder:
    """Ask the chip who it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverOrder:
    """Bring the board back and prove that it works.

    `expect` is what the canary says, `left` is put on a board whose release image is not known.
    """

    trouble: str
    canary: FlashOrder | None
    expect: str
    left: FlashOrder | None
    without_canary: str
    order: tuple[RecoveryAction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrder:
    """Send bytes to the console of the board, at most 4 KiB."""

    data: bytes


Order = FlashOrder | ResetOrder | SendOrder | PowerOrder | IdentifyOrder | RecoverOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTicket:
    """An order with everything that makes it safe to send twice."""

    command_id: str
    agent: str
    board: str
    lease: str
    fencing_token: int
    deadline: datetime
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswer:
    """How a command ended; `console_offset` is where the console stood at the reset."""

    command_id: str
    outcome: Outcome
    reason: str
    message: str
    flash: FlashRecord | None
    console_offset: int
    console_epoch: int
    chip: Chip | None = None
    steps: tuple[RecoveryStep, ...] = ()
    left_image: str = ""
