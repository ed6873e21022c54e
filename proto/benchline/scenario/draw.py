"""Seeds and the values drawn from them. Deterministic: the same seed gives the same values."""

import hashlib
import hmac
from decimal import Decimal

from benchline.scenario.model import Draw, Finding, Scenario, ScenarioError
from benchline.scenario.reading import as_number
from benchline.scenario.where import Value, Where, WhereError, compile_where

SEED_BYTES = 8
"""Seeds are unsigned 64-bit numbers, so that a person can type one."""

MAX_TRIES = 2000
"""How often values are drawn anew until the constraints hold."""


def derive_seed(installation_secret: bytes, design_hash: str, scenario_id: str) -> bytes:
    """The seed of a scenario for one design in one installation: HMAC-SHA256, first 8 bytes.

    Nobody without the secret can know the values that a run will use.
    """
    message = b"\0".join((b"benchline seed 1", design_hash.encode(), scenario_id.encode()))
    return hmac.new(installation_secret, message, hashlib.sha256).digest()[:SEED_BYTES]


def seed_number(seed: bytes | int) -> int:
    """The number of a seed. Raises ValueError outside 0..2^64-1."""
    number = int.from_bytes(seed, "big") if isinstance(seed, bytes) else seed
    if not 0 <= number < 1 << (8 * SEED_BYTES):
        raise ValueError("a seed is a whole number from 0 to 2^64-1")
    return number


def value_of(text: str) -> Value:
    """A variable's value for expressions: a number if its text is one."""
    number = as_number(text)
    return text if number is None else number


def draw_values(scenario: Scenario, seed: int) -> dict[str, str]:
    """The text of each variable. Raises ScenarioError when the constraints cannot be met."""
    constraints = [compile_where(text) for text in scenario.constraints]
    for attempt in range(MAX_TRIES):
        shown = dict(scenario.constants)
        for draw in scenario.draws:
            shown[draw.name] = _draw(draw, seed, scenario.id, attempt)
        if _distinct(scenario, shown) and _hold(constraints, shown):
            return shown
    message = f"no values in {MAX_TRIES} draws met the constraints and distinct_from"
    raise ScenarioError((Finding(code="unsatisfiable", subject="constraints", message=message),))


def _draw(draw: Draw, seed: int, scenario_id: str, attempt: int) -> str:
    message = f"{scenario_id}\0{draw.name}\0{attempt}".encode()
    digest = hmac.new(seed.to_bytes(SEED_BYTES, "big"), message, hashlib.sha256).digest()
    number = int.from_bytes(digest[:16], "big")
    if draw.choices:
        return draw.choices[number % len(draw.choices)]
    first, last, step = Decimal(draw.first), Decimal(draw.last), Decimal(draw.step)
    count = int((last - first) / step) + 1
    return f"{first + step * (number % count):f}"


def _distinct(scenario: Scenario, shown: dict[str, str]) -> bool:
    return all(
        value_of(shown[draw.name]) != value_of(shown[other])
        for draw in scenario.draws
        for other in draw.distinct_from
    )


def _hold(constraints: list[Where], shown: dict[str, str]) -> bool:
    values = {name: value_of(text) for name, text in shown.items()}
    try:
        return all(constraint.holds(values) for constraint in constraints)
    except WhereError as error:
        finding = Finding(code="bad-where", subject="constraints", message=str(error))
        raise ScenarioError((finding,)) from error
