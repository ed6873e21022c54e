"""What clauses share: lead-ins, verbs in all their forms, the console, adverbs."""

from collections.abc import Callable

from controlplane.planning.grammar import (
    Features,
    Mark,
    Opt,
    Rule,
    Words,
)
from controlplane.planning.intent import (
    Intent,
)
from controlplane.planning.rates import value_of

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
            "device has to|board has to|there is|there's|use|be able to|would you be so kind as to|"
            "i'd like to have|i would like to have|i want to have|it would be great if you could|"
            "it would be nice if you could|it would be nice if|it would be great if|"
            "can you make|could you make|would you make|make program that|make program which|"
            "write program which|write firmware which|write sketch which|create program that|"
            "i need firmware that|i need program that|i need device that|i need something that|"
            "would you mind|be so kind as to|also to|build firmware that|i'd like firmware that|"
            "would like|i wish|program it to|program board to|get|write code that|write code to|"
            "write program to|write firmware to|write sketch to|make firmware to"
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
            for place in [
                "serial",
                "serial port",
                "console",
                "uart",
                "usart",
                "usart2",
                "uart0",
                "serial console",
                "serial line",
                "serial monitor",
                "serial output",
                "terminal",
                "serial terminal",
                "serial link",
                "host",
                "pc",
                "console port",
                "me",
                "line",
                "serial interface",
                "serial connection",
            ]
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
            f"has to {head}",
            f"needs to {head}",
            f"that {third}",
            f"which {third}",
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

PRINT = (
    "report|print|log|output|send|transmit|write|show|tell me|give me|emit|send me|print out|"
    "show me"
)
MEASURE = "measure|read|sample|monitor|acquire|record"


def seconds_as(key: str) -> Callable[[Features], Features | None]:
    """Store a duration under a key of its own."""

    def change(features: Features) -> Features | None:
        return ((key, value_of(features, "seconds")),)

    return change
