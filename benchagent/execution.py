"""What each kind of command does to its board, and the answer that it leaves in the journal."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchagent.bench import Boards
from benchagent.board import Board
from benchagent.care import Care
from benchagent.command import (
    NOTHING_PROVEN,
    Command,
    CommandError,
    Flash,
    Identify,
    Outcome,
    Power,
    Progress,
    ProvenImage,
    Reason,
    Recover,
    Refusal,
    Reset,
    ResetMode,
    Result,
    Send,
    late,
)
from benchagent.flash import (
    BoardTools,
    Image,
    OnIdentity,
    base_segments,
    check_board,
    enter_bootloader,
    fetch_image,
    flash_board,
    proof_in,
    reset_board,
)
from benchagent.flashers.protocol import FlasherError
from benchagent.flashers.protocol import Reason as ToolReason
from benchagent.flashers.registry import Flashers
from benchagent.images import ImageCache
from benchagent.inbox import CutOff, Inbox
from benchagent.job import Job, LeftForLaterError, unless_cancelled
from benchagent.power import PowerState
from benchagent.proven import flash_held_after, left_behind, proven_after, released_by

log = logging.getLogger(__name__)

AWAY_S = 10.0
"""How long a command waits for a known board that is away: it, or this PC, may just restart."""
RESTART_S = 5.0
"""How long after a probe was not found a restart of its board is waited for."""


class Execution:
    """Does commands, one at a time for each board.

    `record_dir` takes what flash tools leave should the agent die; `away_s` is how long a command
    waits for a known board that is away.

    `on_result` is called when an answer is in the journal, `on_progress` while a flash runs,
    `on_change` when the image in a board's flash changed. `on_identity` is awaited with what a
    board said about itself when it was flashed.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        boards: Boards,
        images: ImageCache,
        flashers: Flashers,
        care: Care,
        record_dir: Path,
        away_s: float = AWAY_S,
        on_result: Callable[[Result], None],
        on_progress: Callable[[Progress], None],
        on_change: Callable[[], None],
        on_identity: OnIdentity,
    ) -> None:
        self._inbox = inbox
        self._boards = boards
        self._images = images
        self._flashers = flashers
        self._care = care
        self._away_s = away_s
        self._record_dir = record_dir
        record_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._on_result = on_result
        self._on_progress = on_progress
        self._on_change = on_change
        self._on_identity = on_identity

    def keep_records(self, commands: Sequence[Command]) -> None:
        """Remove what tools left behind for any but these commands."""
        kept = {self._record(command) for command in commands}
        for leftover in set(self._record_dir.iterdir()) - kept:
            leftover.unlink(missing_ok=True)

    def warm_up(self, command: Command) -> None:
        """A tool that a waiting command needs may start already; only where it is needed."""
        board = self._boards.get(command.board)
        flasher = self._flashers.of(board.flash_tool) if board is not None else None
        if flasher is None:
            return
        is_reset = isinstance(command.action, Reset)
        if isinstance(command.action, Flash) or (is_reset and not flasher.takes_the_port):
            flasher.warm_up()

    async def run(self, job: Job) -> None:
        """Do a command; it is answered then, unless it is left for the next start."""
        command = job.command
        try:
            await self._execute(job)
        except LeftForLaterError:
            log.info("command left for the next start", extra={"command": command.command_id})
        except CommandError as error:
            await self.answer(error.refusal.result(command))
        except Exception:
            log.exception("command failed", extra={"command": command.command_id})
            message = "a fault in the agent; see its log"
            refusal = Refusal(outcome=Outcome.BROKEN, reason=Reason.AGENT_FAULT, message=message)
            await self.answer(refusal.result(command))

    async def answer(
        self,
        result: Result,
        proven: ProvenImage | None = None,
        released: ProvenImage | None = None,
    ) -> None:
        """Put an answer into the journal, and tell it."""
        await self._inbox.finish(result, proven, released)
        log.info(
            "command done",
            extra={
                "command": result.command_id,
                "board": result.board,
                "outcome": result.outcome,
                "reason": result.reason,
            },
        )
        self._on_result(result)

    async def _execute(self, job: Job) -> None:
        command = job.command
        if job.cut_off is not None:
            await self._settle(job, job.cut_off)
            return
        if isinstance(command.action, Power | Recover) and self._care.can_wake(command.board):
            board = self._boards.get(command.board)
        else:
            board = await self._present(job)
        match command.action:
            case Power(state=state):
                await self._power(command, board, state)
            case Recover() as recover:
                await self._recover(job, recover)
            case _ if board is not None:
                await self._execute_on(job, board)

    async def _execute_on(self, job: Job, board: Board) -> None:
        command = job.command
        match command.action:
            case Flash() as flash:
                await self._flash(job, board, flash)
            case Reset(mode=mode):
                await self._reset(job, board, mode)
            case Identify():
                await self._begin(command, "asking the chip who it is; it may have been reset")
                await self.answer(await unless_cancelled(job, self._care.identify(command, board)))
                self._on_change()
            case Send(data=data):
                await self._begin(command, f"sending {len(data)} bytes; some may have been sent")
                await self._tools(board).console.send(data)
                await self.answer(_passed(command))
            case _:
                raise CommandError(Reason.BAD_COMMAND, "nothing to do", Outcome.REFUSED)

    async def _present(self, job: Job) -> Board:
        """The board of a command. Raises CommandError UNKNOWN_BOARD."""
        name = job.command.board
        known = job.recovered or self._boards.console(name) is not None
        waiting = self._boards.wait_for(
            name, lambda board: not board.is_away, self._away_s if known else 0.0
        )
        board = await unless_cancelled(job, waiting)
        if board is None:
            message = f"no board {name} is connected to this agent"
            raise CommandError(Reason.UNKNOWN_BOARD, message, Outcome.REFUSED)
        return board

    async def _restarted(self, job: Job, gone: Board) -> Board | None:
        """The board as it came back after its probe was not found; None when it did not."""

        def is_another(board: Board) -> bool:
            same = (board.port_owner, board.probe_id) == (gone.port_owner, gone.probe_id)
            return board.is_usable and not same

        log.info("probe not found; its board may restart", extra={"board": gone.board_id})
        waiting = self._boards.wait_for(gone.board_id, is_another, RESTART_S)
        board = await unless_cancelled(job, waiting)
        return board if board is not None and is_another(board) else None

    async def _settle(self, job: Job, cut_off: CutOff) -> None:
        """Answer a flash during which the agent was killed.

        Its tool goes on alone and leaves a record. When that proves the image nothing is written
        again; a reset tells where its console begins.
        """
        command, record = job.command, self._record(job.command)
        result, proven = cut_off.refusal.result(command), NOTHING_PROVEN
        try:
            tools = self._tools(await self._present(job))
            await unless_cancelled(job, tools.flasher.settled(tools.probe))
            report = None
            if isinstance(command.action, Flash):
                report = proof_in(record, command.action, cut_off.flashing)
            if isinstance(command.action, Flash) and report is not None:
                result = replace(_passed(command), flash=report)
                proven = proven_after(cut_off.flashing, command.action.segments)
                if command.action.reset_after:
                    head = await reset_board(tools, command.action.part or tools.board.part)
                    result = replace(result, console=head)
        except CommandError as error:
            refusal = error.refusal
            if proven.sha256:
                result = replace(refusal.result(command), flash=result.flash)
        except FlasherError as error:
            log.warning("flash not settled", extra={"why": str(error)})
        released = released_by(command.action, result)
        self._note_proven(command.board, proven, released)
        await self.answer(result, proven if proven.sha256 else None, released)
        record.unlink(missing_ok=True)
        self._on_change()

    async def _flash(self, job: Job, board: Board, flash: Flash) -> None:
        command = job.command
        check_board(board, flash.part)
        refusal = late(command, _now())
        if refusal is not None:
            await self.answer(refusal.result(command))
            return
        image = await unless_cancelled(job, fetch_image(flash, self._images))
        intent = f"flashing {image.sha256[:12]}; the flash of the board is unknown"
        await self._begin(command, intent, flashing=image.sha256)
        before = self._boards.proven.pop(command.board, NOTHING_PROVEN)
        result = await self._write(job, board, flash, image, before)
        if result.reason == ToolReason.PROBE_NOT_FOUND:
            again = await self._restarted(job, board)
            if again is not None:
                result = await self._write(job, again, flash, image, before)
        proven = flash_held_after(result, flash, before)
        if result.reason == Reason.CANCELLED and job.why:
            result = _cut_off(result, job.why)
        released = released_by(flash, result)
        self._note_proven(command.board, proven, released)
        await self.answer(result, proven, released)
        self._record(command).unlink(missing_ok=True)
        self._on_change()

    def _note_proven(
        self, board: str, proven: ProvenImage, released: ProvenImage | None = None
    ) -> None:
        if proven.sha256:
            self._boards.proven[board] = proven
        if released is not None:
            self._boards.released[board] = released

    async def _power(self, command: Command, board: Board | None, state: PowerState) -> None:
        fault = self._care.power_fault(command.board, board)
        if fault:
            raise CommandError(Reason.POWER_FAILED, fault, Outcome.REFUSED)
        await self._begin(command, f"switching the power {state}; nobody knows whether it is on")
        head = await self._care.power(command.board, board, state)
        await self.answer(replace(_passed(command), console=head))
        self._on_change()

    async def _recover(self, job: Job, recover: Recover) -> None:
        command = job.command
        digest = "" if recover.canary is None else recover.canary.segments[0].sha256
        intent = "recovering the board; its flash is unknown"
        await self._begin(command, intent, flashing=digest)
        before = self._boards.proven.pop(command.board, NOTHING_PROVEN)
        result, proven = await self._care.recover(
            command, recover, record=self._record(command), cancel=job.cancel, before=before
        )
        if result.reason == Reason.CANCELLED and job.why:
            result = replace(result, reason=job.why)
        self._note_proven(command.board, proven)
        await self.answer(result, proven)
        self._on_change()

    async def _write(
        self, job: Job, board: Board, flash: Flash, image: Image, before: ProvenImage
    ) -> Result:
        return await flash_board(
            self._tools(board),
            job.command,
            flash,
            image,
            base=base_segments(before, self._images),
            blank=left_behind(before, flash),
            record=self._record(job.command),
            on_progress=self._on_progress,
            on_identity=self._on_identity,
            cancel=job.cancel,
        )

    async def _reset(self, job: Job, board: Board, mode: ResetMode) -> None:
        command = job.command
        check_board(board, "")
        start = enter_bootloader if mode is ResetMode.BOOTLOADER else reset_board
        await self._begin(command, "resetting the board")
        try:
            head = await start(self._tools(board), board.part)
        except CommandError as error:
            if error.refusal.reason != ToolReason.PROBE_NOT_FOUND:
                raise
            again = await self._restarted(job, board)
            if again is None:
                raise
            head = await start(self._tools(again), again.part)
        await self.answer(replace(_passed(command), console=head))
        self._on_change()

    async def _begin(self, command: Command, intent: str, flashing: str = "") -> None:
        refusal = await self._inbox.start(command, intent, flashing)
        if refusal is not None:
            raise CommandError(refusal.reason, refusal.message, refusal.outcome)

    def _record(self, command: Command) -> Path:
        return self._record_dir / f"{command.command_id}.json"

    def _tools(self, board: Board) -> BoardTools:
        console = self._boards.consoles[board.board_id]
        flasher = self._flashers.of(board.flash_tool)
        if flasher is None:
            tool = board.flash_tool or "nothing here"
            message = f"{board.board_id} is flashed by {tool}; this agent has {self._flashers}"
            raise CommandError(Reason.BOARD_UNUSABLE, message)
        return BoardTools(board=board, console=console, flasher=flasher)


def _cut_off(result: Result, why: str) -> Result:
    told = "the agent was stopped" if why == Reason.INTERRUPTED else "it was cancelled"
    message = f"{told} while it flashed; the flash of the board is unknown"
    return replace(result, outcome=Outcome.BROKEN, reason=why, message=message)


def _passed(command: Command) -> Result:
    return Result(command_id=command.command_id, board=command.board, outcome=Outcome.PASSED)


def _now() -> datetime:
    return datetime.now(UTC)
