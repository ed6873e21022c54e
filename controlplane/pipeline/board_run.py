"""Judge a scenario from the stored console of a board, as its bytes arrive."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

from controlplane.domain.bench import Board, BoardState
from controlplane.domain.event import AssertionDecided, ConsoleRange, Fact
from controlplane.domain.verdict import AssertionResult, ByteRange, Evidence, ScenarioResult, Stage
from controlplane.pipeline.flashing import ConsoleStart
from controlplane.pipeline.judging import Judge, PreparedScenario, TextJudge
from controlplane.pipeline.reports import keep_report
from controlplane.pipeline.stage import Recorder
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.console_log import ConsoleLog

_READ_BYTES = 256 * 1024
_EVENT_GAP_S = 0.5  # console ranges are told at most twice a second
# A virtual board on a busy host may need this many times its device time, and some seconds to boot.
_SLOWEST = 4
_SLACK_S = 20.0
# Text is judged by the host's clock; its last bytes are on their way for this long.
_TEXT_SLACK_S = 1.0


class RunInterrupted(Exception):  # noqa: N818 (what happened, not what is wrong)
    """The run cannot be judged, through no fault of the firmware, and may be repeated."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        """Set where the board itself is at fault."""


class BoardRunner:
    """Follows the console of one board from a reset to the END record."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        artifacts: ArtifactStore,
        console_log: ConsoleLog,
        boards: BoardStore,
        console: str,
        board: Board,
        patience: timedelta,
    ) -> None:
        self._recorder = recorder
        self._artifacts = artifacts
        self._console_log = console_log
        self._boards = boards
        self._console = console
        self._board = board
        self._patience = patience

    async def judge(
        self,
        prepared: PreparedScenario,
        head: ConsoleStart,
        evidence: Evidence,
        *,
        text_only: bool = False,
    ) -> ScenarioResult:
        """Read from `head` until the scenario is decided.

        Everything is read from the console log, so that a control plane that was restarted in the
        middle judges the same bytes. With `text_only` the firmware prints no records: its lines
        are judged by the host's clock, until the time of the scenario is over.

        Raises:
            RunInterrupted: bytes are missing, or the run did not end and its agent was away.
        """
        began = time.monotonic()
        start, runner = head.offset, self._board.board_id
        judge: Judge | TextJudge
        if text_only:
            judge = TextJudge(prepared, console=self._console, start=start, zero=head.reset_time)
            limit = began + prepared.end_ms / 1000 + _TEXT_SLACK_S
        else:
            judge = Judge(prepared, console=self._console, start=start, simulated=False)
            limit = began + prepared.end_ms * _SLOWEST / 1000 + _SLACK_S
        told = _Told(self._recorder, prepared.scenario_id, runner)
        position = await self._follow(judge, told, head, limit)
        wall_ms = round((time.monotonic() - began) * 1000)
        result, told_result = judge.finish(
            stage=Stage.DEPLOY, runner=runner, evidence=evidence, wall_ms=wall_ms
        )
        report = await keep_report(self._artifacts, told_result, runner)
        result = replace(result, report_sha256=report.sha256)
        late = [a for a in result.assertions if a.assertion_id not in told.decided]
        here = ByteRange(console=self._console, start=start, end=position)
        await told.tell(late, ConsoleRange(range=here, epoch=head.epoch), at_once=True)
        return result

    async def _follow(
        self, judge: Judge | TextJudge, told: "_Told", head: ConsoleStart, limit: float
    ) -> int:
        """Feed the judge until it has seen the end, or until the time limit; the position then."""
        position = head.offset
        while not judge.ended:
            stored = await self._next(position, limit)
            if stored is None:
                await self._explain_silence(position == head.offset)
                break
            for chunk in await self._console_log.read(self._console, position, stored, _READ_BYTES):
                if chunk.gap_before and chunk.offset > head.offset:
                    raise RunInterrupted(f"console bytes may be missing: {chunk.gap_before}")
                decided = judge.feed(chunk.data, chunk.host_time)
                position = chunk.offset + len(chunk.data)
                here = ByteRange(console=self._console, start=head.offset, end=position)
                await told.tell(decided, ConsoleRange(range=here, epoch=head.epoch))
                if judge.ended:
                    break
        return position

    async def _next(self, position: int, limit: float) -> int | None:
        """The new end of the console, or None when nothing came in time."""
        try:
            async with asyncio.timeout(max(0.0, limit - time.monotonic())):
                return await self._console_log.wait(self._console, position)
        except TimeoutError:
            return None

    async def _explain_silence(self, nothing_came: bool) -> None:
        """A silent console is judged as it is, unless the lab explains the silence."""
        board = await self._boards.get(self._board.name)
        if board.state is BoardState.OFFLINE:
            await self._wait_for_agent()
            raise RunInterrupted(f"the agent of {board.board_id} was away")
        if board.health != "ok":
            raise RunInterrupted(f"{board.board_id} is not healthy: {board.health}")
        if nothing_came:
            message = f"{board.board_id} said nothing after its reset"
            raise RunInterrupted(message, "BOARD_SILENT")

    async def _wait_for_agent(self) -> None:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                version = 0
                while True:
                    board = await self._boards.get(self._board.name)
                    if board.state is not BoardState.OFFLINE:
                        return
                    version = await self._boards.wait(version)
        except TimeoutError:
            return


class _Told:
    """What the journal was told of a run: each decision once, byte ranges coalesced."""

    def __init__(self, recorder: Recorder, scenario_id: str, runner: str) -> None:
        self.decided: set[str] = set()
        self._recorder = recorder
        self._scenario_id = scenario_id
        self._runner = runner
        self._last = 0.0

    async def tell(
        self,
        decided: list[AssertionResult],
        range_fact: ConsoleRange,
        *,
        at_once: bool = False,
    ) -> None:
        """Record decisions at once, and the range when it is due."""
        self.decided.update(result.assertion_id for result in decided)
        facts: list[Fact] = [
            AssertionDecided(scenario_id=self._scenario_id, runner=self._runner, result=result)
            for result in decided
        ]
        now = time.monotonic()
        if at_once or facts or now - self._last >= _EVENT_GAP_S:
            self._last = now
            await self._recorder.record(*facts, range_fact)
