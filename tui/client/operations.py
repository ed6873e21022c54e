"""What an operator does in the console, as single calls that give facts."""

from dataclasses import dataclass

import grpc

from benchline.v1 import build_pb2, console_pb2, session_pb2, verdict_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, is_absent, new_request_id
from tui.client.translate import summary_of
from tui.state.fact import SessionSummary, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWish:
    """What a new run is asked for. ``until`` NONE runs all stages, a ceiling of 0 is that of the
    server. Without a ``stack`` its device has no cloud, without a ``device`` the server names
    it."""

    prompt: str
    board: str = ""
    designer: str = ""
    until: Stage = Stage.NONE
    ceiling_micro_usd: int = 0
    stack: str = ""
    device: str = ""
    auto_approve: bool = False


async def start_session(connection: Connection, wish: RunWish) -> SessionSummary:
    """Start a session from a sentence."""
    request = session_pb2.CreateSessionRequest(
        request_id=new_request_id(),
        prompt=wish.prompt,
        board=wish.board,
        designer=wish.designer,
        stack=wish.stack,
        device=wish.device,
        auto_approve=wish.auto_approve,
    )
    if wish.until is not Stage.NONE:
        request.until = verdict_pb2.Stage.Value(f"STAGE_{wish.until.value}")
    if wish.ceiling_micro_usd:
        request.cost_ceiling_micro_usd = wish.ceiling_micro_usd
    answer = await connection.sessions.CreateSession(
        request, timeout=CALL_TIMEOUT_S, wait_for_ready=True
    )
    return summary_of(answer.session)


async def cancel_session(connection: Connection, name: str) -> SessionSummary:
    """Ask a session to end."""
    return summary_of(await connection.cancel(name))


async def send_line(connection: Connection, board: str, text: str, *, lease: str = "") -> None:
    """Type a line at a board: the text and a newline.

    Raises:
        grpc.aio.AioRpcError: BOARD_BUSY while a run holds the board, SEND_SIZE, SEND_FAILED.
    """
    request = console_pb2.SendConsoleRequest(
        request_id=new_request_id(), board=board, data=f"{text}\n".encode(), lease=lease
    )
    await connection.consoles.SendConsole(request, timeout=CALL_TIMEOUT_S)


async def session_design(
    connection: Connection, name: str
) -> session_pb2.GetSessionDesignResponse | None:
    """Design and sketch of a session, or an uploaded sketch; None while there is neither."""
    try:
        return await connection.sessions.GetSessionDesign(
            session_pb2.GetSessionDesignRequest(name=name), timeout=CALL_TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        if not is_absent(error):
            raise
    try:
        built = await connection.builds.GetBuild(
            build_pb2.GetBuildRequest(session=name), timeout=CALL_TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        if not is_absent(error):
            raise
        return None
    return session_pb2.GetSessionDesignResponse(sources=built.build.sources)
