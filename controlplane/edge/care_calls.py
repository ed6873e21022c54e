"""The calls of BenchService that do something to single boards."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from benchline.errors import InvalidRequestError
from benchline.v1 import bench_pb2, recovery_pb2
from controlplane.access.principal import current_principal
from controlplane.domain.health import PowerState, Recovery, ResetMode
from controlplane.edge.requests import check_request_id
from controlplane.edge.translate import to_wire
from controlplane.pipeline.board_care import BoardCare
from controlplane.pipeline.recovery import Recoveries

Context = grpc.aio.ServicerContext[Any, Any]

_RESET_MODES = {
    recovery_pb2.RESET_MODE_UNSPECIFIED: ResetMode.APP,
    recovery_pb2.RESET_MODE_APP: ResetMode.APP,
    recovery_pb2.RESET_MODE_BOOTLOADER: ResetMode.BOOTLOADER,
}
_POWER_STATES = {
    recovery_pb2.POWER_STATE_ON: PowerState.ON,
    recovery_pb2.POWER_STATE_OFF: PowerState.OFF,
    recovery_pb2.POWER_STATE_CYCLE: PowerState.CYCLE,
}


class CareCalls:
    """Reset, power, identity, recovery, service and health of single boards."""

    _care: BoardCare
    _recoveries: Recoveries

    async def ResetBoard(
        self, request: bench_pb2.ResetBoardRequest, context: Context
    ) -> bench_pb2.ResetBoardResponse:
        """Restart firmware or bootloader."""
        mode = _RESET_MODES.get(request.mode)
        if mode is None:
            raise InvalidRequestError("INVALID_MODE", f"{request.mode} is no mode of a reset")
        answer = await self._care.reset(
            _board(request.board),
            mode,
            holder=current_principal().name,
            lease=_lease(request.lease),
            request_id=check_request_id(request.request_id),
        )
        return bench_pb2.ResetBoardResponse(
            console_offset=answer.console_offset, console_epoch=answer.console_epoch
        )

    async def PowerBoard(
        self, request: bench_pb2.PowerBoardRequest, context: Context
    ) -> bench_pb2.PowerBoardResponse:
        """Switch the power."""
        state = _POWER_STATES.get(request.state)
        if state is None:
            raise InvalidRequestError("INVALID_MODE", "say on, off or cycle")
        await self._care.power(
            _board(request.board),
            state,
            holder=current_principal().name,
            lease=_lease(request.lease),
            request_id=check_request_id(request.request_id),
        )
        return bench_pb2.PowerBoardResponse()

    async def IdentifyBoard(
        self, request: bench_pb2.IdentifyBoardRequest, context: Context
    ) -> bench_pb2.IdentifyBoardResponse:
        """Ask the chip who it is."""
        chip = await self._care.identify(
            _board(request.board),
            holder=current_principal().name,
            lease=_lease(request.lease),
            request_id=check_request_id(request.request_id),
        )
        return bench_pb2.IdentifyBoardResponse(chip=to_wire(chip, bench_pb2.Chip))

    async def RecoverBoard(
        self, request: bench_pb2.RecoverBoardRequest, context: Context
    ) -> AsyncIterator[bench_pb2.RecoverBoardResponse]:
        """Bring a board back and tell every step."""
        recovery = await self._recoveries.start(
            _board(request.board),
            principal=current_principal().name,
            lease=_lease(request.lease),
            request_id=check_request_id(request.request_id),
        )
        async for told in self._recoveries.follow(recovery):
            if isinstance(told, Recovery):
                ended = to_wire(told, recovery_pb2.Recovery)
                yield bench_pb2.RecoverBoardResponse(recovery=ended)
            else:
                step = to_wire(told, recovery_pb2.RecoveryStep)
                yield bench_pb2.RecoverBoardResponse(step=step)

    async def QuarantineBoard(
        self, request: bench_pb2.QuarantineBoardRequest, context: Context
    ) -> bench_pb2.QuarantineBoardResponse:
        """Take a board out of service."""
        board = await self._care.quarantine(
            _board(request.board), request.reason, principal=current_principal().name
        )
        return bench_pb2.QuarantineBoardResponse(board=to_wire(board, bench_pb2.Board))

    async def ReturnBoard(
        self, request: bench_pb2.ReturnBoardRequest, context: Context
    ) -> bench_pb2.ReturnBoardResponse:
        """Put a board back into service."""
        board = await self._care.bring_back(
            _board(request.board), principal=current_principal().name
        )
        return bench_pb2.ReturnBoardResponse(board=to_wire(board, bench_pb2.Board))

    async def GetBoardHealth(
        self, request: bench_pb2.GetBoardHealthRequest, context: Context
    ) -> bench_pb2.GetBoardHealthResponse:
        """What is known of the health of a board."""
        health = await self._care.health(_board(request.board))
        return bench_pb2.GetBoardHealthResponse(health=to_wire(health, recovery_pb2.BoardHealth))


def _board(name: str) -> str:
    if not name:
        raise InvalidRequestError("INVALID_NAME", "the name of a board is needed")
    return name


def _lease(name: str) -> str:
    return f"leases/{name}" if name and not name.startswith("leases/") else name
