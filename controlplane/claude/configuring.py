"""The `[claude]` table of the configuration, `BENCHLINE_CLAUDE_*` over it, and the key."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.claude.retry import RetryPolicy
from controlplane.claude.settings import (
    DEFAULT_MODEL,
    EFFORTS,
    SERVICE_URL,
    ClaudeSettings,
)
from controlplane.domain.secret import Secret
from controlplane.ops.settings_table import SettingsTable

_TEXTS = {
    "base_url": SERVICE_URL,
    "model": DEFAULT_MODEL,
    "repair_model": "",
}
_WORDS = ("effort", "repair_effort", "api_key_file")
_NUMBERS: dict[str, tuple[str, str, str]] = {  # name: (default, least, most)
    "max_tokens": ("32000", "1000", "64000"),
    "session_ceiling_usd": ("5", "0", "10000"),
    "month_ceiling_usd": ("50", "0", "1000000"),
    "tries": ("5", "1", "20"),
    "deadline_s": ("900", "1", "3600"),
    "longest_wait_s": ("60", "0", "600"),
}
_PRICES = ("price_input", "price_output")
_KNOWN = {*_TEXTS, *_WORDS, *_NUMBERS, *_PRICES, "api_key"}
_MICRO = 1_000_000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def read_claude(
    table: object, variables: Mapping[str, str], folder: Path, problems: list[str]
) -> ClaudeSettings:
    """Settings from a table and the environment; problems are added to the list.

    A file named for the key wins over ANTHROPIC_API_KEY; its path is relative to `folder`.
    """
    values = SettingsTable("claude", table, variables, problems)
    values.only(_KNOWN)
    if values.holds("api_key"):
        problems.append("claude.api_key: keys do not stand in here; use api_key_file")
    texts = {name: values.text(name, default) for name, default in _TEXTS.items()}
    numbers = {name: values.number(name, *limits) for name, limits in _NUMBERS.items()}
    if not _is_safe(texts["base_url"]):
        problems.append("claude.base_url must be https://…, or http:// of this machine")
    of_a_price = "dollars for a million tokens"
    price_input, price_output = (values.amount(name, of_a_price) for name in _PRICES)
    if (price_input is None) != (price_output is None):
        problems.append("claude.price_input and claude.price_output belong together")
    return ClaudeSettings(
        api_key=_key(values, variables, folder),
        base_url=texts["base_url"],
        model=texts["model"],
        effort=values.one_of("effort", EFFORTS, "high"),
        repair_model=texts["repair_model"],
        repair_effort=values.one_of("repair_effort", ("", *EFFORTS), ""),
        max_tokens=int(numbers["max_tokens"]),
        session_ceiling_micro_usd=int(numbers["session_ceiling_usd"] * _MICRO),
        month_ceiling_micro_usd=int(numbers["month_ceiling_usd"] * _MICRO),
        price_input=price_input,
        price_output=price_output,
        retry=RetryPolicy(
            tries=int(numbers["tries"]),
            deadline_s=float(numbers["deadline_s"]),
            longest_asked_s=float(numbers["longest_wait_s"]),
        ),
    )


def _key(values: SettingsTable, variables: Mapping[str, str], folder: Path) -> Secret:
    if values.text("api_key_file"):
        return values.secret("api_key_file", folder, of="a key")
    return Secret(variables.get("ANTHROPIC_API_KEY", "").strip())


def _is_safe(url: str) -> bool:
    """The key travels with each request: in the clear on this machine only."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "http":
        return host in _LOOPBACK
    return parts.scheme == "https" and bool(host)
