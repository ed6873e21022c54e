"""One board of a deployment: lease it, flash it, judge it, give it back."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from benchline.errors import BenchlineError, ConflictError, NotFoundError, NotReadyError
from benchline.scenario import Scenario
from controlplane.bench_core.manifest import PORTS
from controlplane.domain.bench import Board, BoardState, Lease
from controlplane.domain.deployment import BoardDeployment, FlashRecord
from controlplane.domain.event import Fact, LeaseChanged
from controlplane.domain.firmware_image import FirmwareContent, is_test_build
from controlplane.domain.image import ImageSegment, leave_out
from controlplane.domain.verdict import Outcome, ScenarioResult, Stage, State, worst
from controlplane.fleet.orders import ImageRole
from controlplane.leasing.keeping import kept
from controlplane.ops.incident import log_incident
from controlplane.pipeline.cloud_writes import CloudWrites
from controlplane.pipeline.flashing import (
    BoardFlasher,
    ConsoleStart,
    FlashFailed,
    FlashMemory,
    Written,
    written,
)
from controlplane.pipeline.judging import (
    BOARD_CAPABILITIES,
    TEXT_CAPABILITIES,
    PreparedScenario,
    for_text,
    prepare,
)
from controlplane.pipeline.rollout_parts import RolloutParts
from controlplane.pipeline.scenario_run import ScenarioParts, ScenarioRunner, evidence_of
from controlplane.planning.benches import why_not_injected
from controlplane.planning.rollout import next_action

log = logging.getLogger(__name__)

_QUICK_LEASE = timedelta(milliseconds=500)
_BUSY_REASONS = {
    BoardState.LEASED: "BOARD_BUSY",
    BoardState.ACTIVE: "BOARD_BUSY",
    BoardState.OFFLINE: "BOARD_AWAY",
    BoardState.FAULTY: "BOARD_UNUSABLE",
    BoardState.QUARANTINED: "BOARD_QUARANTINED",
}


class Unavailable(Exception):  # noqa: N818 (what the board is)
    """The board could not be leased; carries a reason and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CancelledByOperator(Exception):  # noqa: N818 (what happened)
    """An operator ended the deployment before this board was touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """An image as it goes onto boards: its bytes, and the same stored for the agents."""

    content: FirmwareContent
    image: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutShare:
    """What all boards of one deployment share. `told` are the writes that its journal tells of."""

    name: str
    scenarios: tuple[Scenario, ...]
    seed: int
    no_reset: bool
    board_wait: timedelta
    told: Mapping[str, FlashRecord]
    cancelled: asyncio.Event
    stopping: Callable[[], bool]
    slots: asyncio.Semaphore
    record: Callable[[Sequence[Fact]], Awaitable[None]]


class BoardRollout:
    """Leads one board to its outcome. Interrupted anywhere, it is begun again and resumes."""

    def __init__(
        self, parts: RolloutParts, share: RolloutShare, load: Load, board: BoardDeployment
    ) -> None:
        self._parts = parts
        self._share = share
        self._load = load
        self.now = board
        self._blamed: tuple[Board, str] | None = None

    async def record(self, *facts: Fact) -> None:
        """Append facts to the journal of the deployment."""
        await self._share.record(facts)

    async def run(self) -> None:
        """Flash and judge; the board has an outcome then, unless it was cancelled.

        Raises:
            ConflictError: STALE_FENCE, somebody else leads the deployment now.
        """
        try:
            await self._lead()
        except CancelledByOperator:
            await self._end(None, "CANCELLED", "the deployment was cancelled before its turn")
        except Unavailable as error:
            await self._end(Outcome.BROKEN, error.reason, str(error))
        except FlashFailed as error:
            await self._end(error.outcome, error.reason, error.detail)
        except BenchlineError as error:
            if error.reason == "STALE_FENCE":
                raise
            await self._end(Outcome.BROKEN, error.reason, error.message)
        except Exception as error:
            message = log_incident(
                log, error, "a board of a deployment threw", deployment=self._share.name
            )
            await self._end(Outcome.BROKEN, "INTERNAL", message)
        if self._blamed is not None and self.now.outcome is not None:
            at_fault, why = self._blamed
            await self._parts.recoveries.blame(at_fault, self.now.outcome, why, self.now.message)

    async def _lead(self) -> None:
        async with self._leased() as (lease, board):
            self._check_allowed(board)
            async with self._share.slots:
                if self._share.cancelled.is_set() and not self.now.results:
                    raise CancelledByOperator
                flasher = BoardFlasher(
                    recorder=self,
                    subject=self._share.name,
                    commands=self._parts.commands,
                    lease=lease,
                    board=board,
                    part=self.now.part,
                    cloud=CloudWrites(self._parts.bindings, board),
                    told=self._share.told,
                )
                try:
                    await self._flash_and_judge(flasher)
                finally:
                    self._blamed = (board, flasher.blame)

    async def _flash_and_judge(self, flasher: BoardFlasher) -> None:
        memory = self._test_memory()
        if memory is not None and self._share.scenarios:
            await self._run_test_build(flasher, memory)
        else:
            await self._run_image(flasher)
        proved = flasher.records[-1]
        self.now = replace(
            self.now,
            read_back_sha256=proved.read_back_sha256,
            evidence=evidence_of(flasher.board),
        )
        results = self.now.results
        if not results:
            there = "it held the image already; " if not proved.bytes_programmed else ""
            await self._end(Outcome.PASSED, "", f"{there}read back and equal")
            return
        outcome = worst([result.outcome for result in results])
        bad = next((r for r in results if r.outcome is outcome), results[0])
        passed = sum(result.outcome is Outcome.PASSED for result in results)
        message = f"{passed} of {len(results)} scenarios passed"
        if outcome is not Outcome.PASSED:
            message = f"{bad.scenario_id}: {bad.message}"
        reason = "" if outcome is Outcome.PASSED else f"SCENARIO_{outcome}"
        await self._end(outcome, reason, message, scenario=bad.scenario_id)

    async def _run_image(self, flasher: BoardFlasher) -> None:
        """Write the image as it is, and judge the text that it prints."""
        answer = await flasher.flash(
            self._load.image,
            ImageRole.IMAGE,
            step=f"flash-{self.now.board_id}",
            reason=f"deploy {self.now.image}",
            reset_after=not self._share.no_reset,
        )
        head: ConsoleStart | None = ConsoleStart.of(answer)
        for scenario in self._share.scenarios:
            prepared = for_text(prepare(scenario, self._share.seed, TEXT_CAPABILITIES))
            if await self._judged(prepared):
                continue
            result = await self._runner(flasher).run_text(prepared, head)
            head = None
            await self._keep(result)

    async def _run_test_build(self, flasher: BoardFlasher, memory: FlashMemory) -> None:
        """Run the scenarios by their stimulus tables, then leave the image with none active."""
        table = memory.table
        segments = leave_out(self._load.content.segments, table.start, table.stop)
        to_write: tuple[ImageSegment, ...] = segments
        for scenario in self._share.scenarios:
            prepared = prepare(scenario, self._share.seed, BOARD_CAPABILITIES)
            if await self._judged(prepared):
                continue
            result = await self._runner(flasher).run(prepared, memory, to_write)
            to_write = ()
            await self._keep(result)
        image = await written(self._parts.artifacts, (*segments, memory.blank_table))
        await flasher.flash(
            image,
            ImageRole.IMAGE,
            step=f"leave-{self.now.board_id}",
            reason=f"leave {self.now.image} without stimuli",
        )
        self.now = replace(self.now, image_sha256=image.sha256)

    def _runner(self, flasher: BoardFlasher) -> ScenarioRunner:
        parts = ScenarioParts(
            artifacts=self._parts.artifacts,
            boards=self._parts.boards,
            console_log=self._parts.console_log,
            patience=self._share.board_wait,
        )
        return ScenarioRunner(parts, self, flasher)

    async def _judged(self, prepared: PreparedScenario) -> bool:
        """Whether nothing is to be run: it was before the interruption, or it cannot be."""
        if any(r.scenario_id == prepared.scenario_id for r in self.now.results):
            return True
        if prepared.missing:
            runner = self.now.board_id
            if self._test_memory() is None:
                runner = f"{runner} with firmware that prints text alone"
            skipped = prepared.skipped(Stage.DEPLOY, runner)
            await self._keep(replace(skipped, runner=self.now.board_id))
            return True
        return False

    async def _keep(self, result: ScenarioResult) -> None:
        self.now = replace(self.now, results=(*self.now.results, result))
        await self.record(result, self.now)

    def _test_memory(self) -> FlashMemory | None:
        """Where the stimulus table of a test build goes; None for any other image."""
        port = PORTS.get(self.now.part)
        if port is None or not is_test_build(self._load.content.segments):
            return None
        return FlashMemory.of(port)

    def _check_allowed(self, board: Board) -> None:
        """Inputs are injected on virtual boards only.

        Raises:
            FlashFailed: refused.
        """
        injects = self._share.scenarios and self._test_memory() is not None
        if injects and (why := why_not_injected(board)):
            raise FlashFailed.refused("INJECTION_NOT_ALLOWED", why)

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[tuple[Lease, Board]]:
        lease, board = await self._acquire()
        try:
            async with kept(self._parts.leases, lease):
                yield lease, board
        finally:
            # A control plane that is shut down keeps the lease, to resume under it.
            if not self._share.stopping():
                await self._parts.leases.release(lease.name)
                with contextlib.suppress(BenchlineError):
                    await self.record(LeaseChanged.of(lease, "released"))

    async def _acquire(self) -> tuple[Lease, Board]:
        self.now = replace(self.now, runs=self.now.runs + 1, message="", state=State.RUNNING)
        if self.now.lease:
            with contextlib.suppress(ConflictError, NotFoundError):
                held = await self._parts.leases.renew(self.now.lease)
                await self.record(self.now)
                return held, await self._parts.boards.get(held.board)
        lease, board = await self._acquire_anew()
        self.now = replace(
            self.now,
            state=State.RUNNING,
            message="",
            lease=lease.name,
            start_time=self.now.start_time or datetime.now(UTC),
        )
        await self.record(LeaseChanged.of(lease, "granted"), self.now)
        return lease, board

    async def _acquire_anew(self) -> tuple[Lease, Board]:
        """A new lease, waited for as long as the deployment says.

        Raises:
            Unavailable: it was not free, or not there, in all that time.
            CancelledByOperator: the deployment was cancelled meanwhile.
        """
        with contextlib.suppress(NotReadyError):
            return await self._lease_within(_QUICK_LEASE)
        reason, why = await self._why_not()
        self.now = replace(self.now, state=State.WAITING, reason=reason, message=why)
        await self.record(self.now)
        try:
            granted = await self._lease_within(self._share.board_wait)
        except NotReadyError:
            reason, why = await self._why_not()
            seconds = self._share.board_wait.total_seconds()
            raise Unavailable(reason, f"{why}; waited {seconds:.0f} s for it") from None
        self.now = replace(self.now, reason="")
        return granted

    async def _lease_within(self, wait: timedelta) -> tuple[Lease, Board]:
        leasing = asyncio.create_task(
            self._parts.leases.acquire_wait(
                f"name={self.now.board}", self._share.name, timeout=wait
            )
        )
        ending = asyncio.create_task(self._share.cancelled.wait())
        try:
            await asyncio.wait({leasing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if leasing.done():
                return leasing.result()
            raise CancelledByOperator
        finally:
            for task in (leasing, ending):
                task.cancel()
            await asyncio.gather(leasing, ending, return_exceptions=True)

    async def _why_not(self) -> tuple[str, str]:
        """Reason and sentence of a board that cannot be leased now."""
        try:
            board = await self._parts.boards.get(self.now.board)
        except NotFoundError:
            return "BOARD_AWAY", f"{self.now.board_id} is not known any more"
        quarantine = board.quarantine
        words = {
            BoardState.LEASED: f"{board.board_id} is held by {board.holder}",
            BoardState.ACTIVE: f"{board.board_id} was just held by somebody else",
            BoardState.OFFLINE: f"{board.board_id} is away: its agent or its cable",
            BoardState.FAULTY: f"{board.board_id} cannot be used: {board.health}",
            BoardState.QUARANTINED: f"{board.board_id} is out of service: "
            f"{quarantine.message if quarantine else ''}",
        }
        return _BUSY_REASONS[board.state], words[board.state]

    async def _end(
        self, outcome: Outcome | None, reason: str, message: str, *, scenario: str = ""
    ) -> None:
        self.now = replace(
            self.now,
            state=State.CANCELLED if outcome is None else State.DONE,
            outcome=outcome,
            reason=reason,
            message=message,
            next_action=next_action(outcome, reason, scenario=scenario),
            end_time=datetime.now(UTC),
        )
        await self.record(self.now)
