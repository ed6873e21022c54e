"""One board for the time of one piece of work: under a lease of the caller's, or one for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from benchline.errors import ConflictError, NotReadyError
from controlplane.domain.bench import Board, BoardState, Lease
from controlplane.leasing.book import LeaseBook
from controlplane.leasing.keeping import kept
from controlplane.storage.boards import BoardStore


class Borrowing:
    """Lends boards that somebody looks after, whatever is wrong with them."""

    def __init__(self, leases: LeaseBook, boards: BoardStore) -> None:
        self._leases = leases
        self._boards = boards

    async def lent(self, board: Board, holder: str, lease: str) -> Lease:
        """A lease that the caller holds on the board.

        Raises:
            ConflictError: STALE_LEASE, it is not held, of another board or somebody else's.
            NotFoundError: LEASE_NOT_FOUND.
        """
        held = await self._leases.get(lease)
        current = await self._boards.get(board.name)
        if held.board != board.name or held.holder != holder or current.lease != held.name:
            raise ConflictError(
                "STALE_LEASE", f"{lease} is not your lease of {board.name}", lease=lease
            )
        return held

    async def take(self, board: Board, holder: str) -> Lease:
        """A lease on this very board, at once.

        Raises:
            NotReadyError: BOARD_BUSY with who holds it and until when, AGENT_AWAY.
        """
        try:
            lease, _ = await self._leases.acquire(f"name={board.name}", holder, care=True)
        except NotReadyError as error:
            raise await self._why_not(board, error) from error
        return lease

    async def wait_for(self, board: Board, holder: str, timeout: timedelta) -> Lease:
        """A lease on this very board, waited for.

        Raises:
            NotReadyError: BOARD_BUSY or AGENT_AWAY, still so after `timeout`.
        """
        try:
            lease, _ = await self._leases.acquire_wait(
                f"name={board.name}", holder, timeout=timeout, care=True
            )
        except NotReadyError as error:
            raise await self._why_not(board, error) from error
        return lease

    @asynccontextmanager
    async def borrowed(self, board: Board, holder: str, lease: str) -> AsyncIterator[Lease]:
        """The caller's lease, or one that is kept and given back at the end.

        Raises:
            NotReadyError: BOARD_BUSY, AGENT_AWAY.
            ConflictError: STALE_LEASE.
        """
        if lease:
            yield await self.lent(board, holder, lease)
            return
        taken = await self.take(board, holder)
        try:
            async with kept(self._leases, taken):
                yield taken
        finally:
            await self._leases.release(taken.name)

    async def _why_not(self, board: Board, error: NotReadyError) -> NotReadyError:
        now = await self._boards.get(board.name)
        if now.lease:
            held = await self._leases.get(now.lease)
            until = held.expire_time.isoformat(timespec="seconds")
            return NotReadyError(
                "BOARD_BUSY",
                f"{now.board_id} is held by {held.holder} until {until} unless renewed",
                board=now.name,
                holder=held.holder,
                expire_time=until,
            )
        if now.state is BoardState.OFFLINE:
            return NotReadyError(
                "AGENT_AWAY",
                f"the agent of {now.board_id} is not connected",
                board=now.name,
                agent=now.agent_id,
            )
        return error
