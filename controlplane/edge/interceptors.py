"""What happens around every call: who calls, may they, how long, and what went wrong."""

import asyncio
import inspect
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
from grpc_status import rpc_status

from benchline.errors import (
    BenchlineError,
    NotPermittedError,
    UnauthenticatedError,
    status_of,
)
from controlplane.access.principal import Principal, Role, establish, local_principal

log = logging.getLogger(__name__)

# A unary call without a deadline of its caller gets this one, in seconds.
LONGEST_UNARY_S = 60.0
_READING = (
    "Get",
    "List",
    "Watch",
    "Read",
    "Preview",
    "Check",
    "ServerReflectionInfo",
    "Parse",
    "Validate",
    "Suggest",
    "LayOut",
    "Draw",
    "Diff",
)
_DECIDING = ("Approve", "Reject")

Context = grpc.aio.ServicerContext[Any, Any]


class EdgeInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs alone
    """Establishes the principal, checks its role, maps errors and logs what changes things."""

    def __init__(self) -> None:
        self._local = local_principal()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = str(handler_call_details.method)
        if handler.request_streaming and handler.response_streaming:
            make, behaviour = grpc.stream_stream_rpc_method_handler, handler.stream_stream
        elif handler.request_streaming:
            make, behaviour = grpc.stream_unary_rpc_method_handler, handler.stream_unary
        elif handler.response_streaming:
            make, behaviour = grpc.unary_stream_rpc_method_handler, handler.unary_stream
        else:
            make, behaviour = grpc.unary_unary_rpc_method_handler, handler.unary_unary
        if inspect.isasyncgenfunction(behaviour):
            wrapped: Any = self._stream(method, behaviour)
        else:
            capped = not (handler.request_streaming or handler.response_streaming)
            wrapped = self._single(method, behaviour, LONGEST_UNARY_S if capped else None)
        return make(wrapped, handler.request_deserializer, handler.response_serializer)

    def _single(self, method: str, behaviour: Any, limit: float | None) -> Any:
        async def call(request: Any, context: Context) -> Any:
            watch = _Watch(method, request)
            try:
                watch.principal = self._admit(method, context)
                async with asyncio.timeout(limit):
                    answer = await behaviour(request, context)
            except Exception as error:
                await watch.fail(context, error)
            watch.note("OK")
            return answer

        return call

    def _stream(self, method: str, behaviour: Any) -> Any:
        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            watch = _Watch(method, request)
            try:
                watch.principal = self._admit(method, context)
                async for answer in behaviour(request, context):
                    yield answer
            except Exception as error:
                await watch.fail(context, error)
            watch.note("OK")

        return call

    def _admit(self, method: str, context: Context) -> Principal:
        if not context.peer().startswith("unix:"):
            raise UnauthenticatedError(
                "UNAUTHENTICATED", "only the local socket is served without credentials"
            )
        principal = self._local
        needed = required_role(method)
        if principal.role < needed:
            raise NotPermittedError(
                "ROLE_TOO_LOW",
                f"{method} needs the role {needed.name.lower()}",
                needed=needed.name.lower(),
            )
        establish(principal)
        return principal


def required_role(method: str) -> Role:
    """The least role for a method, e.g. `/benchline.v1.SessionService/GetSession`."""
    if method.rpartition("/")[2].startswith(_DECIDING):
        return Role.APPROVER
    return Role.VIEWER if _is_reading(method) else Role.OPERATOR


def _is_reading(method: str) -> bool:
    return method.rpartition("/")[2].startswith(_READING)


class _Watch:
    """Remembers what the log line of one call needs."""

    def __init__(self, method: str, request: Any) -> None:
        self.principal: Principal | None = None
        self._method = method
        self._request_id = getattr(request, "request_id", "")
        self._resource = str(getattr(request, "name", ""))[:200]
        self._start = time.monotonic()

    def note(self, code: str, reason: str = "") -> None:
        """Log a call that may have changed something."""
        if _is_reading(self._method):
            return
        log.info(
            "call",
            extra={
                "method": self._method,
                "principal": self.principal.name if self.principal else "",
                "code": code,
                "reason": reason,
                "request_id": self._request_id,
                "resource": self._resource,
                "duration_ms": round((time.monotonic() - self._start) * 1000, 1),
            },
        )

    async def fail(self, context: Context, error: Exception) -> NoReturn:
        """End the call with the status of an error; never with the text of a bug."""
        if isinstance(error, BenchlineError):
            self.note(error.code.name, error.reason)
            status: Any = rpc_status.to_status(status_of(error))
            await context.abort(status.code, status.details, status.trailing_metadata)
        if isinstance(error, grpc.aio.AbortError):  # a servicer ended the call itself
            raise error
        if isinstance(error, TimeoutError):
            self.note("DEADLINE_EXCEEDED")
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the call took too long")
        incident = uuid.uuid4().hex[:8]
        self.note("INTERNAL", incident)
        log.error(
            "unhandled error in a servicer",
            exc_info=error,
            extra={"incident": incident, "method": self._method},
        )
        await context.abort(
            grpc.StatusCode.INTERNAL,
            f"internal error, incident {incident}; the log of the control plane has more",
        )
        raise error
