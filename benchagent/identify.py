"""Asking the chip of a board who it is, and starting its firmware again."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchagent.bench import Boards
from benchagent.board import Board
from benchagent.command import CommandError
from benchagent.flash import OPEN_S, BoardTools, reset_board
from benchagent.flashers.protocol import Flasher, FlasherError, ProbeRef, Reason, TargetIdentity
from benchagent.flashers.registry import Flashers
from benchagent.ports import PortError, open_port

log = logging.getLogger(__name__)


async def identify_board(flashers: Flashers, boards: Boards | None, board: Board) -> TargetIdentity:
    """Ask a chip who it is. `boards` are those of the agent that reads its port, if one runs.

    Raises:
        FlasherError: it cannot be asked.
    """
    flasher = flashers.of(board.flash_tool)
    if flasher is None:
        tool = board.flash_tool or "nothing here"
        raise FlasherError(Reason.TOOL_MISSING, f"it is flashed by {tool}; there is {flashers}")
    if not flasher.takes_the_port:
        return await flasher.identify(ProbeRef(address=board.probe_id, uid=board.identity))
    if boards is not None:
        return await _through_console(flasher, boards, board)
    with _own_port(board) as probe:
        identity = await flasher.identify(probe)
        try:
            await flasher.reset(probe, identity.part)
        except FlasherError as error:
            _warn(board, error)
    return identity


async def _through_console(flasher: Flasher, boards: Boards, board: Board) -> TargetIdentity:
    with boards.reading(board) as console:
        if not await console.opened(OPEN_S):
            message = console.fault or f"{board.port or 'its port'} cannot be opened"
            raise FlasherError(Reason.PROBE_NOT_FOUND, message)
        tools = BoardTools(board=board, console=console, flasher=flasher)
        try:
            with tools.reached() as probe:
                # Who it is is what is asked: no identity is expected.
                return await flasher.identify(replace(probe, uid=""))
        finally:
            try:
                await reset_board(tools, board.part)
            except CommandError as error:
                _warn(board, error)


def _warn(board: Board, why: Exception) -> None:
    """It stays in its bootloader; who it is, is known all the same."""
    log.warning("board not started again", extra={"board": board.board_id, "why": str(why)})


@contextmanager
def _own_port(board: Board) -> Iterator[ProbeRef]:
    if board.port is None:
        raise FlasherError(Reason.PROBE_NOT_FOUND, "it has no serial port")
    try:
        port = open_port(board.port, clears_lines=board.clears_lines)
    except PortError as error:
        raise FlasherError(Reason.PROBE_NOT_FOUND, str(error)) from error
    try:
        yield ProbeRef(address=board.probe_id, port=port, native_usb=board.has_native_usb)
    finally:
        os.close(port)
