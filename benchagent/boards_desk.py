"""Serves `benchline agent boards` where no agent runs; where one does, it is asked."""

import asyncio
from pathlib import Path
from typing import Any

from benchagent.app import claimed
from benchagent.board import Board
from benchagent.config import Config
from benchagent.discovery.book import BoardBook
from benchagent.discovery.service import UsbTree, look
from benchagent.enrolment import Enrolment
from benchagent.flashers.protocol import TargetIdentity
from benchagent.flashers.registry import Flashers
from benchagent.identify import identify_board
from benchagent.local_control import answer, ask
from benchline.instance import make_private


async def at_desk(folder: Path, tree: UsbTree, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked of the boards of an agent's folder.

    Raises:
        EnrolError: it was not done.
        ConflictError: AGENT_RUNNING, when an agent starts just now.
    """
    make_private(folder)
    told = await ask(folder, asked)
    if told is not None:
        return told
    with claimed(Config(server="", name="bench", folder=folder)):
        book = BoardBook(folder)
        seen = await asyncio.to_thread(look, tree, book)
        flashers = Flashers(folder)

        async def identify(board: Board) -> TargetIdentity:
            return await identify_board(flashers, None, board)

        enrolment = Enrolment(book=book, nodes=tree.nodes, seen=lambda: seen, identify=identify)
        try:
            return await answer(enrolment, asked)
        finally:
            flashers.close()
