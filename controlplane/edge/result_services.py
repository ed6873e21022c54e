"""Builds and simulations: those of sessions, and on their own as sessions that end there."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import grpc

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.names import session_id
from benchline.v1 import (
    build_pb2,
    build_service_pb2,
    build_service_pb2_grpc,
    session_pb2,
    simulation_pb2,
    simulation_pb2_grpc,
    verdict_pb2,
)
from controlplane.domain.build import Build
from controlplane.domain.simulation import Simulation
from controlplane.edge.session_service import SessionService
from controlplane.edge.translate import to_wire
from controlplane.storage.codec import from_json
from controlplane.storage.sessions import SessionStore

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]


class BuildService(build_service_pb2_grpc.BuildServiceServicer):
    """Starts builds, and gives out what the BUILD stage made."""

    def __init__(self, store: SessionStore, sessions: SessionService) -> None:
        self._store = store
        self._sessions = sessions

    async def StartBuild(
        self, request: build_service_pb2.StartBuildRequest, context: Context
    ) -> build_service_pb2.StartBuildResponse:
        """A session that ends with BUILD."""
        source = request.source
        if source.image_sha256 or source.HasField("image"):
            raise InvalidRequestError("NOTHING_TO_BUILD", "an image is built already")
        wanted = session_pb2.CreateSessionRequest(
            request_id=request.request_id,
            design=request.design,
            board=request.board,
            until=verdict_pb2.STAGE_BUILD,
        )
        if request.HasField("source"):
            wanted.source.CopyFrom(source)
        answer = await self._sessions.CreateSession(wanted, context)
        return build_service_pb2.StartBuildResponse(session=answer.session)

    async def GetBuildState(
        self, request: build_service_pb2.GetBuildStateRequest, context: Context
    ) -> build_service_pb2.GetBuildStateResponse:
        """Its session."""
        wanted = session_pb2.GetSessionRequest(name=request.session)
        answer = await self._sessions.GetSession(wanted, context)
        return build_service_pb2.GetBuildStateResponse(session=answer.session)

    async def WatchBuild(
        self, request: build_service_pb2.WatchBuildRequest, context: Context
    ) -> AsyncIterator[build_service_pb2.WatchBuildResponse]:
        """The events of its session."""
        wanted = session_pb2.WatchSessionRequest(
            name=request.session, from_sequence=request.from_sequence
        )
        async for told in self._sessions.WatchSession(wanted, context):
            yield build_service_pb2.WatchBuildResponse(
                events=told.events, head_sequence=told.head_sequence
            )

    async def CancelBuild(
        self, request: build_service_pb2.CancelBuildRequest, context: Context
    ) -> build_service_pb2.CancelBuildResponse:
        """End its session."""
        wanted = session_pb2.CancelSessionRequest(
            name=request.session, request_id=request.request_id
        )
        answer = await self._sessions.CancelSession(wanted, context)
        return build_service_pb2.CancelBuildResponse(session=answer.session)

    async def GetBuild(
        self, request: build_pb2.GetBuildRequest, context: Context
    ) -> build_pb2.GetBuildResponse:
        """The newest build."""
        found = await checkpoint(self._store, request.session, "build", Build)
        if found is None:
            raise NotFoundError("BUILD_NOT_FOUND", f"{request.session} has no build yet")
        return build_pb2.GetBuildResponse(build=to_wire(found, build_pb2.Build))


class SimulationService(simulation_pb2_grpc.SimulationServiceServicer):
    """Starts simulations, and gives out what the SIMULATE stage found."""

    def __init__(self, store: SessionStore, sessions: SessionService) -> None:
        self._store = store
        self._sessions = sessions

    async def StartSimulation(
        self, request: simulation_pb2.StartSimulationRequest, context: Context
    ) -> simulation_pb2.StartSimulationResponse:
        """A session that ends with SIMULATE."""
        wanted = session_pb2.CreateSessionRequest(
            request_id=request.request_id,
            design=request.design,
            board=request.board,
            until=verdict_pb2.STAGE_SIMULATE,
        )
        if request.HasField("source"):
            wanted.source.CopyFrom(request.source)
        if request.HasField("seed"):
            wanted.seed = request.seed
        answer = await self._sessions.CreateSession(wanted, context)
        return simulation_pb2.StartSimulationResponse(session=answer.session)

    async def GetSimulationState(
        self, request: simulation_pb2.GetSimulationStateRequest, context: Context
    ) -> simulation_pb2.GetSimulationStateResponse:
        """Its session."""
        wanted = session_pb2.GetSessionRequest(name=request.session)
        answer = await self._sessions.GetSession(wanted, context)
        return simulation_pb2.GetSimulationStateResponse(session=answer.session)

    async def WatchSimulation(
        self, request: simulation_pb2.WatchSimulationRequest, context: Context
    ) -> AsyncIterator[simulation_pb2.WatchSimulationResponse]:
        """The events of its session."""
        wanted = session_pb2.WatchSessionRequest(
            name=request.session, from_sequence=request.from_sequence
        )
        async for told in self._sessions.WatchSession(wanted, context):
            yield simulation_pb2.WatchSimulationResponse(
                events=told.events, head_sequence=told.head_sequence
            )

    async def CancelSimulation(
        self, request: simulation_pb2.CancelSimulationRequest, context: Context
    ) -> simulation_pb2.CancelSimulationResponse:
        """End its session."""
        wanted = session_pb2.CancelSessionRequest(
            name=request.session, request_id=request.request_id
        )
        answer = await self._sessions.CancelSession(wanted, context)
        return simulation_pb2.CancelSimulationResponse(session=answer.session)

    async def GetSimulation(
        self, request: simulation_pb2.GetSimulationRequest, context: Context
    ) -> simulation_pb2.GetSimulationResponse:
        """The newest simulation."""
        found = await checkpoint(self._store, request.session, "simulation", Simulation)
        if found is None:
            raise NotFoundError("SIMULATION_NOT_FOUND", f"{request.session} has no simulation yet")
        return simulation_pb2.GetSimulationResponse(
            simulation=to_wire(found, simulation_pb2.Simulation)
        )


async def checkpoint(store: SessionStore, name: str, key: str, kind: type[T]) -> T | None:
    """What a stage of a session kept under a key."""
    session = await store.find(session_id(name))
    text = await store.get_checkpoint(session.session_id, key)
    return None if text is None else from_json(kind, text)
