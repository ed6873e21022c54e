"""What is done to live simulations, as single calls, and what they say as facts."""

from benchline.v1 import live_simulation_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, new_request_id
from tui.client.instants import milliseconds_of
from tui.client.translate import outcome_of, state_of
from tui.state.live import LiveFact, LiveInput

_TURN_TIMEOUT_S = 60.0
"""A reset and a stop wait until they are done."""
_PAGE = 200


def live_fact_of(wire: live_simulation_pb2.LiveSimulation) -> LiveFact:
    """A live simulation."""
    return LiveFact(
        name=wire.name,
        session=wire.session,
        title=wire.title,
        board=wire.board_model,
        state=state_of(wire.state),
        rung=wire.rung,
        simulator=wire.simulator,
        reason=wire.reason,
        outcome=outcome_of(wire.outcome),
        message=wire.message,
        fix=wire.fix,
        test_build=wire.test_build,
        epoch=wire.epoch,
        inputs=tuple(
            LiveInput(name=one.name, pin=one.pin, kind=one.kind, unit=one.unit)
            for one in wire.signals
        ),
        create_ms=milliseconds_of(wire.create_time),
    )


async def start_live(connection: Connection, session: str) -> live_simulation_pb2.LiveSimulation:
    """Start the firmware of a session."""
    request = live_simulation_pb2.StartLiveSimulationRequest(
        request_id=new_request_id(), session=session
    )
    answer = await connection.lives.StartLiveSimulation(request, timeout=CALL_TIMEOUT_S)
    return answer.live_simulation


async def live_of(connection: Connection, name: str) -> live_simulation_pb2.LiveSimulation:
    """One by name, id or beginning of the id."""
    request = live_simulation_pb2.GetLiveSimulationRequest(name=name)
    answer = await connection.lives.GetLiveSimulation(request, timeout=CALL_TIMEOUT_S)
    return answer.live_simulation


async def all_lives(
    connection: Connection, *, limit: int, session: str = ""
) -> list[live_simulation_pb2.LiveSimulation]:
    """The newest ones, newest first; of one session if it is given."""
    found: list[live_simulation_pb2.LiveSimulation] = []
    token = ""
    while len(found) < limit:
        request = live_simulation_pb2.ListLiveSimulationsRequest(
            page_size=min(_PAGE, limit - len(found)), page_token=token, session=session
        )
        answer = await connection.lives.ListLiveSimulations(request, timeout=CALL_TIMEOUT_S)
        found.extend(answer.live_simulations)
        token = answer.next_page_token
        if not token:
            break
    return found


async def send_to_live(connection: Connection, name: str, data: bytes) -> None:
    """Type bytes at its console."""
    request = live_simulation_pb2.SendToLiveSimulationRequest(
        name=name, request_id=new_request_id(), data=data
    )
    await connection.lives.SendToLiveSimulation(request, timeout=CALL_TIMEOUT_S)


async def set_live_signal(
    connection: Connection, name: str, signal: str, value: str
) -> live_simulation_pb2.SetLiveSignalResponse:
    """Put a value on an input."""
    request = live_simulation_pb2.SetLiveSignalRequest(
        name=name, request_id=new_request_id(), signal=signal, value=value
    )
    return await connection.lives.SetLiveSignal(request, timeout=CALL_TIMEOUT_S)


async def reset_live(connection: Connection, name: str) -> live_simulation_pb2.LiveSimulation:
    """Start its firmware anew."""
    request = live_simulation_pb2.ResetLiveSimulationRequest(name=name, request_id=new_request_id())
    answer = await connection.lives.ResetLiveSimulation(request, timeout=_TURN_TIMEOUT_S)
    return answer.live_simulation


async def stop_live(connection: Connection, name: str) -> live_simulation_pb2.LiveSimulation:
    """End it."""
    request = live_simulation_pb2.StopLiveSimulationRequest(name=name, request_id=new_request_id())
    answer = await connection.lives.StopLiveSimulation(request, timeout=_TURN_TIMEOUT_S)
    return answer.live_simulation
