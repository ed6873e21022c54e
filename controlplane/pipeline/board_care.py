"""What is done to single boards for somebody who asks: reset, power, identity, service."""

import logging
from datetime import UTC, datetime, timedelta

from benchline.errors import InvalidRequestError, NotReadyError, UnreachableError
from controlplane.domain.bench import Board, Chip
from controlplane.domain.health import BoardHealth, PowerState, Quarantine, ResetMode
from controlplane.domain.verdict import Outcome
from controlplane.fleet.commands import Commands
from controlplane.fleet.orders import (
    CommandAnswer,
    CommandTicket,
    IdentifyOrder,
    Order,
    PowerOrder,
    ResetOrder,
)
from controlplane.leasing.borrowing import Borrowing
from controlplane.storage.board_health import HealthStore
from controlplane.storage.boards import BoardStore

audit = logging.getLogger("controlplane.audit")
"""Who did what to which board."""

_RESET_TIME = timedelta(seconds=60)
_POWER_TIME = timedelta(seconds=180)
_IDENTIFY_TIME = timedelta(seconds=120)
LONGEST_REASON = 500


class BoardCare:
    """Does it under the board's lease, once for each request."""

    def __init__(
        self,
        *,
        boards: BoardStore,
        borrowing: Borrowing,
        commands: Commands,
        health: HealthStore,
    ) -> None:
        self._boards = boards
        self._borrowing = borrowing
        self._commands = commands
        self._health = health

    async def reset(
        self, board: str, mode: ResetMode, *, holder: str, lease: str, request_id: str
    ) -> CommandAnswer:
        """Restart firmware or bootloader.

        Raises:
            NotReadyError: BOARD_BUSY, AGENT_AWAY, CANNOT, CARE_FAILED.
            ConflictError: STALE_LEASE.
            UnreachableError: AGENT_SILENT.
        """
        return await self._do(board, ResetOrder(mode=mode), _RESET_TIME, holder, lease, request_id)

    async def power(
        self, board: str, state: PowerState, *, holder: str, lease: str, request_id: str
    ) -> None:
        """Switch the power; raises as `reset`."""
        order = PowerOrder(state=state)
        await self._do(board, order, _POWER_TIME, holder, lease, request_id)

    async def identify(self, board: str, *, holder: str, lease: str, request_id: str) -> Chip:
        """Ask the chip who it is; raises as `reset`."""
        order = IdentifyOrder()
        answer = await self._do(board, order, _IDENTIFY_TIME, holder, lease, request_id)
        if answer.chip is None:
            raise UnreachableError("AGENT_SILENT", "the agent did not tell what the chip said")
        return answer.chip

    async def quarantine(self, name: str, reason: str, *, principal: str) -> Board:
        """Take a board out of service until somebody returns it.

        Raises:
            InvalidRequestError: REASON_NEEDED.
            NotFoundError: BOARD_NOT_FOUND.
        """
        text = " ".join(reason.split())
        if not 0 < len(text) <= LONGEST_REASON:
            raise InvalidRequestError(
                "REASON_NEEDED", f"say why, in 1 to {LONGEST_REASON} characters"
            )
        board = await self._boards.get(name)
        quarantine = Quarantine(
            reason="MANUAL",
            message=text,
            principal=principal,
            automatic=False,
            create_time=datetime.now(UTC),
        )
        await self._health.quarantine(board.name, quarantine)
        audit.info(
            "board quarantined",
            extra={"board": board.name, "principal": principal, "why": text},
        )
        return await self._boards.get(board.name)

    async def bring_back(self, name: str, *, principal: str) -> Board:
        """Put a board back into service.

        Raises:
            NotFoundError: BOARD_NOT_FOUND.
        """
        board = await self._boards.get(name)
        await self._health.bring_back(board.name)
        audit.info("board returned", extra={"board": board.name, "principal": principal})
        return await self._boards.get(board.name)

    async def health(self, name: str) -> BoardHealth:
        """What is known of the health of a board.

        Raises:
            NotFoundError: BOARD_NOT_FOUND.
        """
        return await self._health.health(await self._boards.get(name))

    async def _do(
        self,
        name: str,
        order: Order,
        time: timedelta,
        holder: str,
        lease: str,
        request_id: str,
    ) -> CommandAnswer:
        board = await self._boards.get(name)
        async with self._borrowing.borrowed(board, holder, lease) as held:
            ticket = CommandTicket(
                command_id=f"care-{request_id}",
                agent=board.agent_id,
                board=board.name,
                lease=held.name,
                fencing_token=held.fencing_token,
                deadline=datetime.now(UTC) + time,
                order=order,
            )
            answer = await self._commands.run(ticket, timeout=time)
        audit.info(
            "board order",
            extra={
                "order": type(order).__name__.removesuffix("Order").lower(),
                "board": board.name,
                "principal": holder,
                "outcome": answer.outcome.value,
                "reason": answer.reason,
            },
        )
        if answer.outcome is Outcome.PASSED:
            return answer
        why = f"{board.board_id}: {answer.reason}: {answer.message}"
        if answer.outcome is Outcome.REFUSED:
            raise NotReadyError("CANNOT", why, board=board.name, why=answer.reason)
        raise NotReadyError("CARE_FAILED", why, board=board.name, why=answer.reason)
