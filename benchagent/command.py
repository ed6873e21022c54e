"""What an agent is asked to do, and how it answers: plain data and the decisions on it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from benchagent.board import Chip
from benchagent.power.protocol import PowerState
from benchagent.recovery.ladder import RUNGS, Action, Step

RELEASED = frozenset({"release", "image"})
"""What images are called that a board is left with."""
MAX_SEGMENTS = 16
MAX_IMAGE_BYTES = 16 * 1024 * 1024
MAX_SEND_BYTES = 4 * 1024
MAX_TOKEN = 2**63 - 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMAND_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


class Outcome(StrEnum):
    """How a command ended. An agent never says FAILED: it does not judge firmware."""

    PASSED = "PASSED"
    BROKEN = "BROKEN"
    REFUSED = "REFUSED"


class Reason(StrEnum):
    """Why a command did not pass, as far as the agent itself decides it. Tools add their own."""

    INTERRUPTED = "INTERRUPTED"
    STALE_LEASE = "STALE_LEASE"
    DEADLINE = "DEADLINE"
    CANCELLED = "CANCELLED"
    UNKNOWN_BOARD = "UNKNOWN_BOARD"
    BOARD_UNUSABLE = "BOARD_UNUSABLE"
    PART_MISMATCH = "PART_MISMATCH"
    BAD_COMMAND = "BAD_COMMAND"
    BUSY = "BUSY"
    IMAGE_CORRUPT = "IMAGE_CORRUPT"
    IMAGE_MISSING = "IMAGE_MISSING"
    IMAGE_UNREACHABLE = "IMAGE_UNREACHABLE"
    POWER_FAILED = "POWER_FAILED"
    NO_CONSOLE = "NO_CONSOLE"
    CONSOLE_STUCK = "CONSOLE_STUCK"
    READ_BACK_MISMATCH = "READ_BACK_MISMATCH"
    TOOL_FAILED = "TOOL_FAILED"
    AGENT_FAULT = "AGENT_FAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One contiguous piece of an image and where it goes.

    With `inline` it is written beside the image and counts in no digest of it: the hexadecimal
    text is what it begins with, the rest is erased flash (0xFF).
    """

    address: int
    sha256: str
    size_bytes: int
    inline: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenImage:
    """What a board was proven to hold: the image that was written last, by its digest, and all
    pieces that are in its flash. The digest is empty when nothing is certain."""

    sha256: str
    segments: tuple[Segment, ...] = ()


NOTHING_PROVEN = ProvenImage(sha256="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """Write images to flash and prove them by reading back."""

    segments: tuple[Segment, ...]
    part: str
    reset_after: bool
    image: str


class ResetMode(StrEnum):
    """What a reset starts."""

    APP = "APP"
    BOOTLOADER = "BOOTLOADER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Reset the board."""

    mode: ResetMode = ResetMode.APP


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Switch the power of the board."""

    state: PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """Ask the chip who it is; a board that can show itself does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Bring the board back and prove that it works."""

    trouble: str = ""
    """Reason of the outcome that it is done for."""
    canary: Flash | None = None
    """Known good firmware."""
    expect: str = ""
    """What the canary says; empty when it cannot be heard."""
    left: Flash | None = None
    """What is left on the board when no release image of it is known."""
    without_canary: str = ""
    """Why there is no canary, or why it cannot be heard."""
    order: tuple[Action, ...] = RUNGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send bytes to the console."""

    data: bytes


Order = Flash | Reset | Send | Power | Identify | Recover


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something to do, once."""

    command_id: str
    board: str
    lease: str
    fencing_token: int
    deadline: datetime | None
    action: Order | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleHead:
    """Position in a console: bytes so far and the boot epoch, from 1."""

    board: str
    offset: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashReport:
    """What a flash did. Digests are of the segments joined in the order of their addresses."""

    image: str
    image_sha256: str
    sectors_erased: int = 0
    sectors_skipped: int = 0
    bytes_programmed: int = 0
    read_back_sha256: str = ""
    attempts: tuple[str, ...] = ()
    """The ways that were tried, in order, each with how it ended."""
    start_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What a recovery did; `left_image` is `release`, `canary` or `unknown`."""

    steps: tuple[Step, ...]
    left_image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryProgress:
    """A step of a recovery that began or ended."""

    command_id: str
    board: str
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended."""

    command_id: str
    board: str
    outcome: Outcome
    reason: str = ""
    message: str = ""
    flash: FlashReport | None = None
    console: ConsoleHead | None = None
    chip: Chip | None = None
    recovery: RecoveryReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a flash is: 0 to 1 of its phase (erase, program or verify)."""

    command_id: str
    board: str
    phase: str
    fraction: float
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a command is not run, or did not pass."""

    outcome: Outcome
    reason: str
    message: str

    def result(self, command: Command) -> Result:
        """The answer to `command`."""
        return Result(
            command_id=command.command_id,
            board=command.board,
            outcome=self.outcome,
            reason=self.reason,
            message=self.message,
        )


class CommandError(Exception):
    """A command that cannot pass; carries the answer."""

    def __init__(self, reason: str, message: str, outcome: Outcome = Outcome.BROKEN) -> None:
        super().__init__(message)
        self.refusal = Refusal(outcome=outcome, reason=reason, message=message)


def stale(command: Command, highest_token: int) -> Refusal | None:
    """Refuses a command of a lease that a newer one has replaced."""
    if command.fencing_token >= highest_token:
        return None
    return Refusal(
        outcome=Outcome.REFUSED,
        reason=Reason.STALE_LEASE,
        message=f"the lease of {command.board} was given to somebody else meanwhile "
        f"(token {command.fencing_token}, newest {highest_token})",
    )


def late(command: Command, now: datetime) -> Refusal | None:
    """Refuses a command whose last moment to start has passed."""
    if command.deadline is None or now <= command.deadline:
        return None
    return Refusal(
        outcome=Outcome.REFUSED,
        reason=Reason.DEADLINE,
        message=f"it was to start before {command.deadline.isoformat(timespec='milliseconds')}",
    )


def malformed(command: Command) -> Refusal | None:
    """Refuses a command that makes no sense, whatever the board."""
    fault = "" if _COMMAND_ID.fullmatch(command.command_id) else "its id is not an id"
    if command.fencing_token > MAX_TOKEN:
        fault = "its fencing token is too large"
    fault = fault or _action_fault(command)
    if not fault:
        return None
    return Refusal(outcome=Outcome.REFUSED, reason=Reason.BAD_COMMAND, message=fault)


def _action_fault(command: Command) -> str:
    match command.action:
        case None:
            return "it asks for nothing that this agent knows; update the agent"
        case Reset() | Power() | Identify():
            return ""
        case Recover(canary=canary, left=left, expect=expect):
            if canary is not None and not expect.isprintable():
                return "what the canary says is one line of text"
            flashes = [flash for flash in (canary, left) if flash is not None]
            return next(filter(None, (_segment_fault(one.segments) for one in flashes)), "")
        case Send(data=data):
            return "" if 0 < len(data) <= MAX_SEND_BYTES else f"1 to {MAX_SEND_BYTES} bytes a send"
        case Flash(segments=segments):
            return _segment_fault(segments)


def _segment_fault(segments: Sequence[Segment]) -> str:
    count = sum(segment.inline is None for segment in segments)
    if not 0 < count <= MAX_SEGMENTS:
        return f"1 to {MAX_SEGMENTS} segments a flash, not {count}"
    if sum(segment.size_bytes for segment in segments) > MAX_IMAGE_BYTES:
        return f"an image has at most {MAX_IMAGE_BYTES} bytes"
    end = 0
    for segment in in_address_order(segments):
        if not _DIGEST.fullmatch(segment.sha256) or segment.size_bytes == 0:
            return f"the segment at {segment.address:#010x} has no digest or no bytes"
        if segment.address < end:
            return f"the segment at {segment.address:#010x} overlaps the one before"
        end = segment.address + segment.size_bytes
    return ""


def inline_bytes(segment: Segment) -> bytes:
    """The bytes of a piece that carries them itself."""
    return bytes.fromhex(segment.inline or "").ljust(segment.size_bytes, b"\xff")


def in_address_order(segments: Sequence[Segment]) -> list[Segment]:
    """The segments as their bytes lie in flash."""
    return sorted(segments, key=lambda segment: segment.address)


def joined_digest(pieces: Sequence[bytes]) -> str:
    """sha256 of the pieces of an image, given in the order of their addresses."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
