"""What is asked: a stable prefix, turns that are only appended to, and the shape of the answer.

The body of a request is a pure function of a call, so that its hash names the call for good.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controlplane.domain.event import Fact
from controlplane.domain.model_call import Role, TokenUsage, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShape:
    """The JSON schema that an answer follows; `name` is what the forced tool is called."""

    name: str
    description: str
    schema: Mapping[str, Any]


class Form(StrEnum):
    """How the shape of the answer is asked for."""

    FORMAT = "format"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A question. `prefix` is the same for all questions of a kind, and cached by the service."""

    purpose: str
    model: str
    effort: str
    max_tokens: int
    prefix: tuple[str, ...]
    turns: tuple[Turn, ...]
    shape: AnswerShape

    def body(self, form: Form) -> dict[str, Any]:
        """The request as it is sent, but for what the transport adds."""
        system: list[dict[str, Any]] = [{"type": "text", "text": text} for text in self.prefix]
        system[-1]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "system": system,
            "messages": [
                {"role": turn.role.value, "content": [{"type": "text", "text": turn.text}]}
                for turn in self.turns
            ],
        }
        if len(self.turns) > 1:
            body["cache_control"] = {"type": "ephemeral"}
        if form is Form.FORMAT:
            body["output_config"] = {
                "effort": self.effort,
                "format": {"type": "json_schema", "schema": self.shape.schema},
            }
            return body
        body["output_config"] = {"effort": self.effort}
        body["tools"] = [
            {
                "name": self.shape.name,
                "description": self.shape.description,
                "input_schema": self.shape.schema,
            }
        ]
        body["tool_choice"] = {"type": "tool", "name": self.shape.name}
        return body


def body_text(body: Mapping[str, Any]) -> str:
    """The one way in which a request is written down."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def body_hash(body: Mapping[str, Any]) -> str:
    """The name of a request: the sha256 of its text."""
    return hashlib.sha256(body_text(body).encode("utf-8", "surrogatepass")).hexdigest()


__all__ = [
    "AnswerShape",
    "Asker",
    "Call",
    "CallRefusedError",
    "Form",
    "Progress",
    "Role",
    "Tell",
    "Turn",
    "body_hash",
    "body_text",
]

Progress = Callable[[TokenUsage, int], None]
"""Hears what the service counted so far, and how many characters of the answer came."""

Tell = Callable[[Fact], Awaitable[None]]


async def tell_nobody(fact: Fact) -> None:
    """The listener of those who do not listen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """On whose account a call is: a session and its attempt, or nobody's ("").

    A session never pays twice for the answer to one request; `tell` hears what happens. The
    session's own ceiling is in millionths of a dollar, 0 is none.
    """

    session_id: str = ""
    attempt: int = 1
    tell: Tell = tell_nobody
    ceiling_micro_usd: int = 0


class CallRefusedError(Exception):
    """A call that was not made, or that the model declined; `fix` says what to do."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix
