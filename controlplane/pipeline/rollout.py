"""Leads deployments: wave after wave, as far as their stop rule allows."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchline.errors import BenchlineError, ConflictError, InvalidRequestError, NotReadyError
from benchline.names import deployment_name
from controlplane.domain.deployment import BoardDeployment, Deployment, DeploymentRequest
from controlplane.domain.event import DeploymentChanged, Fact, Note, WaveChanged
from controlplane.domain.verdict import Outcome, State, worst
from controlplane.pipeline.board_rollout import BoardRollout, Load, RolloutShare
from controlplane.pipeline.flashing import told_writes, written
from controlplane.pipeline.project import parsed_scenarios
from controlplane.pipeline.rollout_parts import RolloutParts
from controlplane.pipeline.rollout_plan import (
    check_request,
    content_of,
    described,
    planned_boards,
    seed_of,
)
from controlplane.planning.rollout import counts_of, next_action, reason_to_stop, summary_of
from controlplane.storage.deployments import DeploymentFence
from controlplane.storage.work_queue import Delivery, Job

log = logging.getLogger(__name__)

_KIND = "deployment"
_SHUTDOWN_GRACE = timedelta(milliseconds=200)
_DEPLOYMENTS_AT_ONCE = 16


class Rollouts:
    """Starts, runs, resumes and cancels deployments."""

    def __init__(self, parts: RolloutParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._slots = asyncio.Semaphore(parts.at_once)
        self._cancelled: dict[str, asyncio.Event] = {}
        self._stop = asyncio.Event()

    async def start(
        self, request: DeploymentRequest, principal: str, request_id: str
    ) -> Deployment:
        """Plan and accept a deployment; it is PENDING and will be led, or DONE: all REFUSED.

        Raises:
            InvalidRequestError: IMAGE_INVALID, INVALID_ROLLOUT, INVALID_SELECTOR and others.
            NotReadyError: NO_BOARD_MATCHES, NOTHING_TO_RETRY.
            NotFoundError: ARTIFACT_NOT_FOUND, BOARD_NOT_FOUND, DEPLOYMENT_NOT_FOUND.
        """
        earlier = await self._store.find_request(principal, request_id)
        if request.retry_of:
            request = await self._retry(request)
        check_request(request)
        if earlier is None:
            images, candidates = await described(self._parts, request.images)
            boards = await planned_boards(self._parts, request, candidates)
        else:
            images, boards = list(earlier.images), ()
        now = datetime.now(UTC)
        all_refused = all(board.state.ended for board in boards)
        deployment = Deployment(
            name=deployment_name(self._parts.new_id()),
            request=request,
            images=tuple(images),
            state=State.DONE if all_refused else State.PENDING,
            outcome=Outcome.REFUSED if all_refused else None,
            message=summary_of(boards) if all_refused else "",
            wave_count=max((board.wave for board in boards), default=0),
            principal=principal,
            create_time=now,
            update_time=now,
            end_time=now if all_refused else None,
            seed=seed_of(request, images, self._parts.secret),
            counts=counts_of(boards),
        )
        facts: list[Fact] = [DeploymentChanged(state=State.PENDING, message="accepted"), *boards]
        if all_refused:
            facts.append(_changed(deployment))
        stored = await self._store.create(deployment, boards, request_id, facts)
        if not stored.state.ended:
            await self._enqueue(stored.deployment_id)
        return stored

    async def _retry(self, request: DeploymentRequest) -> DeploymentRequest:
        """The request for the boards of an earlier deployment that did not pass.

        Raises:
            InvalidRequestError: RETRY_WITH_OPTIONS.
            NotReadyError: NOTHING_TO_RETRY, DEPLOYMENT_RUNNING.
            NotFoundError: DEPLOYMENT_NOT_FOUND.
        """
        if request.images or request.selector or request.boards or request.scenarios:
            raise InvalidRequestError(
                "RETRY_WITH_OPTIONS",
                "a retry takes images, boards and scenarios from the deployment that it repeats",
            )
        earlier = await self._store.find(request.retry_of.removeprefix("deployments/"))
        if not earlier.state.ended:
            raise NotReadyError(
                "DEPLOYMENT_RUNNING",
                f"{earlier.name} still goes on; wait for its end, or cancel it",
                deployment=earlier.name,
            )
        boards = await self._store.boards(earlier.deployment_id)
        again = tuple(board.board for board in boards if board.outcome is not Outcome.PASSED)
        if not again:
            raise NotReadyError(
                "NOTHING_TO_RETRY",
                f"every board of {earlier.name} passed",
                deployment=earlier.name,
            )
        return replace(
            earlier.request,
            selector="",
            boards=again,
            retry_of=earlier.name,
            waves=request.waves or earlier.request.waves,
        )

    async def cancel(self, deployment_id: str) -> Deployment:
        """Ask a deployment to end; writes that are going on are finished first.

        Raises:
            NotReadyError: DEPLOYMENT_ENDED.
            NotFoundError: DEPLOYMENT_NOT_FOUND.
        """
        deployment = await self._store.request_cancel(deployment_id)
        event = self._cancelled.get(deployment_id)
        if event is not None:
            event.set()
        return deployment

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop. Deployments in work are resumed by the next start."""
        self._stop = stop
        for deployment in await self._store.unfinished():
            await self._enqueue(deployment.deployment_id)
        await self._parts.queue.work(
            self._deliver,
            kinds={_KIND},
            concurrency=_DEPLOYMENTS_AT_ONCE,
            stop=stop,
            grace=_SHUTDOWN_GRACE,
        )

    async def _enqueue(self, deployment_id: str) -> None:
        job = Job(key=deployment_id, kind=_KIND)
        await self._parts.database.transact(lambda tx: self._parts.queue.put(tx, job))

    async def _deliver(self, delivery: Delivery) -> None:
        deployment_id = delivery.job.key
        if deployment_id in self._cancelled:
            return
        event = self._cancelled[deployment_id] = asyncio.Event()
        try:
            deployment = await self._store.get(deployment_id)
            if deployment.state.ended:
                return
            if deployment.cancel_requested:
                event.set()
            fence = await self._store.claim(deployment_id, self._parts.owner)
            await _Leader(
                self._parts, deployment, fence, event, self._stop.is_set, self._slots
            ).lead()
        except ConflictError as error:
            log.warning(
                "deployment taken over", extra={"deployment": deployment_id, "why": str(error)}
            )
        finally:
            del self._cancelled[deployment_id]


class _Leader:
    """Leads one deployment from wherever it stands to its end."""

    def __init__(
        self,
        parts: RolloutParts,
        deployment: Deployment,
        fence: DeploymentFence,
        cancelled: asyncio.Event,
        stopping: Callable[[], bool],
        slots: asyncio.Semaphore,
    ) -> None:
        self._parts = parts
        self._deployment = deployment
        self._fence = fence
        self._cancelled = cancelled
        self._stopping = stopping
        self._slots = slots
        self._boards: dict[str, BoardDeployment] = {}

    async def lead(self) -> None:
        """Run the waves that are left.

        Raises:
            ConflictError: STALE_FENCE.
        """
        deployment = self._deployment
        boards = await self._parts.store.boards(deployment.deployment_id)
        self._boards = {board.board: board for board in boards}
        await self._begin()
        try:
            loads = await self._loads()
        except BenchlineError as error:
            await self._leave_out(self._open_boards(), Outcome.BROKEN, error.reason, error.message)
            await self._finish()
            return
        share = await self._share()
        for wave in range(1, deployment.wave_count + 1):
            if not await self._may_begin(wave):
                break
            await self._run_wave(wave, loads, share)
        await self._finish()

    async def _begin(self) -> None:
        facts: list[Fact] = [DeploymentChanged(state=State.RUNNING)]
        if self._deployment.state is not State.PENDING:
            facts = [Note(text="the control plane was restarted; the deployment goes on")]
        await self._record(facts, state=State.RUNNING)

    async def _loads(self) -> dict[str, Load]:
        """Every image that a board still needs, with its bytes where agents can fetch them."""
        needed = {board.image for board in self._open_boards()}
        loads = {}
        for image in self._deployment.images:
            if image.title in needed:
                content = await content_of(self._parts, image)
                stored = await written(self._parts.artifacts, content.segments)
                loads[image.title] = Load(content=content, image=stored)
        return loads

    async def _share(self) -> RolloutShare:
        request = self._deployment.request
        return RolloutShare(
            name=self._deployment.name,
            scenarios=parsed_scenarios([(s.scenario_id, s.yaml) for s in request.scenarios]),
            seed=self._deployment.seed,
            no_reset=request.no_reset,
            board_wait=(
                self._parts.board_wait if request.board_wait is None else request.board_wait
            ),
            told=await told_writes(self._parts.journal, self._deployment.name),
            cancelled=self._cancelled,
            stopping=self._stopping,
            slots=self._slots,
            record=self._record,
        )

    async def _may_begin(self, wave: int) -> bool:
        """Whether a wave is begun; one that was begun before is always finished."""
        if wave <= self._deployment.wave:
            return True
        if self._cancelled.is_set():
            return False
        begun = [board for board in self._boards.values() if 0 < board.wave < wave]
        not_passed = sum(board.outcome is not Outcome.PASSED for board in begun)
        why = reason_to_stop(self._deployment.request.stop_rule, len(begun), not_passed)
        if why and begun:
            await self._stop(wave, why, not_passed)
            return False
        return True

    async def _run_wave(self, wave: int, loads: dict[str, Load], share: RolloutShare) -> None:
        open_boards = [board for board in self._open_boards() if board.wave == wave]
        if not open_boards:
            return
        size = sum(board.wave == wave for board in self._boards.values())
        await self._tell_wave(wave, State.RUNNING, size)
        async with asyncio.TaskGroup() as group:
            for board in open_boards:
                one = BoardRollout(self._parts, share, loads[board.image], board)
                group.create_task(one.run(), name=board.board)
        await self._tell_wave(wave, State.DONE, size)

    async def _tell_wave(self, wave: int, state: State, size: int) -> None:
        done = [b for b in self._boards.values() if 0 < b.wave <= wave and b.state.ended]
        fact = WaveChanged(
            wave=wave,
            wave_count=self._deployment.wave_count,
            state=state,
            boards=size,
            not_passed=sum(board.outcome is not Outcome.PASSED for board in done),
        )
        await self._record([fact], wave=max(wave, self._deployment.wave))

    async def _stop(self, wave: int, why: str, not_passed: int) -> None:
        left = [board for board in self._open_boards() if board.wave >= wave]
        fact = WaveChanged(
            wave=wave,
            wave_count=self._deployment.wave_count,
            state=State.CANCELLED,
            boards=sum(board.wave == wave for board in left),
            not_passed=not_passed,
            message=why,
        )
        await self._record([fact])
        await self._leave_out(left, Outcome.SKIPPED, "STOPPED", f"not flashed: {why}")

    async def _leave_out(
        self,
        boards: Sequence[BoardDeployment],
        outcome: Outcome | None,
        reason: str,
        message: str,
    ) -> None:
        await self._record(
            [
                replace(
                    board,
                    state=State.CANCELLED if outcome is None else State.DONE,
                    outcome=outcome,
                    reason=reason,
                    message=message,
                    next_action=next_action(outcome, reason),
                    end_time=datetime.now(UTC),
                )
                for board in boards
            ]
        )

    async def _finish(self) -> None:
        cancelled = self._cancelled.is_set() and bool(self._open_boards())
        if cancelled:
            why = "the deployment was cancelled before its turn"
            await self._leave_out(self._open_boards(), None, "CANCELLED", why)
        boards = list(self._boards.values())
        cancelled = any(board.state is State.CANCELLED for board in boards)
        outcomes = [board.outcome for board in boards if board.outcome is not None]
        ended = replace(
            self._deployment,
            state=State.CANCELLED if cancelled else State.DONE,
            outcome=None if cancelled else worst(outcomes),
            message=summary_of(boards),
            end_time=datetime.now(UTC),
        )
        await self._record(
            [_changed(ended)],
            state=ended.state,
            outcome=ended.outcome,
            message=ended.message,
            end_time=ended.end_time,
        )
        log.info("deployment ended", extra={"deployment": ended.name, "outcome": ended.outcome})

    def _open_boards(self) -> list[BoardDeployment]:
        return [board for board in self._boards.values() if not board.state.ended]

    async def _record(self, facts: Sequence[Fact], **changes: object) -> None:
        for fact in facts:
            if isinstance(fact, BoardDeployment):
                self._boards[fact.board] = fact
        counts = counts_of(list(self._boards.values()))

        def change(deployment: Deployment) -> Deployment:
            return replace(deployment, counts=counts, **changes)  # type: ignore[arg-type]  # fields

        self._deployment = await self._parts.store.record(
            self._deployment.deployment_id, facts, fence=self._fence, change=change
        )


def _changed(deployment: Deployment) -> DeploymentChanged:
    return DeploymentChanged(
        state=deployment.state, outcome=deployment.outcome, message=deployment.message
    )
