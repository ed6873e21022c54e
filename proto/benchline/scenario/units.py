"""Durations, tolerances, pins and levels as they are written in a scenario."""

import re
from dataclasses import dataclass
from decimal import Decimal

_DURATION = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)\s*(ms|s|m)")
_PERCENT = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)\s*%")
_PIN = re.compile(r"P([A-I])(1[0-5]|[0-9])")
_GPIO = re.compile(r"GPIO([1-3][0-9]|4[0-8]|[0-9])")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a period may be off: a share of it or an absolute time; one of the two is set."""

    percent: float | None = None
    ms: int | None = None

    def of(self, period_ms: float) -> float:
        """The allowed deviation in milliseconds."""
        return float(self.ms) if self.ms is not None else period_ms * (self.percent or 0.0) / 100

    def __str__(self) -> str:
        """As it is written in messages: ``2 %`` or ``20 ms``."""
        return f"{self.ms} ms" if self.ms is not None else f"{self.percent or 0:g} %"


def parse_duration(text: str) -> int:
    """Milliseconds of ``500ms``, ``1.5s`` or ``2m``. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a duration; write 500ms, 1.5s or 2m")
    exact = Decimal(found[1]) * _UNIT_MS[found[2]]
    if exact != int(exact):
        raise ValueError(f"{text[:40]!r} is finer than one millisecond")
    return int(exact)


def parse_tolerance(text: str) -> Tolerance:
    """Read ``2%`` or ``20ms``. Raises ValueError."""
    found = _PERCENT.fullmatch(text.strip())
    if found is not None:
        return Tolerance(percent=float(found[1]))
    try:
        return Tolerance(ms=parse_duration(text))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a tolerance; write 2% or 20ms") from None


def pin_number(name: str) -> int:
    """The number that a pin has in tables and firmware. Raises ValueError.

    STM32: port index * 16 + pin, PA0 is 0 and PC12 is 44. ESP32: GPIO8 is 8.
    """
    gpio = _GPIO.fullmatch(name)
    if gpio is not None:
        return int(gpio[1])
    found = _PIN.fullmatch(name)
    if found is None:
        raise ValueError(f"{name[:40]!r} is not a pin; write PA0 to PI15, or GPIO0 to GPIO48")
    return (ord(found[1]) - ord("A")) * 16 + int(found[2])


def show_ms(ms: float) -> str:
    """A device time or duration for people: ``80 ms``, ``4.112 s``."""
    return f"{ms:g} ms" if abs(ms) < 1000 else f"{round(ms) / 1000:.10g} s"
