"""What tokens cost. A model that is not in the table has no price, which is not the price 0."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib.resources import files

from controlplane.domain.model_call import TokenUsage

_WRITE_5M, _WRITE_1H, _READ = Fraction(5, 4), Fraction(2), Fraction(1, 10)
_BYTES_PER_TOKEN = 3
"""Text has more bytes a token; what is reckoned before a call is so rather too much."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens, which is millionths of a dollar for one."""

    input: Fraction
    output: Fraction

    def cost(self, usage: TokenUsage) -> int:
        """What a usage costs, rounded up to a millionth of a dollar."""
        read = usage.fresh_input + usage.cache_read * _READ
        written = usage.cache_write_5m * _WRITE_5M + usage.cache_write_1h * _WRITE_1H
        return math.ceil((read + written) * self.input + usage.output * self.output)

    def so_far(self, usage: TokenUsage, output: int) -> int:
        """What a call has cost when so many tokens of its answer came."""
        return self.cost(replace(usage, output=max(usage.output, output)))

    def worst(self, request_bytes: int, max_tokens: int) -> int:
        """What a call can cost: nothing read from the cache, all written to it, the longest answer.

        Tokens of the request are reckoned from its bytes.
        """
        tokens = math.ceil(request_bytes / _BYTES_PER_TOKEN)
        return math.ceil(tokens * _WRITE_1H * self.input + max_tokens * self.output)


def reckoned_tokens(characters: int) -> int:
    """How many tokens text has, reckoned from its length."""
    return math.ceil(characters / _BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by model, as of a date."""

    as_of: str
    models: Mapping[str, Price]

    def price(self, model: str) -> Price | None:
        """The price of a model; a dated name such as `x-20261022` means the model `x`."""
        found = self.models.get(model)
        if found is None:
            name, _, date = model.rpartition("-")
            found = self.models.get(name) if len(date) == 8 and date.isdigit() else None
        return found

    def with_price(self, model: str, price: Price) -> "PriceTable":
        """The table with the operator's own price."""
        return PriceTable(self.as_of, {**self.models, model: price})


@cache
def price_table() -> PriceTable:
    """The table that comes with the program."""
    text = files("controlplane.claude").joinpath("prices.toml").read_text("utf-8")
    table = tomllib.loads(text)
    return PriceTable(
        table["as_of"],
        {
            model: Price(Fraction(row["input"]), Fraction(row["output"]))
            for model, row in table["models"].items()
        },
    )
