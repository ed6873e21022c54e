"""One scenario on one leased board: flash what it needs, run it, repeat it when the lab failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from benchline.names import board_console
from controlplane.domain.bench import Board, BoardKind
from controlplane.domain.event import Note, ScenarioStarted
from controlplane.domain.image import ImageSegment
from controlplane.domain.verdict import Evidence, Outcome, ScenarioResult, Stage
from controlplane.pipeline.board_run import BoardRunner, RunInterrupted
from controlplane.pipeline.flashing import BoardFlasher, ConsoleStart, FlashMemory, written
from controlplane.pipeline.judging import PreparedScenario
from controlplane.pipeline.stage import Recorder
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.console_log import ConsoleLog

_RERUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioParts:
    """What a run on a board works with."""

    artifacts: ArtifactStore
    boards: BoardStore
    console_log: ConsoleLog
    patience: timedelta


class ScenarioRunner:
    """Runs scenarios on the board of one flasher and tells what happens."""

    def __init__(self, parts: ScenarioParts, recorder: Recorder, flasher: BoardFlasher) -> None:
        self._parts = parts
        self._recorder = recorder
        self._flasher = flasher

    async def run(
        self, prepared: PreparedScenario, memory: FlashMemory, test: Sequence[ImageSegment]
    ) -> ScenarioResult:
        """Write the stimulus table, with the test image when it is given, and judge the records.

        Raises:
            FlashFailed: the board could not be flashed or reset.
        """
        await self._begin(prepared)
        table = ImageSegment(memory.table_address, prepared.table)
        image = await written(self._parts.artifacts, (*test, table))
        head = await self._flasher.flash_for(prepared.scenario_id, image, with_test=bool(test))
        return await self._judge(prepared, head, text_only=False)

    async def run_text(
        self, prepared: PreparedScenario, head: ConsoleStart | None
    ) -> ScenarioResult:
        """Judge the text that the firmware on the board prints; None resets it first.

        Raises:
            FlashFailed: the board could not be reset.
        """
        await self._begin(prepared)
        if head is None:
            head = await self._flasher.reset_for(prepared.scenario_id, 0)
        return await self._judge(prepared, head, text_only=True)

    async def _begin(self, prepared: PreparedScenario) -> None:
        started = ScenarioStarted(
            scenario_id=prepared.scenario_id,
            title=prepared.title,
            runner=self._flasher.board.board_id,
            seed=prepared.seed,
            device_ms=prepared.end_ms,
            assertion_ids=prepared.assertion_ids,
        )
        await self._recorder.record(started)

    async def _judge(
        self, prepared: PreparedScenario, head: ConsoleStart, *, text_only: bool
    ) -> ScenarioResult:
        board = self._flasher.board
        runner = BoardRunner(
            recorder=self._recorder,
            artifacts=self._parts.artifacts,
            console_log=self._parts.console_log,
            boards=self._parts.boards,
            console=board_console(board.name),
            board=board,
            patience=self._parts.patience,
        )
        evidence = evidence_of(board)
        for again in range(1, _RERUNS + 1):
            try:
                return await runner.judge(prepared, head, evidence, text_only=text_only)
            except RunInterrupted as interruption:
                trouble = str(interruption)
                blame = interruption.reason
            if again < _RERUNS:
                why = f"{prepared.scenario_id} is run again on {board.board_id}: {trouble}"
                await self._recorder.record(Note(text=why))
                head = await self._flasher.reset_for(prepared.scenario_id, again)
        self._flasher.blame = blame
        return prepared.undecided(Outcome.BROKEN, Stage.DEPLOY, board.board_id, trouble, evidence)


def evidence_of(board: Board) -> Evidence:
    """What a verdict on this board proves."""
    return Evidence.PHYSICAL if board.kind is BoardKind.PHYSICAL else Evidence.VIRTUAL
