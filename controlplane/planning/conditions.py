"""Thresholds: "switch the relay on above 30 C and off below 28 C", in many wordings."""

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
    Amount,
    Condition,
    Dimension,
    OutputRef,
    SensorRef,
    Switch,
)
from controlplane.planning.phrases import AMOUNT, Things
from controlplane.planning.rates import value_of, values_of, words
from controlplane.planning.wording import LEAD, verb

_INTRO = words(
    {
        "when|if|once|whenever|as soon as|every time|in case|any time|anytime|"
        "after|each time|for|at|when ever|should": "edge",
        "only if|only when|only": "only",
        "while|as long as|whilst|so long as|only while|during": "level",
    },
    "intro",
)
_RISES = (
    "rises|climbs|has risen|goes up|increases|rise|warms up|heats up|has climbed|rising|climbing"
)
_FALLS = (
    "falls|drops|has fallen|sinks|goes down|decreases|drops back|falls back|has dropped|fall|drop|"
    "cools|cools down|cools off|falls again|drops again|dips|falling|dropping"
)
_LINK = Alt(
    Words(
        "is|goes|gets|becomes|was|comes|reads|moves|stays|remains|is back|go|of|shows|goes back|"
        "has gone|comes back|gets back|is again|back|of more|are|passes|crosses|runs|value is|"
        "sensor reads|sensor shows|measures"
    ),
    Feature(Words(_RISES), "moving", ">"),
    Feature(Words(_FALLS), "moving", "<"),
)
_COMPARE = words(
    {
        "above|over|greater than|higher than|more than|exceeds|hotter than|warmer than|>|exceeding|"
        "beyond|past|larger than|surpasses|brighter than|exceed|upwards of|is >": ">",
        "at least|>=|≥|at or above|reaches|reaching|rises to|climbs to|increases to|reach|"
        "equal to or above|equal to or greater than|greater than or equal to|above or equal to|"
        "gets to|hits|warms up to|has reached|no less than|not less than": ">=",
        "below|under|less than|lower than|colder than|cooler than|<|beneath|darker than|"
        "smaller than": "<",
        "at most|<=|≤|at or below|falls to|drops to|decreases to|cools to|cools down to|"
        "less than or equal to|equal to or below|equal to or less than|below or equal to|"
        "sinks to|drops back to|falls back to|no more than|not more than|no longer above|"
        "no longer over": "<=",
        "at|from": "at",
    },
    "op",
)
_NEARNESS = words(
    {
        "closer than|nearer than|closer|nearer": "<",
        "farther than|further than|farther away than|further away than": ">",
    },
    "op",
)
_WITHIN = Feature(Feature(Words("within"), "op", "<"), "bounded", True)
_OBJECT = Feature(
    Words(
        "something|anything|object|any object|obstacle|someone|somebody|anyone|anybody|person|hand|"
        "visitor|target|it"
    ),
    "sensor",
    SensorRef("hc_sr04"),
)
_AWAY = Words("away|away from it|away from sensor|from sensor|from it|off|distant|of sensor|of it")
_LENGTHS = frozenset(
    {
        Dimension.CENTIMETRES,
        Dimension.MILLIMETRES,
        Dimension.METRES,
        Dimension.INCHES,
    }
)
_OR = words(
    {
        "or more|or above|or higher|or over|or hotter|or warmer|and above|and more|and higher|"
        "and over": ">=",
        "or less|or below|or lower|or under|or colder|or cooler|and below|and less|and lower|"
        "and under": "<=",
    },
    "op",
)
_ELSE = Mark(
    Feature(
        Words("otherwise|else|in all other cases|in any other case|in other cases"), "op", "else"
    ),
    "in every other case",
)
HYSTERESIS = Mark(
    Mapped(
        Alt(
            Seq(
                Opt(Words("with|using|use|and|, with|apply|add|has|allow")),
                Words(
                    "hysteresis of|hysteresis|hysteresis band of|hysteresis is|hysteresis :|"
                    "deadband of|dead band of|hysteresis to|hysteresis being|hysteresis width of"
                ),
                AMOUNT,
            ),
            Seq(
                Opt(Words("with|using|use|and|, with|apply|add|has|allow")),
                AMOUNT,
                Words("hysteresis|of hysteresis|hysteresis band|deadband|dead band"),
            ),
            Words(
                "without hysteresis|with no hysteresis|no hysteresis|without any hysteresis", "none"
            ),
        ),
        lambda features: (
            ("hysteresis", value_of(features, "amount")),
            *((("nohyst", True),) if value_of(features, "none") else ()),
        ),
    ),
    "hysteresis",
)
STATE = Mark(
    Alt(
        Feature(
            Words(
                "on|be on|is on|stays on|to be on|being on|to on|to high|high|goes on|"
                "back on|on again|comes on|remains on"
            ),
            "state",
            True,
        ),
        Feature(
            Words(
                "off|be off|is off|stays off|to be off|off again|back off|being off|"
                "to off|to low|low|remains off"
            ),
            "state",
            False,
        ),
        Feature(
            Feature(
                Words("goes off|go off|going off|to go off|goes off again|go off again"),
                "goes_off",
                True,
            ),
            "state",
            False,
        ),
    ),
    lambda features: "on" if value_of(features, "state") else "off",
)
_ON_VERBS = (
    "activate|enable|start|energise|energize|sound|light|light up|trigger|ring|engage|"
    "turn on|switch on|power on|power up|fire up|go on|come on|operate|kick in"
)
_OFF_VERBS = (
    "deactivate|disable|stop|de energise|de energize|silence|mute|extinguish|disengage|turn off|"
    "switch off|power off|shut off|shut down|power down|cut off|deenergise|deenergize"
)
_NEUTRAL = "turn|switch|set|put|drive|power|bring|go|come|control|use|keep"
_AIMS = frozenset(
    {"keep", "keeps", "keeping", "kept", "bring", "brings", "bringing", "use", "control", "drive"}
)
_SEPARATED = Opt(Words(",|:|then|, then|, only|only"))


def switch_words(things: Things) -> tuple[Rule, Rule, Rule]:
    """The verbs that switch, the outputs that they switch, and on or off."""
    it = Mark(Feature(Words("it|them|that|this"), "output", OutputRef("it")), "the output before")
    outputs = Alt(
        Seq(
            Opt(Words("using|use|with")),
            things.output,
            Opt(Seq(Words("and|, and|&|as well as|and also"), things.output)),
        ),
        it,
    )
    verbs = Alt(
        Feature(verb(_ON_VERBS + "|run", "switch on", "verb"), "state", True),
        Feature(verb(_OFF_VERBS, "switch off", "verb"), "state", False),
        verb(_NEUTRAL, "switch", "verb"),
    )
    return verbs, outputs, STATE


def build_condition(things: Things) -> Rule:
    """The clause that switches outputs under a condition."""
    verbs, outputs, state = switch_words(things)
    items = Items(
        {
            "verb": verbs,
            "outputs": outputs,
            "state": state,
            "condition": condition_rule(things),
            "until": _until(things),
            "hysteresis": HYSTERESIS,
            "again": Mark(Words("again|back|back again"), "again"),
        },
        ("condition",),
        _SEPARATED,
    )
    return Mapped(Seq(LEAD, Opt(Words("to")), items), _switches)


def build_elided_switch(things: Things) -> Rule:
    """The second half of a threshold without a separator: "on > 30 C off < 28 C"."""
    return Mapped(Seq(STATE, condition_rule(things)), _switches)


def condition_rule(things: Things) -> Rule:
    """A comparison of a sensor with an amount, as ("condition", Condition)."""
    body, referring = _body(things), _referring()
    spoken = Alt(Seq(Opt(_INTRO), body), Seq(_INTRO, referring))
    return Alt(
        Mapped(Mark(spoken, _say_condition), _condition),
        Mapped(_ELSE, _condition),
    )


def _until(things: Things) -> Rule:
    body = Mark(
        Seq(Words("until|till|and stays so until"), Alt(_body(things), _referring())),
        _say_condition,
    )
    return Mapped(
        body,
        lambda features: tuple(
            ("until", value) if key == "condition" else (key, value)
            for key, value in _condition(features) or ()
        ),
    )


def _body(things: Things) -> Rule:
    measured = Opt(Alt(things.bare_sensor, things.sensor))
    return Alt(_compared(measured), _ranged(Alt(measured, _OBJECT)))


def _ranged(subject: Rule) -> Rule:
    """How near something is: "something is closer than 20 cm", "it is less than 1 m away"."""
    near = Seq(subject, Opt(_LINK), Alt(_NEARNESS, _WITHIN), AMOUNT, Opt(_AWAY))
    far = Seq(_OBJECT, Opt(_LINK), _COMPARE, AMOUNT, _AWAY)
    return Feature(Alt(near, far), "ranged", True)


def _referring() -> Rule:
    """A comparison of what was measured before: "it falls below 28 C"."""
    it = Words("it|it's|reading|value|measured value|its value|temperatures|measurement|that|there")
    return _compared(Feature(it, "sensor", SensorRef("it")))


def _compared(subject: Rule) -> Rule:
    return Alt(
        Seq(subject, Opt(_LINK), _COMPARE, AMOUNT),
        Seq(subject, Opt(_LINK), Opt(Words("at|to")), AMOUNT, _OR),
    )


def _say_condition(features: Features) -> str:
    amount, op = value_of(features, "amount"), value_of(features, "op")
    if not isinstance(amount, Amount):
        return "a condition"
    return f"{op} {float(amount.number):g} {amount.dimension}".strip()


def _condition(features: Features) -> Features | None:
    amount, op, sensor = (value_of(features, key) for key in ("amount", "op", "sensor"))
    moving = value_of(features, "moving")
    if value_of(features, "ranged") and isinstance(amount, Amount):
        # "Within 1 second" is no distance; "closer than 20" is one whose unit is missing.
        bare = amount.dimension is Dimension.BARE and not value_of(features, "bounded")
        if amount.dimension not in _LENGTHS and not bare:
            return None
        sensor = sensor or SensorRef("hc_sr04")
    if moving is not None and not str(op).startswith(str(moving)):
        return None
    condition = Condition(
        op=str(op),
        sensor=sensor if isinstance(sensor, SensorRef) else None,
        amount=amount if isinstance(amount, Amount) else None,
    )
    intro = value_of(features, "intro")
    spans = tuple(feature for feature in features if feature[0] == "span")
    return (("condition", condition), ("intro", intro), *spans)


def _goes(features: Features) -> bool:
    """Whether "off" is said by "goes off" or "set off", in whichever way it was divided."""
    going = str(value_of(features, "verb") or "").split()
    return value_of(features, "goes_off") is not None or bool(
        {"go", "goes", "going", "gone", "set", "sets", "setting"} & set(going)
    )


def _is_a_purpose(features: Features) -> bool:
    """Whether the condition is what somebody wants: "to keep the temperature above 20 C"."""
    keys = [key for key, _ in features if key in ("verb", "output", "state")]
    words = str(value_of(features, "verb") or "").split()
    aims = bool(_AIMS & set(words)) and "be" not in words
    if aims and keys[0] != "verb" and words[0] == "to":
        return True
    condition = value_of(features, "condition")
    named = isinstance(condition, Condition) and condition.sensor is not None
    return aims and named and value_of(features, "intro") is None


def _switches(features: Features) -> Features | None:
    states = {bool(state) for state in values_of(features, "state")}
    condition, until = value_of(features, "condition"), value_of(features, "until")
    if len(states) != 1 or not isinstance(condition, Condition) or _is_a_purpose(features):
        return None
    outputs = tuple(o for o in values_of(features, "output") if isinstance(o, OutputRef))
    hysteresis = value_of(features, "hysteresis")
    state = states.pop()
    first = Switch(
        outputs=outputs,
        state=state,
        condition=condition,
        hysteresis=hysteresis if isinstance(hysteresis, Amount) else None,
        no_hysteresis=bool(value_of(features, "nohyst")),
        holds=value_of(features, "intro") == "level",
        goes_off=not state and _goes(features),
    )
    spans = tuple(feature for feature in features if feature[0] == "span")
    if isinstance(until, Condition):
        second = Switch(outputs=outputs, state=not state, condition=until)
        return (("intent", first), ("intent", second), *spans)
    return (("intent", first), *spans)
