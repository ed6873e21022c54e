"""Motion: "turn the lamp on for 30 s when motion is detected", in many wordings."""

from fractions import Fraction

from controlplane.planning.conditions import switch_words
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
from controlplane.planning.intent import Follow, InputRef, Notice, OutputRef
from controlplane.planning.phrases import TEXT, Things
from controlplane.planning.rates import UNIT_DURATION, value_of, values_of, words
from controlplane.planning.wording import CHANNEL, LEAD, PRINT, seconds_as, verb, with_spans

MOTION = InputRef("pir")
BEGAN, ENDED = "motion detected", "motion ended"

_INTRO = words(
    {
        "when|if|whenever|every time|each time|once|as soon as|on|upon|after|in case|any time|"
        "anytime": "edge",
        "while|as long as|whilst|so long as|only while|during|only when": "level",
    },
    "intro",
)
_MOVES = "motion|movement|any motion|any movement|some motion|some movement"
_HAPPENS = Words(
    "is detected|is seen|is sensed|is registered|is noticed|detected|gets detected|was detected|"
    "has been detected|is present|occurs|is reported|is found|seen|sensed"
)
_WHOLE = Words(
    "there is motion|there is movement|there's motion|there's movement|it detects motion|"
    "it sees motion|it senses motion|it detects movement|someone moves|something moves|"
    "somebody moves|anything moves|anybody moves"
)
_REPORTS = Words(
    "|".join(
        f"{says} {what}"
        for says in ("detects", "sees", "senses", "registers", "notices", "reports", "has detected")
        for what in ("motion", "movement", "any motion", "any movement", "something", "someone")
    )
    + "|is triggered|triggers|fires|is active|is activated|detects something moving|"
    "sees something moving|trips|is tripped"
)
_AFTER = Words(
    "after last motion|after motion ends|after motion has ended|after motion stops|"
    "after motion has stopped|after end of motion|without motion|without movement|"
    "without any motion|of no motion|without any movement|after last movement|"
    "after motion was last detected|after motion was last seen|after movement stops|"
    "after movement ends|after motion is over|after last detected motion|after last detection|"
    "of last motion"
)
_KEEP = Words(
    "|".join(
        f"{joint} {keep}"
        for joint in ("and", ", and", ",", "then", ", then", "and then")
        for keep in (
            "keep it on for",
            "keep on for",
            "leave it on for",
            "keeps it on for",
            "let it on for",
            "hold it on for",
            "hold it for",
            "stays on for",
            "stay on for",
            "off after",
            "off again after",
            "turn it off after",
            "turn it off again after",
            "switch it off after",
            "switch it off again after",
            "turns it off after",
            "switches it off after",
        )
    )
)
_OFF_AGAIN = Words(
    "|".join(
        f"{joint} {off}"
        for joint in ("and", ", and", ",", "then", ", then", "and then")
        for off in (
            "off",
            "off again",
            "turn it off",
            "turn it off again",
            "switch it off",
            "switch it off again",
            "turns it off",
            "switches it off",
        )
    )
)


def motion_clause(things: Things) -> Rule:
    """Switch outputs while there is motion, or print that there is."""
    event = _event(things)
    trigger = Mark(Seq(_INTRO, event), "while there is motion")
    return Alt(_follow_clause(things, trigger), _notice_clause(things, trigger))


def _event(things: Things) -> Rule:
    sensor = things.motion
    by = Opt(Seq(Words("by|with|from|using|via|at|of"), sensor))
    return Alt(
        Seq(Words(_MOVES), _HAPPENS, by),
        Seq(Words(_MOVES), by),
        _WHOLE,
        Seq(sensor, _REPORTS),
    )


def _hold() -> Rule:
    """How long an output stays on: "for 30 s", "and keep it on for 30 s after the last motion"."""
    return Mark(
        Mapped(
            Alt(
                Seq(Words("for"), UNIT_DURATION, Opt(_AFTER)),
                Seq(_KEEP, UNIT_DURATION, Opt(_AFTER)),
                Seq(Words("until"), UNIT_DURATION, _AFTER),
                Seq(_OFF_AGAIN, UNIT_DURATION, Alt(_AFTER, Words("later|afterwards"))),
            ),
            seconds_as("hold"),
        ),
        "how long it stays on",
    )


def _follow_clause(things: Things, trigger: Rule) -> Rule:
    verbs, outputs, state = switch_words(things)
    items = Items(
        {
            "verb": verbs,
            "outputs": outputs,
            "state": state,
            "trigger": trigger,
            "hold": _hold(),
        },
        ("outputs", "trigger"),
        Opt(Words(",|:|then|, then|, only|only")),
    )
    shows = Mark(Words("follows|follow|mirrors|mirror|to follow|to mirror"), "is on with it")
    mirror = Feature(
        Seq(outputs, shows, Alt(things.motion, Mark(Words(_MOVES), "motion"))), "state", True
    )
    return Mapped(Seq(LEAD, Opt(Words("to")), Alt(items, mirror)), _follow)


def _follow(features: Features) -> Features | None:
    states = {bool(state) for state in values_of(features, "state")}
    hold = value_of(features, "hold")
    if states != {True} or (hold is not None and value_of(features, "intro") == "level"):
        return None
    return with_spans(
        features,
        Follow(
            outputs=tuple(o for o in values_of(features, "output") if isinstance(o, OutputRef)),
            source=_source(features),
            hold=hold if isinstance(hold, Fraction) else None,
        ),
    )


def _source(features: Features) -> InputRef:
    source = value_of(features, "input")
    return source if isinstance(source, InputRef) else MOTION


def _notice_clause(things: Things, trigger: Rule) -> Rule:
    printing = verb(f"{PRINT}|tell|say|announce", "print", "printing")
    line = Opt(Words("line|message|text|string|word|line saying|message saying"))
    message = Mark(
        Alt(Seq(line, TEXT), Words("line|message|text line|line of text", "line")), "a line of text"
    )
    text = Items(
        {
            "print": Seq(printing, message, Opt(CHANNEL)),
            "trigger": trigger,
        },
        ("print", "trigger"),
        Opt(Words(",|then|, then")),
    )
    ends = Mark(
        Words(
            "and when it ends|and when it stops|and its end|and when it has ended|"
            "and when motion ends|and when motion stops|and its beginning and end",
            "ends",
        ),
        "its end too",
    )
    events = Mark(
        Feature(
            Seq(
                Words(
                    "motion|movement|motion events|movements|motion changes|motion state changes"
                ),
                Opt(Seq(Words("from|of|by|with|using|seen by|detected by"), things.motion)),
            ),
            "ends",
            "both",
        ),
        "motion",
    )
    told = Alt(
        Seq(printing, events, Opt(CHANNEL)),
        Seq(printing, Opt(CHANNEL), trigger, Opt(ends), Opt(CHANNEL)),
    )
    return Mapped(Seq(LEAD, Alt(text, told)), _notice)


def _notice(features: Features) -> Features | None:
    text = value_of(features, "text")
    if value_of(features, "intro") == "level":
        return None
    return with_spans(
        features,
        Notice(
            source=_source(features),
            began=BEGAN if text is None else str(text),
            ended=ENDED if value_of(features, "ends") is not None else "",
        ),
    )
