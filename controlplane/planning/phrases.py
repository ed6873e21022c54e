"""Phrases of the prompt language: quantities, things, conditions, and how they may be said."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from controlplane.catalog.naming import Naming
from controlplane.domain.part import ComponentKind
from controlplane.domain.units import celsius_from_fahrenheit
from controlplane.planning.grammar import (
    Alt,
    Features,
    Mapped,
    Mark,
    Opt,
    Rule,
    Seq,
    Terminal,
    Words,
)
from controlplane.planning.intent import (
    Amount,
    Dimension,
    InputRef,
    OutputRef,
    SensorRef,
    ValueKind,
    ValueRef,
)
from controlplane.planning.rates import NUMBER, value_of, values_of, words
from controlplane.planning.tokens import Kind, gpio_name, tokenize

F = Fraction
TEXT = Terminal(Kind.TEXT, "text")


def _numbered_pin(features: Features) -> Features | None:
    number = value_of(features, "pin_number")
    if not isinstance(number, Fraction) or number.denominator != 1 or not 0 <= number < 100:
        return None
    return (("pin", gpio_name(int(number))),)


PIN = Alt(
    Terminal(Kind.PIN, "pin"),
    Mapped(
        Seq(
            Words("pin|gpio|gpio pin|io|io pin|pin number|gpio number"),
            Terminal(Kind.NUMBER, "pin_number"),
        ),
        _numbered_pin,
    ),
)
"""A pin by its name, or by the number that is all some parts give it."""

# --- amounts: thresholds and hysteresis ------------------------------------------------------

_AMOUNT_UNITS: Mapping[str, object] = {
    "c|°c|° c|℃|celsius|degrees celsius|degree celsius|degrees c|degree c|deg c|"
    "degrees centigrade|centigrade|°celsius|degc": Dimension.CELSIUS,
    "degrees|degree|deg|°": Dimension.DEGREES,
    "f|°f|° f|℉|fahrenheit|degrees fahrenheit|degree fahrenheit|degrees f|degree f|deg f|"
    "degf": Dimension.FAHRENHEIT,
    "k|kelvin|kelvins": Dimension.KELVIN,
    "%|percent|per cent|pct": Dimension.PERCENT,
    "v|volt|volts": Dimension.VOLTS,
    "mv|millivolt|millivolts|milli volts": Dimension.MILLIVOLTS,
    "cm|centimeter|centimeters|centimetre|centimetres|cms": Dimension.CENTIMETRES,
    "mm|millimeter|millimeters|millimetre|millimetres": Dimension.MILLIMETRES,
    "m|meter|meters|metre|metres": Dimension.METRES,
    "inch|inches": Dimension.INCHES,
}
AMOUNT_UNIT = words(_AMOUNT_UNITS, "dimension")


def _amount(features: Features) -> Features | None:
    number, dimension = value_of(features, "number"), value_of(features, "dimension")
    if not isinstance(number, Fraction):
        return None
    kind = dimension if isinstance(dimension, Dimension) else Dimension.BARE
    return (("amount", Amount(number, kind)),)


AMOUNT = Mapped(Seq(NUMBER, Opt(AMOUNT_UNIT)), _amount)
"""A number with or without a unit, as ("amount", Amount)."""


def convert(amount: Amount, unit: str) -> Fraction | None:
    """Convert an absolute amount to a signal's unit ("C", "cm"); None when it cannot be."""
    value, kind = amount.number, amount.dimension
    table = {
        ("C", Dimension.CELSIUS): value,
        ("C", Dimension.DEGREES): value,
        ("C", Dimension.FAHRENHEIT): celsius_from_fahrenheit(value),
        ("C", Dimension.KELVIN): value - F(27315, 100),
        ("%", Dimension.PERCENT): value,
        ("mV", Dimension.MILLIVOLTS): value,
        ("mV", Dimension.VOLTS): value * 1000,
        ("cm", Dimension.CENTIMETRES): value,
        ("cm", Dimension.MILLIMETRES): value / 10,
        ("cm", Dimension.METRES): value * 100,
        ("cm", Dimension.INCHES): value * F(254, 100),
    }
    return table.get((unit, kind))


def convert_difference(amount: Amount, unit: str) -> Fraction | None:
    """Convert a difference (a hysteresis) to a signal's unit; None when it cannot be."""
    if unit == "C" and amount.dimension is Dimension.FAHRENHEIT:
        return amount.number * F(5, 9)
    if unit == "C" and amount.dimension is Dimension.KELVIN:
        return amount.number
    return convert(amount, unit)


# --- things -----------------------------------------------------------------------------------

PIN_SPEC = Seq(
    Opt(
        Words(
            "on|at|to|using|via|from|in|with|connected to|wired to|attached to|is connected to|"
            "is wired to|is attached to|hooked up to|driven by|driven from|through|:|"
            "is on|is at|sits on|which is on|that is on|located on|connected on"
        )
    ),
    Opt(Words("pin|port pin|gpio|gpio pin|adc pin|analog pin|port|input|output")),
    PIN,
)

_COLOURS = "red|green|blue|yellow|white|orange|amber"
_ONBOARD = (
    "on board|onboard|built in|builtin|user|board|board's|on board user|boards|on board status"
)


@dataclass(frozen=True, slots=True)
class Things:
    """The noun phrases of a catalogue."""

    output: Rule
    led: Rule
    sensor: Rule
    bare_sensor: Rule
    button: Rule
    motion: Rule
    encoder: Rule
    rgb: Rule
    board: Rule
    value: Rule


def build_things(components: Mapping[str, ComponentKind], boards: Mapping[str, Naming]) -> Things:
    """Make the noun phrases from the words of the catalogue and the names of its boards."""
    led = _led(components["led"])
    loads = {
        word: kind.key
        for kind in components.values()
        if kind.role == "output" and kind.key != "led"
        for word in kind.words
    }
    load = Mapped(
        Seq(Opt(Words("external")), Words("|".join(loads), "load", loads), Opt(PIN_SPEC)),
        lambda features: (
            (
                "output",
                OutputRef(
                    kind=str(value_of(features, "load")), pin=str(value_of(features, "pin") or "")
                ),
            ),
        ),
    )
    output = Mark(Alt(led, load), _say_output)
    sensors = {
        word: kind.key
        for kind in components.values()
        if kind.role == "sensor"
        for word in kind.words
    }
    bare = Mapped(Words("|".join(sensors), "sensor", sensors), _sensor)
    sensor = Mapped(
        Seq(
            Words("|".join(sensors), "sensor", sensors),
            Opt(Seq(_SOURCE_WORDS, Words("|".join(sensors), "source", sensors))),
            Opt(Alt(PIN_SPEC, _ECHO_PINS)),
        ),
        _sensor,
    )
    button_words = "|".join(components["button"].words)
    button = Mapped(
        Seq(
            Opt(Words(_ONBOARD + "|external", "where")),
            Words(button_words, "button"),
            Opt(PIN_SPEC),
        ),
        _button,
    )
    names = {
        " ".join(token.text for token in tokenize(name)): naming for name, naming in boards.items()
    }
    board = Mark(
        Seq(
            Opt(
                Words(
                    "on|for|using|use|with|run on|target|board is|run it on|running on|"
                    "run this on|board :|do this on|all on|,"
                )
            ),
            Words("|".join(names), "board", names),
            Opt(Words("board|development board|dev board|header board")),
        ),
        _say_board,
    )
    marked = Mark(sensor, _say_sensor)
    encoder = Mark(_encoder(components["encoder"]), "the rotary encoder")
    return Things(
        output=output,
        led=Mark(led, _say_output),
        sensor=marked,
        bare_sensor=bare,
        button=Mark(button, "the button"),
        motion=Mark(_input(components["pir"]), "the motion sensor"),
        encoder=encoder,
        rgb=Mark(_rgb(components["rgb"]), "the RGB LED"),
        board=board,
        value=Alt(_value(marked, output), _position(encoder)),
    )


_ECHO_PINS = Alt(
    Seq(
        Words(
            "with trigger on|trigger on|with trig on|trig on|, trigger on|: trigger on|"
            "with its trigger on|with trigger at|with trigger pin",
            "order",
        ),
        PIN,
        Words("and echo on|, echo on|echo on|and its echo on|and echo at|and echo pin"),
        PIN,
    ),
    Seq(
        Words("with echo on|echo on|, echo on|: echo on|with its echo on|with echo at"),
        PIN,
        Words(
            "and trigger on|, trigger on|trigger on|and trig on|and its trigger on|and trigger at"
        ),
        PIN,
    ),
)
"""The two pins of a sensor that is asked by a pulse."""

_SOURCE_WORDS = Words("from|with|using|of|at|by|on|measured by|measured with|read by")


def _input(kind: ComponentKind) -> Rule:
    """A digital input with one pin."""
    return Mapped(
        Seq(Opt(Words("external")), Words("|".join(kind.words)), Opt(PIN_SPEC)),
        lambda features: (("input", InputRef(kind.key, _said(value_of(features, "pin")))),),
    )


def _encoder(kind: ComponentKind) -> Rule:
    """The encoder, with both of its pins or none."""
    joint = Words("and|,|, and|&|and pin|and to|and at|and on")
    number = Alt(PIN, Mapped(Terminal(Kind.NUMBER, "pin_number"), _numbered_pin))
    pins = Alt(
        Seq(PIN_SPEC, joint, PIN),
        Seq(
            Words("on pins|at pins|to pins|using pins|pins|on gpios|with pins|is on pins"),
            number,
            joint,
            number,
        ),
        Seq(
            Words("with a on|a on|with a at|, a on|: a on|with contact a on|: a|with a to"),
            PIN,
            Words("and b on|, b on|b on|and b at|and contact b on|, b|and b to"),
            PIN,
        ),
    )
    return Mapped(
        Seq(Words("|".join(kind.words)), Opt(pins)),
        lambda features: (
            ("input", InputRef(kind.key, tuple(map(str, values_of(features, "pin"))))),
        ),
    )


def _rgb(kind: ComponentKind) -> Rule:
    """The RGB LED, with its three pins or none."""
    comma, last = Words(",|and"), Words("and|, and|,|&")
    pins = Alt(
        Seq(PIN_SPEC, comma, PIN, last, PIN),
        Seq(
            Words("with red on|red on|: red on|, red on"),
            PIN,
            Words(", green on|green on|and green on"),
            PIN,
            Words("and blue on|, blue on|, and blue on|blue on"),
            PIN,
        ),
    )
    return Mapped(
        Seq(Opt(Words("external")), Words("|".join(kind.words)), Opt(pins)),
        lambda features: (
            ("rgb", InputRef(kind.key, tuple(map(str, values_of(features, "pin"))))),
        ),
    )


def _position(encoder: Rule) -> Rule:
    """The position of the encoder; "the position" alone means one that was mentioned."""
    fresh = Opt(Words("current|latest|last|present|newest|current value of|value of"))
    said = Mark(Words("position of|count of|step count of|position from|steps of"), "its position")
    after = Mark(Words("position|count|value|reading"), "its position")
    return Mapped(
        Seq(
            Opt(Mark(fresh, "its newest value")),
            Alt(
                Seq(Opt(said), encoder, Opt(after)),
                Mark(Words("position|turned position"), "the position"),
            ),
        ),
        _position_value,
    )


def _position_value(features: Features) -> Features:
    source = value_of(features, "input")
    meant = source if isinstance(source, InputRef) else None
    return (("value", ValueRef(ValueKind.POSITION, input=meant)), *_spans(features))


def _said(pin: object) -> tuple[str, ...]:
    return (pin,) if isinstance(pin, str) else ()


def _sensor(features: Features) -> Features | None:
    kind, source = value_of(features, "sensor"), value_of(features, "source")
    if source is not None and source != kind:
        return None
    pins = tuple(map(str, values_of(features, "pin")))
    echo, trigger = pins[::-1] if value_of(features, "order") else (*pins, "", "")[:2]
    return (("sensor", SensorRef(kind=str(kind), pin=echo, trigger=trigger)),)


def _led(kind: ComponentKind) -> Rule:
    nouns = "|".join([*kind.words, "led_builtin"])
    adjectives = Opt(
        Alt(
            Words(_ONBOARD, "where"),
            Words(_COLOURS, "label"),
            Words("external", "label"),
            Seq(Words("external"), Words(_COLOURS, "label")),
        )
    )
    return Mapped(
        Seq(adjectives, Words(nouns, "noun"), Opt(Words("on board", "where")), Opt(PIN_SPEC)),
        _led_reference,
    )


def _led_reference(features: Features) -> Features | None:
    onboard = value_of(features, "where") is not None
    onboard = onboard or value_of(features, "noun") == "led_builtin"
    label = str(value_of(features, "label") or "")
    if onboard and label:
        return None
    pin = str(value_of(features, "pin") or "")
    return (("output", OutputRef(kind="led", label="onboard" if onboard else label, pin=pin)),)


def _button(features: Features) -> Features | None:
    where = value_of(features, "where")
    noun = str(value_of(features, "button"))
    onboard = (where is not None and where != "external") or noun.split()[0] in (
        "user",
        "wkup",
        "wakeup",
        "wake",
    )
    of_encoder = "encoder" in noun.split()
    label = "external" if where == "external" or of_encoder else "onboard" if onboard else ""
    if noun.split()[0] == "boot":
        label = "boot"
    return (
        ("button", OutputRef(kind="button", label=label, pin=str(value_of(features, "pin") or ""))),
    )


def _say_board(features: Features) -> str:
    naming = value_of(features, "board")
    if not isinstance(naming, Naming):
        return "a board model"
    return f"board model {naming.meant or ' or '.join(sorted(naming.models))}"


def _say_output(features: Features) -> str:
    output = value_of(features, "output")
    if not isinstance(output, OutputRef):
        return "an output"
    place = f" on {output.pin}" if output.pin else ""
    return " ".join(filter(None, [output.label, output.kind])) + place


def _say_sensor(features: Features) -> str:
    sensor = value_of(features, "sensor")
    if not isinstance(sensor, SensorRef):
        return "a sensor"
    return sensor.kind + (f" on {sensor.pin}" if sensor.pin else "")


def _value(sensor: Rule, output: Rule) -> Rule:
    """What can be reported or answered: a measurement, a counter, the state of an output."""
    fresh = Opt(
        Mark(
            Words(
                "last|latest|current|most recent|present|measured|actual|last measured|newest|"
                "recent|last known|last read|current value of|last value of|latest value of|"
                "value of|reading of|level of|state of|last reading of|latest reading of|"
                "current reading of|output of|reading from|value from|average|raw",
                "fresh",
            ),
            "its newest value",
        )
    )
    presses = Mark(
        Words(
            "count|number of presses|number of button presses|press count|button count|"
            "presses|button presses|button press count|press counter|button counter|"
            "count of presses|count of button presses|total presses|total|"
            "number of times button was pressed|number of times button has been pressed|"
            "how often button was pressed|how many times button was pressed|"
            "how many times button has been pressed"
        ),
        "the number of button presses",
    )
    uptime = Mark(
        Words(
            "uptime|up time|elapsed time|elapsed seconds|number of seconds|seconds since start|"
            "seconds since boot|seconds counter|uptime in seconds|seconds since reset|"
            "running time|number of seconds since start|number of seconds since boot"
        ),
        "seconds since start",
    )
    counter = Mark(
        Words(
            "counter|counter value|rising counter|running counter|incrementing counter|"
            "increasing counter|increasing number|counter that increments|up counter|tick count|"
            "tick counter"
        ),
        "a counter",
    )
    return Alt(
        Mapped(Seq(fresh, sensor), _sensor_value),
        Mapped(presses, lambda features: _plain_value(features, ValueKind.PRESSES)),
        Mapped(Seq(fresh, uptime), lambda features: _plain_value(features, ValueKind.UPTIME)),
        Mapped(Seq(fresh, counter), lambda features: _plain_value(features, ValueKind.COUNTER)),
        Mapped(
            Seq(
                Opt(Mark(Words("state of|current state of|status of", "fresh"), "its state")),
                output,
                Opt(Mark(Words("state|status", "fresh"), "its state")),
            ),
            _output_value,
        ),
    )


def _spans(features: Features) -> Features:
    return tuple(feature for feature in features if feature[0] == "span")


def _sensor_value(features: Features) -> Features | None:
    sensor = value_of(features, "sensor")
    if value_of(features, "fresh") in ("average", "raw", "state of") or not isinstance(
        sensor, SensorRef
    ):
        return None
    return (("value", ValueRef(ValueKind.SENSOR, sensor=sensor)), *_spans(features))


def _plain_value(features: Features, kind: ValueKind) -> Features | None:
    return (("value", ValueRef(kind)), *_spans(features))


def _output_value(features: Features) -> Features | None:
    output = value_of(features, "output")
    if not isinstance(output, OutputRef) or value_of(features, "fresh") is None:
        return None
    return (("value", ValueRef(ValueKind.OUTPUT, output=output)), *_spans(features))
