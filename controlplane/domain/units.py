"""Exact quantities. Numbers of a prompt stay fractions until they are written down once."""

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

_PLACES = 6


class Unit(StrEnum):
    """The units a design document uses; each quantity has exactly one."""

    HERTZ = "Hz"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    CELSIUS = "C"
    MILLIVOLTS = "mV"
    PERCENT = "%"
    CENTIMETRES = "cm"
    SECONDS = "s"
    COUNT = "count"
    BAUD = "baud"
    TEXT = "text"
    NONE = ""


def decimal_text(value: Fraction, places: int = _PLACES) -> str:
    """Write a fraction as the shortest decimal with at most ``places`` digits (half to even).

    >>> decimal_text(Fraction(5, 2)), decimal_text(Fraction(1, 3), 3), decimal_text(Fraction(-40))
    ('2.5', '0.333', '-40')
    """
    scaled = round(value * 10**places)
    whole, rest = divmod(abs(scaled), 10**places)
    digits = f"{rest:0{places}d}".rstrip("0") if places else ""
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def parse_decimal(text: str) -> Fraction:
    """Read what :func:`decimal_text` wrote; raises ValueError on anything else."""
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"{text!r} is not a decimal number") from error
    if not number.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    return Fraction(number)


def celsius_from_fahrenheit(value: Fraction) -> Fraction:
    """Convert a temperature; exact."""
    return (value - 32) * Fraction(5, 9)
