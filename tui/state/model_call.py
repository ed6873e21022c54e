"""A try of a call of a language model, and what many of them spent. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalled:
    """A try of a call as it stands now; money is in millionths of a dollar.

    While it is ``answering`` its tokens written and its cost are reckoned from what came so far.
    ``cost_micro_usd`` is None when it is not known.
    """

    call_id: str
    purpose: str = ""
    number: int = 1
    outcome: str = "asking"
    message: str = ""
    model: str = ""
    attempt: int = 1
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int | None = None
    worst_micro_usd: int | None = None
    latency_ms: int = 0

    @property
    def going_on(self) -> bool:
        """The answer is not there yet."""
        return self.outcome in ("asking", "answering")

    def broken_off(self) -> "ModelCalled":
        """The try when no answer can come any more: nobody knows what it cost."""
        if not self.going_on:
            return self
        return replace(self, outcome="interrupted", cost_micro_usd=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Calls together. ``unknown`` of them have no known cost; ``about`` says that a part of the
    tokens and the cost is reckoned, since an answer still comes."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    micro_usd: int = 0
    unknown: int = 0
    about: bool = False

    def __add__(self, other: "Spent") -> "Spent":
        """The sum."""
        return Spent(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            micro_usd=self.micro_usd + other.micro_usd,
            unknown=self.unknown + other.unknown,
            about=self.about or other.about,
        )


NOTHING_SPENT = Spent()


def spent_by(calls: Iterable[ModelCalled]) -> Spent:
    """What calls spent together."""
    return sum((_one(call) for call in calls), NOTHING_SPENT)


def _one(call: ModelCalled) -> Spent:
    return Spent(
        calls=1,
        input_tokens=call.input_tokens,
        cached_tokens=call.cached_tokens,
        output_tokens=call.output_tokens,
        micro_usd=call.cost_micro_usd or 0,
        unknown=int(call.cost_micro_usd is None and not call.going_on),
        about=call.going_on,
    )
