"""What behaviours may ask for, and how their numbers and ids are written."""

from collections.abc import Sequence
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.intent import Blink, Intent, ValueKind
from controlplane.planning.resolve import Resolver, Thing

SHORTEST_BLINK_MS = Fraction(10)
"""Shortest blink period: 100 Hz is as fast as a 1 ms tick shows within 2 %."""

SHORTEST_PHASE_MS = Fraction(1)
SHORTEST_REPORT_MS = Fraction(20)
"""A line of 20 characters takes 2 ms at 115200 baud; several reports share the wire."""

SHORTEST_PUBLISH_MS = Fraction(100)
"""In a test build a message is two records, some 100 bytes: 9 ms of the wire at 115200 baud."""

LONGEST_RUN_MS = 600_000
"""Longest run that the scenario language accepts."""

LONGEST_PERIOD_MS = Fraction(LONGEST_RUN_MS - 5000) * 50 / 51
"""Longest period: one of it, 2 % late, has to fit into the longest scenario."""

LONGEST_S = int(LONGEST_PERIOD_MS / 1000)
DEBOUNCE_DEFAULT_MS = Fraction(30)
DEBOUNCE_RANGE_MS = (Fraction(5), Fraction(1000))
SHORTEST_HOLD_MS = 500
"""Shortest time that an output stays on after motion; less is not told from its reaction."""

LONGEST_HOLD_MS = 540_000
"""Longest one: it has to pass once after a second motion, in the longest scenario."""

SHORTEST_STEP_MS = 100
"""Shortest time of a colour: ten changes a second of three pins leave room for other records."""

LONGEST_STEP_MS = 60_000
"""Longest one: all colours have to be seen in one scenario."""

LONGEST_TEXT = 80
LONGEST_COMMAND = 32


def thing_name(thing: Thing) -> str:
    """How a thing is called in messages."""
    return named(thing.id)


def named(thing_id: str) -> str:
    """How the thing of an id is called: "LED", "red LED", "LED on PB5", "relay"."""
    *label, last = thing_id.split("_")
    if label == ["led"]:
        return f"LED on {last.upper()}"
    return " ".join([*label, "LED" if last == "led" else last])


def milliseconds(name: str, value: Fraction) -> Parameter:
    """A parameter in milliseconds, exact to a nanosecond."""
    return Parameter(name=name, value=decimal_text(value), unit=Unit.MILLISECONDS)


def is_usable_text(text: str, longest: int) -> bool:
    """Whether a text can travel as a line: printable ASCII, no spaces around it, no "${"."""
    plain = text.isascii() and text.isprintable() and text == text.strip()
    return bool(text) and plain and len(text) <= longest and "${" not in text


def check_text(
    resolver: Resolver, what: str, text: str, longest: int, at: Intent, *, subject: str = ""
) -> None:
    """Complain about a text that cannot travel as a line; ``subject`` is ``what`` by default."""
    if not is_usable_text(text, longest):
        message = f"the {what} {text[:100]!r} cannot be used: it has to be 1 to {longest} "
        message += "printable ASCII characters without spaces at its ends."
        resolver.complain("E159", subject or what, message, "Change the text.", at)


def complain_of_long_period(resolver: Resolver, subject: str, at: Intent) -> None:
    """Complain about a period that no scenario has the time for."""
    resolver.complain(
        "E152",
        subject,
        f"a period above {LONGEST_S} s cannot be proved here.",
        f"Use a period of at most {LONGEST_S} s.",
        at,
    )


def identifier(word: str) -> str:
    """An id made of the letters of a word."""
    plain = "".join(ch if ch.isalnum() and ch.isascii() else "_" for ch in word.lower())
    return plain.strip("_")[:20].strip("_") or "symbol"


def command_behaviour(
    word: str, *, answer: str = "", kind: ValueKind | None = None, things: Sequence[Thing] = ()
) -> Behaviour:
    """The behaviour of a console command: a fixed answer, or a value."""
    said = {
        ValueKind.UPTIME: "the uptime",
        ValueKind.COUNTER: "the counter",
        ValueKind.PRESSES: "the number of presses",
        ValueKind.POSITION: "the position of the encoder",
    }
    if kind is None:
        parameter, text = Parameter(name="answer", value=answer, unit=Unit.TEXT), repr(answer)
    else:
        parameter = Parameter(name="value", value=kind.value, unit=Unit.TEXT)
        thing = thing_name(things[0]) if things else ""
        state = f"the state of the {thing}" if kind is ValueKind.OUTPUT else f"the last {thing}"
        text = said.get(kind, state)
    return Behaviour(
        id=f"command_{identifier(word)}",
        kind=BehaviourKind.COMMAND,
        signals=tuple(name for thing in things for name in thing.signals),
        parameters=(Parameter(name="command", value=word, unit=Unit.TEXT), parameter),
        text=f"Answer {word!r} with {text}.",
    )


def blink_behaviour(intent: Blink, led: Thing) -> Behaviour:
    """The behaviour of a blinking LED."""
    on, off = intent.on * 1000, intent.off * 1000
    rate = 1000 / (on + off) if on + off > 0 else Fraction(0)
    return Behaviour(
        id=f"blink_{led.id}",
        kind=BehaviourKind.BLINK,
        signals=(led.id,),
        parameters=(
            Parameter(name="rate", value=decimal_text(rate), unit=Unit.HERTZ),
            milliseconds("period", on + off),
            milliseconds("on", on),
            milliseconds("off", off),
        ),
        text=f"Blink the {thing_name(led)} at {decimal_text(rate, 3)} Hz: "
        f"{decimal_text(on, 3)} ms on, {decimal_text(off, 3)} ms off.",
    )
