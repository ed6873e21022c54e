"""One try of one call of a language model, and what it cost. Money is in millionths of a dollar."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """Who says a turn."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation. Conversations are only ever appended to."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens of a try, as the service counted them. `thinking` is a part of `output`."""

    fresh_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    thinking: int = 0

    @property
    def all_input(self) -> int:
        """Everything that was read, from a cache or not."""
        return self.fresh_input + self.cache_read + self.cache_write_5m + self.cache_write_1h


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """A received answer. `refusal` says why the model declined, "" when it did not.

    `complete` is False when the answer ran into its length limit.
    """

    text: str
    stop_reason: str
    refusal: str
    complete: bool
    model: str
    message_id: str
    request_id: str
    usage: TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A try. `outcome` is "asking", "answering" while it runs, "answered", or the kind of its
    failure. What is reckoned is set while it is "answering", and never kept in the ledger.

    `cost_micro_usd` is None when nobody knows: the price of the model is not known, or the try
    broke off after it may have been billed. `worst_micro_usd` is what it cost at most.
    """

    call_id: str
    session_id: str
    attempt: int
    purpose: str
    number: int
    model_asked: str
    request_hash: str
    start_time: datetime
    worst_micro_usd: int | None
    outcome: str = "asking"
    message: str = ""
    model: str = ""
    message_id: str = ""
    request_id: str = ""
    stop_reason: str = ""
    usage: TokenUsage = TokenUsage()
    cost_micro_usd: int | None = None
    latency_ms: int = 0
    reckoned_output: int = 0
    reckoned_micro_usd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What calls cost together: `known` for certain; `at_most` counts unknown ones at their worst.

    `unknown` is how many have no known cost.
    """

    calls: int
    known_micro_usd: int
    at_most_micro_usd: int
    unknown: int
    usage: TokenUsage


def usd(micro: int | None) -> str:
    """Write an amount for people: "$0.0123", or "unknown"."""
    return "unknown" if micro is None else f"${micro / 1_000_000:.4f}"
