"""The board of a DEPLOY stage: waited for, leased, and kept by a run that resumes."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from benchline.errors import BenchlineError, NotReadyError
from controlplane.domain.bench import Board, Lease
from controlplane.domain.event import LeaseChanged, StageChanged
from controlplane.domain.verdict import Stage, State
from controlplane.leasing.book import LeaseBook
from controlplane.leasing.keeping import kept
from controlplane.pipeline.stage import StageRun
from controlplane.planning.benches import patience
from controlplane.storage.boards import BoardStore

_QUICK = timedelta(milliseconds=200)


class DeployLeases:
    """Leases boards for stages; one that waits longer than a moment says so."""

    def __init__(self, leases: LeaseBook, boards: BoardStore, board_wait: timedelta) -> None:
        self._leases = leases
        self._boards = boards
        self._board_wait = board_wait

    @asynccontextmanager
    async def leased(
        self, run: StageRun, selector: str, key: str, *, wait: bool = True
    ) -> AsyncIterator[tuple[Lease, Board]]:
        """A board for as long as the block runs; `key` is where the lease is remembered.

        Raises:
            NotReadyError: no board of the selector was free or came back in time.
        """
        lease, board = await self._acquire(run, selector, key, wait=wait)
        try:
            async with kept(self._leases, lease):
                yield lease, board
        finally:
            # A control plane that is shut down keeps the lease, to resume under it.
            if run.cancel_requested() or not run.stopping():
                await self._leases.release(lease.name)
                await run.record(LeaseChanged.of(lease, "released"))

    async def _acquire(
        self, run: StageRun, selector: str, key: str, *, wait: bool
    ) -> tuple[Lease, Board]:
        held = await run.kept(key)
        if held is not None:
            with contextlib.suppress(BenchlineError):
                lease = await self._leases.renew(held)
                return lease, await self._boards.get(lease.board)
        try:
            lease, board = await self._acquire_within(run, selector, _QUICK)
        except NotReadyError as error:
            wanted = await self._patience(selector) if wait else timedelta(0)
            if not wanted:
                raise
            await _tell(run, State.WAITING, f"waiting for a board: {error}")
            lease, board = await self._acquire_within(run, selector, wanted)
            await _tell(run, State.RUNNING, f"{board.board_id} is free")
        await run.keep(key, lease.name)
        await run.record(
            LeaseChanged.of(lease, "granted"), change=lambda s: replace(s, board=board.name)
        )
        return lease, board

    async def _patience(self, selector: str) -> timedelta:
        boards = await self._boards.boards(selector)
        return patience(boards, await self._boards.agents(), self._board_wait)

    async def _acquire_within(
        self, run: StageRun, selector: str, wait: timedelta
    ) -> tuple[Lease, Board]:
        return await self._leases.acquire_wait(selector, run.session.name, timeout=wait)


async def _tell(run: StageRun, state: State, message: str) -> None:
    fact = StageChanged(stage=Stage.DEPLOY, state=state, message=message, runs=run.runs)
    await run.record(fact, change=lambda s: replace(s, state=state))
