"""Flashing and resetting a board on behalf of a command.

Digests of an image of more than one segment are of the segments' bytes joined in the order of
their addresses; for one segment that is the segment's own digest. What is written beside the
image, the device configuration, counts in no digest but is read back like the rest.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchagent.board import Board
from benchagent.command import (
    Command,
    CommandError,
    ConsoleHead,
    Flash,
    FlashReport,
    Outcome,
    Progress,
    ProvenImage,
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
    ResetWay,
    TargetIdentity,
    outcome_of,
)
from benchagent.images import ImageCache

log = logging.getLogger(__name__)

OnIdentity = Callable[[str, TargetIdentity], Awaitable[None]]
"""Awaited with the id of a board and what it said about itself."""

PROGRESS_GAP_S = 0.1
MAX_RECORD_BYTES = 1024 * 1024
OPEN_S = 5.0
"""How long a reset through the console's port waits for the port to be open."""
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


def base_segments(proven: ProvenImage | None, images: ImageCache) -> tuple[FlashSegment, ...]:
    """The pieces of a proven image for a tool; none unless the bytes of all are here still."""
    found: list[FlashSegment] = []
    for segment in proven.segments if proven is not None else ():
        path = images.kept(segment)
        if path is None:
            return ()
        found.append(FlashSegment(address=segment.address, sha256=segment.sha256, path=path))
    return tuple(found)


async def fetch_image(flash: Flash, images: ImageCache) -> Image:
    """Bring all segments here. Raises CommandError; nothing was erased then."""
    segments: list[FlashSegment] = []
    pieces: list[bytes] = []
    for segment in in_address_order(flash.segments):
        path, data = await images.get(segment)
        segments.append(FlashSegment(address=segment.address, sha256=segment.sha256, path=path))
        if segment.inline is None:
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
        return ProbeRef(
            address=self.board.probe_id,
            uid=self.board.identity,
            port=self.console.descriptor if self.flasher.takes_the_port else None,
            control=str(self.board.control or ""),
            native_usb=self.board.has_native_usb,
        )

    @contextmanager
    def reached(self) -> Iterator[ProbeRef]:
        """The probe for an operation; the console is not read while the tool takes its port."""
        with self.console.lent() if self.flasher.takes_the_port else nullcontext():
            yield self.probe


@dataclass(slots=True)
class _Boundary:
    """Called while the core is halted: begins the epoch of the new firmware."""

    console: Console
    head: ConsoleHead | None = None

    async def __call__(self) -> None:
        self.head = await self.console.begin_epoch()


async def flash_board(
    tools: BoardTools,
    command: Command,
    flash: Flash,
    image: Image,
    *,
    base: Sequence[FlashSegment] = (),
    blank: Sequence[range] = (),
    gentle: bool = False,
    record: Path,
    on_progress: Callable[[Progress], None],
    on_identity: OnIdentity,
    cancel: asyncio.Event,
) -> Result:
    """Write, read back, and reset when asked. Never raises for what a board or a tool does.

    The board is silent when the console's new epoch begins, so that it lies exactly between the
    last byte of the old firmware and the first one of the new. A tool that takes the port ends
    first: the console is read again before the board is started. `base` is the image that the
    board was proven to hold, `blank` are addresses to erase besides, `gentle` asks for the slowest
    connection, `record` keeps the tool's result should this process die. `on_identity` hears what
    the board said about itself.
    """
    start_time = datetime.now(UTC)
    plan = FlashPlan(
        part=flash.part or tools.board.part,
        segments=image.segments,
        blank=tuple(blank),
        base=tuple(base),
        reset_after=flash.reset_after,
        gentle=gentle,
        record=record,
    )
    boundary = _Boundary(tools.console)
    with tools.reached() as probe:
        done = await tools.flasher.flash(
            probe,
            plan,
            on_progress=ProgressGate(on_progress, command, flash.image),
            before_reset=boundary if flash.reset_after else None,
            cancel=cancel,
        )
    if done.identity is not None:
        await on_identity(tools.board.board_id, done.identity)
    result = Result(
        command_id=command.command_id,
        board=command.board,
        outcome=_OUTCOMES[done.outcome],
        reason=done.reason or "",
        message=done.message,
        flash=_report(flash, image, done, start_time),
    )
    if done.attempts:
        log.info("flash", extra={"board": command.board, "attempts": list(done.attempts)})
    if result.outcome is not Outcome.PASSED:
        if tools.flasher.takes_the_port and done.in_bootloader and not done.erased:
            await _give_back(tools, plan.part)
        return result
    if result.flash is None or result.flash.read_back_sha256 != image.sha256:
        message = "the tool proved other bytes than it was given"
        return replace(
            result, outcome=Outcome.BROKEN, reason=Reason.READ_BACK_MISMATCH, message=message
        )
    if tools.flasher.takes_the_port and flash.reset_after:
        try:
            head: ConsoleHead | None = await reset_board(tools, plan.part)
        except CommandError as error:
            return replace(error.refusal.result(command), flash=result.flash)
    else:
        head = boundary.head
    return replace(result, console=head)


async def _give_back(tools: BoardTools, part: str) -> None:
    """Start the firmware that nothing was done to; the answer is about something else."""
    try:
        await reset_board(tools, part)
    except CommandError as error:
        log.warning(
            "board not started again", extra={"board": tools.board.board_id, "why": str(error)}
        )


async def reset_board(tools: BoardTools, part: str, way: ResetWay = ResetWay.ANY) -> ConsoleHead:
    """Begin a new epoch and reset; gives where the console stood. Raises CommandError."""
    boundary = _Boundary(tools.console)
    await _need_port(tools)
    try:
        await tools.flasher.reset(tools.probe, part, way=way, before_reset=boundary)
    except FlasherError as error:
        raise command_error("reset", error) from error
    return boundary.head or tools.console.head


async def enter_bootloader(tools: BoardTools, part: str) -> ConsoleHead:
    """Begin a new epoch and start the chip's bootloader. Raises CommandError."""
    await _need_port(tools)
    head = await tools.console.begin_epoch()
    try:
        await tools.flasher.bootloader(tools.probe, part)
    except FlasherError as error:
        raise command_error("bootloader", error) from error
    return head


async def _need_port(tools: BoardTools) -> None:
    if tools.flasher.takes_the_port and not await tools.console.opened(OPEN_S):
        message = tools.console.fault or f"{tools.board.board_id} has no console port"
        raise CommandError(Reason.NO_CONSOLE, f"reset: {message}")


def command_error(what: str, error: FlasherError) -> CommandError:
    """The answer to a command whose tool did not do it."""
    return CommandError(error.reason, f"{what}: {error}", _OUTCOMES[outcome_of(error.reason)])


def proof_in(record: Path, flash: Flash, image_sha256: str) -> FlashReport | None:
    """What a tool left behind whose agent was killed; None unless it proves the whole image."""
    try:
        with record.open("rb") as stream:
            found: dict[str, Any] = json.loads(stream.read(MAX_RECORD_BYTES))
        read_back = sorted(
            (one["address"], one["length"], one["sha256"]) for one in found["verified"]
        )
        wanted = sorted((one.address, one.size_bytes, one.sha256) for one in flash.segments)
        if found["reason"] is not None or read_back != wanted:
            return None
        return FlashReport(
            image=flash.image,
            image_sha256=image_sha256,
            sectors_erased=len(found["erased"]),
            sectors_skipped=len(found["skipped"]),
            bytes_programmed=int(found["programmed_bytes"]),
            read_back_sha256=image_sha256,
            attempts=tuple(str(text) for text in found.get("attempts", ())),
            start_time=datetime.fromtimestamp(found["start_s"], UTC),
            end_time=datetime.fromtimestamp(found["end_s"], UTC),
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None


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
        attempts=done.attempts,
        start_time=start_time,
        end_time=datetime.now(UTC),
    )
