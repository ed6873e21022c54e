"""Times and rates of the prompt language: "every 250 ms", "twice a second", "at 2 Hz"."""

from collections.abc import Mapping
from fractions import Fraction

from controlplane.domain.units import decimal_text
from controlplane.planning.grammar import (
    Alt,
    Feature,
    Features,
    Mapped,
    Mark,
    Opt,
    Seq,
    Terminal,
    Words,
)
from controlplane.planning.tokens import Kind

F = Fraction
NUMBER = Terminal(Kind.NUMBER, "number")


def value_of(features: Features, key: str) -> object:
    """The last value stored under a key, None when there is none."""
    return next((value for name, value in reversed(features) if name == key), None)


def values_of(features: Features, key: str) -> list[object]:
    """All values stored under a key, in order."""
    return [value for name, value in features if name == key]


def words(values: Mapping[str, object], key: str) -> Words:
    """Phrases (alternatives in one key separated by "|") that mean a value."""
    flat = {phrase.strip(): value for group, value in values.items() for phrase in group.split("|")}
    return Words("|".join(flat), key, flat)


TIME_UNIT = words(
    {
        "us|µs|usec|usecs|microsecond|microseconds|micro seconds": F(1, 1_000_000),
        "ms|msec|msecs|millis|millisecond|milliseconds|milli seconds|milli second": F(1, 1000),
        "s|sec|secs|second|seconds": F(1),
        "min|mins|minute|minutes": F(60),
        "h|hr|hrs|hour|hours": F(3600),
    },
    "unit",
)
_PART = words(
    {
        "half|half of|halves of": F(1, 2),
        "quarter|quarter of|quarters of|quarters": F(1, 4),
        "third of": F(1, 3),
        "tenth|tenth of": F(1, 10),
        "fifth of": F(1, 5),
        "hundredth of": F(1, 100),
    },
    "part",
)
FREQUENCY_UNIT = words(
    {
        "hz|hertz": F(1),
        "khz|kilohertz|kilo hertz": F(1000),
        "bpm": F(1, 60),
    },
    "unit",
)


def _duration(features: Features) -> Features | None:
    total = F(0)
    number: Fraction | None = None
    sizes = [value for key, value in features if key == "unit" and isinstance(value, Fraction)]
    if sizes != sorted(set(sizes), reverse=True):
        return None
    for key, value in features:
        if key in ("number", "part") and isinstance(value, Fraction):
            number = value if number is None else number * value
        elif key == "unit" and isinstance(value, Fraction):
            total += (F(1) if number is None else number) * value
            number = None
        elif key == "half" and isinstance(value, Fraction):
            total = total * (1 + value)
    return (("seconds", total),)


_SIMPLE = Seq(Alt(NUMBER, _PART, Seq(NUMBER, _PART)), TIME_UNIT)
_AND_HALF = Seq(TIME_UNIT, words({"and half": F(1, 2), "and quarter": F(1, 4)}, "half"))
DURATION = Mapped(
    Alt(_SIMPLE, Seq(NUMBER, TIME_UNIT, Opt(Words("and")), NUMBER, TIME_UNIT)), _duration
)
"""A time with its number: "250 ms", "half a second", "1 minute 30 seconds"."""

_A_UNIT = Mapped(Alt(TIME_UNIT, _AND_HALF), _duration)
UNIT_DURATION = Alt(DURATION, _A_UNIT)
"""A time, a bare unit meaning one of it: "every second"."""

_TIMES = words({"once": F(1), "one time": F(1), "twice": F(2), "thrice": F(3)}, "times")
_COUNT = Alt(
    _TIMES,
    Mapped(
        Seq(NUMBER, Words("times|time|x|cycles|blinks|flashes|beats|pulses|reports|readings")),
        lambda features: (("times", value_of(features, "number")),),
    ),
)


def _per(features: Features) -> Features | None:
    times, seconds = value_of(features, "times"), value_of(features, "seconds")
    if not isinstance(times, Fraction) or not isinstance(seconds, Fraction):
        return None
    lumped = value_of(features, "lumped") is not None and times > 1
    period = seconds / times if times > 0 else F(-1)
    return (("period", period), *((("lumped", True),) if lumped else ()))


def _frequency(features: Features) -> Features | None:
    number, unit = value_of(features, "number"), value_of(features, "unit")
    if not isinstance(number, Fraction) or not isinstance(unit, Fraction):
        return None
    rate = number * unit
    return (("period", 1 / rate if rate > 0 else F(-1)),)


FREQUENCY = Mapped(Seq(NUMBER, FREQUENCY_UNIT), _frequency)
TIMES_PER = Mapped(
    Alt(
        Seq(_COUNT, Words("per|/"), UNIT_DURATION),
        Seq(_COUNT, Opt(Words("every|each|in every")), _A_UNIT),
        Seq(_COUNT, Words("every|each|in every"), Feature(DURATION, "lumped", True)),
    ),
    _per,
)
"""A count in a time; ("lumped", True) where that may be said of all of them at once."""


def _as_period(features: Features) -> Features | None:
    return (("period", value_of(features, "seconds")),)


EVERY = Mapped(
    Alt(
        Seq(Opt(Words("once")), Words("every|each|every single|each and every"), UNIT_DURATION),
        Seq(Words("once per"), UNIT_DURATION),
        Seq(Words("at"), DURATION, Words("intervals|interval")),
        Seq(
            Words("at intervals of|in intervals of|at interval of|with interval of|in steps of"),
            DURATION,
        ),
    ),
    _as_period,
)
PERIOD_OF = Mapped(
    Alt(
        Seq(
            Words(
                "with period of|with period|period of|period|period is|with cycle time of|"
                "with cycle of|with cycle time|at period of"
            ),
            DURATION,
        ),
        Seq(Words("with"), DURATION, Words("period|cycle|cycle time|interval")),
    ),
    _as_period,
)
RATE_PREFIX = Opt(
    Words(
        "at|with|at rate of|at frequency of|with rate of|with frequency of|at speed of|rate of|"
        "frequency of|rate|frequency|with rate|with frequency|rate is|frequency is|of|"
        "at rate|at frequency"
    )
)


def _say_period(features: Features) -> str:
    period = value_of(features, "period")
    if not isinstance(period, Fraction) or period <= 0:
        return "no usable period"
    return f"period {decimal_text(period * 1000, 3)} ms"


CYCLE = Mark(
    Alt(
        Seq(RATE_PREFIX, Alt(FREQUENCY, TIMES_PER)),
        EVERY,
        PERIOD_OF,
    ),
    _say_period,
)
"""How often something happens, as ("period", seconds); -1 for a rate that has no period."""
