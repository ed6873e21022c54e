"""Clauses of the prompt language: each alternative of :func:`build_clauses` yields intents."""

from collections.abc import Callable
from fractions import Fraction

from controlplane.planning.conditions import (
    HYSTERESIS,
    build_condition,
    build_elided_switch,
)
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
    Action,
    ActionKind,
    Blink,
    Debounce,
    Echo,
    Hysteresis,
    Intent,
    OnBoardModel,
    OutputRef,
    Press,
    Report,
    SensorRef,
    Unusable,
    ValueKind,
    ValueRef,
    Wire,
)
from controlplane.planning.phrases import (
    AMOUNT_UNIT,
    CYCLE,
    DURATION,
    EVERY,
    FREQUENCY,
    NUMBER,
    PIN,
    RATE_PREFIX,
    TEXT,
    TIMES_PER,
    Things,
    value_of,
    values_of,
)

COMMA = Opt(Words(","))
LEAD = Opt(
    Mark(
        Words(
            "i want|i want you to|i want to|i need|i need you to|i need to|i would like|i'd like|"
            "i'd like to|i'd like you to|i would like to|i would like you to|can you|could you|"
            "would you|let|make|have|let's|we want|we need|we want to|it|device|firmware|program|"
            "make it|board|make device|make board|have it|have board|i want it to|i want board to|"
            "write program that|write firmware that|make firmware that|write sketch that|"
            "build device that|build something that|make something that|i want firmware that|"
            "i want device that|sketch that|firmware that|device that|program that|it has to|"
            "you|program should|create firmware that|create device that|it needs to|"
            "device has to|board has to|there is|there's|use|be able to"
        ),
        "a wish",
    )
)
ALWAYS = Mark(
    Words(
        "continuously|repeatedly|forever|steadily|in loop|all the time|over and over|constantly|"
        "non stop|nonstop|regularly|periodically|again and again|endlessly|indefinitely|"
        "all time|all along|in background|evenly|in endless loop|permanently"
    ),
    "repeats",
)
CHANNEL = Mark(
    Words(
        "|".join(
            f"{preposition} {place}"
            for preposition in (
                "on",
                "over",
                "to",
                "via",
                "through",
                "at",
                "into",
                "onto",
                "out on",
            )
            for place in ["serial", "serial port", "console", "uart", "usart", "usart2", "serial console", "serial line", "serial monitor", "serial output", "terminal", "serial terminal", "serial link", "host", "pc", "console port", "me", "line", "serial interface", "serial connection"]
        )
        + "|serially|back to me"
    ),
    "on the console",
)


def with_spans(features: Features, *intents: Intent) -> Features:
    """The features of a finished clause: its intents, and the spans it accounts for."""
    spans = tuple(feature for feature in features if feature[0] == "span")
    return (*(("intent", intent) for intent in intents), *spans)


def verb(bases: str, meaning: str, key: str = "verb") -> Rule:
    """Every form of regular verbs, active and passive, with the usual auxiliaries."""
    forms: dict[str, None] = {}
    for base in bases.split("|"):
        head, _, tail = base.partition(" ")
        tail = f" {tail}" if tail else ""
        stem = head[:-1] if head.endswith("e") else head
        third = head + ("es" if head.endswith(("s", "sh", "ch", "x")) else "s")
        past = _PAST.get(head, stem + "ed")
        ing = _ING.get(head, stem + "ing")
        for form in (
            head,
            third,
            ing,
            f"to {head}",
            f"be {ing}",
            f"starts {ing}",
            f"start {ing}",
            f"keep {ing}",
            f"keeps {ing}",
            f"is {ing}",
        ):
            forms[form + tail] = None
        for form in (
            f"is {past}",
            f"are {past}",
            f"be {past}",
            f"gets {past}",
            past,
            f"to be {past}",
            f"being {past}",
        ):
            forms[form + tail] = None
    return Mark(Words("|".join(forms), key), meaning)


_PAST = {
    "send": "sent",
    "read": "read",
    "tell": "told",
    "write": "written",
    "give": "given",
    "show": "shown",
    "put": "put",
    "set": "set",
    "get": "got",
    "run": "run",
    "light": "lit",
    "log": "logged",
    "flip": "flipped",
    "say": "said",
    "stop": "stopped",
    "reply": "replied",
    "keep": "kept",
    "drive": "driven",
    "emit": "emitted",
    "transmit": "transmitted",
}
_ING = {
    "log": "logging",
    "flip": "flipping",
    "put": "putting",
    "set": "setting",
    "run": "running",
    "get": "getting",
    "stop": "stopping",
    "emit": "emitting",
    "transmit": "transmitting",
}

PRINT = "report|print|log|output|send|transmit|write|show|tell me|give me|emit|send me|print out|show me"
MEASURE = "measure|read|sample|monitor|acquire|record"


# --- blink ------------------------------------------------------------------------------------

_FOR = Opt(Words("for|is|stays|stay|remains|with|being|lit"))
_ON_WORD = Words(
    "on|on for|on time of|on time|on for time of|on phase of|lit for|high for|on :|on during"
)
_OFF_WORD = Words(
    "off|off for|off time of|off time|off for time of|off phase of|dark for|low for|off :|off during"
)


def _seconds_as(key: str) -> Callable[[Features], Features | None]:
    def change(features: Features) -> Features | None:
        return ((key, value_of(features, "seconds")),)

    return change


_PHASE_TAIL = Words("on|on time")
_ON = Mark(
    Mapped(
        Alt(
            Seq(_FOR, _ON_WORD, DURATION),
            Seq(Opt(Words("for|with|of")), DURATION, Words("on|on time|lit|high")),
        ),
        _seconds_as("on"),
    ),
    "on time",
)
_OFF = Mark(
    Mapped(
        Alt(
            Seq(_FOR, _OFF_WORD, DURATION),
            Seq(Opt(Words("for|with|of")), DURATION, Words("off|off time|dark|low")),
        ),
        _seconds_as("off"),
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


def _cycle_clause(things: Things) -> Rule:
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
            "led": Seq(Opt(Words("using|with|on|use|of|for|by|,")), things.led),
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
            "andback": Mark(Words("and repeat|repeating|and so on|in turn|alternately"), "repeats"),
        },
        ("led",),
        Opt(Words(",|:")),
        {"cycle": 2},
    )
    return Mapped(Seq(LEAD, items), _blink)


def _blink(features: Features) -> Features | None:
    output = value_of(features, "output")
    periods = [p for p in values_of(features, "period") if isinstance(p, Fraction)]
    has_verb = value_of(features, "verb") is not None
    on, off, duty = (value_of(features, key) for key in ("on", "off", "duty"))
    if not isinstance(output, OutputRef) or not (periods or isinstance(on, Fraction)):
        return _vague_blink(features) if has_verb and isinstance(output, OutputRef) else None
    if len(set(periods)) > 1 or (isinstance(off, Fraction) and periods):
        return with_spans(features, _two_rates())
    if isinstance(on, Fraction) and isinstance(off, Fraction):
        return with_spans(features, Blink(output=output, on=on, off=off))
    if not periods:
        return None
    period = periods[0]
    if isinstance(duty, Fraction):
        if not 0 < duty < 100 or on is not None:
            return with_spans(features, _two_rates())
        on = period * duty / 100
    if isinstance(on, Fraction) and not has_verb and value_of(features, "on") is None:
        return None
    if not isinstance(on, Fraction):
        on = period / 2
    return with_spans(
        features,
        Blink(output=output, on=on, off=period - on, verb=has_verb or "on" in dict(features)),
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


def _toggle_clause(things: Things) -> Rule:
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
    if len(set(periods)) > 1:
        return with_spans(features, _two_rates())
    return with_spans(features, Blink(output=output, on=periods[0], off=periods[0]))


# --- report -----------------------------------------------------------------------------------


def _report_clause(things: Things) -> Rule:
    values = Seq(
        things.value,
        Opt(Seq(Words(",|and|, and|&|as well as|plus"), things.value)),
        Opt(Seq(Words(",|and|, and|&|as well as|plus"), things.value)),
    )
    it = Mark(
        Feature(
            Words("it|them|this|result|value|reading"),
            "value",
            ValueRef(ValueKind.SENSOR, sensor=SensorRef("it")),
        ),
        "the value before",
    )
    printing = verb(PRINT, "print")
    measuring = verb(MEASURE, "measure", "measure")
    units = Mark(Seq(Words("in|as"), AMOUNT_UNIT), "in a unit")
    items = Items(
        {
            "verb": Alt(printing, measuring),
            "noun": Mark(
                Words("report|reports|reporting|printout|readout|report of", "verb"), "print"
            ),
            "values": Alt(values, it),
            "cycle": CYCLE,
            "channel": CHANNEL,
            "always": ALWAYS,
            "units": units,
            "source": Seq(
                Words("from|with|using|of|by"),
                Mapped(things.sensor, lambda f: (("source", value_of(f, "sensor")), *f[1:])),
            ),
            "again": Seq(
                Words("and|, and|and then|then"),
                printing,
                Alt(
                    Mark(
                        Words("it|them|result|value|this|that|reading|its value"),
                        "the value before",
                    ),
                    Mapped(things.sensor, lambda f: (("repeated", value_of(f, "sensor")), *f[1:])),
                ),
            ),
            "increment": verb("increment|increase|advance|count up", "count up", "increment"),
        },
        ("values",),
        COMMA,
        {"cycle": 2},
    )
    return Mapped(Seq(LEAD, items), _report)


_REPORTED_UNITS = {
    "tmp36": ("C", "degrees"),
    "potentiometer": ("%",),
    "ldr": ("%",),
    "analog_input": ("mV",),
}


def _report(features: Features) -> Features | None:
    values = tuple(v for v in values_of(features, "value") if isinstance(v, ValueRef))
    periods = {p for p in values_of(features, "period") if isinstance(p, Fraction)}
    printing = value_of(features, "verb") is not None
    measuring = value_of(features, "measure") is not None
    repeated = value_of(features, "repeated")
    if value_of(features, "increment") and any(v.kind is not ValueKind.COUNTER for v in values):
        return None
    if isinstance(repeated, SensorRef) and [v.sensor and v.sensor.kind for v in values] != [
        repeated.kind
    ]:
        return None
    source, unit = value_of(features, "source"), value_of(features, "dimension")
    if isinstance(source, SensorRef):
        kinds = {v.sensor.kind for v in values if v.sensor is not None}
        if kinds != {source.kind}:
            return None
        values = tuple(ValueRef(ValueKind.SENSOR, sensor=source) for _ in values)
    if unit is not None and not all(
        v.sensor is not None and str(unit) in _REPORTED_UNITS.get(v.sensor.kind, ()) for v in values
    ):
        return None
    if len(periods) > 1:
        return with_spans(
            features,
            Unusable(
                code="E152",
                subject="report",
                message="the report has two different periods.",
                fix='Say one period, e.g. "report the temperature every second".',
            ),
        )
    period = next(iter(periods), None)
    if period is None and not printing and measuring:
        sensors = [v.sensor for v in values if v.sensor is not None]
        return with_spans(features, *(Wire(sensor=sensor) for sensor in sensors))
    if period is None and not printing:
        return None
    return with_spans(features, Report(values=values, period=period, verb=printing or measuring))


# --- button -----------------------------------------------------------------------------------

_WHEN = Opt(
    Words(
        "when|if|whenever|every time|each time|once|after|any time|anytime|as soon as|on every|at every"
    )
)
_PRESSED = Words(
    "is pressed|gets pressed|is pushed|pressed|goes down|is hit|is clicked|was pressed|"
    "has been pressed|pushed|is activated|being pressed|press|is pressed down"
)
_PRESSING = Words(
    "i press|you press|user presses|someone presses|somebody presses|i push|pressing|press of|"
    "pushing|push of|press on|pressing of|presses of|presses on|you push|click of|i hit|we press|"
    "i click|clicking|pressing on|press|on press of|each press of|every press of|on each press of|"
    "on every press of|at each press of|with each press of|with every press of|upon press of|"
    "for each press of|for every press of|at every press of|by pressing|on pressing|upon pressing"
)
DEBOUNCE_DEFAULT = Fraction(-1)
_DEBOUNCE_NUMBER = Mapped(
    Alt(
        Seq(
            Opt(Words("with|use|using|and|, with|at|has")),
            DURATION,
            Words(
                "debounce|debouncing|debounce time|of debounce|of debouncing|debounce period|"
                "debounce delay|debounce interval"
            ),
        ),
        Seq(
            Opt(Words("with|use|using|and|, with|is|apply|set|has|should be")),
            Words(
                "debounce|debounce time of|debounce of|debounced by|debounced for|debounced with|"
                "debounced at|debounced|debouncing of|debounce time|debounce time :|"
                "debounce time to|debounce is|debounce time is|debouncing|debounce to|"
                "debouncing time of|debounce period of|debounce delay of|debounce interval of|"
                "debounced over|debounced in"
            ),
            DURATION,
        ),
    ),
    _seconds_as("debounce"),
)
_DEBOUNCE = Mark(
    Alt(
        _DEBOUNCE_NUMBER,
        Feature(
            Words("debounced|with debounce|with debouncing|and debounce it|debounce it"),
            "debounce",
            DEBOUNCE_DEFAULT,
        ),
    ),
    "debounce time",
)


def _trigger(things: Things) -> Rule:
    button = things.button
    spoken = Alt(
        Seq(_WHEN, button, _PRESSED),
        Seq(_WHEN, _PRESSING, button),
        Seq(
            Words(
                "on|at|upon|with|for|after|when|per|by|each|every|on each|on every|at each|"
                "at every|with each|with every|for each|for every|upon each|upon every|"
                "after each|after every"
            ),
            button,
            Words("press|push|click|presses|pressing"),
        ),
        Seq(button, Words("press|presses|push|pushes")),
        Seq(Opt(Words("with|using|use|via|by|by means of|from|have")), button, Opt(Words("to"))),
    )
    return Mark(spoken, "at each press of the button")


def _actions(things: Things) -> Rule:
    toggle = verb("toggle|invert|flip|toggle state of|change state of", "toggle", "toggle")
    counting = verb("count", "count", "counting")
    printing = verb(PRINT, "print", "printing")
    message = Mark(
        Alt(
            Seq(
                Opt(
                    Words(
                        "line|message|text|string|word|words|line saying|message saying|"
                        "line with|line reading|message reading"
                    )
                ),
                TEXT,
            ),
            Words("line|message|text line|message line|line of text", "line"),
        ),
        "a line of text",
    )
    counted = Mark(
        Words(
            "it|them|presses|press|button presses|number of presses|how often it was pressed|"
            "count|number of button presses|press count|total|total count|total number of presses|"
            "running count|new count|count of presses|number of times it was pressed|up|"
            "number|current count|how many times it was pressed|counter|press counter"
        ),
        "the presses",
    )
    one = Alt(
        Mapped(Seq(toggle, things.output), _toggle_action),
        Mapped(Seq(things.output, toggle), _toggle_action),
        Mapped(Seq(printing, message, Opt(CHANNEL)), _print_action),
        Mapped(Seq(printing, counted, Opt(CHANNEL)), _count_action),
        Mapped(
            Seq(
                counting,
                Opt(counted),
                Opt(Seq(Words("and|, and"), printing, counted)),
                Opt(CHANNEL),
            ),
            _count_action,
        ),
        Mapped(
            Seq(
                verb("increment|increase|advance|bump", "count"),
                Mark(Words("counter|count|press counter|press count|number"), "the presses"),
                Opt(Seq(Words("and|, and"), printing, counted)),
                Opt(CHANNEL),
            ),
            _count_action,
        ),
    )
    more = Opt(Seq(Words("and|, and|,|and also|, then|and then|then"), one))
    return Seq(one, more, more)


def _action(features: Features, action: Action) -> Features:
    return (("action", action), *(f for f in features if f[0] == "span"))


def _toggle_action(features: Features) -> Features | None:
    output = value_of(features, "output")
    if not isinstance(output, OutputRef):
        return None
    return _action(features, Action(ActionKind.TOGGLE, output=output))


def _print_action(features: Features) -> Features | None:
    text = value_of(features, "text")
    return _action(
        features, Action(ActionKind.PRINT, text="button pressed" if text is None else str(text))
    )


def _count_action(features: Features) -> Features | None:
    return _action(features, Action(ActionKind.COUNT))


def _press_clause(things: Things) -> Rule:
    items = Items(
        {
            "trigger": _trigger(things),
            "actions": Seq(Opt(Words("then")), _actions(things)),
            "more": Seq(Words("and|, and|and also"), _actions(things)),
            "debounce": _DEBOUNCE,
            "channel": CHANNEL,
        },
        ("trigger", "actions"),
        COMMA,
    )
    counting = Items(
        {
            "count": Mark(
                Seq(
                    Words("count|counts|counting|to count|count how often|count how many times"),
                    Opt(Words("number of|all|each|every|how many|how often")),
                    Alt(
                        Seq(
                            things.button,
                            Words("presses|press|pushes|clicks|is pressed|was pressed"),
                        ),
                        Seq(
                            Words("presses of|press of|pushes of|presses on|clicks of"),
                            things.button,
                        ),
                    ),
                ),
                "count the presses of the button",
            ),
            "print": Seq(
                Words("and|, and"),
                verb(PRINT, "print", "printing"),
                Mark(
                    Words(
                        "it|them|count|number|total|result|running total|count each time|"
                        "number each time|total each time|count on each press|"
                        "count at each press|count every time"
                    ),
                    "the count",
                ),
            ),
            "debounce": _DEBOUNCE,
            "channel": CHANNEL,
        },
        ("count",),
        COMMA,
    )
    return Alt(
        Mapped(Seq(LEAD, items), _press),
        Mapped(Seq(LEAD, counting), lambda f: _press((*f, ("action", Action(ActionKind.COUNT))))),
    )


def _press(features: Features) -> Features | None:
    button = value_of(features, "button")
    said = [a for a in values_of(features, "action") if isinstance(a, Action)]
    actions = tuple(dict.fromkeys(said))
    debounce = value_of(features, "debounce")
    return with_spans(
        features,
        Press(
            button=button if isinstance(button, OutputRef) else None,
            actions=actions,
            debounce=debounce if isinstance(debounce, Fraction) else None,
        ),
    )


def _debounce_clause(things: Things) -> Rule:
    by = Seq(
        Words("debounce"), things.button, Words("with|for|by|at|to|over|using|within|in"), DURATION
    )
    of = Seq(things.button, _DEBOUNCE_NUMBER)
    rule = Mark(
        Alt(
            Mapped(
                by,
                lambda f: (("debounce", value_of(f, "seconds")), ("button", value_of(f, "button"))),
            ),
            _DEBOUNCE_NUMBER,
            of,
            Seq(_DEBOUNCE_NUMBER, Words("for|on|of|at"), things.button),
        ),
        "debounce time",
    )
    return Mapped(Seq(LEAD, rule), _debounce)


def _debounce(features: Features) -> Features | None:
    seconds, button = value_of(features, "debounce"), value_of(features, "button")
    if not isinstance(seconds, Fraction):
        return None
    return with_spans(
        features,
        Debounce(seconds=seconds, button=button if isinstance(button, OutputRef) else None),
    )


# --- the rest ---------------------------------------------------------------------------------

_ECHO = Mark(
    Alt(
        Seq(
            Words(
                "echo|echoes|echo back|to echo|echoing|repeat|repeats|echoes back|send back|return|"
                "echo out|sends back|repeat back"
            ),
            Words(
                "every line|each line|all lines|lines|any line|every received line|whatever|"
                "everything|all input|input|received lines|each received line|console input|"
                "all received lines|incoming lines|every incoming line|each incoming line|anything|"
                "serial input|lines received|text|received text|every other line|all other lines|"
                "unknown lines|any other line|what|line|received line|console lines"
            ),
            Opt(
                Words(
                    "i send|i type|you receive|it receives|that is received|received|that i send|"
                    "that arrives|that comes in|typed|sent|i enter|that it receives|i send it|"
                    "that i type|is received|arrives|comes in|you get|it gets|from host|back|"
                    "i send back|it receives back|that is sent|i write|received back"
                )
            ),
        ),
        Seq(Words("echo"), Opt(Words("console|serial|serial port|uart"))),
    ),
    "send every line back",
)


def _wire_clause(things: Things) -> Rule:
    thing = Alt(things.output, things.sensor, things.button)
    pin = Mark(PIN, "a pin")
    use = Seq(
        Words("use|take|assign|using|with|uses|reserve|pin|on|put"),
        Opt(Words("pin")),
        Feature(pin, "outside", True),
        Words(
            "for|as|to|is|be|:|is for|as input for|as output for|is used for|goes to|drives|reads"
        ),
        thing,
        Opt(Mark(Words("input|output|pin|control|signal|data|connection|line"), "its pin")),
    )
    plain = Seq(
        Opt(
            Words(
                "connect|wire|attach|put|use|with|place|where|having|hook|hook up|there is|"
                "there's|have|i have|assume|given|and|i connected|i wired|suppose|using"
            )
        ),
        thing,
        Opt(Mark(Words("please|there"), "its pin")),
    )
    return Mapped(Alt(use, plain), _wire)


def _wire(features: Features) -> Features | None:
    pin = str(value_of(features, "pin") or "")
    output = value_of(features, "output") or value_of(features, "button")
    sensor = value_of(features, "sensor")
    if isinstance(output, OutputRef):
        if bool(pin) == bool(output.pin):
            return None
        named = OutputRef(output.kind, output.label, pin or output.pin)
        return with_spans(features, Wire(output=named))
    if isinstance(sensor, SensorRef):
        if bool(pin) == bool(sensor.pin):
            return None
        return with_spans(features, Wire(sensor=SensorRef(sensor.kind, pin or sensor.pin)))
    return None


def _hysteresis_clause() -> Rule:
    return Mapped(
        Seq(LEAD, HYSTERESIS),
        lambda f: with_spans(f, Hysteresis(amount=value_of(f, "hysteresis"))),  # type: ignore[arg-type]
    )


def build_clauses(things: Things, commands: Rule) -> tuple[Rule, Rule]:
    """The clauses that stand alone, and those that may follow another without a separator."""
    board = Mapped(
        things.board, lambda f: with_spans(f, OnBoardModel(key=str(value_of(f, "board"))))
    )
    standing = Alt(
        _cycle_clause(things),
        _toggle_clause(things),
        _report_clause(things),
        build_condition(things, verb, LEAD),
        _press_clause(things),
        _debounce_clause(things),
        commands,
        Mapped(Seq(LEAD, _ECHO, Opt(CHANNEL)), lambda f: with_spans(f, Echo())),
        _wire_clause(things),
        _hysteresis_clause(),
        board,
    )
    return standing, Alt(board, build_elided_switch(things))
