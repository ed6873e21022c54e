"""Writes to a board's flash: recorded before and after, repeated only for a recorded reason."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from controlplane.bench_core.manifest import CorePort
from controlplane.domain.bench import Board, Lease
from controlplane.domain.deployment import FlashRecord
from controlplane.domain.image import ImageSegment
from controlplane.domain.verdict import Outcome
from controlplane.fleet.commands import Commands
from controlplane.fleet.orders import (
    CommandAnswer,
    CommandTicket,
    FlashOrder,
    FlashPiece,
    ImageRole,
    Order,
    ResetOrder,
)
from controlplane.journal.journal import Journal
from controlplane.pipeline.cloud_writes import CloudWrites
from controlplane.pipeline.progress import ProgressRecorder
from controlplane.pipeline.stage import Recorder, StageRun
from controlplane.storage.artifacts import ArtifactStore

_TRIES = 3
_FLASH_TIME = timedelta(seconds=120)
# What a serial line at 115,200 baud carries, taken twice: once to write and once to read back.
_SLOWEST_BYTES_A_SECOND = 11_520 // 2
_RESET_TIME = timedelta(seconds=30)
# Reasons after which the same write may succeed: nothing is wrong with the image or the plan.
_WORTH_REPEATING = frozenset(
    {"INTERRUPTED", "TOOL_CRASHED", "PROBE_LOST", "PROBE_NOT_FOUND", "UNKNOWN_BOARD"}
)
# Between two tries: a probe or a board that was restarted needs a moment to be found again.
_TRY_PAUSE_S = 1.0


class FlashFailed(Exception):  # noqa: N818 (the outcome's word)
    """A write that could not be proved; the message is for the operator."""

    def __init__(self, message: str, answer: CommandAnswer | None = None) -> None:
        super().__init__(message)
        self.outcome = answer.outcome if answer is not None else Outcome.BROKEN
        self.reason = answer.reason if answer is not None else ""
        self.detail = answer.message if answer is not None and answer.message else message

    @classmethod
    def refused(cls, reason: str, message: str) -> "FlashFailed":
        """A write that was not begun, because it must not be."""
        error = cls(message)
        error.outcome, error.reason = Outcome.REFUSED, reason
        return error


@dataclass(frozen=True, slots=True)
class ConsoleStart:
    """Where the console of a board stood when it was reset.

    `reset_time` is the agent's time shortly before; None when it did not tell it.
    """

    offset: int
    epoch: int
    reset_time: datetime | None = None

    @classmethod
    def of(cls, answer: CommandAnswer) -> "ConsoleStart":
        """Where it stood by an agent's answer."""
        told = answer.flash.end_time if answer.flash is not None else None
        return cls(answer.console_offset, answer.console_epoch, told)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashMemory:
    """Where things go in the flash of a part."""

    base: int
    table_address: int
    table_size: int
    config_address: int

    @classmethod
    def of(cls, port: CorePort) -> "FlashMemory":
        """The flash map of a bench core port."""
        return cls(
            base=port.flash_base,
            table_address=port.table_address,
            table_size=port.table_size,
            config_address=port.config_address,
        )

    @property
    def table(self) -> range:
        """Addresses of the stimulus table."""
        return range(self.table_address, self.table_address + self.table_size)

    @property
    def blank_table(self) -> ImageSegment:
        """A stimulus table that holds nothing: erased flash."""
        return ImageSegment(self.table_address, b"\xff" * self.table_size)


@dataclass(frozen=True, slots=True)
class Written:
    """What one order writes: pieces in address order, and the digest of all their bytes."""

    pieces: tuple[FlashPiece, ...]
    sha256: str


async def written(artifacts: ArtifactStore, segments: Sequence[ImageSegment]) -> Written:
    """Store segments so that an agent can fetch them by digest."""
    pieces, whole = [], hashlib.sha256()
    for segment in sorted(segments, key=lambda s: s.address):
        name = f"segment-{segment.address:08x}.bin"
        stored = await artifacts.put(segment.data, kind="firmware.segment", filename=name)
        whole.update(segment.data)
        pieces.append(
            FlashPiece(address=segment.address, sha256=stored.sha256, size_bytes=len(segment.data))
        )
    return Written(tuple(pieces), whole.hexdigest())


class BoardFlasher:
    """Gives flash and reset orders for one session or deployment on one leased board.

    The id of each order follows from the subject of the journal, the lease, the step and the try,
    so that work that is done again gives the same orders and gets the same answers: nothing is
    written twice unknowingly. `told` are the writes that the journal tells of, by command id.
    """

    def __init__(
        self,
        *,
        recorder: Recorder,
        subject: str,
        commands: Commands,
        lease: Lease,
        board: Board,
        part: str,
        cloud: CloudWrites,
        told: Mapping[str, FlashRecord],
    ) -> None:
        self.board = board
        self.records: list[FlashRecord] = []
        self.touched = bool(told)
        self.blame = ""
        """Reason of the last thing on this board that stayed broken."""
        self._recorder = recorder
        self._subject = subject
        self._commands = commands
        self._lease = lease
        self._part = part
        self.cloud = cloud
        self._told = told
        self._epoch = board.console_epoch

    @classmethod
    async def resume(
        cls,
        *,
        run: StageRun,
        commands: Commands,
        journal: Journal,
        lease: Lease,
        board: Board,
        part: str,
        cloud: CloudWrites,
    ) -> "BoardFlasher":
        """A flasher that knows which writes the journal already tells of."""
        return cls(
            recorder=run,
            subject=run.session_id,
            commands=commands,
            lease=lease,
            board=board,
            part=part,
            cloud=cloud,
            told=await told_writes(journal, run.session_id),
        )

    async def flash_for(self, scenario_id: str, image: Written, *, with_test: bool) -> ConsoleStart:
        """Write a scenario's table, with the test image when it is not on the board yet.

        Raises:
            FlashFailed: not proved after every try that made sense.
        """
        role = ImageRole.TEST if with_test else ImageRole.TABLE
        reason = f"run scenario {scenario_id}"
        answer = await self.flash(image, role, step=f"flash-{scenario_id}", reason=reason)
        return ConsoleStart.of(answer)

    async def flash_release(self, image: Written) -> None:
        """Leave the release image on the board.

        Raises:
            FlashFailed: not proved after every try that made sense.
        """
        await self.flash(
            image, ImageRole.RELEASE, step="flash-release", reason="leave the release image"
        )

    async def reset_for(self, scenario_id: str, again: int) -> ConsoleStart:
        """Reset the board, to run the table that is on it once more.

        Raises:
            FlashFailed: the board could not be reset.
        """
        answer = await self._order(ResetOrder(), f"reset-{scenario_id}-{again}", _RESET_TIME)
        if answer.outcome is not Outcome.PASSED:
            self.blame = answer.reason
            raise FlashFailed(f"{self.board.board_id} cannot be reset: {_why(answer)}", answer)
        return ConsoleStart.of(answer)

    async def flash(
        self, image: Written, role: ImageRole, *, step: str, reason: str, reset_after: bool = True
    ) -> CommandAnswer:
        """Write an image; tried again where that makes sense.

        Raises:
            FlashFailed: not proved after every try that made sense.
        """
        why, answer = self._reason(image, reason), None
        for number in range(1, _TRIES + 1):
            answer = await self._flash_once(image, role, f"{step}-{number}", why, reset_after)
            if answer.outcome is Outcome.PASSED:
                return answer
            if answer.reason not in _WORTH_REPEATING:
                break
            why = f"{reason}; again because the last write ended {_why(answer)}"
            if number < _TRIES:
                await asyncio.sleep(_TRY_PAUSE_S)
        self.blame = answer.reason if answer is not None else ""
        raise FlashFailed(
            f"the {_image_name(role)} could not be written to {self.board.board_id}: "
            f"{_why(answer)}",
            answer,
        )

    def _reason(self, image: Written, reason: str) -> str:
        """The reason of a write; one that an earlier lease had begun says why it is done again."""
        lease = self._lease.name.rsplit("/", 1)[-1]
        earlier = [
            record
            for record in self._told.values()
            if record.image_sha256 == image.sha256
            and record.board == self.board.name
            and lease not in record.command_id
        ]
        if not earlier:
            return reason
        return f"{reason}; again because the lease under which it was written before has ended"

    async def _flash_once(
        self, image: Written, role: ImageRole, step: str, reason: str, reset_after: bool
    ) -> CommandAnswer:
        command_id = self._command_id(step)
        begun = self._told.get(command_id)
        if begun is None:
            begun = FlashRecord(
                command_id=command_id,
                board=self.board.name,
                image=role,
                image_sha256=image.sha256,
                reason=reason,
                start_time=datetime.now(UTC),
            )
            await self._recorder.record(begun)
        self.touched = True
        sector = await self.cloud.before(role, image.pieces, self._epoch + 1)
        order = FlashOrder(
            pieces=image.pieces,
            part=self._part,
            reset_after=reset_after,
            image=role,
            config=sector,
        )
        async with ProgressRecorder(self._recorder) as progress:
            answer = await self._order(order, step, _time_for(image), progress)
        if answer.outcome is Outcome.PASSED:
            await self.cloud.after(image.pieces, sector)
        else:
            await self.cloud.failed()
        ended = finished_record(begun, answer)
        if begun.outcome is None:
            await self._recorder.record(ended)
        self.records.append(ended)
        return answer

    async def _order(
        self,
        order: Order,
        step: str,
        time: timedelta,
        progress: "ProgressRecorder | None" = None,
    ) -> CommandAnswer:
        ticket = CommandTicket(
            command_id=self._command_id(step),
            agent=self.board.agent_id,
            board=self.board.name,
            lease=self._lease.name,
            fencing_token=self._lease.fencing_token,
            deadline=datetime.now(UTC) + time,
            order=order,
        )
        answer = await self._commands.run(
            ticket, timeout=time, on_progress=progress.take if progress else None
        )
        self._epoch = max(self._epoch, answer.console_epoch)
        return answer

    def _command_id(self, step: str) -> str:
        subject, lease = (name.rsplit("/", 1)[-1] for name in (self._subject, self._lease.name))
        return f"{subject}-{lease}-{step}"


async def told_writes(journal: Journal, subject: str) -> dict[str, FlashRecord]:
    """Which writes the journal of a session or deployment tells of, by command id."""
    told: dict[str, FlashRecord] = {}
    position = 1
    while events := await journal.read(subject, position, 500):
        for event in events:
            if isinstance(event.fact, FlashRecord):
                told[event.fact.command_id] = event.fact
        position = events[-1].sequence + 1
    return told


def _image_name(role: ImageRole) -> str:
    return "image" if role is ImageRole.IMAGE else f"{role} image"


def _time_for(image: Written) -> timedelta:
    size = sum(piece.size_bytes for piece in image.pieces)
    return _FLASH_TIME + timedelta(seconds=size / _SLOWEST_BYTES_A_SECOND)


def finished_record(begun: FlashRecord, answer: CommandAnswer) -> FlashRecord:
    """The record of a write after its end: ours, with the agent's counts and read-back digest."""
    told = answer.flash
    ended = replace(
        begun,
        outcome=answer.outcome,
        message="" if answer.outcome is Outcome.PASSED else _why(answer),
        end_time=datetime.now(UTC),
    )
    if told is None:
        return ended
    return replace(
        ended,
        sectors_erased=told.sectors_erased,
        sectors_skipped=told.sectors_skipped,
        bytes_programmed=told.bytes_programmed,
        read_back_sha256=told.read_back_sha256,
        attempts=told.attempts,
    )


def _why(answer: CommandAnswer | None) -> str:
    if answer is None:
        return "no answer"
    return f"{answer.reason}: {answer.message}".strip()
