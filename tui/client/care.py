"""What is done to single boards, as calls that give messages."""

from collections.abc import AsyncIterator

from benchline.v1 import bench_pb2, recovery_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, new_request_id

# A power switch may take two minutes, and so may a board that comes back after it.
CARE_S = 240.0
RECOVERY_S = 1800.0
POWER_STATES = {
    "on": recovery_pb2.POWER_STATE_ON,
    "off": recovery_pb2.POWER_STATE_OFF,
    "cycle": recovery_pb2.POWER_STATE_CYCLE,
}


async def reset_board(
    connection: Connection, board: str, *, bootloader: bool = False, lease: str = ""
) -> bench_pb2.ResetBoardResponse:
    """Restart firmware or bootloader. Raises grpc.aio.AioRpcError."""
    mode = recovery_pb2.RESET_MODE_BOOTLOADER if bootloader else recovery_pb2.RESET_MODE_APP
    request = bench_pb2.ResetBoardRequest(
        request_id=new_request_id(), board=board, lease=lease, mode=mode
    )
    return await connection.bench.ResetBoard(request, timeout=CARE_S)


async def power_board(
    connection: Connection, board: str, state: str, *, lease: str = ""
) -> bench_pb2.PowerBoardResponse:
    """Switch the power `on`, `off` or `cycle` it. Raises grpc.aio.AioRpcError."""
    request = bench_pb2.PowerBoardRequest(
        request_id=new_request_id(), board=board, lease=lease, state=POWER_STATES[state]
    )
    return await connection.bench.PowerBoard(request, timeout=CARE_S)


async def identify_board(
    connection: Connection, board: str, *, lease: str = ""
) -> bench_pb2.IdentifyBoardResponse:
    """Ask the chip who it is. Raises grpc.aio.AioRpcError."""
    request = bench_pb2.IdentifyBoardRequest(request_id=new_request_id(), board=board, lease=lease)
    return await connection.bench.IdentifyBoard(request, timeout=CARE_S)


async def recover_board(
    connection: Connection, board: str, *, lease: str = ""
) -> AsyncIterator[bench_pb2.RecoverBoardResponse]:
    """Bring a board back; every step, then the recovery. Raises grpc.aio.AioRpcError."""
    request = bench_pb2.RecoverBoardRequest(request_id=new_request_id(), board=board, lease=lease)
    async for message in connection.bench.RecoverBoard(request, timeout=RECOVERY_S):
        yield message


async def quarantine_board(connection: Connection, board: str, reason: str) -> bench_pb2.Board:
    """Take a board out of service. Raises grpc.aio.AioRpcError."""
    request = bench_pb2.QuarantineBoardRequest(board=board, reason=reason)
    answer = await connection.bench.QuarantineBoard(request, timeout=CALL_TIMEOUT_S)
    return answer.board


async def return_board(connection: Connection, board: str) -> bench_pb2.Board:
    """Put a board back into service. Raises grpc.aio.AioRpcError."""
    request = bench_pb2.ReturnBoardRequest(board=board)
    return (await connection.bench.ReturnBoard(request, timeout=CALL_TIMEOUT_S)).board


async def board_health(connection: Connection, board: str) -> recovery_pb2.BoardHealth:
    """What is known of the health of a board. Raises grpc.aio.AioRpcError."""
    request = bench_pb2.GetBoardHealthRequest(board=board)
    return (await connection.bench.GetBoardHealth(request, timeout=CALL_TIMEOUT_S)).health
