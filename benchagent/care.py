"""What is done to a board besides flashing it: power, identity, recovery."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchagent import control_socket
from benchagent.bench import Boards
from benchagent.board import Board
from benchagent.command import (
    Command,
    CommandError,
    ConsoleHead,
    FlashReport,
    Outcome,
    ProvenImage,
    Reason,
    Recover,
    RecoveryProgress,
    Result,
)
from benchagent.enrolment import told_by
from benchagent.flash import command_error
from benchagent.flashers.protocol import FlasherError
from benchagent.identify import identify_board
from benchagent.power import PowerError, PowerState
from benchagent.recovery.climb import Climb, StoppedError, Workshop

OnStep = Callable[[RecoveryProgress], None]


class Care:
    """Does it on behalf of commands; each method is to be called when no other command of the
    board runs."""

    def __init__(self, workshop: Workshop, on_step: OnStep) -> None:
        self._workshop = workshop
        self._on_step = on_step

    @property
    def _boards(self) -> Boards:
        return self._workshop.boards

    def can_wake(self, board_id: str) -> bool:
        """Whether the power of a board can be switched that is not there."""
        return self._workshop.switches.of(board_id, None) is not None

    def power_fault(self, board_id: str, board: Board | None) -> str:
        """Why the power of a board cannot be switched; empty when it can."""
        try:
            self._workshop.switches.required(board_id, board)
        except PowerError as error:
            return str(error)
        return ""

    async def power(self, board_id: str, board: Board | None, state: PowerState) -> ConsoleHead:
        """Switch the power; what the board says from there on is of a new boot.

        Raises CommandError POWER_FAILED.
        """
        console = self._boards.consoles[board_id]
        head = console.head
        try:
            switch = self._workshop.switches.required(board_id, board)
            if state is not PowerState.OFF:
                head = await console.begin_epoch()
            await switch.switch(state)
        except PowerError as error:
            raise CommandError(Reason.POWER_FAILED, str(error)) from error
        return head

    async def identify(self, command: Command, board: Board) -> Result:
        """Ask the chip who it is; a virtual board also shows itself. Raises CommandError."""
        if board.control is not None:
            await self._show(board)
        shop = self._workshop
        try:
            identity = await identify_board(shop.flashers, shop.boards, board)
        except FlasherError as error:
            raise command_error("identify", error) from error
        await shop.on_identity(board.board_id, identity)
        told = told_by(identity, part=identity.part or board.part, now=datetime.now(UTC))
        return Result(
            command_id=command.command_id,
            board=command.board,
            outcome=Outcome.PASSED,
            chip=told.chip,
        )

    @staticmethod
    async def _show(board: Board) -> None:
        try:
            await asyncio.to_thread(control_socket.ask, str(board.control), {"op": "identify"})
        except control_socket.ControlError as error:
            raise CommandError(Reason.BOARD_UNUSABLE, f"identify: {error}") from error

    async def recover(
        self,
        command: Command,
        recover: Recover,
        *,
        record: Path,
        cancel: asyncio.Event,
        before: ProvenImage,
    ) -> tuple[Result, ProvenImage]:
        """Bring a board back; the answer, and the image that is in flash for certain.

        `before` is what was there. Cancelled, it leaves the board as it is.
        """
        climb = Climb(
            workshop=self._workshop,
            command=command,
            recover=recover,
            record=record,
            released=self._boards.released.get(command.board),
            cancel=cancel,
            tell=lambda step: self._on_step(
                RecoveryProgress(command_id=command.command_id, board=command.board, step=step)
            ),
        )
        result = Result(command_id=command.command_id, board=command.board, outcome=Outcome.BROKEN)
        try:
            await climb.run()
        except StoppedError:
            message = "it was cancelled; the board is as the last step left it"
            result = replace(result, reason=Reason.CANCELLED, message=message)
        else:
            result = _judged(result, climb)
        result = replace(result, recovery=climb.report)
        if not climb.touched:
            return result, before
        digest = climb.proven.sha256
        flash = FlashReport(image=climb.left_image, image_sha256=digest, read_back_sha256=digest)
        return replace(result, flash=flash), climb.proven


def _judged(result: Result, climb: Climb) -> Result:
    if climb.trouble:
        last = next(step for step in reversed(climb.steps) if step.reason)
        message = f"nothing helped: {last.message}"
        return replace(result, reason=climb.trouble, message=message)
    proof = "the canary ran" if climb.recover.canary is not None else "its chip answered"
    message = f"{proof}; {climb.left_image} image left on it"
    if climb.left_image == "unknown":
        message = f"{proof}; its flash is as it was"
    return replace(result, outcome=Outcome.PASSED, message=message)
