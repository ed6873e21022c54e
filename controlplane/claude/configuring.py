"""The `[claude]` table of the configuration, `BENCHLINE_CLAUDE_*` over it, and the key."""

import stat
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.claude.retry import RetryPolicy
from controlplane.claude.secret import Secret
from controlplane.claude.settings import (
    DEFAULT_MODEL,
    EFFORTS,
    SERVICE_URL,
    ClaudeSettings,
)

_TEXTS = {
    "base_url": SERVICE_URL,
    "model": DEFAULT_MODEL,
    "effort": "high",
    "repair_model": "",
    "repair_effort": "",
    "api_key_file": "",
}
_NUMBERS: dict[str, tuple[str, str, str]] = {  # name: (default, least, most)
    "max_tokens": ("32000", "1000", "64000"),
    "session_ceiling_usd": ("5", "0", "10000"),
    "month_ceiling_usd": ("50", "0", "1000000"),
    "tries": ("5", "1", "20"),
    "deadline_s": ("900", "1", "3600"),
    "longest_wait_s": ("60", "0", "600"),
}
_PRICES = ("price_input", "price_output")
_MICRO = 1_000_000
_LONGEST_KEY = 4096
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _Values:
    """Reads one value after the other and collects what is wrong."""

    def __init__(
        self, table: Mapping[str, object], variables: Mapping[str, str], problems: list[str]
    ) -> None:
        self._table = table
        self._variables = variables
        self._problems = problems

    def given(self, name: str) -> str | None:
        """The text of a value, None when it is not given."""
        found = self._variables.get(f"BENCHLINE_CLAUDE_{name.upper()}", self._table.get(name))
        return None if found is None else str(found)

    def text(self, name: str) -> str:
        """A text, or its default."""
        found = self.given(name)
        return _TEXTS[name] if found is None else found.strip()

    def number(self, name: str) -> Fraction:
        """A number in its range, or its default."""
        default, least, most = _NUMBERS[name]
        given = self.given(name)
        number = _fraction(default if given is None else given)
        if number is None or not Fraction(least) <= number <= Fraction(most):
            self._problems.append(
                f"claude.{name} must be a number from {least} to {most}, not {given!r}"
            )
            return Fraction(default)
        return number

    def price(self, name: str) -> Fraction | None:
        """A price, None when it is not given."""
        given = self.given(name)
        if given is None:
            return None
        number = _fraction(given)
        if number is None or number < 0:
            self._problems.append(
                f"claude.{name} must be dollars for a million tokens, not {given!r}"
            )
        return number


def read_claude(
    table: object, variables: Mapping[str, str], folder: Path, problems: list[str]
) -> ClaudeSettings:
    """Settings from a table and the environment; problems are added to the list.

    A file named for the key wins over ANTHROPIC_API_KEY; its path is relative to `folder`.
    """
    if not isinstance(table, Mapping):
        problems.append("claude must be a table: [claude]")
        table = {}
    known = {*_TEXTS, *_NUMBERS, *_PRICES}
    for key in table:
        if key == "api_key":
            problems.append("claude.api_key: keys do not stand in here; use api_key_file")
        elif key not in known:
            problems.append(f"unknown key claude.{str(key)[:40]!r}")
    values = _Values(table, variables, problems)
    effort, base_url = values.text("effort"), values.text("base_url")
    repair_effort = values.text("repair_effort")
    for name, given in (("effort", effort), ("repair_effort", repair_effort or effort)):
        if given not in EFFORTS:
            problems.append(f"claude.{name} must be one of {', '.join(EFFORTS)}, not {given!r}")
    if not _is_safe(base_url):
        problems.append("claude.base_url must be https://…, or http:// of this machine")
    price_input, price_output = (values.price(name) for name in _PRICES)
    if (price_input is None) != (price_output is None):
        problems.append("claude.price_input and claude.price_output belong together")
    return ClaudeSettings(
        api_key=_key(values.text("api_key_file"), variables, folder, problems),
        base_url=base_url,
        model=values.text("model"),
        effort=effort,
        repair_model=values.text("repair_model"),
        repair_effort=repair_effort,
        max_tokens=int(values.number("max_tokens")),
        session_ceiling_micro_usd=int(values.number("session_ceiling_usd") * _MICRO),
        month_ceiling_micro_usd=int(values.number("month_ceiling_usd") * _MICRO),
        price_input=price_input,
        price_output=price_output,
        retry=RetryPolicy(
            tries=int(values.number("tries")),
            deadline_s=float(values.number("deadline_s")),
            longest_asked_s=float(values.number("longest_wait_s")),
        ),
    )


def _key(name: str, variables: Mapping[str, str], folder: Path, problems: list[str]) -> Secret:
    if not name:
        return Secret(variables.get("ANTHROPIC_API_KEY", "").strip())
    path = folder / Path(name).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"claude.api_key_file: {path}: {type(error).__name__}")
        return Secret("")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        problems.append(f"claude.api_key_file: others can read {path}; chmod 600 it")
    if not text or len(text) > _LONGEST_KEY or not text.isprintable() or " " in text:
        problems.append(f"claude.api_key_file: {path} does not hold a key")
        return Secret("")
    return Secret(text)


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


def _fraction(text: str) -> Fraction | None:
    try:
        return Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        return None
