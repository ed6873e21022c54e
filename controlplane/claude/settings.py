"""How Claude is configured. Without a key nothing is asked, and nothing of its SDK is loaded."""

from dataclasses import dataclass, field
from fractions import Fraction

from controlplane.claude.prices import Price, PriceTable, price_table
from controlplane.claude.retry import RetryPolicy
from controlplane.domain.model_call import Spent, usd
from controlplane.domain.secret import Secret

DEFAULT_MODEL = "claude-opus-5-5"
EFFORTS = ("low", "medium", "high", "xhigh", "max")
SERVICE_URL = "https://api.anthropic.com"
HOW_TO_CONFIGURE = (
    "Set ANTHROPIC_API_KEY before `benchline up`, or name a file that holds the key: "
    '[claude] api_key_file = "…" in benchline.toml (docs/designers.md).'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeSettings:
    """Key, model and limits. Money is in millionths of a dollar; a ceiling of 0 is none.

    `repair_model` and `repair_effort` are turned to once where a repair had no effect; "" is none.
    """

    api_key: Secret = field(default_factory=lambda: Secret(""))
    base_url: str = SERVICE_URL
    model: str = DEFAULT_MODEL
    effort: str = "high"
    repair_model: str = ""
    repair_effort: str = ""
    max_tokens: int = 32_000
    session_ceiling_micro_usd: int = 5_000_000
    month_ceiling_micro_usd: int = 50_000_000
    price_input: Fraction | None = None
    price_output: Fraction | None = None
    silence_s: float = 120.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def configured(self) -> bool:
        """Whether there is a key."""
        return bool(self.api_key)

    @property
    def prices(self) -> PriceTable:
        """The dated table, with the operator's own price of the model where one is given."""
        table = price_table()
        if self.price_input is not None and self.price_output is not None:
            return table.with_price(self.model, Price(self.price_input, self.price_output))
        return table


def claude_detail(settings: ClaudeSettings, spent: Spent) -> str:
    """What a person should know about the configuration; asks nobody."""
    if not settings.configured:
        return f"not configured, which only the designer claude needs. {HOW_TO_CONFIGURE}"
    price = settings.prices.price(settings.model)
    known = f"prices as of {settings.prices.as_of}" if price else "its price is not known"
    return (
        f"{settings.model}, effort {settings.effort}, at {settings.base_url}; {known}; at most "
        f"{_ceiling(settings.session_ceiling_micro_usd)} a session and "
        f"{_ceiling(settings.month_ceiling_micro_usd)} a month; this month {spent.calls} calls, "
        f"{usd(spent.known_micro_usd)}{_unknown(spent)}. The key was not tried."
    )


def _unknown(spent: Spent) -> str:
    return f" and {spent.unknown} of unknown cost" if spent.unknown else ""


def _ceiling(micro_usd: int) -> str:
    return usd(micro_usd) if micro_usd else "any amount"
