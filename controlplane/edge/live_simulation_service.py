"""Live simulations on the wire."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from benchline.errors import InvalidRequestError
from benchline.names import live_simulation_id, session_id
from benchline.v1 import console_pb2, live_simulation_pb2, live_simulation_pb2_grpc
from controlplane.access.principal import current_principal
from controlplane.domain.live_simulation import LiveSimulation
from controlplane.domain.session import Session
from controlplane.edge.byte_services import HEARTBEAT_S, MAX_SEND_BYTES, READ_CHUNK_BYTES
from controlplane.edge.once import once
from controlplane.edge.requests import (
    check_request_id,
    page_size,
    position,
    read_page_token,
    write_page_token,
)
from controlplane.edge.translate import to_wire
from controlplane.planning.live_signals import Setting
from controlplane.storage.answers import AnswerStore
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.live_simulations import LiveSimulationStore
from controlplane.storage.sessions import SessionStore

_COLLECTION = "liveSimulations"
_LONGEST_VALUE = 100
_NO_END = 1 << 62
_M = TypeVar("_M", bound=Message)

Context = grpc.aio.ServicerContext[Any, Any]


class LiveSimulations(Protocol):
    """What runs live simulations; what it raises is said there."""

    async def start(self, session: Session, principal: str, request_id: str) -> LiveSimulation:
        """Start the firmware of a session."""
        ...

    def send(self, live: LiveSimulation, data: bytes) -> None:
        """Type bytes at its console."""
        ...

    def set_signal(self, live: LiveSimulation, signal: str, value: str) -> Setting:
        """Put a value on an input."""
        ...

    async def reset(self, live: LiveSimulation) -> LiveSimulation:
        """Start its firmware anew."""
        ...

    async def stop(self, live: LiveSimulation) -> LiveSimulation:
        """End it."""
        ...

    def watched(self, live: LiveSimulation) -> Any:
        """As long as this context lasts it is not idle."""
        ...


class LiveSimulationService(live_simulation_pb2_grpc.LiveSimulationServiceServicer):
    """Validates, delegates, and tells what is stored."""

    def __init__(
        self,
        lives: LiveSimulations,
        store: LiveSimulationStore,
        sessions: SessionStore,
        consoles: ConsoleLog,
        answers: AnswerStore,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._lives = lives
        self._store = store
        self._sessions = sessions
        self._consoles = consoles
        self._answers = answers
        self._heartbeat_s = heartbeat_s

    async def StartLiveSimulation(
        self, request: live_simulation_pb2.StartLiveSimulationRequest, context: Context
    ) -> live_simulation_pb2.StartLiveSimulationResponse:
        """Start one."""
        request_id = check_request_id(request.request_id)
        session = await self._sessions.find(session_id(request.session))
        live = await self._lives.start(session, current_principal().name, request_id)
        return live_simulation_pb2.StartLiveSimulationResponse(live_simulation=live_message(live))

    async def GetLiveSimulation(
        self, request: live_simulation_pb2.GetLiveSimulationRequest, context: Context
    ) -> live_simulation_pb2.GetLiveSimulationResponse:
        """One of them."""
        live = await self._find(request.name)
        return live_simulation_pb2.GetLiveSimulationResponse(live_simulation=live_message(live))

    async def ListLiveSimulations(
        self, request: live_simulation_pb2.ListLiveSimulationsRequest, context: Context
    ) -> live_simulation_pb2.ListLiveSimulationsResponse:
        """Newest first."""
        after = read_page_token(_COLLECTION, request.page_token)
        session = ""
        if request.session:
            session = (await self._sessions.find(session_id(request.session))).name
        found, rest = await self._store.page(page_size(request.page_size), after, session)
        return live_simulation_pb2.ListLiveSimulationsResponse(
            live_simulations=[live_message(live) for live in found],
            next_page_token=write_page_token(_COLLECTION, rest),
        )

    async def WatchLiveSimulation(
        self, request: live_simulation_pb2.WatchLiveSimulationRequest, context: Context
    ) -> AsyncIterator[live_simulation_pb2.WatchLiveSimulationResponse]:
        """Its changes and its console, until both have ended."""
        live = await self._find(request.name)
        cursor, told = position(request.offset), 0
        if request.tail_bytes and not cursor:
            head = await self._consoles.head(live.console)
            cursor = max(head.oldest, head.offset - position(request.tail_bytes))
        with self._lives.watched(live):
            while True:
                # The state first: what a simulation said is stored before it is said to have ended.
                live = await self._store.get(live.live_id)
                chunks = await self._consoles.read(live.console, cursor, _NO_END, READ_CHUNK_BYTES)
                if chunks or live.revision > told:
                    cursor = chunks[-1].end if chunks else cursor
                    answer = live_simulation_pb2.WatchLiveSimulationResponse(
                        chunks=[to_wire(chunk, console_pb2.ConsoleChunk) for chunk in chunks]
                    )
                    if live.revision > told:
                        answer.live_simulation.CopyFrom(live_message(live))
                        told = live.revision
                    yield answer
                elif live.state.ended:
                    return
                elif not await self._news(live, cursor):
                    yield live_simulation_pb2.WatchLiveSimulationResponse()

    async def SendToLiveSimulation(
        self, request: live_simulation_pb2.SendToLiveSimulationRequest, context: Context
    ) -> live_simulation_pb2.SendToLiveSimulationResponse:
        """Type at it."""
        if not 0 < len(request.data) <= MAX_SEND_BYTES:
            raise InvalidRequestError(
                "SEND_SIZE", f"between 1 and {MAX_SEND_BYTES} bytes can be sent at once"
            )

        async def send() -> live_simulation_pb2.SendToLiveSimulationResponse:
            self._lives.send(await self._find(request.name), request.data)
            return live_simulation_pb2.SendToLiveSimulationResponse()

        return await once(
            self._answers, request, live_simulation_pb2.SendToLiveSimulationResponse, send
        )

    async def SetLiveSignal(
        self, request: live_simulation_pb2.SetLiveSignalRequest, context: Context
    ) -> live_simulation_pb2.SetLiveSignalResponse:
        """Put a value on an input."""
        if max(len(request.signal), len(request.value)) > _LONGEST_VALUE:
            raise InvalidRequestError(
                "SIGNAL_VALUE_INVALID",
                f"a signal and its value have at most {_LONGEST_VALUE} characters",
            )

        async def put() -> live_simulation_pb2.SetLiveSignalResponse:
            live = await self._find(request.name)
            setting = self._lives.set_signal(live, request.signal, request.value)
            return live_simulation_pb2.SetLiveSignalResponse(
                pin=setting.pin, level_or_counts=setting.value
            )

        return await once(self._answers, request, live_simulation_pb2.SetLiveSignalResponse, put)

    async def ResetLiveSimulation(
        self, request: live_simulation_pb2.ResetLiveSimulationRequest, context: Context
    ) -> live_simulation_pb2.ResetLiveSimulationResponse:
        """Start its firmware anew."""

        async def reset() -> live_simulation_pb2.ResetLiveSimulationResponse:
            live = await self._lives.reset(await self._find(request.name))
            return live_simulation_pb2.ResetLiveSimulationResponse(
                live_simulation=live_message(live)
            )

        return await once(
            self._answers, request, live_simulation_pb2.ResetLiveSimulationResponse, reset
        )

    async def StopLiveSimulation(
        self, request: live_simulation_pb2.StopLiveSimulationRequest, context: Context
    ) -> live_simulation_pb2.StopLiveSimulationResponse:
        """End it."""

        async def stop() -> live_simulation_pb2.StopLiveSimulationResponse:
            live = await self._lives.stop(await self._find(request.name))
            return live_simulation_pb2.StopLiveSimulationResponse(
                live_simulation=live_message(live)
            )

        return await once(
            self._answers, request, live_simulation_pb2.StopLiveSimulationResponse, stop
        )

    async def _find(self, name: str) -> LiveSimulation:
        return await self._store.find(live_simulation_id(name))

    async def _news(self, live: LiveSimulation, cursor: int) -> bool:
        """Wait for a change or for bytes; false when neither came in time."""
        waiting: set[asyncio.Task[Any]] = {
            asyncio.create_task(self._store.wait(live.live_id, live.revision)),
            asyncio.create_task(self._consoles.wait(live.console, cursor)),
        }
        try:
            done, _ = await asyncio.wait(
                waiting, timeout=self._heartbeat_s, return_when=asyncio.FIRST_COMPLETED
            )
            return bool(done)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def live_message(live: LiveSimulation) -> live_simulation_pb2.LiveSimulation:
    """A simulation with the pins of its signals by their names."""
    message = to_wire(live, live_simulation_pb2.LiveSimulation, without=("signals",))
    for signal in live.signals:
        told = message.signals.add(
            name=signal.name, pin=signal.spelling, kind=signal.kind.value, unit=signal.unit
        )
        if signal.minimum is not None:
            told.minimum = signal.minimum
        if signal.maximum is not None:
            told.maximum = signal.maximum
    return message
