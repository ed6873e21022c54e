"""What an operator does in the console, as single calls that give facts."""

from dataclasses import dataclass

import grpc

from benchline.v1 import build_pb2, console_pb2, design_pb2, session_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, is_absent, new_request_id
from tui.client.translate import finding_of, outcome_of, summary_of
from tui.state.fact import Finding, Outcome, SessionSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a sentence would become. ``understood`` pairs words with their meaning."""

    outcome: Outcome
    title: str = ""
    board: str = ""
    understood: tuple[tuple[str, str], ...] = ()
    pins: tuple[tuple[str, str, str], ...] = ()
    scenarios: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


async def start_session(
    connection: Connection, prompt: str, board: str, designer: str = ""
) -> SessionSummary:
    """Start a session from a sentence."""
    request = session_pb2.CreateSessionRequest(
        request_id=new_request_id(), prompt=prompt, board=board, designer=designer
    )
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


async def board_models(connection: Connection) -> tuple[str, ...]:
    """Keys of the board models that can be designed for; none when the server has no catalogue."""
    try:
        answer = await connection.designs.ListBoardModels(
            design_pb2.ListBoardModelsRequest(page_size=200), timeout=CALL_TIMEOUT_S
        )
    except grpc.aio.AioRpcError:
        return ()
    return tuple(one.key for one in answer.board_models)


async def preview_design(connection: Connection, prompt: str, board: str) -> Preview:
    """What the sentence would become, without starting anything."""
    request = design_pb2.PreviewDesignRequest(prompt=prompt, board=board)
    answer = await connection.designs.PreviewDesign(request, timeout=CALL_TIMEOUT_S)
    made = answer.design
    return Preview(
        outcome=outcome_of(answer.outcome),
        title=made.title,
        board=f"{made.board_model}: {made.board_reason}" if made.board_model else "",
        understood=tuple((one.text, one.meaning) for one in made.understood),
        pins=tuple((one.pin, one.signal, one.reason) for one in made.pins),
        scenarios=tuple(one.title or one.scenario_id for one in made.scenarios),
        assumptions=tuple(made.assumptions),
        findings=tuple(finding_of(one) for one in answer.findings),
    )


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
