"""Clauses of the prompt language: each alternative of :func:`build_clauses` yields intents."""

from dataclasses import replace

from controlplane.catalog.naming import Naming
from controlplane.planning.blinking import cycle_clause, toggle_clause
from controlplane.planning.colours import colour_clause
from controlplane.planning.conditions import (
    HYSTERESIS,
    build_condition,
    build_elided_switch,
)
from controlplane.planning.grammar import (
    Alt,
    Feature,
    Features,
    Mapped,
    Mark,
    Opt,
    Rule,
    Seq,
    Words,
)
from controlplane.planning.intent import (
    Amount,
    Echo,
    Hysteresis,
    InputRef,
    OnBoardModel,
    OutputRef,
    SensorRef,
    Unusable,
    Wire,
)
from controlplane.planning.motion import motion_clause
from controlplane.planning.phrases import PIN, Things
from controlplane.planning.pressing import debounce_clause, press_clause
from controlplane.planning.publishing import publish_clause
from controlplane.planning.rates import NUMBER, value_of
from controlplane.planning.reporting import report_clause
from controlplane.planning.subscribing import message_clause
from controlplane.planning.turning import turn_clause
from controlplane.planning.wording import (
    CHANNEL,
    LEAD,
    with_spans,
)

CONSOLE_BAUD = 115_200
"""The speed of the console of every board model."""

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
                "serial input|lines received|text|received text|all other lines|"
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
    rgb = Mapped(things.rgb, lambda f: tuple(("input" if k == "rgb" else k, v) for k, v in f))
    thing = Alt(things.output, things.sensor, things.button, things.motion, things.encoder, rgb)
    pin = Mark(PIN, "a pin")
    use = Seq(
        Opt(Words("use|take|assign|using|with|uses|reserve|pin|on|put")),
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
    sensor, source = value_of(features, "sensor"), value_of(features, "input")
    if isinstance(source, InputRef):
        if bool(pin) == bool(source.pins):
            return None
        pins = (pin,) if pin else source.pins
        return with_spans(features, Wire(input=InputRef(source.kind, pins)))
    if isinstance(output, OutputRef):
        if bool(pin) == bool(output.pin):
            return None
        named = OutputRef(output.kind, output.label, pin or output.pin)
        return with_spans(features, Wire(output=named))
    if isinstance(sensor, SensorRef):
        if bool(pin) == bool(sensor.pin):
            return None
        return with_spans(features, Wire(sensor=replace(sensor, pin=pin or sensor.pin)))
    return None


def _hysteresis_clause() -> Rule:
    return Mapped(Seq(LEAD, HYSTERESIS), _hysteresis)


def _hysteresis(features: Features) -> Features:
    amount = value_of(features, "hysteresis")
    said = Hysteresis(amount=amount if isinstance(amount, Amount) else None)
    return with_spans(features, said)


def _baud_clause() -> Rule:
    """The speed of the console, when it is said: only one can be had."""
    number = Seq(
        Opt(Words("at|with|using|via|serial at|console at|uart at|serial port at|and")),
        Opt(Words("baud rate of|baudrate of|baud rate|baudrate|speed of")),
        Alt(
            Seq(NUMBER, Words("baud|baud rate|bps|bd|8n1|baud 8n1|bits per second|bit / s")),
            Seq(
                Words("baud rate of|baud rate is|baud rate|baudrate|baudrate of|baud :|baud"),
                NUMBER,
            ),
        ),
        Opt(CHANNEL),
    )
    return Mapped(Mark(number, "speed of the console"), _baud)


def _baud(features: Features) -> Features:
    if value_of(features, "number") == CONSOLE_BAUD:
        return with_spans(features)
    return with_spans(
        features,
        Unusable(
            code="E152",
            subject="baud",
            message="the console has another speed.",
            fix=f"Leave the speed out: the console runs at {CONSOLE_BAUD} baud.",
        ),
    )


def _board_model(features: Features) -> Features | None:
    naming = value_of(features, "board")
    if not isinstance(naming, Naming):
        return None
    return with_spans(features, OnBoardModel(naming=naming))


def build_clauses(things: Things, commands: Rule) -> tuple[Rule, Rule]:
    """The clauses that stand alone, and those that may follow another without a separator."""
    board = Mapped(things.board, _board_model)
    standing = Alt(
        cycle_clause(things),
        toggle_clause(things),
        report_clause(things),
        publish_clause(things),
        message_clause(things),
        build_condition(things),
        press_clause(things),
        debounce_clause(things),
        commands,
        motion_clause(things),
        turn_clause(things),
        colour_clause(things),
        Mapped(Seq(LEAD, _ECHO, Opt(CHANNEL)), lambda f: with_spans(f, Echo())),
        _wire_clause(things),
        _hysteresis_clause(),
        _baud_clause(),
        board,
    )
    return standing, Alt(board, _baud_clause(), build_elided_switch(things))
