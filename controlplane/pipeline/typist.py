"""Sends what a person types to a board."""

from datetime import UTC, datetime, timedelta

from benchline.errors import ConflictError, NotReadyError
from controlplane.domain.bench import Board, Lease
from controlplane.domain.verdict import Outcome
from controlplane.fleet.commands import Commands
from controlplane.fleet.orders import CommandTicket, SendOrder
from controlplane.leasing.book import LeaseBook

_TIME = timedelta(seconds=10)
_LEASE_TTL = timedelta(seconds=15)


class BoardTypist:
    """Leases the board for the moment of sending, so that nobody types into a running proof."""

    def __init__(self, leases: LeaseBook, commands: Commands) -> None:
        self._leases = leases
        self._commands = commands

    async def send(
        self, board: Board, data: bytes, *, holder: str, lease: str, request_id: str
    ) -> None:
        """Send under the lease, or under one for the moment; the same request once.

        Raises:
            NotReadyError: BOARD_BUSY or SEND_FAILED.
            ConflictError: STALE_LEASE.
        """
        if lease:
            held = await self._leases.get(lease)
            if held.board != board.name or held.holder != holder:
                raise ConflictError(
                    "STALE_LEASE", f"{lease} is not your lease of {board.name}", lease=lease
                )
            await self._send(board, held, data, request_id)
            return
        taken, _ = await self._leases.acquire(f"name={board.board_id}", holder, _LEASE_TTL)
        try:
            await self._send(board, taken, data, request_id)
        finally:
            await self._leases.release(taken.name)

    async def _send(self, board: Board, lease: Lease, data: bytes, request_id: str) -> None:
        ticket = CommandTicket(
            command_id=f"send-{request_id}",
            agent=board.agent_id,
            board=board.name,
            lease=lease.name,
            fencing_token=lease.fencing_token,
            deadline=datetime.now(UTC) + _TIME,
            order=SendOrder(data=data),
        )
        answer = await self._commands.run(ticket, timeout=_TIME)
        if answer.outcome is not Outcome.PASSED:
            raise NotReadyError(
                "SEND_FAILED",
                f"{board.board_id} did not take the bytes: {answer.reason}: {answer.message}",
                board=board.name,
            )
