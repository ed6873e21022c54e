"""Brings boards back: at somebody's wish, and by itself after a broken outcome.

A recovery is stored before it begins and led by a job of the work queue, so that it is resumed
whatever dies in between. The agent does the work; what follows from it (score, rates, quarantine)
is stored with its end, in one transaction.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from benchline.errors import BenchlineError, ConflictError, NotFoundError, UnreachableError
from controlplane.domain.bench import Board, Lease
from controlplane.domain.health import Quarantine, Recovery, RecoveryStep
from controlplane.domain.verdict import Outcome
from controlplane.fleet.commands import Commands
from controlplane.fleet.orders import CommandAnswer, CommandTicket, RecoverOrder
from controlplane.leasing.book import LeaseBook
from controlplane.leasing.borrowing import Borrowing
from controlplane.leasing.keeping import kept
from controlplane.pipeline.board_care import audit
from controlplane.pipeline.canary import Canaries, Canary
from controlplane.planning.health import FAULT_WEIGHTS, is_boards_fault, order_of
from controlplane.storage.board_health import HealthStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.database import Database, Transaction
from controlplane.storage.work_queue import Again, Delivery, Job, WorkQueue

log = logging.getLogger(__name__)

SYSTEM = "benchline"
"""Who does what nobody asked for."""
_KIND = "recovery"
_AT_ONCE = 16
_SHUTDOWN_GRACE = timedelta(milliseconds=200)
_TIME = timedelta(minutes=15)
_LEASE_WAIT = timedelta(minutes=10)
_TRIES = 3
_PAUSE = timedelta(seconds=10)
_WORTH_REPEATING = frozenset({"AGENT_SILENT", "INTERRUPTED", "STALE_LEASE", "DEADLINE"})
"""After these nobody knows anything new about the board."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryParts:
    """What recoveries work with."""

    boards: BoardStore
    borrowing: Borrowing
    canaries: Canaries
    commands: Commands
    database: Database
    health: HealthStore
    leases: LeaseBook
    queue: WorkQueue
    new_id: Callable[[], str]


@dataclass(slots=True)
class _Live:
    """What watchers of a recovery see while it goes on."""

    steps: list[RecoveryStep] = field(default_factory=list)
    ended: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Wake everybody who watches."""
        self.changed.set()
        self.changed = asyncio.Event()


class Recoveries:
    """Starts, leads, resumes and shows recoveries."""

    def __init__(self, parts: RecoveryParts) -> None:
        self._parts = parts
        self._health = parts.health
        self._live: dict[str, _Live] = {}
        self._stop = asyncio.Event()

    async def start(self, name: str, *, principal: str, lease: str, request_id: str) -> Recovery:
        """Bring a board back because somebody asks; one that goes on already is joined.

        Raises:
            NotReadyError: BOARD_BUSY with who holds the board and until when, AGENT_AWAY.
            ConflictError: STALE_LEASE, REQUEST_ID_REUSED.
            NotFoundError: BOARD_NOT_FOUND, LEASE_NOT_FOUND.
        """
        board = await self._parts.boards.get(name)
        going_on = [one for one in await self._health.unfinished() if one.board == board.name]
        if going_on:
            return going_on[0]
        borrowing = self._parts.borrowing
        if lease:
            held = await borrowing.lent(board, principal, lease)
        else:
            held = await borrowing.take(board, principal)
        recovery = self._new(board, principal, trouble="", automatic=False)
        recovery = replace(recovery, lease=held.name, own_lease=not lease)
        stored, fresh = await self._begin(recovery, request_id, None)
        if not fresh and not lease:
            await self._parts.leases.release(held.name)
        return stored

    async def blame(self, board: Board, outcome: Outcome, reason: str, message: str) -> bool:
        """A board is at fault for a broken outcome: take it out of service and bring it back.

        False when the outcome says nothing about the board. Never raises: whoever was let down by
        a board goes on whatever becomes of it.
        """
        if not is_boards_fault(outcome, reason):
            return False
        quarantine = Quarantine(
            reason=reason,
            message=f"{message}; it is being recovered",
            principal=SYSTEM,
            automatic=True,
            create_time=datetime.now(UTC),
        )
        recovery = self._new(board, SYSTEM, trouble=reason, automatic=True)
        try:
            if reason == "BOARD_SILENT":
                await self._health.note(board.name, "scenario", outcome, reason)
            await self._begin(recovery, "", quarantine)
        except BenchlineError as error:
            log.warning("board not recovered", extra={"board": board.name, "why": str(error)})
            return False
        audit.info(
            "board quarantined",
            extra={"board": board.name, "principal": SYSTEM, "why": reason},
        )
        return True

    async def follow(self, recovery: Recovery) -> AsyncIterator[RecoveryStep | Recovery]:
        """Every step when it begins and when it ends, then the recovery as it ended."""
        told, live = 0, self._live.get(recovery.recovery_id)
        while True:
            live = live or self._live.get(recovery.recovery_id)
            changed = live.changed if live is not None else None
            current = await self._health.recovery(recovery.recovery_id)
            known = list(live.steps) if live is not None else []
            if current.outcome is not None and not known:
                known = list(current.steps)
            for step in known[told:]:
                yield step
            told = len(known)
            if current.outcome is not None:
                yield current
                return
            await self._wait(changed)

    async def _wait(self, changed: asyncio.Event | None) -> None:
        """Until something is new; of a recovery that waits for its turn nothing is told."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2 if changed is None else None):
                await (changed or asyncio.Event()).wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop. Recoveries in work are resumed by the next start."""
        self._stop = stop
        for recovery in await self._health.unfinished():
            await self._enqueue(recovery)
        await self._parts.queue.work(
            self._deliver,
            kinds={_KIND},
            concurrency=_AT_ONCE,
            stop=stop,
            grace=_SHUTDOWN_GRACE,
        )

    def _new(self, board: Board, principal: str, *, trouble: str, automatic: bool) -> Recovery:
        return Recovery(
            name=f"recoveries/{self._parts.new_id()}",
            board=board.name,
            trouble=trouble,
            principal=principal,
            automatic=automatic,
            create_time=datetime.now(UTC),
        )

    async def _begin(
        self, recovery: Recovery, request_id: str, quarantine: Quarantine | None
    ) -> tuple[Recovery, bool]:
        def also(tx: Transaction) -> None:
            self._parts.queue.put(tx, Job(key=recovery.recovery_id, kind=_KIND))

        self._live.setdefault(recovery.recovery_id, _Live())
        stored, fresh = await self._health.begin(recovery, request_id, also, quarantine)
        if not fresh:
            self._live.pop(recovery.recovery_id, None)
        return stored, fresh

    async def _enqueue(self, recovery: Recovery) -> None:
        job = Job(key=recovery.recovery_id, kind=_KIND)
        await self._parts.database.transact(lambda tx: self._parts.queue.put(tx, job))

    async def _deliver(self, delivery: Delivery) -> None:
        recovery = await self._health.recovery(delivery.job.key)
        if recovery.outcome is not None:
            return
        live = self._live.setdefault(recovery.recovery_id, _Live())
        try:
            ended = await self._lead(recovery, live, last=delivery.attempt + 1 >= _TRIES)
        except NotFoundError as error:  # its board was forgotten
            ended = _broken(recovery, error.reason, error.message)
            await self._health.keep(ended)
        finally:
            self._parts.boards.tell_recovering(recovery.board, "")
        live.ended = True
        del self._live[recovery.recovery_id]
        live.tell()
        audit.info(
            "board recovery ended",
            extra={
                "board": ended.board,
                "principal": ended.principal,
                "outcome": ended.outcome,
                "reason": ended.reason,
            },
        )

    async def _lead(self, recovery: Recovery, live: _Live, *, last: bool) -> Recovery:
        """Lease, recover, give back. Raises Again when it has to be done once more."""
        board = await self._parts.boards.get(recovery.board)
        self._parts.boards.tell_recovering(board.name, "waiting for the board")
        try:
            lease = await self._lease(recovery, board)
        except BenchlineError as error:
            return await self._end(_broken(recovery, error.reason, error.message), board)
        recovery = replace(recovery, lease=lease.name)
        await self._health.keep(recovery)
        try:
            answer = await self._ask(recovery, board, lease, live)
        finally:
            # A control plane that is shut down keeps the lease, to resume under it.
            if recovery.own_lease and not self._stop.is_set():
                with contextlib.suppress(BenchlineError):
                    await self._parts.leases.release(lease.name)
        if answer.reason in _WORTH_REPEATING and not last and recovery.own_lease:
            await self._health.keep(replace(recovery, lease=""))
            raise Again(_PAUSE)
        ended = replace(
            recovery,
            steps=answer.steps,
            outcome=answer.outcome,
            reason=answer.reason,
            message=answer.message,
            left_image=answer.left_image,
            end_time=datetime.now(UTC),
        )
        return await self._end(ended, board)

    async def _lease(self, recovery: Recovery, board: Board) -> Lease:
        """The lease that it began with, or one that is waited for. Raises BenchlineError."""
        if not recovery.own_lease:
            return await self._parts.borrowing.lent(board, recovery.principal, recovery.lease)
        if recovery.lease:
            with contextlib.suppress(ConflictError, NotFoundError):
                return await self._parts.leases.renew(recovery.lease)
        return await self._parts.borrowing.wait_for(board, recovery.principal, _LEASE_WAIT)

    async def _ask(
        self, recovery: Recovery, board: Board, lease: Lease, live: _Live
    ) -> CommandAnswer:
        """Let the agent do it; an agent that does not answer is an answer too."""
        async with contextlib.AsyncExitStack() as stack:
            if recovery.own_lease:
                await stack.enter_async_context(kept(self._parts.leases, lease))
            self._parts.boards.tell_recovering(board.name, "preparing the canary")
            canary = await self._parts.canaries.of(board)
            order = RecoverOrder(
                trouble=recovery.trouble,
                canary=canary.firmware if isinstance(canary, Canary) else None,
                expect=canary.expect if isinstance(canary, Canary) else "",
                left=canary.left if isinstance(canary, Canary) else None,
                without_canary="" if isinstance(canary, Canary) else canary.why,
                order=order_of(await self._health.cure_rates(board)),
            )
            command_id = f"recover-{recovery.recovery_id}-{lease.name.rpartition('/')[2]}"
            ticket = CommandTicket(
                command_id=command_id,
                agent=board.agent_id,
                board=board.name,
                lease=lease.name,
                fencing_token=lease.fencing_token,
                deadline=datetime.now(UTC) + _TIME,
                order=order,
            )

            def on_step(step: RecoveryStep) -> None:
                live.steps.append(step)
                live.tell()
                if step.outcome is None:
                    self._parts.boards.tell_recovering(board.name, step.action.words)

            try:
                return await self._parts.commands.run(ticket, timeout=_TIME, on_step=on_step)
            except UnreachableError as error:
                return CommandAnswer(
                    command_id=command_id,
                    outcome=Outcome.BROKEN,
                    reason=error.reason,
                    message=error.message,
                    flash=None,
                    console_offset=0,
                    console_epoch=0,
                )

    async def _end(self, ended: Recovery, board: Board) -> Recovery:
        """Store the end; a board that nothing helped is out of service from now on."""
        quarantine = None
        if ended.outcome is not Outcome.PASSED and (
            ended.automatic or ended.reason in FAULT_WEIGHTS
        ):
            quarantine = Quarantine(
                reason=ended.reason or "NOT_RECOVERED",
                message=ended.message,
                principal=SYSTEM,
                automatic=True,
                create_time=datetime.now(UTC),
            )
        await self._health.end(ended, board, quarantine)
        return ended


def _broken(recovery: Recovery, reason: str, message: str) -> Recovery:
    return replace(
        recovery,
        outcome=Outcome.BROKEN,
        reason=reason,
        message=message,
        end_time=datetime.now(UTC),
    )
