"""What "degrees" means in a prompt: Celsius, or Fahrenheit where the prompt speaks of that."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from controlplane.planning.intent import (
    Amount,
    Band,
    Bands,
    Condition,
    Dimension,
    Hysteresis,
    Intent,
    Publish,
    Switch,
)

_NAMED = frozenset({Dimension.CELSIUS, Dimension.FAHRENHEIT, Dimension.KELVIN})


def settle_degrees(intents: Sequence[Intent]) -> tuple[Sequence[Intent], Intent | None]:
    """The wishes with "degrees" in the only scale that was named.

    Degrees stay degrees (Celsius, by convention) where no other scale or only Celsius was named.
    Where that leaves more than one scale open, the clause with the degrees comes second.
    """
    said = {amount.dimension for intent in intents for amount in _amounts(intent)}
    scales = said & _NAMED
    if Dimension.DEGREES not in said or scales <= {Dimension.CELSIUS}:
        return intents, None
    if scales == {Dimension.FAHRENHEIT}:
        return [_in_fahrenheit(intent) for intent in intents], None
    unclear = (
        intent
        for intent in intents
        if any(amount.dimension is Dimension.DEGREES for amount in _amounts(intent))
    )
    return intents, next(unclear)


def _amounts(intent: Intent) -> Iterator[Amount]:
    found: list[Amount | None] = []
    match intent:
        case Switch(condition=condition, hysteresis=hysteresis):
            found = [condition.amount, hysteresis]
        case Hysteresis(amount=amount) | Publish(condition=Condition(amount=amount)):
            found = [amount]
        case Bands(bands=bands):
            found = [amount for band in bands for amount in (band.low, band.high)]
    yield from (amount for amount in found if amount is not None)


def _in_fahrenheit(intent: Intent) -> Intent:
    match intent:
        case Switch():
            condition, width = _condition(intent.condition), _amount(intent.hysteresis)
            return replace(intent, condition=condition, hysteresis=width)
        case Hysteresis():
            return replace(intent, amount=_amount(intent.amount))
        case Publish(condition=Condition() as condition):
            return replace(intent, condition=_condition(condition))
        case Bands():
            bands = tuple(
                Band(band.colour, _amount(band.low), _amount(band.high)) for band in intent.bands
            )
            return replace(intent, bands=bands)
    return intent


def _condition(condition: Condition) -> Condition:
    return replace(condition, amount=_amount(condition.amount))


def _amount(amount: Amount | None) -> Amount | None:
    if amount is None or amount.dimension is not Dimension.DEGREES:
        return amount
    return Amount(amount.number, Dimension.FAHRENHEIT)
