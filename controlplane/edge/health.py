"""The standard health service: everything that is served is healthy until the server leaves."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchline.errors import NotFoundError

Context = grpc.aio.ServicerContext[Any, Any]


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Answers for the server as a whole ("") and for each of its services."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(services) | {""}
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Tell everybody that no new work is taken."""
        self._leaving.set()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """How a service is."""
        if request.service not in self._services:
            raise NotFoundError("SERVICE_NOT_FOUND", f"there is no service {request.service[:100]}")
        return self._answer()

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """How a service is, now and when that changes."""
        if request.service not in self._services:
            yield health_pb2.HealthCheckResponse(
                status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            )
            await asyncio.Event().wait()
        yield self._answer()
        if not self._leaving.is_set():
            await self._leaving.wait()
            yield self._answer()

    def _answer(self) -> health_pb2.HealthCheckResponse:
        states = health_pb2.HealthCheckResponse
        state = states.NOT_SERVING if self._leaving.is_set() else states.SERVING
        return states(status=state)
