"""Orders to agents: stored first, sent until answered, answered once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from benchline.errors import NotFoundError, UnreachableError
from controlplane.domain.event import FlashProgress
from controlplane.domain.health import RecoveryStep
from controlplane.fleet.orders import CommandAnswer, CommandTicket
from controlplane.fleet.registry import Registry
from controlplane.fleet.wire import decode_answer, encode_command
from controlplane.storage.commands import CommandRecord, CommandStore


class Commands:
    """Gives orders. The same ticket given again, also after a restart, gets the same answer."""

    def __init__(self, store: CommandStore, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    async def run(
        self,
        ticket: CommandTicket,
        *,
        timeout: timedelta,
        on_progress: Callable[[FlashProgress], None] | None = None,
        on_step: Callable[[RecoveryStep], None] | None = None,
    ) -> CommandAnswer:
        """Order and wait for the answer.

        Raises:
            UnreachableError: AGENT_SILENT, no answer within `timeout`.
        """
        if on_progress is not None:
            self._registry.listen(ticket.command_id, on_progress)
        if on_step is not None:
            self._registry.listen_to_steps(ticket.command_id, on_step)
        try:
            await self._give_once(ticket)
            async with asyncio.timeout(timeout.total_seconds()):
                result = await self._store.wait_result(ticket.command_id)
        except TimeoutError:
            self._registry.cancel(ticket.agent, ticket.command_id)
            state = "is connected" if self._registry.is_online(ticket.agent) else "is away"
            raise UnreachableError(
                "AGENT_SILENT",
                f"agent {ticket.agent} {state} and did not finish {ticket.command_id} within "
                f"{timeout.total_seconds():.0f} s; look at the agent's log",
                agent=ticket.agent,
                command=ticket.command_id,
            ) from None
        finally:
            self._registry.unlisten(ticket.command_id)
        return decode_answer(result, ticket.board)

    async def _give_once(self, ticket: CommandTicket) -> None:
        """Store the command unless it was given before; a repeat keeps the first deadline."""
        try:
            await self._store.get(ticket.command_id)
        except NotFoundError:
            await self._store.put(
                CommandRecord(
                    command_id=ticket.command_id,
                    agent=ticket.agent,
                    board=ticket.board,
                    payload=encode_command(ticket),
                )
            )
