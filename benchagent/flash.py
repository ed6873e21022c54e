"""Flashing and resetting a board on behalf of a command.

Digests of an image of more than one segment are of the segments' bytes joined in the order of
their addresses; for one segment that is the segment's own digest.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from benchagent.board import Board
from benchagent.command import (
    Command,
    CommandError,
    ConsoleHead,
    Flash,
    FlashReport,
    Outcome,
    Progress,
    Reason,
    Result,
    in_address_order,
    joined_digest,
)
from benchagent.console import Console
from benchagent.flashers.protocol import (
    Flasher,
    FlasherError,
    FlashOutcome,
    FlashPlan,
    FlashProgress,
    FlashResult,
    FlashSegment,
    ProbeRef,
    outcome_of,
)
from benchagent.images import ImageCache

PROGRESS_GAP_S = 0.1
_OUTCOMES = {
    FlashOutcome.PASSED: Outcome.PASSED,
    FlashOutcome.BROKEN: Outcome.BROKEN,
    FlashOutcome.REFUSED: Outcome.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image whose bytes are here and have their digests."""

    segments: tuple[FlashSegment, ...]
    sha256: str


async def fetch_image(flash: Flash, images: ImageCache) -> Image:
    """Bring all segments here. Raises CommandError; nothing was erased then."""
    segments: list[FlashSegment] = []
    pieces: list[bytes] = []
    for segment in in_address_order(flash.segments):
        path, data = await images.get(segment)
        segments.append(FlashSegment(address=segment.address, sha256=segment.sha256, path=path))
        pieces.append(data)
    return Image(segments=tuple(segments), sha256=joined_digest(pieces))


def check_board(board: Board, part: str) -> None:
    """Refuse what must not be written. Raises CommandError."""
    if not board.is_usable:
        raise CommandError(Reason.BOARD_UNUSABLE, f"{board.board_id}: {board.health}")
    if part and board.part and part != board.part:
        message = f"the image is for {part}, {board.board_id} is a {board.part}"
        raise CommandError(Reason.PART_MISMATCH, message, Outcome.REFUSED)


@dataclass(slots=True)
class ProgressGate:
    """Lets progress through at most ten times a second, and always the ends of a phase."""

    say: Callable[[Progress], None]
    command: Command
    image: str
    _last_s: float = field(default=0.0, init=False)
    _phase: str = field(default="", init=False)

    def __call__(self, found: FlashProgress) -> None:
        """Take a progress of the tool."""
        phase = found.phase.value.lower()
        now = time.monotonic()
        at_an_end = phase != self._phase or found.fraction >= 1.0
        if not at_an_end and now - self._last_s < PROGRESS_GAP_S:
            return
        self._last_s, self._phase = now, phase
        self.say(
            Progress(
                command_id=self.command.command_id,
                board=self.command.board,
                phase=phase,
                fraction=found.fraction,
                image=self.image,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardTools:
    """What flashing needs: the board, its console, the tool."""

    board: Board
    console: Console
    flasher: Flasher

    @property
    def probe(self) -> ProbeRef:
        """The board's probe for the tool."""
        return ProbeRef(address=self.board.probe_id, uid=self.board.identity)


async def flash_board(
    tools: BoardTools,
    command: Command,
    flash: Flash,
    image: Image,
    *,
    on_progress: Callable[[Progress], None],
    cancel: asyncio.Event,
) -> Result:
    """Write, read back, and reset when asked. Never raises for what a board or a tool does.

    The tool leaves the core halted, so that the console's new epoch begins exactly between the
    last byte of the old firmware and the first one of the new.
    """
    part = flash.part or tools.board.part
    start_time = datetime.now(UTC)
    plan = FlashPlan(part=part, segments=image.segments, reset_after=False)
    gate = ProgressGate(on_progress, command, flash.image)
    done = await tools.flasher.flash(tools.probe, plan, on_progress=gate, cancel=cancel)
    result = Result(
        command_id=command.command_id,
        board=command.board,
        outcome=_OUTCOMES[done.outcome],
        reason=done.reason or "",
        message=done.message,
        flash=_report(flash, image, done, start_time),
    )
    if result.outcome is not Outcome.PASSED:
        return result
    if result.flash is None or result.flash.read_back_sha256 != image.sha256:
        message = "the tool proved other bytes than it was given"
        return replace(
            result, outcome=Outcome.BROKEN, reason=Reason.READ_BACK_MISMATCH, message=message
        )
    if not flash.reset_after:
        return result
    try:
        return replace(result, console=await reset_board(tools, part))
    except CommandError as error:
        refusal = error.refusal
        return replace(
            result, outcome=refusal.outcome, reason=refusal.reason, message=refusal.message
        )


async def reset_board(tools: BoardTools, part: str) -> ConsoleHead:
    """Begin a new epoch and reset; gives where the console stood. Raises CommandError."""
    head = await tools.console.begin_epoch()
    try:
        await tools.flasher.reset(tools.probe, part)
    except FlasherError as error:
        outcome = _OUTCOMES[outcome_of(error.reason)]
        raise CommandError(error.reason, f"reset: {error}", outcome) from error
    return head


def _report(flash: Flash, image: Image, done: FlashResult, start_time: datetime) -> FlashReport:
    wanted = [(segment.address, segment.sha256) for segment in image.segments]
    found = sorted((segment.address, segment.sha256) for segment in done.verified)
    return FlashReport(
        image=flash.image,
        image_sha256=image.sha256,
        sectors_erased=len(done.erased),
        sectors_skipped=len(done.skipped),
        bytes_programmed=done.programmed_bytes,
        # Equal digests of all pieces are an equal digest of the whole.
        read_back_sha256=image.sha256 if found == wanted else "",
        start_time=start_time,
        end_time=datetime.now(UTC),
    )
