"""The one error vocabulary of the system.

BenchlineError
├── InvalidRequestError    INVALID_ARGUMENT     the caller must change the request
├── UnauthenticatedError   UNAUTHENTICATED      no credential, or one that is not valid any more
├── NotPermittedError      PERMISSION_DENIED    the caller's role does not allow it
├── NotFoundError          NOT_FOUND            no such resource
├── ConflictError          ABORTED              stale etag, lease or fencing token: re-read, retry
├── NotReadyError          FAILED_PRECONDITION  the world must change first (board busy)
├── HistoryGoneError       OUT_OF_RANGE         events or bytes that are no longer kept
├── ExhaustedError         RESOURCE_EXHAUSTED   quota, size or rate: retry after `retry_delay`
├── CorruptError           DATA_LOSS            stored bytes no longer match their digest
└── UnreachableError       UNAVAILABLE          server or agent away: retry after `retry_delay`

Domain code raises these; `status_of` renders one for the wire and `error_from` reads it back.
Anything else that escapes a servicer is a bug and becomes INTERNAL with an incident id, never
with its text. Every reason is listed in docs/errors.md.
"""

from datetime import timedelta
from typing import Any, ClassVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "benchline.dev"


class BenchlineError(Exception):
    """Base of every error that a caller may see.

    `reason` is stable and matches `[A-Z][A-Z0-9_]+[A-Z0-9]`; every dynamic word of the message
    is also in `facts`, so that no caller has to parse the message.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        retry_delay: timedelta | None = None,
        **facts: str,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_delay = retry_delay
        self.facts = facts


class InvalidRequestError(BenchlineError):
    """The caller must change the request."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class UnauthenticatedError(BenchlineError):
    """There is no credential, or one that is not valid any more."""

    code = grpc.StatusCode.UNAUTHENTICATED


class NotPermittedError(BenchlineError):
    """The caller is known, and may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class NotFoundError(BenchlineError):
    """The named resource does not exist, or the caller may not know that it does."""

    code = grpc.StatusCode.NOT_FOUND


class ConflictError(BenchlineError):
    """Something moved since the caller looked: read again, then retry."""

    code = grpc.StatusCode.ABORTED


class NotReadyError(BenchlineError):
    """The request is fine; the state of the world is not."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class HistoryGoneError(BenchlineError):
    """Events or bytes that are no longer kept."""

    code = grpc.StatusCode.OUT_OF_RANGE


class ExhaustedError(BenchlineError):
    """A quota, a size or a rate is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class CorruptError(BenchlineError):
    """Stored bytes no longer match their digest."""

    code = grpc.StatusCode.DATA_LOSS


class UnreachableError(BenchlineError):
    """A server or an agent is away."""

    code = grpc.StatusCode.UNAVAILABLE


_BY_CODE: dict[int, type[BenchlineError]] = {
    kind.code.value[0]: kind
    for kind in (
        InvalidRequestError,
        UnauthenticatedError,
        NotPermittedError,
        NotFoundError,
        ConflictError,
        NotReadyError,
        HistoryGoneError,
        ExhaustedError,
        CorruptError,
        UnreachableError,
    )
}


def status_of(error: BenchlineError) -> status_pb2.Status:
    """Render an error as google.rpc.Status with ErrorInfo and, if known, RetryInfo."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.facts))
    details = [info]
    if error.retry_delay is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(error.retry_delay)
        retry = any_pb2.Any()
        retry.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        details.append(retry)
    return status_pb2.Status(code=error.code.value[0], message=str(error), details=details)


def error_from(call_error: grpc.RpcError) -> BenchlineError:
    """Read back the error of a failed call: clients catch the same classes as servers raise.

    A status without our details keeps its message and gets the reason of its gRPC code, e.g.
    `UNAVAILABLE`.
    """
    code = call_error.code()
    kind = _BY_CODE.get(code.value[0], BenchlineError)
    message = call_error.details() or code.name
    for key, value in _trailing(call_error):
        if key != "grpc-status-details-bin":
            continue
        status = status_pb2.Status.FromString(value)
        retry_delay = None
        reason, facts = code.name, {}
        for detail in status.details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                reason, facts = info.reason, dict(info.metadata)
            elif detail.Unpack(retry):
                retry_delay = retry.retry_delay.ToTimedelta()
        error = kind(reason, message, retry_delay=retry_delay)
        error.facts = facts
        return error
    return kind(code.name, message)


def _trailing(call_error: grpc.RpcError) -> list[tuple[str, bytes]]:
    pairs: Any = call_error.trailing_metadata() or ()
    return [(key, value) for key, value in pairs if isinstance(value, bytes)]
