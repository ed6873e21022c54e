"""One streaming request to the Messages API. The only importer of the SDK, loaded on first use.

Retries are not the SDK's: it obeys a `retry-after` of an hour, and does not repeat a cut stream.
Structured answers are not the SDK's either: what its parser raises has lost why the model stopped.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2

from controlplane.claude.calls import Form, Progress
from controlplane.claude.retry import FailureKind, TryFailedError
from controlplane.claude.settings import ClaudeSettings
from controlplane.domain.model_call import ModelAnswer, TokenUsage
from controlplane.domain.secret import Secret

LARGEST_ANSWER = 4 * 1024 * 1024
"""Characters of an answer; a longer one is not read to its end."""

_CONNECT_S = 10.0
_LONGEST_MESSAGE = 400
_BY_STATUS = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.KEY_REFUSED,
    402: FailureKind.BILLING,
    403: FailureKind.NOT_PERMITTED,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TIMEOUT,
    409: FailureKind.SERVER,
    413: FailureKind.TOO_LARGE,
    422: FailureKind.BAD_REQUEST,
    429: FailureKind.RATE_LIMITED,
    504: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}
_BY_TYPE = {
    "overloaded_error": FailureKind.OVERLOADED,
    "rate_limit_error": FailureKind.RATE_LIMITED,
    "api_error": FailureKind.SERVER,
    "timeout_error": FailureKind.TIMEOUT,
    "authentication_error": FailureKind.KEY_REFUSED,
    "billing_error": FailureKind.BILLING,
    "permission_error": FailureKind.NOT_PERMITTED,
    "not_found_error": FailureKind.NOT_FOUND,
    "request_too_large": FailureKind.TOO_LARGE,
    "invalid_request_error": FailureKind.BAD_REQUEST,
}
_FORMAT_WORDS = ("output_config", "json_schema", "grammar", "schema")

# Bodies and addresses of requests are nobody's business at any level.
for _name in ("anthropic", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class Transport:
    """A client of the service with one key."""

    def __init__(self, settings: ClaudeSettings) -> None:
        self._key: Secret = settings.api_key
        self._client = anthropic.AsyncAnthropic(
            api_key=settings.api_key.reveal(),
            base_url=settings.base_url,
            timeout=anthropic.Timeout(settings.silence_s, connect=_CONNECT_S),
            open_telemetry=False,
        ).with_options(max_retries=0)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def send(self, body: Mapping[str, Any], form: Form, progress: Progress) -> ModelAnswer:
        """Ask once; `progress` hears what the service counted, and how many characters came.

        Raises:
            TryFailedError: there is no whole answer.
        """
        stream: Any = None
        try:
            async with self._client.messages.stream(**body) as stream:
                await _read(stream, progress)
                snapshot = stream.current_message_snapshot
                request_id = stream.request_id or ""
        except anthropic.APIStatusError as error:
            raise self._status_failure(error, _used(stream)) from None
        except anthropic.APITimeoutError as error:
            raise self._failure(FailureKind.TIMEOUT, error, stream) from None
        except anthropic.APIConnectionError as error:
            raise self._failure(FailureKind.CONNECTION, error, stream) from None
        except httpx2.TimeoutException as error:
            raise self._failure(FailureKind.TIMEOUT, error, stream) from None
        except httpx2.HTTPError as error:
            raise self._failure(FailureKind.CUT, error, stream) from None
        except TryFailedError as error:
            raise TryFailedError(error.kind, error.message, usage=_used(stream)) from None
        except Exception as error:  # whatever a hostile stream does to the SDK
            raise self._failure(FailureKind.GARBAGE, error, stream) from None
        if snapshot.stop_reason is None:
            message = "the stream ended before the message did"
            raise TryFailedError(
                FailureKind.CUT, message, request_id=request_id, usage=_used(stream)
            )
        return _answer(snapshot, form, request_id)

    def _failure(self, kind: FailureKind, error: Exception, stream: Any) -> TryFailedError:
        text = f"{type(error).__name__}: {error}"
        return TryFailedError(kind, self._told(text), usage=_used(stream))

    def _status_failure(
        self, error: "anthropic.APIStatusError", usage: TokenUsage | None
    ) -> TryFailedError:
        # An error inside a stream has the status 200: its type tells more than its status.
        kind = _BY_TYPE.get(error.type or "")
        if kind is None or error.status_code in (408, 529):
            fallback = FailureKind.SERVER if error.status_code >= 500 else FailureKind.BAD_REQUEST
            kind = _BY_STATUS.get(error.status_code, fallback)
        text = error.message
        if kind is FailureKind.BAD_REQUEST and any(word in text for word in _FORMAT_WORDS):
            kind = FailureKind.FORMAT_REFUSED
        return TryFailedError(
            kind,
            self._told(f"HTTP {error.status_code}: {text}"),
            retry_after_s=_retry_after(error.response.headers.get("retry-after")),
            request_id=error.request_id or "",
            usage=usage,
        )

    def _told(self, text: str) -> str:
        """A message as it may be told: without the key, short, printable."""
        plain = "".join(ch if ch.isprintable() else " " for ch in self._key.removed_from(text))
        return " ".join(plain.split())[:_LONGEST_MESSAGE]


async def _read(stream: Any, progress: Progress) -> None:
    length = 0
    async for event in stream:
        if event.type != "content_block_delta":
            continue
        piece = getattr(event.delta, "text", None) or getattr(event.delta, "partial_json", None)
        if piece:
            length += len(piece)
            progress(_used(stream) or TokenUsage(), length)
        if length > LARGEST_ANSWER:
            raise TryFailedError(FailureKind.GARBAGE, "the answer does not end")


def _retry_after(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def _used(stream: Any) -> TokenUsage | None:
    """What a stream had used, when a message had begun."""
    try:
        return _usage(stream.current_message_snapshot.usage)
    except (AssertionError, AttributeError):
        return None


def _usage(usage: Any) -> TokenUsage:
    created = usage.cache_creation
    details = usage.output_tokens_details
    return TokenUsage(
        fresh_input=usage.input_tokens or 0,
        cache_read=usage.cache_read_input_tokens or 0,
        cache_write_5m=(
            created.ephemeral_5m_input_tokens or 0
            if created is not None
            else usage.cache_creation_input_tokens or 0
        ),
        cache_write_1h=(created.ephemeral_1h_input_tokens or 0) if created is not None else 0,
        output=usage.output_tokens or 0,
        thinking=(getattr(details, "thinking_tokens", 0) or 0) if details is not None else 0,
    )


def _answer(message: Any, form: Form, request_id: str) -> ModelAnswer:
    if form is Form.TOOL:
        inputs = [block.input for block in message.content if block.type == "tool_use"]
        text = json.dumps(inputs[0], ensure_ascii=False) if inputs else ""
    else:
        text = ""
    text = text or "".join(block.text for block in message.content if block.type == "text")
    refusal = ""
    if message.stop_reason == "refusal":
        details = message.stop_details
        refusal = (details and details.category) or "no category"
    return ModelAnswer(
        text=text,
        stop_reason=message.stop_reason,
        refusal=refusal,
        complete=message.stop_reason not in ("max_tokens", "model_context_window_exceeded"),
        model=message.model,
        message_id=message.id,
        request_id=request_id,
        usage=_usage(message.usage),
    )
