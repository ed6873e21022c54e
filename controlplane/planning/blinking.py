"""Blinking: "blink the LED at 2 Hz", "on for 200 ms and off for 800 ms", in many wordings."""

from dataclasses import replace
from fractions import Fraction

from controlplane.domain.units import decimal_text
from controlplane.planning.grammar import (
    Alt,
    Feature,
    Features,
    Items,
    Mapped,
    Mark,
    Opt,
    Rule,
    Seq,
    Words,
)
from controlplane.planning.intent import (
    Blink,
    OutputRef,
    Unusable,
)
from controlplane.planning.phrases import PIN, Things
from controlplane.planning.rates import (
    CYCLE,
    DURATION,
    EVERY,
    FREQUENCY,
    NUMBER,
    RATE_PREFIX,
    TIMES_PER,
    value_of,
    values_of,
)
from controlplane.planning.wording import (
    ALWAYS,
    COMMA,
    LEAD,
    seconds_as,
    verb,
    with_spans,
)

_FOR = Opt(Words("for|is|stays|stay|remains|with|being|lit"))
_ON_WORD = Words(
    "on|on for|on time of|on time|on for time of|on phase of|lit for|high for|on :|on during"
)
_OFF_WORD = Words(
    "off|off for|off time of|off time|off for time of|off phase of|dark for|low for|"
    "off :|off during"
)


_ON = Mark(
    Mapped(
        Alt(
            Seq(_FOR, _ON_WORD, DURATION),
            Seq(Opt(Words("for|with|of")), DURATION, Words("on|on time|lit|high")),
        ),
        seconds_as("on"),
    ),
    "on time",
)
_OFF = Mark(
    Mapped(
        Alt(
            Seq(_FOR, _OFF_WORD, DURATION),
            Seq(Opt(Words("for|with|of")), DURATION, Words("off|off time|dark|low")),
        ),
        seconds_as("off"),
    ),
    "off time",
)
_THEN = Opt(Words(",|and|then|, then|, and|and then|, and then|followed by|/|;"))
_PHASES = Alt(Seq(_ON, _THEN, _OFF), Seq(_OFF, _THEN, _ON))
_DUTY = Mark(
    Mapped(
        Alt(
            Seq(Opt(Words("with|at|and")), NUMBER, Words("%|percent"), Words("duty cycle|duty")),
            Seq(
                Opt(Words("with|at|and")),
                Words("duty cycle of|duty cycle|duty of|duty"),
                NUMBER,
                Words("%|percent"),
            ),
        ),
        lambda features: (("duty", value_of(features, "number")),),
    ),
    "duty cycle",
)


def cycle_clause(things: Things) -> Rule:
    """Blink at a rate, or with a time on and a time off."""
    items = Items(
        {
            "verb": Alt(
                verb("blink|flash|pulse|wink|blink on and off|flash on and off", "blink"),
                Mark(
                    Words(
                        "blink rate|blinking rate|flash rate|blinks|flashes|blinking frequency|"
                        "blink frequency|blink period|go on and off|goes on and off|"
                        "turn on and off|turns on and off|switch on and off|to go on and off",
                        "verb",
                    ),
                    "blink",
                ),
            ),
            "led": Seq(
                Opt(Words("using|with|on|use|of|for|by|,")),
                things.led,
                Opt(Seq(Words("and|, and|&|as well as|and also"), things.led)),
            ),
            "neutral": Mark(
                Words(
                    "turn|switch|keep|set|turns|switches|goes|go|turning|switching|is|"
                    "should be|to be|be|drive|cycle|turned|switched|is turned|is switched"
                ),
                "switch",
            ),
            "cycle": CYCLE,
            "phases": _PHASES,
            "on": _ON,
            "duty": _DUTY,
            "always": ALWAYS,
            "andback": Mark(Words("and repeat|repeating|and so on"), "repeats"),
            "inturn": Mark(Words("in turn|alternately", "inturn"), "repeats"),
        },
        ("led",),
        Opt(Words(",|:")),
        {"cycle": 2},
    )
    # A comma before it would leave open whose pin it is.
    pin = Opt(Mark(Seq(Words("on|on pin|using|connected to|wired to|attached to"), PIN), "its pin"))
    return Mapped(Seq(LEAD, items, pin), _blink)


def _blink(features: Features) -> Features | None:
    outputs = [o for o in values_of(features, "output") if isinstance(o, OutputRef)]
    pin = value_of(features, "pin")
    if isinstance(pin, str):
        if len(outputs) != 1 or outputs[0].pin:
            return None
        outputs = [replace(outputs[0], pin=pin)]
    has_verb = value_of(features, "verb") is not None
    if not outputs or (len(outputs) > 1 and value_of(features, "inturn") is not None):
        return None
    timed = bool(values_of(features, "period")) or value_of(features, "on") is not None
    if not timed:
        return _vague_blink(features) if has_verb else None
    if value_of(features, "lumped"):
        return with_spans(features, _lumped())
    phases = _phases_of(features)
    if phases is None or isinstance(phases, Unusable):
        return None if phases is None else with_spans(features, phases)
    on, off = phases
    says = has_verb or value_of(features, "on") is not None
    blinks = (Blink(output=output, on=on, off=off, verb=says) for output in outputs)
    return with_spans(features, *blinks)


def _phases_of(features: Features) -> tuple[Fraction, Fraction] | Unusable | None:
    """The time on and the time off, all that is said about them taken together."""
    periods = {p for p in values_of(features, "period") if isinstance(p, Fraction)}
    on, off, duty = (value_of(features, key) for key in ("on", "off", "duty"))
    if len(periods) > 1:
        return _two_rates()
    if isinstance(on, Fraction) and isinstance(off, Fraction):
        if (periods and periods != {on + off}) or duty is not None:
            return _two_rates()
        return on, off
    if not periods:
        return None
    period = periods.pop()
    if isinstance(duty, Fraction):
        if on is not None:
            return _two_rates()
        if not 0 < duty < 100:
            return Unusable(
                code="E152",
                subject="duty cycle",
                message=f"a duty cycle of {decimal_text(duty)} % is not a blink.",
                fix="Use a duty cycle between 0 and 100 %.",
            )
        on = period * duty / 100
    if not isinstance(on, Fraction):
        on = period / 2
    elif 0 < period <= on:
        return Unusable(
            code="E152",
            subject="blink",
            message="the LED is to be on for longer than its period.",
            fix='Say e.g. "on for 100 ms every 2 seconds".',
        )
    return on, period - on


def _lumped() -> Unusable:
    return Unusable(
        code="E202",
        subject="blink",
        message="several blinks in a time can be spread evenly or come one after the other.",
        fix='Say how long one takes, e.g. "blink the LED every 5 s". Groups cannot be built.',
    )


def _two_rates() -> Unusable:
    return Unusable(
        code="E152",
        subject="blink",
        message="the LED is given two different rates.",
        fix='Say one rate, e.g. "blink the LED at 2 Hz".',
    )


def _vague_blink(features: Features) -> Features:
    return with_spans(
        features,
        Unusable(
            code="E201",
            subject="blink",
            message="how fast the LED blinks is not said.",
            fix='Say a rate, e.g. "blink the LED at 2 Hz" or "every 500 ms".',
        ),
    )


def toggle_clause(things: Things) -> Rule:
    """Blink by toggling: a time or a count of toggles, never a rate in Hz."""
    toggling = Alt(
        verb("toggle|invert|flip", "toggle", "toggle"),
        Mark(
            Words(
                "change state of|changes state|change state|changes its state|"
                "switch state|switches state|to change state",
                "toggle",
            ),
            "toggle",
        ),
    )
    rate = Mark(Seq(RATE_PREFIX, FREQUENCY), "a rate")
    items = Items(
        {
            "toggle": toggling,
            "led": things.led,
            "cycle": Alt(Mark(EVERY, "every half period"), Mark(TIMES_PER, "toggles in a time")),
            "rate": Feature(rate, "ambiguous", True),
            "always": ALWAYS,
        },
        ("toggle", "led"),
        COMMA,
        {"cycle": 2},
    )
    return Mapped(Seq(LEAD, items), _toggle)


def _toggle(features: Features) -> Features | None:
    output = value_of(features, "output")
    periods = [p for p in values_of(features, "period") if isinstance(p, Fraction)]
    if not isinstance(output, OutputRef) or not periods:
        return None
    if value_of(features, "ambiguous"):
        return with_spans(
            features,
            Unusable(
                code="E202",
                subject="toggle",
                message="a toggle rate in Hz can be read as toggles or as full cycles.",
                fix='Say "blink the LED at 2 Hz" (full cycles) or "toggle the LED every 250 ms".',
            ),
        )
    if value_of(features, "lumped"):
        return with_spans(features, _lumped())
    if len(set(periods)) > 1:
        return with_spans(features, _two_rates())
    return with_spans(features, Blink(output=output, on=periods[0], off=periods[0]))
