"""The lease book: lends boards, first come first served, and takes back what lapses.

One task, the keeper, does everything that nobody calls for: it expires leases at their moment
and serves the queue when a board becomes free. It is woken by the committing transaction or by
the nearest expiry, never by a poll.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchline.errors import BenchlineError, InvalidRequestError, NotReadyError
from controlplane.domain.bench import Board, BoardState, Lease
from controlplane.planning.benches import why_offline
from controlplane.planning.leases import why_none_matches
from controlplane.storage.boards import BoardStore, read_selector
from controlplane.storage.database import Database, Transaction
from controlplane.storage.instants import utc_now
from controlplane.storage.leases import (
    Granted,
    LeaseRequest,
    LeaseRows,
    LeaseState,
    held_leases,
    lease_named,
    lease_state,
)

log = logging.getLogger(__name__)

DEFAULT_TTL = timedelta(seconds=60)
LONGEST_TTL = timedelta(hours=1)
_RETRY_DELAY = timedelta(seconds=5)
_TOLD_QUARANTINES = 3


@dataclass(slots=True, eq=False)
class _Waiter:
    request: LeaseRequest
    future: asyncio.Future[Granted]
    # Both are set on one thread and read on the other; a stale read costs one more pass.
    served: bool = False
    gone: bool = False


class LeaseBook:
    """Use as an async context manager: the keeper runs inside."""

    def __init__(
        self, database: Database, boards: BoardStore, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._boards = boards
        self._rows = LeaseRows(boards)
        self._now = now
        self._waiters: list[_Waiter] = []
        self._orphans: list[Lease] = []
        self._nearest: datetime | None = None
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "LeaseBook":
        """Start the keeper."""
        await self._expire()
        self._keeper = asyncio.create_task(self._keep(), name="lease-keeper")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the keeper; leases stay as they are."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    async def acquire(
        self,
        selector: str,
        holder: str,
        ttl: timedelta = DEFAULT_TTL,
        request_id: str = "",
        *,
        care: bool = False,
    ) -> tuple[Lease, Board]:
        """Lend a free board at once. Whoever waits already for a board that fits goes first.

        With `care` a board is lent to be brought back: also one that is faulty, quarantined or
        missing, as long as its agent is connected.

        Raises:
            NotReadyError: BOARD_BUSY, BOARDS_OFFLINE, NO_BOARD_MATCHES.
            InvalidRequestError: INVALID_SELECTOR, INVALID_TTL.
            ConflictError: REQUEST_ID_REUSED.
        """
        waiter = self._waiter(selector, holder, ttl, request_id, care=care)
        try:
            await self._serve([*self._waiters, waiter])
        except asyncio.CancelledError:
            waiter.gone = True
            self._abandon(waiter)
            raise
        if not waiter.future.done():
            raise await self._refusal(selector)
        granted = waiter.future.result()
        return granted.lease, granted.board

    async def acquire_wait(
        self,
        selector: str,
        holder: str,
        ttl: timedelta = DEFAULT_TTL,
        request_id: str = "",
        *,
        timeout: timedelta | None = None,
        care: bool = False,
    ) -> tuple[Lease, Board]:
        """Wait in line for a board; a caller that leaves never keeps one. `care` as in `acquire`.

        Raises:
            NotReadyError: BOARD_BUSY, BOARDS_OFFLINE or NO_BOARD_MATCHES, still so after `timeout`.
            InvalidRequestError: INVALID_SELECTOR, INVALID_TTL.
            ConflictError: REQUEST_ID_REUSED.
        """
        waiter = self._waiter(selector, holder, ttl, request_id, care=care)
        self._waiters.append(waiter)
        self._wake.set()
        granted: Granted | None = None
        try:
            async with asyncio.timeout(timeout.total_seconds() if timeout else None):
                granted = await waiter.future
        except TimeoutError:
            raise await self._refusal(selector) from None
        finally:
            waiter.gone = True
            self._waiters.remove(waiter)
            if granted is None:
                self._abandon(waiter)
        return granted.lease, granted.board

    async def renew(self, name: str, ttl: timedelta = DEFAULT_TTL) -> Lease:
        """Move the expiry of a held lease to `ttl` from now.

        Raises:
            NotFoundError: LEASE_NOT_FOUND.
            ConflictError: STALE_LEASE.
            InvalidRequestError: INVALID_TTL.
        """
        _check_ttl(ttl)
        return await self._database.transact(
            lambda tx: self._rows.renew(tx, name, ttl, self._now())
        )

    async def release(self, name: str) -> None:
        """Give a board back. Releasing twice is not an error.

        Raises:
            NotFoundError: LEASE_NOT_FOUND.
        """
        await self._end(name, LeaseState.RELEASED)

    async def get(self, name: str) -> Lease:
        """One lease, held or ended in the last day.

        Raises:
            NotFoundError: LEASE_NOT_FOUND.
        """
        return await self._database.read(lambda connection: lease_named(connection, name))

    async def page(self, limit: int, after: str | None) -> tuple[list[Lease], str | None]:
        """Leases that are held, newest first, from the one after the lease `after`."""
        return await self._database.read(lambda connection: held_leases(connection, limit, after))

    async def state(self, name: str) -> LeaseState:
        """How a lease stands.

        Raises:
            NotFoundError: LEASE_NOT_FOUND.
        """
        return await self._database.read(lambda connection: lease_state(connection, name))

    def _waiter(
        self, selector: str, holder: str, ttl: timedelta, request_id: str, *, care: bool
    ) -> _Waiter:
        _check_ttl(ttl)
        request = LeaseRequest(
            name=f"leases/{uuid.uuid4().hex[:16]}",
            selector=read_selector(selector),
            selector_text=selector,
            holder=holder,
            ttl=ttl,
            request_id=request_id,
            care=care,
        )
        return _Waiter(request, asyncio.get_running_loop().create_future())

    async def _serve(self, waiters: list[_Waiter]) -> None:
        """Try to grant to each waiter in order, in one transaction."""

        def work(tx: Transaction) -> list[tuple[_Waiter, Granted | BenchlineError]]:
            answers: list[tuple[_Waiter, Granted | BenchlineError]] = []
            refused = set()
            for waiter in waiters:
                wanted = (waiter.request.selector, waiter.request.care)
                if waiter.served or waiter.gone or wanted in refused:
                    continue
                answer: Granted | BenchlineError | None
                try:
                    answer = self._rows.grant(tx, waiter.request, self._now())
                except BenchlineError as error:
                    answer = error
                if answer is None:
                    refused.add(wanted)
                else:
                    waiter.served = True
                    answers.append((waiter, answer))
            return answers

        try:
            # Shielded: a caller that leaves must not take along what others were granted.
            answers = await asyncio.shield(self._transact_and_answer(work))
        except Exception:
            for waiter in waiters:
                waiter.served = waiter.future.done()
            raise
        log.debug("leases served", extra={"asked": len(waiters), "answered": answers})

    async def _transact_and_answer(
        self, work: Callable[[Transaction], list[tuple[_Waiter, Granted | BenchlineError]]]
    ) -> int:
        answers = await self._database.transact(work)
        for waiter, answer in answers:
            if isinstance(answer, BenchlineError):
                if not waiter.future.done():
                    waiter.future.set_exception(answer)
                continue
            self._expect(answer.lease.expire_time)
            if waiter.future.done() or waiter.gone:
                self._orphans.append(answer.lease)
                self._wake.set()
            else:
                waiter.future.set_result(answer)
        return len(answers)

    def _abandon(self, waiter: _Waiter) -> None:
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            self._orphans.append(future.result().lease)
            self._wake.set()

    def _expect(self, expiry: datetime) -> None:
        if self._nearest is None or expiry < self._nearest:
            self._nearest = expiry
            self._wake.set()

    async def _end(self, name: str, state: LeaseState) -> None:
        await self._database.transact(lambda tx: self._rows.end(tx, name, state))

    async def _expire(self) -> None:
        expired, self._nearest = await self._database.transact(
            lambda tx: self._rows.expire(tx, self._now())
        )
        for lease in expired:
            log.warning(
                "lease expired",
                extra={"lease": lease.name, "board": lease.board, "holder": lease.holder},
            )

    async def _keep(self) -> None:
        with self._boards.listen() as changed:
            while True:
                try:
                    await self._keep_once(changed)
                except Exception:
                    # A failing disk must not end lending for good.
                    log.exception("the lease keeper failed; it goes on in a second")
                    await asyncio.sleep(1)

    async def _keep_once(self, changed: asyncio.Event) -> None:
        changed.clear()
        self._wake.clear()
        while self._orphans:
            await self._end(self._orphans[-1].name, LeaseState.RELEASED)
            self._orphans.pop()
        if self._nearest is not None and self._nearest <= self._now():
            await self._expire()
        if self._waiters:
            await self._serve(list(self._waiters))
        delay = None
        if self._nearest is not None:
            delay = max(0.0, (self._nearest - self._now()).total_seconds())
        await _first(changed, self._wake, delay, bool(self._waiters))

    async def _refusal(self, selector: str) -> NotReadyError:
        boards = await self._boards.boards(selector)
        counts = {state: sum(b.state is state for b in boards) for state in BoardState}
        facts = {state.value.lower(): str(count) for state, count in counts.items()}
        if not boards:
            return NotReadyError(
                "NO_BOARD_MATCHES",
                why_none_matches(selector, await self._boards.boards()),
                selector=selector,
            )
        if counts[BoardState.OFFLINE] == len(boards):
            return NotReadyError(
                "BOARDS_OFFLINE",
                why_offline(boards, await self._boards.agents()),
                retry_delay=_RETRY_DELAY,
                matching=str(len(boards)),
                **facts,
            )
        return NotReadyError(
            "BOARD_BUSY",
            _why_busy(boards, counts),
            retry_delay=_RETRY_DELAY,
            matching=str(len(boards)),
            **facts,
        )


def _why_busy(boards: list[Board], counts: dict[BoardState, int]) -> str:
    said = (
        f"of {len(boards)} boards that match, {counts[BoardState.LEASED]} are leased,"
        f" {counts[BoardState.OFFLINE]} offline, {counts[BoardState.FAULTY]} faulty"
        f" and {counts[BoardState.QUARANTINED]} quarantined"
    )
    why = [
        f"{board.board_id}: {board.quarantine.reason}, {board.quarantine.message}"
        for board in boards
        if board.quarantine is not None
    ]
    return f"{said} ({'; '.join(why[:_TOLD_QUARANTINES])})" if why else said


def _check_ttl(ttl: timedelta) -> None:
    if not timedelta(0) < ttl <= LONGEST_TTL:
        raise InvalidRequestError("INVALID_TTL", "the time to live is over 0 s and at most 1 h")


async def _first(
    changed: asyncio.Event, wake: asyncio.Event, delay: float | None, boards_matter: bool
) -> None:
    """Return at the first of: a wake-up, a change of the boards that matters, the delay."""
    events = [wake, changed] if boards_matter else [wake]
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
