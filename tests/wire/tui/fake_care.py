"""The calls of the fake control plane that do something to single boards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from benchline.errors import NotReadyError
from benchline.v1 import bench_pb2, recovery_pb2, verdict_pb2

if TYPE_CHECKING:
    from tests.wire.tui.fake_server import FakeControlPlane

PASSED, BROKEN = verdict_pb2.OUTCOME_PASSED, verdict_pb2.OUTCOME_BROKEN


class FakeCare:
    """Does nothing to boards, and keeps what was asked."""

    _plane: FakeControlPlane

    def _note(self, words: str) -> None:
        self._plane.cared.append(words)

    async def ResetBoard(self, request, context):
        from tests.wire.tui.fake_server import refuse

        if self._plane.busy:
            held = NotReadyError("BOARD_BUSY", "vf405-01 is held by ana until 12:00", holder="ana")
            await refuse(context, held)
        mode = recovery_pb2.ResetMode.Name(request.mode).removeprefix("RESET_MODE_")
        self._note(f"reset {request.board} {mode} {request.lease}".strip())
        return bench_pb2.ResetBoardResponse(console_offset=70, console_epoch=2)

    async def PowerBoard(self, request, context):
        state = recovery_pb2.PowerState.Name(request.state).removeprefix("POWER_STATE_")
        self._note(f"power {request.board} {state}")
        return bench_pb2.PowerBoardResponse()

    async def IdentifyBoard(self, request, context):
        self._note(f"identify {request.board}")
        chip = bench_pb2.Chip(name="STM32F405", revision="0x1001", identity="00ff")
        return bench_pb2.IdentifyBoardResponse(chip=chip)

    async def RecoverBoard(self, request, context) -> AsyncIterator[bench_pb2.RecoverBoardResponse]:
        self._note(f"recover {request.board}")
        step = recovery_pb2.RecoveryStep(action=recovery_pb2.RECOVERY_ACTION_POWER_CYCLE)
        yield bench_pb2.RecoverBoardResponse(step=step)
        step.outcome = self._plane.recovers
        step.message = "by relay 3"
        step.duration.FromMilliseconds(1500)
        yield bench_pb2.RecoverBoardResponse(step=step)
        recovery = recovery_pb2.Recovery(
            board=self._plane.boards[0].name,
            outcome=self._plane.recovers,
            reason="" if self._plane.recovers == PASSED else "TOOL_HUNG",
            message="so it is",
            steps=[step],
        )
        yield bench_pb2.RecoverBoardResponse(recovery=recovery)

    async def QuarantineBoard(self, request, context):
        self._note(f"quarantine {request.board}: {request.reason}")
        board = self._plane.boards[0]
        board.state = bench_pb2.Board.STATE_QUARANTINED
        board.quarantine.reason, board.quarantine.message = "MANUAL", request.reason
        self._changed()
        return bench_pb2.QuarantineBoardResponse(board=board)

    async def ReturnBoard(self, request, context):
        self._note(f"return {request.board}")
        board = self._plane.boards[0]
        board.state = bench_pb2.Board.STATE_ACTIVE
        board.ClearField("quarantine")
        self._changed()
        return bench_pb2.ReturnBoardResponse(board=board)

    async def GetBoardHealth(self, request, context):
        health = recovery_pb2.BoardHealth(board=self._plane.boards[0].name, score=52)
        health.outcomes.add(action="flash", outcome=BROKEN, reason="TOOL_HUNG", score=52)
        health.cure_rates.add(action=recovery_pb2.RECOVERY_ACTION_POWER_CYCLE, tried=4, cured=3)
        return bench_pb2.GetBoardHealthResponse(health=health)

    def _changed(self) -> None:
        self._plane.board_version += 1
        self._plane.announce()
