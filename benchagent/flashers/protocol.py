"""What every flasher takes and gives, whatever tool it drives."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Phase(StrEnum):
    """The phases of a flash, in order; each runs from 0 to 1."""

    ERASE = "ERASE"
    PROGRAM = "PROGRAM"
    VERIFY = "VERIFY"


class FlashOutcome(StrEnum):
    """How an operation ended. A flasher never says FAILED: that is a word about firmware."""

    PASSED = "PASSED"
    BROKEN = "BROKEN"
    REFUSED = "REFUSED"


class Reason(StrEnum):
    """Why an operation did not pass."""

    BAD_REQUEST = "BAD_REQUEST"
    CANCELLED = "CANCELLED"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    IMAGE_TOO_LARGE = "IMAGE_TOO_LARGE"
    NO_RESET = "NO_RESET"
    """Nothing here can reset the board."""
    NO_SYNC = "NO_SYNC"
    """The chip did not answer in any way of bringing it into its download mode."""
    PORT_BUSY = "PORT_BUSY"
    """Another program holds the serial port."""
    PROBE_BUSY = "PROBE_BUSY"
    PROBE_LOST = "PROBE_LOST"
    PROBE_NOT_FOUND = "PROBE_NOT_FOUND"
    SEGMENTS_OVERLAP = "SEGMENTS_OVERLAP"
    TARGET_LOCKED = "TARGET_LOCKED"
    TARGET_MISMATCH = "TARGET_MISMATCH"
    TARGET_SILENT = "TARGET_SILENT"
    TOOL_CRASHED = "TOOL_CRASHED"
    TOOL_HUNG = "TOOL_HUNG"
    TOOL_MISSING = "TOOL_MISSING"
    VERIFY_FAILED = "VERIFY_FAILED"
    WRITE_FAILED = "WRITE_FAILED"


REFUSALS = frozenset(
    (
        Reason.BAD_REQUEST,
        Reason.IMAGE_TOO_LARGE,
        Reason.PROBE_BUSY,
        Reason.SEGMENTS_OVERLAP,
        Reason.TARGET_LOCKED,
        Reason.TARGET_MISMATCH,
    )
)
"""Reasons that are the request's fault; all others are the lab's."""


def outcome_of(reason: Reason | None) -> FlashOutcome:
    """PASSED without a reason, REFUSED when the request is at fault, else BROKEN."""
    if reason is None:
        return FlashOutcome.PASSED
    return FlashOutcome.REFUSED if reason in REFUSALS else FlashOutcome.BROKEN


class ResetWay(StrEnum):
    """How a board is restarted."""

    ANY = "ANY"
    """As mildly as works."""
    SOFT = "SOFT"
    """Through the core alone; nothing for a tool that has only reset lines."""
    HARD = "HARD"
    """By the reset line."""


class FlasherError(Exception):
    """An operation other than a flash did not work; carries its reason."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRef:
    """A probe: where to reach it now, and its serial number, which outlives the address."""

    address: str
    """What the tool takes: a USB serial number, `remote:127.0.0.1:PORT`, or a serial port."""
    uid: str = ""
    """The serial number that the probe must report, or the MAC that the chip must; empty = not
    proven."""
    port: int | None = None
    """Descriptor of the board's serial port in this process, for a tool that takes the port."""
    control: str = ""
    """Socket of a virtual board that takes resets; empty when its reset lines do."""
    native_usb: bool = False
    """The port is the chip's own USB (USB-Serial-JTAG), not a bridge in front of its UART."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashSegment:
    """Bytes for consecutive flash addresses, given directly or as a file, with their digest."""

    address: int
    sha256: str
    """Lower case hex digest that the bytes must have when they are written."""
    data: bytes | None = None
    path: Path | None = None

    @classmethod
    def of(cls, address: int, data: bytes) -> FlashSegment:
        """A segment of these bytes with the digest they have."""
        return cls(address=address, data=data, sha256=hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashPlan:
    """What to write where. Sectors that nothing of it touches keep their contents.

    A sector that is touched holds afterwards the segments' bytes and else 0xFF.
    """

    part: str
    segments: tuple[FlashSegment, ...]
    blank: tuple[range, ...] = ()
    """Addresses that are to hold nothing afterwards; no segment lies there."""
    base: tuple[FlashSegment, ...] = ()
    """The image that was proven on this board last, when it is known: a hint, never relied on
    without asking the board."""
    reset_after: bool = True
    """Start the firmware at the end; else the core stays halted at its reset vector. A tool that
    takes the port never starts it: that is the agent's part."""
    expect_device_uid: str = ""
    """The part's unique id in hex that must be found before the first erase; empty = any."""
    under_reset: bool = False
    """Connect while the reset line is held: for firmware that switches the debug pins off."""
    gentle: bool = False
    """Use only the slowest and simplest way of connecting that the tool has."""
    record: Path | None = None
    """Where the child leaves the result as JSON, even if its parent is gone by then: `reason`,
    `message`, `verified`, `was_reset`, the sectors `erased`, `programmed` and `skipped`,
    `programmed_bytes`, and `start_s` and `end_s` in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashProgress:
    """How far a phase is."""

    phase: Phase
    fraction: float
    """0 to 1 within the phase."""
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetIdentity:
    """What a board said about itself in the tool run that used it."""

    probe_uid: str
    """Serial number of the debug probe; of an ESP32 the MAC, for it has none."""
    part: str
    """The known part, empty for an unknown chip and where several parts look the same."""
    device_id: int
    """DBGMCU_IDCODE bits 11:0 of an STM32; chip id of an ESP32 image header."""
    revision_id: int
    """DBGMCU_IDCODE bits 31:16 of an STM32; of an ESP32 100 times major plus minor."""
    device_uid: str
    """96-bit unique id in hex, lowest address first, or the base MAC `aa:bb:cc:dd:ee:ff`."""
    flash_kib: int
    chip: str = ""
    """The chip in its maker's words: type, package, revision."""
    features: tuple[str, ...] = ()
    crystal_mhz: int = 0
    flash_id: int = 0
    """JEDEC id of an external flash chip: manufacturer in the lowest byte."""
    protections: tuple[str, ...] = ()
    """Protections that are on and keep a tool out, in words: `secure boot`."""
    candidates: tuple[str, ...] = ()
    """Every known part that looks like this: packages of one chip cannot be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSegment:
    """The digest of a segment as it was read back from the board."""

    address: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashResult:
    """How a flash ended, and everything that it did to the board."""

    outcome: FlashOutcome
    reason: Reason | None = None
    message: str = ""
    erased: tuple[int, ...] = ()
    """Numbers of the sectors that were erased, in order."""
    programmed: tuple[int, ...] = ()
    """Numbers of the sectors that were written."""
    skipped: tuple[int, ...] = ()
    """Numbers of the planned sectors that already held their contents."""
    programmed_bytes: int = 0
    verified: tuple[VerifiedSegment, ...] = ()
    digest: str = ""
    """sha256 over address (8 hex digits, lower case), a space, the segment's read-back digest and
    a newline, for each segment by address; empty unless all were read back equal."""
    identity: TargetIdentity | None = None
    was_reset: bool = False
    in_bootloader: bool = False
    """The board was brought into its bootloader: whoever lent the port has to reset it."""
    duration_s: float = 0.0
    attempts: tuple[str, ...] = ()
    """The ways of reaching and writing the board that were tried, in order, each with how it ended
    (`attach at 4 MHz: TARGET_SILENT: …`, `under reset at 1 MHz: ok`): words for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleProbe:
    """A probe on USB that the tool can see. Experimental: not tried on hardware."""

    uid: str
    vendor: str
    product: str
    board: str
    """The evaluation board that the probe belongs to, empty when unknown."""
    kind: str = ""
    """The protocol that it speaks: `ST-Link`, `CMSIS-DAP`, `J-Link`; empty for another one."""


OnProgress = Callable[[FlashProgress], None]
BeforeReset = Callable[[], Awaitable[None]]
"""Awaited while the core is halted, just before the reset that starts the firmware: what the
board says until then is the old firmware's, everything after it the new one's. It must be over in
a few seconds; what it raises is raised by the operation, after the reset."""


class Flasher(Protocol):
    """Flashes boards through one kind of tool, one operation per probe at a time."""

    has_soft_reset: bool
    """It can restart the core without pulling the reset line."""
    has_bootloader: bool
    """It can bring a chip into a bootloader of its own."""
    takes_the_port: bool
    """It talks through the very port that is the board's console, and restarts the board to do
    so: it is lent the port, leaves the board in its bootloader, and the caller resets it."""

    async def flash(
        self,
        probe: ProbeRef,
        plan: FlashPlan,
        *,
        on_progress: OnProgress | None = None,
        before_reset: BeforeReset | None = None,
        cancel: asyncio.Event | None = None,
    ) -> FlashResult:
        """Write and read back; never raises for what a board or a tool does."""

    async def reset(
        self,
        probe: ProbeRef,
        part: str,
        *,
        way: ResetWay = ResetWay.ANY,
        before_reset: BeforeReset | None = None,
    ) -> None:
        """Restart the firmware. Raises FlasherError, NO_RESET for a way that it does not have."""

    async def bootloader(self, probe: ProbeRef, part: str) -> None:
        """Restart into the chip's own bootloader. Raises FlasherError, BAD_REQUEST if there is
        none to speak of."""

    async def settled(self, probe: ProbeRef) -> None:
        """Wait until no operation uses the probe, also none of an agent that was killed.

        Raises FlasherError PROBE_BUSY.
        """

    def warm_up(self) -> None:
        """An operation comes soon: start what takes long to start."""

    def close(self) -> None:
        """Give back what is kept between operations."""

    async def read(self, probe: ProbeRef, part: str, address: int, length: int) -> bytes:
        """Read memory; the core goes on, unless the tool takes the port. Raises FlasherError."""

    async def identify(self, probe: ProbeRef, part: str = "") -> TargetIdentity:
        """Ask the board who it is; the core goes on, unless the tool takes the port.

        The part need not be known. Raises FlasherError.
        """

    async def probes(self) -> tuple[VisibleProbe, ...]:
        """The probes on USB. Raises FlasherError."""


def combined_digest(verified: tuple[VerifiedSegment, ...]) -> str:
    """The digest of a whole read-back, as `FlashResult.digest` describes it."""
    lines = (
        f"{segment.address:08x} {segment.sha256}\n"
        for segment in sorted(verified, key=lambda segment: segment.address)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
