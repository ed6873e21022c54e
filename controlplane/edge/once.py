"""Calls that a caller may repeat: done once, and answered the same again."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from controlplane.access.principal import current_principal
from controlplane.edge.requests import check_request_id
from controlplane.storage.answers import AnswerStore

_Answer = TypeVar("_Answer", bound=Message)


async def once(
    answers: AnswerStore, request: Any, kind: type[_Answer], act: Callable[[], Awaitable[_Answer]]
) -> _Answer:
    """The answer of an action, which a request that is repeated does not do again.

    Raises:
        InvalidRequestError: INVALID_REQUEST_ID.
        ConflictError: REQUEST_ID_REUSED.
    """
    request_id = check_request_id(request.request_id)
    if not request_id:
        return await act()
    principal = current_principal().name
    content = _content(request)
    earlier = await answers.find(principal, request_id, content)
    if earlier is not None:
        return kind.FromString(earlier)
    answer = await act()
    await answers.keep(principal, request_id, content, answer.SerializeToString())
    return answer


def _content(request: Message) -> bytes:
    """What is asked for, whatever the case of the request id is."""
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("request_id")
    return f"{type(request).__name__} ".encode() + asked.SerializeToString(deterministic=True)
