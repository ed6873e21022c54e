"""The RGB LED: colours one after the other, by the value of a sensor, or by command."""

from dataclasses import replace
from fractions import Fraction

from controlplane.planning.commands import ASKED, COMMAND
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
    Band,
    Bands,
    Cycle,
    Dimension,
    InputRef,
    Paint,
    SensorRef,
    Unusable,
)
from controlplane.planning.phrases import AMOUNT, Things
from controlplane.planning.rates import DURATION, EVERY, value_of, values_of
from controlplane.planning.wording import ALWAYS, COMMA, LEAD, verb, with_spans

BITS = {
    "off": 0,
    "red": 1,
    "green": 2,
    "yellow": 3,
    "blue": 4,
    "magenta": 5,
    "cyan": 6,
    "white": 7,
}
"""Colours that three pins show by on and off: 1 is red, 2 is green, 4 is blue."""

ALL = ("red", "yellow", "green", "cyan", "blue", "magenta", "white")
MOST = 8
_COLOUR = Words("|".join(BITS), "colour")
_COLOUR_SAID = Mark(_COLOUR, "a colour")
_JOINT = Words(",|and|, and|, then|then|and then|;")
_LOWER = Words("below|under|less than|colder than|lower than|if below|when below|up to|<")
_HIGHER = Words("above|over|more than|hotter than|higher than|if above|when above|from|exceeding|>")
_PUTS = verb("set|turn|switch|make|light|light up|show|colour|color|change", "show", "puts")


def colour_clause(things: Things) -> Rule:
    """All that an RGB LED can be asked for."""
    return Alt(_cycle_clause(things), _bands_clause(things), _paint_clause(things))


def _cycle_clause(things: Things) -> Rule:
    listed = Mark(
        Alt(
            _list(_COLOUR, 2),
            Feature(
                Words("all colours|all colors|all seven colours|all seven colors"), "all", True
            ),
        ),
        "colours",
    )
    step = Mark(
        Alt(
            Seq(
                Opt(Words("for|with|,|at")),
                Feature(DURATION, "each", True),
                Words("each|per colour|per color|for each|for each colour|for each color|apiece"),
            ),
            Feature(
                Seq(Words("changing|changing colour|changing color|, changing"), EVERY),
                "each",
                True,
            ),
            EVERY,
        ),
        "how long each colour shows",
    )
    cycling = Alt(
        Feature(verb("cycle|rotate|loop", "cycle"), "whole", True),
        verb("step|alternate|switch|change", "cycle"),
    )
    through = Words("through|between|among")
    shows = verb("show|display", "cycle")
    inturn = Mark(
        Words("in turn|one after other|one after another|in sequence|in order"), "in turn"
    )
    rgb = things.rgb
    body = Alt(
        Seq(cycling, rgb, through, listed),
        Seq(rgb, cycling, through, listed),
        Seq(cycling, through, listed, Words("on|with|using"), rgb),
        Seq(shows, listed, inturn, Words("on|with|using"), rgb),
        Seq(shows, listed, Words("on|with|using"), rgb, inturn),
    )
    return Mapped(
        Seq(LEAD, body, Opt(ALWAYS), COMMA, step, Opt(ALWAYS)),
        _cycle,
    )


def _list(item: Rule, least: int, most: int = MOST) -> Rule:
    """From ``least`` to ``most`` items with something between them."""
    rule: Rule = Seq()
    for _ in range(most - least):
        rule = Opt(Seq(_JOINT, item, rule))
    for _ in range(least - 1):
        rule = Seq(_JOINT, item, rule)
    return Seq(item, rule)


def _rgb_of(features: Features) -> InputRef | None:
    found = value_of(features, "rgb")
    return found if isinstance(found, InputRef) else None


def _cycle(features: Features) -> Features | None:
    source = _rgb_of(features)
    step = value_of(features, "seconds") or value_of(features, "period")
    if source is None or not isinstance(step, Fraction):
        return None
    if value_of(features, "whole") and not value_of(features, "each"):
        return with_spans(
            features,
            Unusable(
                code="E202",
                subject="RGB LED",
                message="the time can be that of each colour or that of all of them together.",
                fix='Say "1 s each", or "changing every second".',
            ),
        )
    colours = ALL if value_of(features, "all") else tuple(map(str, values_of(features, "colour")))
    return with_spans(features, Cycle(source=source, colours=colours, step=step))


def _bands_clause(things: Things) -> Rule:
    middle = Seq(
        Words("from|between|at"),
        AMOUNT,
        Words("to|and|through|up to|until|-"),
        _second(AMOUNT),
    )
    limits = Alt(
        Feature(Seq(_LOWER, AMOUNT), "side", "low"),
        Feature(Seq(_HIGHER, AMOUNT), "side", "high"),
        Feature(middle, "side", "middle"),
    )
    is_ = Opt(Words("when it is|if it is|when|if|while it is"))
    band = Mapped(Seq(_COLOUR, is_, Opt(things.bare_sensor), Opt(Words("is")), limits), _band)
    bands = Mark(_list(band, 2, 6), "colours by value")
    by = Words("with|on|by|using|as colour of|as color of")
    rgb = things.rgb
    showing = verb("show|display|indicate|signal", "show", "puts")
    body = Alt(
        Seq(showing, things.sensor, by, rgb, Opt(Words(":|,")), bands),
        Seq(Opt(Alt(_PUTS, showing)), rgb, Opt(Words(":|is|shows|,|to|lights|turns")), bands),
    )
    return Mapped(Seq(LEAD, body), _bands)


def _second(amount: Rule) -> Rule:
    return Mapped(amount, lambda f: tuple(("high" if k == "amount" else k, v) for k, v in f))


def _band(features: Features) -> Features | None:
    first, second = value_of(features, "amount"), value_of(features, "high")
    side, colour = value_of(features, "side"), str(value_of(features, "colour"))
    if not isinstance(first, Amount):
        return None
    sensor = tuple(f for f in features if f[0] == "sensor")
    if side == "low":
        return (("band", Band(colour, high=first)), *sensor)
    if side == "high":
        return (("band", Band(colour, low=first)), *sensor)
    if not isinstance(second, Amount):
        return None
    if first.dimension is Dimension.BARE:
        first = replace(first, dimension=second.dimension)
    return (("band", Band(colour, low=first, high=second)), *sensor)


def _bands(features: Features) -> Features | None:
    source = _rgb_of(features)
    sensors = {s for s in values_of(features, "sensor") if isinstance(s, SensorRef)}
    if source is None or len(sensors) > 1:
        return None
    bands = tuple(b for b in values_of(features, "band") if isinstance(b, Band))
    sensor = next(iter(sensors), None)
    return with_spans(features, Bands(source=source, sensor=sensor, bands=bands))


def _paint_clause(things: Things) -> Rule:
    rgb = things.rgb
    it = Mark(Words("it"), "the RGB LED")
    shown = Seq(_PUTS, Alt(rgb, it), Opt(Words("to")), _COLOUR_SAID)
    body = Alt(
        Seq(shown, COMMA, ASKED),
        Seq(ASKED, COMMA, Opt(Words("then")), shown),
        Seq(COMMAND, shown),
        Seq(Opt(Words("to")), _COLOUR_SAID, ASKED),
    )
    return Mapped(Seq(LEAD, body), _paint)


def _paint(features: Features) -> Features | None:
    return with_spans(
        features,
        Paint(
            source=_rgb_of(features),
            colour=str(value_of(features, "colour")),
            word=str(value_of(features, "command")),
        ),
    )
