"""What a session says that it cost: the sum of every try of a model's call that it told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_INPUT = ("freshInput", "cacheRead", "cacheWrite5m", "cacheWrite1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Calls, tokens and millionths of a dollar of one session or of many.

    ``microdollars`` is what is known for certain; ``unknown`` calls have no known cost, and
    ``at_most`` counts those at the most that they can have cost.
    """

    calls: int = 0
    unknown: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    microdollars: int = 0
    at_most: int = 0

    def __add__(self, other: "Spending") -> "Spending":
        """The sum."""
        return Spending(
            calls=self.calls + other.calls,
            unknown=self.unknown + other.unknown,
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            microdollars=self.microdollars + other.microdollars,
            at_most=self.at_most + other.at_most,
        )


def spending_of(calls: Iterable[Mapping[str, object]]) -> Spending:
    """What the model calls in a session's events cost; the last one told of each try counts.

    ``calls`` are proto3 JSON: a try is told when it begins and again when it ends.
    """
    last = {str(one.get("callId", "")): one for one in calls}
    return sum((_one(call) for call in last.values()), Spending())


def _one(call: Mapping[str, object]) -> Spending:
    usage = call.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    known = "costMicroUsd" in call
    cost = _number(call, "costMicroUsd")
    return Spending(
        calls=1,
        unknown=0 if known else 1,
        input_tokens=sum(_number(usage, key) for key in _INPUT),
        cached_tokens=_number(usage, "cacheRead"),
        output_tokens=_number(usage, "output"),
        microdollars=cost,
        at_most=cost if known else _number(call, "worstMicroUsd"),
    )


def _number(table: Mapping[str, object], key: str) -> int:
    value = table.get(key)
    return int(value) if isinstance(value, str | int) and str(value).isdigit() else 0
