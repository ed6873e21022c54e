"""One control plane, as a client sees it."""

import uuid
from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import grpc

from benchline.channel import open_channel
from benchline.errors import BenchlineError, NotFoundError, error_from
from benchline.v1 import session_pb2, session_pb2_grpc

if TYPE_CHECKING:
    from benchline.v1 import (
        artifact_pb2,
        artifact_pb2_grpc,
        bench_pb2,
        bench_pb2_grpc,
        build_service_pb2_grpc,
        console_pb2_grpc,
        deployment_pb2,
        deployment_pb2_grpc,
        design_pb2_grpc,
        live_simulation_pb2_grpc,
        server_pb2_grpc,
        stack_pb2_grpc,
    )

CALL_TIMEOUT_S = 30.0
"""Deadline of an ordinary call."""

_UPLOAD_CHUNK_BYTES = 512 * 1024
_PAGE = 200
_SERVING = b"\x08\x01"
"""grpc.health.v1.HealthCheckResponse with status SERVING."""


def new_request_id() -> str:
    """An id under which a call may be repeated without being done twice."""
    return str(uuid.uuid4())


class Connection:
    """Stubs of every service over one channel, each loaded when it is first used.

    Use as an async context manager. Calls raise ``grpc.aio.AioRpcError``; ``failure_of`` reads it.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self._channel = open_channel(target)
        self._health = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes
        )

    @cached_property
    def sessions(self) -> "session_pb2_grpc.SessionServiceAsyncStub":
        """Sessions."""
        return session_pb2_grpc.SessionServiceStub(self._channel)

    @cached_property
    def designs(self) -> "design_pb2_grpc.DesignServiceAsyncStub":
        """Previews and board models."""
        from benchline.v1 import design_pb2_grpc

        return design_pb2_grpc.DesignServiceStub(self._channel)

    @cached_property
    def bench(self) -> "bench_pb2_grpc.BenchServiceAsyncStub":
        """Boards and leases."""
        from benchline.v1 import bench_pb2_grpc

        return bench_pb2_grpc.BenchServiceStub(self._channel)

    @cached_property
    def consoles(self) -> "console_pb2_grpc.ConsoleServiceAsyncStub":
        """What boards and simulators said."""
        from benchline.v1 import console_pb2_grpc

        return console_pb2_grpc.ConsoleServiceStub(self._channel)

    @cached_property
    def artifacts(self) -> "artifact_pb2_grpc.ArtifactServiceAsyncStub":
        """Bytes by digest."""
        from benchline.v1 import artifact_pb2_grpc

        return artifact_pb2_grpc.ArtifactServiceStub(self._channel)

    @cached_property
    def builds(self) -> "build_service_pb2_grpc.BuildServiceAsyncStub":
        """What was compiled."""
        from benchline.v1 import build_service_pb2_grpc

        return build_service_pb2_grpc.BuildServiceStub(self._channel)

    @cached_property
    def deployments(self) -> "deployment_pb2_grpc.DeploymentServiceAsyncStub":
        """What was flashed."""
        from benchline.v1 import deployment_pb2_grpc

        return deployment_pb2_grpc.DeploymentServiceStub(self._channel)

    @cached_property
    def lives(self) -> "live_simulation_pb2_grpc.LiveSimulationServiceAsyncStub":
        """Firmware that runs in simulators."""
        from benchline.v1 import live_simulation_pb2_grpc

        return live_simulation_pb2_grpc.LiveSimulationServiceStub(self._channel)

    @cached_property
    def stacks(self) -> "stack_pb2_grpc.StackServiceAsyncStub":
        """Device clouds."""
        from benchline.v1 import stack_pb2_grpc

        return stack_pb2_grpc.StackServiceStub(self._channel)

    @cached_property
    def server(self) -> "server_pb2_grpc.ServerServiceAsyncStub":
        """Version and checks."""
        from benchline.v1 import server_pb2_grpc

        return server_pb2_grpc.ServerServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        """Nothing is sent before the first call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the channel; calls in progress are cancelled."""
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls in progress are cancelled."""
        await self._channel.close(None)

    async def is_serving(self, timeout_s: float = 1.0) -> bool:
        """The server answers and says that it is ready."""
        try:
            answer = await self._health(b"", timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            # A server without the health service that answers at all is there.
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
        return bytes(answer) == _SERVING

    async def session(self, name: str) -> session_pb2.Session:
        """One session by name, id or unambiguous prefix of the id."""
        wanted = name if name.startswith("sessions/") else f"sessions/{name}"
        request = session_pb2.GetSessionRequest(name=wanted)
        answer = await self.sessions.GetSession(request, timeout=CALL_TIMEOUT_S)
        return answer.session

    async def cancel(self, name: str) -> session_pb2.Session:
        """Ask a session to end; gives it as it stands then."""
        request = session_pb2.CancelSessionRequest(name=name, request_id=new_request_id())
        answer = await self.sessions.CancelSession(request, timeout=CALL_TIMEOUT_S)
        return answer.session

    async def all_sessions(self, limit: int) -> list[session_pb2.Session]:
        """The newest sessions, newest first."""
        found: list[session_pb2.Session] = []
        token = ""
        while len(found) < limit:
            request = session_pb2.ListSessionsRequest(
                page_size=min(_PAGE, limit - len(found)), page_token=token
            )
            answer = await self.sessions.ListSessions(request, timeout=CALL_TIMEOUT_S)
            found.extend(answer.sessions)
            token = answer.next_page_token
            if not token:
                break
        return found

    async def deployment(self, name: str) -> "deployment_pb2.Deployment":
        """One deployment by name, id or unambiguous prefix of the id."""
        from benchline.v1 import deployment_pb2

        request = deployment_pb2.GetDeploymentRequest(name=name)
        answer = await self.deployments.GetDeployment(request, timeout=CALL_TIMEOUT_S)
        return answer.deployment

    async def cancel_deployment(self, name: str) -> "deployment_pb2.Deployment":
        """Ask a deployment to end; gives it as it stands then."""
        from benchline.v1 import deployment_pb2

        request = deployment_pb2.CancelDeploymentRequest(name=name, request_id=new_request_id())
        answer = await self.deployments.CancelDeployment(request, timeout=CALL_TIMEOUT_S)
        return answer.deployment

    async def all_deployments(self, limit: int) -> "list[deployment_pb2.Deployment]":
        """The newest deployments, newest first, without their boards."""
        from benchline.v1 import deployment_pb2

        found: list[deployment_pb2.Deployment] = []
        token = ""
        while len(found) < limit:
            request = deployment_pb2.ListDeploymentsRequest(
                page_size=min(_PAGE, limit - len(found)), page_token=token
            )
            answer = await self.deployments.ListDeployments(request, timeout=CALL_TIMEOUT_S)
            found.extend(answer.deployments)
            token = answer.next_page_token
            if not token:
                break
        return found

    async def all_boards(self, selector: str = "") -> "list[bench_pb2.Board]":
        """Every board that matches."""
        from benchline.v1 import bench_pb2

        found: list[bench_pb2.Board] = []
        token = ""
        while True:
            request = bench_pb2.ListBoardsRequest(
                page_size=_PAGE, page_token=token, selector=selector
            )
            answer = await self.bench.ListBoards(request, timeout=CALL_TIMEOUT_S)
            found.extend(answer.boards)
            token = answer.next_page_token
            if not token:
                return found

    async def upload(self, data: bytes, *, kind: str, filename: str, sha256: str) -> None:
        """Store bytes under their digest."""
        from benchline.v1 import artifact_pb2

        async def messages() -> "AsyncIterator[artifact_pb2.WriteArtifactRequest]":
            yield artifact_pb2.WriteArtifactRequest(
                sha256=sha256, kind=kind, filename=Path(filename).name
            )
            for start in range(0, len(data), _UPLOAD_CHUNK_BYTES):
                yield artifact_pb2.WriteArtifactRequest(
                    data=data[start : start + _UPLOAD_CHUNK_BYTES]
                )

        await self.artifacts.WriteArtifact(messages(), timeout=120)

    async def download(self, sha256: str) -> bytes:
        """All bytes of an artifact."""
        from benchline.v1 import artifact_pb2

        held = bytearray()
        request = artifact_pb2.ReadArtifactRequest(sha256=sha256)
        async for message in self.artifacts.ReadArtifact(request, timeout=120):
            held += message.data
        return bytes(held)


def failure_of(error: grpc.RpcError) -> BenchlineError:
    """The error of the common vocabulary behind a failed call."""
    return error_from(error)


def is_away(error: grpc.RpcError) -> bool:
    """The server could not be reached, so that the same call may work later."""
    return error.code() is grpc.StatusCode.UNAVAILABLE


def is_absent(error: grpc.RpcError) -> bool:
    """What was asked for does not exist (yet)."""
    return isinstance(failure_of(error), NotFoundError)
