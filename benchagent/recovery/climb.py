"""Climbs the ladder with one board: does what it says, checks, and proves the board at the end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from benchagent.bench import Boards
from benchagent.board import Board
from benchagent.command import (
    NOTHING_PROVEN,
    Command,
    CommandError,
    Flash,
    Outcome,
    Progress,
    ProvenImage,
    Recover,
    RecoveryReport,
)
from benchagent.flash import (
    BoardTools,
    OnIdentity,
    command_error,
    enter_bootloader,
    fetch_image,
    flash_board,
    reset_board,
)
from benchagent.flashers.protocol import FlasherError, ResetWay, TargetIdentity
from benchagent.flashers.registry import Flashers
from benchagent.identify import identify_board
from benchagent.images import ImageCache
from benchagent.power import PowerError, PowerState, PowerSwitches
from benchagent.recovery.ladder import (
    AWAY,
    CANARY_SILENT,
    POWER_FAILED,
    UNREACHABLE,
    Action,
    Means,
    Step,
    StepOutcome,
    next_rung,
)

log = logging.getLogger(__name__)

AWAY_S = 10.0
"""How long a board that is not there is waited for: it may come back in another socket."""
SETTLE_S = 1.0
"""After a power cycle: USB devices need a moment to go away before they come back."""
NOTICED_S = 2.0
"""How long it takes at most to notice that a board was unplugged."""
HEARD_S = 20.0
"""How long the canary is listened for."""
_LISTEN_S = 0.05
_MOST_HEARD = 64 * 1024


class StoppedError(Exception):
    """The recovery was cancelled, or the agent stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a recovery works with; callbacks as in `Execution`."""

    boards: Boards
    flashers: Flashers
    images: ImageCache
    switches: PowerSwitches
    on_progress: Callable[[Progress], None]
    on_identity: OnIdentity


@dataclass(slots=True, kw_only=True)
class Climb:
    """One recovery of one board. `tell` hears every step when it begins and when it ends."""

    workshop: Workshop
    command: Command
    recover: Recover
    record: Path
    released: ProvenImage | None
    """The release image that the board held last."""
    cancel: asyncio.Event
    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)
    left_image: str = "unknown"
    proven: ProvenImage = NOTHING_PROVEN
    touched: bool = False
    """Its flash was, or may have been, written to."""
    trouble: str = ""
    _gentle: bool = False
    _tool: str = ""
    _last: Board | None = None
    _explained: set[tuple[Action, str]] = field(default_factory=set)

    @property
    def report(self) -> RecoveryReport:
        """What was done so far."""
        return RecoveryReport(steps=tuple(self.steps), left_image=self.left_image)

    async def run(self) -> None:
        """Climb until the board is proved to work or nothing can help; `trouble` is empty then,
        or says what is left. Raises StoppedError."""
        tried: list[Action] = []
        self.trouble = await self._look()
        while self.trouble or (await self._prove()):
            decision = next_rung(self._means(), self.trouble, tried, self.recover.order)
            for rung, why in decision.left_out:
                self._explain(rung, why)
            if decision.rung is None:
                return
            tried.append(decision.rung)
            await self._try(decision.rung)

    async def _try(self, rung: Action) -> None:
        """Do one rung, then look whether the board answers."""
        if rung in (Action.SLOWER, Action.OTHER_FLASHER):
            # Only writing shows whether that helps, and it asks the chip who it is first.
            await self._step(rung, self._turn_to(rung))
            self.trouble = ""
            return
        failed = await self._step(rung, lambda: self._act(rung))
        if failed == POWER_FAILED:
            return
        self.trouble = failed or await self._look()

    async def _look(self) -> str:
        """Check; a board that was not reached may just be on its way to another socket."""
        seen = self._here()
        trouble = await self._step(Action.CHECK, self._check)
        if trouble in UNREACHABLE and await self._moved(seen):
            trouble = await self._step(Action.CHECK, self._check)
        return trouble

    async def _moved(self, seen: Board | None) -> bool:
        """Whether a board went away and came back, or is somewhere else now. Waits for one that
        is away; for one that is where it was only as long as it takes to notice that it left."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (waited := loop.time() - began) < AWAY_S:
            if self.cancel.is_set():
                raise StoppedError
            here = self._here()
            if here is None:
                seen = None
            elif seen is None or _place(here) != _place(seen):
                return True
            elif waited > NOTICED_S:
                return False
            await asyncio.sleep(_LISTEN_S)
        return False

    async def _prove(self) -> str:
        """Canary, then what the board is left with; what is wrong, empty when nothing is."""
        canary = self.recover.canary
        if canary is None:
            self._explain(Action.CANARY, self.recover.without_canary or "none was sent")
        else:
            self.trouble = await self._step(Action.CANARY, lambda: self._sing(canary))
        if not self.trouble:
            self.trouble = await self._step(Action.RESTORE, self._restore)
        return self.trouble

    async def _act(self, rung: Action) -> str:
        if rung is Action.POWER_CYCLE:
            return await self._power_cycle()
        tools = await self._tools()
        part = tools.board.part
        match rung:
            case Action.SOFT_RESET:
                await reset_board(tools, part, ResetWay.SOFT)
            case Action.HARD_RESET:
                await reset_board(tools, part, ResetWay.HARD)
            case _:
                await enter_bootloader(tools, part)
        return ""

    async def _power_cycle(self) -> str:
        board_id = self.command.board
        try:
            switch = self.workshop.switches.required(board_id, self._here() or self._last)
            await switch.switch(PowerState.CYCLE)
        except PowerError as error:
            raise CommandError(POWER_FAILED, str(error)) from error
        await asyncio.sleep(SETTLE_S)
        return f"by {switch.words}"

    def _turn_to(self, rung: Action) -> Callable[[], Awaitable[str]]:
        async def turn() -> str:
            if rung is Action.SLOWER:
                self._gentle = True
                return "from here on"
            board = await self._board()
            self._tool = self._others(board)[0]
            return f"from here on by {self._tool}"

        return turn

    async def _check(self) -> str:
        """Ask the chip who it is, and hold it against what it should be."""
        board = await self._board()
        if self._tool:
            board = replace(board, flash_tool=self._tool)
        shop = self.workshop
        try:
            identity = await identify_board(shop.flashers, shop.boards, board)
        except FlasherError as error:
            raise command_error("the chip was asked who it is", error) from error
        stranger = another(board, identity)
        if stranger:
            raise CommandError("TARGET_MISMATCH", stranger)
        await shop.on_identity(board.board_id, identity)
        return identity.chip or identity.part

    async def _sing(self, canary: Flash) -> str:
        """Write known good firmware and hear it say its number."""
        offset = await self._write(canary)
        if not self.recover.expect:
            return f"written and read back; {self.recover.without_canary}"
        console = self.workshop.boards.consoles[self.command.board]
        reader = console.spool.reader(offset)
        wanted, heard = self.recover.expect.encode(), b""
        try:
            async with asyncio.timeout(HEARD_S):
                while wanted not in heard:
                    pieces = reader.read(_MOST_HEARD)
                    heard = (heard + b"".join(piece.data for piece in pieces))[-_MOST_HEARD:]
                    if not pieces:
                        await asyncio.sleep(_LISTEN_S)
        except TimeoutError as error:
            said = f"{len(heard)} other bytes" if heard else "nothing"
            message = f"it was proved in flash and said {said} in {HEARD_S:.0f} s"
            raise CommandError(CANARY_SILENT, message) from error
        finally:
            reader.close()
        return "written, read back, and heard"

    async def _restore(self) -> str:
        """Leave the last release image on the board, else the canary without stimuli."""
        if self.released is not None:
            board = await self._board()
            flash = Flash(
                segments=self.released.segments,
                part=board.part,
                reset_after=True,
                image="release",
            )
            try:
                await self._write(flash)
            except CommandError as error:
                if not error.refusal.reason.startswith("IMAGE_"):
                    raise
                log.warning("release image not to be had", extra={"why": str(error)})
            else:
                self.left_image = "release"
                return "its last release image"
        if self.recover.left is None:
            return "nothing is known that could be left on it; its flash is as it was"
        await self._write(self.recover.left)
        self.left_image = "canary"
        return "the canary; no release image of it is known"

    async def _write(self, flash: Flash) -> int:
        """Write an image; where the console stood when it was started. Raises CommandError."""
        shop, command = self.workshop, self.command
        image = await fetch_image(flash, shop.images)
        tools = await self._tools()
        self.touched, self.proven = True, NOTHING_PROVEN
        result = await flash_board(
            tools,
            replace(command, action=flash),
            flash,
            image,
            gentle=self._gentle,
            record=self.record,
            on_progress=shop.on_progress,
            on_identity=shop.on_identity,
            cancel=self.cancel,
        )
        self.record.unlink(missing_ok=True)
        if self.cancel.is_set():
            raise StoppedError
        if result.outcome is not Outcome.PASSED:
            raise CommandError(result.reason, result.message, result.outcome)
        self.proven = ProvenImage(sha256=image.sha256, segments=flash.segments)
        return result.console.offset if result.console is not None else 0

    def _here(self) -> Board | None:
        board = self.workshop.boards.get(self.command.board)
        return None if board is None or board.is_away else board

    async def _board(self) -> Board:
        """The board, waited for where it is away. Raises CommandError UNKNOWN_BOARD."""
        name = self.command.board
        await self.workshop.boards.wait_for(name, lambda board: not board.is_away, AWAY_S)
        board = self._here()
        if board is None:
            raise CommandError(AWAY, f"{name} is not there; waited {AWAY_S:.0f} s for it")
        self._last = board
        return board

    async def _tools(self) -> BoardTools:
        board = await self._board()
        tool = self._tool or board.flash_tool
        flasher = self.workshop.flashers.of(tool)
        if flasher is None:
            message = f"{board.board_id} is flashed by {tool or 'nothing here'}"
            raise CommandError("TOOL_MISSING", message)
        console = self.workshop.boards.consoles[board.board_id]
        return BoardTools(board=board, console=console, flasher=flasher)

    def _others(self, board: Board) -> tuple[str, ...]:
        return self.workshop.flashers.others_for(board.family, board.flash_tool)

    def _means(self) -> Means:
        board = self._here() or self._last
        board_id = self.command.board
        switch = self.workshop.switches.of(board_id, board)
        no_power = "" if switch else self.workshop.switches.fault
        flasher = None
        if board is not None:
            flasher = self.workshop.flashers.of(self._tool or board.flash_tool)
        return Means(
            soft_reset=flasher is not None and flasher.has_soft_reset,
            hard_reset=flasher is not None,
            bootloader=flasher is not None and flasher.has_bootloader,
            resets_through_probe=flasher is not None and not flasher.takes_the_port,
            other_tools=self._others(board) if board is not None else (),
            power=switch is not None,
            no_power=no_power,
        )

    def _explain(self, rung: Action, why: str) -> None:
        """Tell once why something is left out."""
        if (rung, why) not in self._explained:
            self._explained.add((rung, why))
            step = Step(
                action=rung, outcome=StepOutcome.SKIPPED, message=why, start_time=datetime.now(UTC)
            )
            self.steps.append(step)
            self.tell(step)

    async def _step(self, action: Action, work: Callable[[], Awaitable[str]]) -> str:
        """One step, told when it begins and when it ends; gives its reason, empty when it passed.

        Raises StoppedError.
        """
        step = Step(action=action, start_time=datetime.now(UTC))
        self.tell(step)
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome, reason, message = StepOutcome.PASSED, "", ""
        try:
            async with self._unless_stopped(work) as task:
                message = await task
        except CommandError as error:
            outcome = StepOutcome.BROKEN
            reason, message = error.refusal.reason, error.refusal.message
        ended = replace(
            step,
            outcome=outcome,
            reason=reason,
            message=message,
            duration_ms=round((loop.time() - began) * 1000),
        )
        self.steps.append(ended)
        self.tell(ended)
        log.info(
            "recovery step",
            extra={
                "board": self.command.board,
                "action": action,
                "outcome": outcome,
                "reason": reason,
            },
        )
        return reason

    @contextlib.asynccontextmanager
    async def _unless_stopped(
        self, work: Callable[[], Awaitable[str]]
    ) -> AsyncIterator["asyncio.Task[str]"]:
        """The work once it is done. Raises StoppedError when it is cancelled before."""

        async def run() -> str:
            return await work()

        task = asyncio.create_task(run())
        stopped = asyncio.create_task(self.cancel.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StoppedError
            yield task
        finally:
            for one in (task, stopped):
                one.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)


def _place(board: Board) -> tuple[object, ...]:
    return (board.probe_id, board.port, board.port_owner)


def another(board: Board, identity: TargetIdentity) -> str:
    """Why the chip that answered is not the board's; empty when nothing speaks against it."""
    candidates = identity.candidates or ((identity.part,) if identity.part else ())
    if board.part and candidates and board.part not in candidates:
        return f"{board.board_id} is a {board.part}, and {' or '.join(candidates)} answered"
    known = board.chip.identity if board.chip is not None else ""
    found = identity.device_uid
    if known and found and known.lower() != found.lower():
        return f"the chip of {board.board_id} is {known}, and {found} answered"
    if ":" in board.identity and found and board.identity.lower() != found.lower():
        return f"{board.board_id} is {board.identity}, and {found} answered"
    return ""
