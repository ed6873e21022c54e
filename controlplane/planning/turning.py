"""The rotary encoder: "print the position of the encoder whenever it changes", and the like."""

from controlplane.planning.grammar import (
    Alt,
    Features,
    Items,
    Mapped,
    Mark,
    Opt,
    Rule,
    Seq,
    Words,
)
from controlplane.planning.intent import InputRef, Turn
from controlplane.planning.phrases import Things
from controlplane.planning.rates import value_of
from controlplane.planning.wording import CHANNEL, COMMA, LEAD, PRINT, verb, with_spans

_EACH = [
    f"{before} {which} {step}"
    for before in ("on", "at", "with", "after", "upon", "for")
    for which in ("every", "each")
    for step in ("change", "step", "notch", "click", "detent", "movement")
]
_CHANGES = Words(
    "|".join(
        f"{when} it {moves}"
        for when in ("when", "whenever", "if", "every time", "each time", "as")
        for moves in ("changes", "is turned", "turns", "moves", "is rotated", "has changed")
    )
    + "|on change|on changes|when turned|when changed|"
    + "|".join(_EACH)
)
_TURNED = Words(
    "is turned|turns|moves|is rotated|is moved|changes|rotates|is turned by one step|is twisted|"
    "is turned in either direction"
)
_POSITION = "position|new position|current position|present position"
_COUNT = f"{_POSITION}|count|value|step count|new value"
_OF = Mark(Words("|".join(f"{word} of" for word in _COUNT.split("|"))), "its position")
_STEPS = Words(
    "steps of|notches of|detents of|clicks of|number of steps of|number of notches of|"
    "every step of|each step of|steps on|clicks on|every click of|each click of|step of|"
    "every notch of|each notch of|up and down with|up and down by"
)


def turn_clause(things: Things) -> Rule:
    """Print each new position, or count the notches."""
    encoder = things.encoder
    turned = Seq(Words("when|whenever|if|each time|every time|as|once"), encoder, _TURNED)
    changes = Mark(Alt(_CHANGES, turned), "at each step")
    printing = verb(f"{PRINT}|tell", "print", "printing")
    position = Alt(
        Seq(Opt(_OF), encoder),
        Seq(encoder, Mark(Words(_COUNT), "its position")),
        Mark(Words(_POSITION, "position"), "its position"),
        Mark(Words("it|count|value|step count|new value"), "its position"),
    )
    reading = Seq(
        verb("read|decode|track|monitor|watch|follow", "read"),
        Opt(_OF),
        encoder,
        Words("and|, and|,"),
    )
    printed = Items(
        {
            "print": Seq(Opt(reading), printing, position),
            "changes": changes,
            "channel": CHANNEL,
        },
        ("print", "changes"),
        COMMA,
    )
    counted = Seq(
        verb("count", "count", "count"),
        Mark(_STEPS, "its steps"),
        encoder,
        Opt(
            Seq(
                Words("and|, and"),
                printing,
                Mark(Words(_COUNT + "|it|them|total"), "its position"),
                Opt(changes),
            )
        ),
        Opt(CHANNEL),
    )
    return Mapped(Seq(LEAD, Alt(printed, counted)), _turn)


def _turn(features: Features) -> Features | None:
    source = value_of(features, "input")
    if source is None and value_of(features, "position") is None:
        return None
    return with_spans(
        features,
        Turn(
            source=source if isinstance(source, InputRef) else None,
            printed=value_of(features, "printing") is not None,
        ),
    )
