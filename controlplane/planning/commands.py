"""Console commands: "answer 'status' with the last temperature", in many wordings."""

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
from controlplane.planning.intent import Command, SensorRef, ValueKind, ValueRef
from controlplane.planning.phrases import TEXT, Things
from controlplane.planning.rates import value_of
from controlplane.planning.wording import CHANNEL, COMMA, LEAD, PRINT, verb, with_spans

_NOUN = "command|message|line|text|word|string|request|query|console command|serial command|input"
COMMAND = Mark(
    Seq(
        Opt(Words(_NOUN)),
        Mapped(TEXT, lambda features: (("command", value_of(features, "text")),)),
        Opt(Words(_NOUN)),
    ),
    "the command",
)
_ANSWERS = "answer|reply|respond|return|react|answer back|reply back"
_SENT = Words(
    "|".join(
        f"{person} {action}"
        for person in (
            "i",
            "you",
            "we",
            "someone",
            "user",
            "it",
            "device",
            "host",
            "board",
            "somebody",
            "operator",
            "console",
            "one",
        )
        for action in (
            "send",
            "sends",
            "type",
            "types",
            "enter",
            "enters",
            "write",
            "writes",
            "say",
            "says",
            "receives",
            "receive",
            "gets",
            "get",
            "type in",
            "send it",
            "ask",
            "asks",
            "ask for",
            "asks for",
            "input",
            "inputs",
            "send you",
        )
    )
    + "|receiving|receipt of|getting|asked for|asked|sent|given|being sent|is sent|queried with"
)
_ARRIVES = Words(
    "is received|is sent|is typed|is entered|arrives|comes in|received|has been "
    "received|is received on "
    "serial|was received|typed|entered|comes|appears|is asked|is asked for|is received over serial|"
    "is received on console|is sent over serial"
)
_WHEN = Words(
    "when|if|whenever|on|upon|after|every time|each time|to|once|as soon as|for|in "
    "response to|in answer to"
)


ASKED = Mark(
    Alt(
        Seq(_WHEN, _SENT, COMMAND),
        Seq(_WHEN, COMMAND, _ARRIVES),
        Seq(_WHEN, COMMAND),
    ),
    "when the command arrives",
)
"""A command arrives, as ("command", its text)."""


def build_commands(things: Things) -> Rule:
    """The clause that answers a command."""
    it = Mark(
        Feature(Words("it"), "value", ValueRef(ValueKind.SENSOR, sensor=SensorRef("it"))),
        "the value before",
    )
    literal = Mark(
        Mapped(
            Seq(Opt(Words("word|text|line|message|string")), TEXT),
            lambda features: (("answer", value_of(features, "text")),),
        ),
        "a fixed answer",
    )
    reply = Seq(Alt(things.value, literal, it), Opt(Mark(Words("back"), "on the console")))
    by = Opt(
        Words(
            "with|by sending|by printing|by reporting|by returning|by sending back|back|by|"
            "by replying|back with|by answering|saying|:|with line|with text"
        )
    )
    answers = verb(_ANSWERS, "answer", "answers")
    says = verb(
        f"{PRINT}|send back|print back|give|tell|say|report back|tell me|reply with|"
        "answer with|respond with|get|yield|produce|deliver|read out|return|show",
        "answer",
        "answers",
    )
    to = Opt(Words("to"))
    more = Opt(CHANNEL)
    return Mapped(
        Seq(
            LEAD,
            Alt(
                Seq(
                    answers,
                    to,
                    COMMAND,
                    more,
                    Words(
                        "with|by sending|by printing|by reporting|by returning|by sending back|by"
                    ),
                    reply,
                ),
                Seq(Alt(answers, says), by, reply, COMMA, ASKED),
                Seq(ASKED, more, COMMA, Opt(Words("then")), Alt(answers, says), by, reply),
                Seq(COMMAND, Alt(answers, says), by, reply),
                Feature(Seq(COMMAND, Words("with|by"), reply), "elided", True),
                Seq(
                    COMMAND,
                    Mark(
                        Words(
                            "is answered|is answered with|is answered by|->|:|"
                            "gives|gives back|must be answered with|"
                            "should be answered with|be answered with|"
                            "to be answered with|gets|asks for|requests"
                        ),
                        "answer",
                    ),
                    reply,
                ),
            ),
            more,
        ),
        _command,
    )


def _command(features: Features) -> Features | None:
    value, answer = value_of(features, "value"), value_of(features, "answer")
    return with_spans(
        features,
        Command(
            word=str(value_of(features, "command")),
            value=value if isinstance(value, ValueRef) else None,
            text=str(answer) if answer is not None else "",
            verb=value_of(features, "elided") is None,
        ),
    )
