"""The cloud: "publish the temperature every 10 seconds", "when a message arrives on topic fan"."""

from collections.abc import Sequence
from fractions import Fraction

from controlplane.planning.conditions import STATE, condition_rule
from controlplane.planning.grammar import (
    Alt,
    Chart,
    Feature,
    Features,
    Items,
    Mapped,
    Mark,
    Match,
    Opt,
    Rule,
    Seq,
    Words,
)
from controlplane.planning.intent import (
    Condition,
    MessageEffect,
    OutputRef,
    Publish,
    SensorRef,
    Subscribe,
    Unusable,
    ValueKind,
    ValueRef,
)
from controlplane.planning.phrases import TEXT, Things
from controlplane.planning.rates import CYCLE, value_of, values_of
from controlplane.planning.tokens import Kind, Token
from controlplane.planning.wording import ALWAYS, CHANNEL, COMMA, LEAD, PRINT, verb, with_spans

_SEND = "send|post|push|upload|report|transmit|stream|forward|log|print|write"
_CLOUD = Mark(
    Words(
        "|".join(
            f"{how} {what}"
            for how in ("to", "over", "via", "by", "through", "using", "on", "into", "with")
            for what in (
                "cloud",
                "mqtt",
                "broker",
                "mqtt broker",
                "cloud over mqtt",
                "cloud via mqtt",
            )
        )
    ),
    "by the device's cloud",
)


_NO_TOPIC = frozenset(
    [
        "and",
        "or",
        "but",
        "then",
        "to",
        "on",
        "off",
        "in",
        "at",
        "of",
        "from",
        "by",
        "with",
        "for",
        "if",
        "is",
        "it",
        "when",
        "whenever",
        "while",
        "until",
        "once",
        "twice",
        "every",
        "each",
        "after",
        "before",
        "over",
        "via",
        "through",
        "as",
    ]
)
"""Words that go on with the sentence where no topic was named; as topics they are quoted."""


class _BareTopic(Rule):
    """A topic that is not quoted: one word, or several joined by slashes without blanks."""

    __slots__ = ()

    def _match(self, chart: Chart, start: int) -> list[Match]:
        tokens = chart.tokens
        position = start
        while position < len(tokens) and tokens[position].filler:
            position += 1
        if position >= len(tokens) or tokens[position].kind is not Kind.WORD:
            return []
        if tokens[position].text in _NO_TOPIC:
            return []
        end = position + 1
        while _joined(tokens, end):
            end += 2
        topic = "".join(token.raw for token in tokens[position:end])
        return [(end, (("topic", topic),))]


def _joined(tokens: Sequence[Token], at: int) -> bool:
    """Whether a slash and a word follow without a blank."""
    if at + 1 >= len(tokens) or tokens[at].text != "/":
        return False
    word = tokens[at + 1]
    whole = tokens[at - 1].end == tokens[at].start and tokens[at].end == word.start
    return whole and word.kind is Kind.WORD


_QUOTED_TOPIC = Mapped(TEXT, lambda features: (("topic", value_of(features, "text")),))
_NAMED = Feature(
    Seq(
        Words("topic|mqtt topic|cloud topic|topic named|topic called|topic name"),
        Alt(_QUOTED_TOPIC, _BareTopic()),
    ),
    "named",
    True,
)


def _say_topic(features: Features) -> str:
    return f"topic {value_of(features, 'topic')}"


_TOPIC = Mark(
    Alt(
        Seq(Opt(Words("to|on|under|at|in|into|as|of|from|with|using")), _NAMED),
        Seq(Words("to|on|under|as"), _QUOTED_TOPIC),
    ),
    _say_topic,
)
_CHANGES = Mark(
    Feature(
        Words(
            "when it changes|whenever it changes|if it changes|each time it changes|"
            "every time it changes|on change|on every change|on each change|at each change|"
            "at every change|on changes|as it changes|once it changes|when its state changes|"
            "whenever its state changes|when state changes|whenever state changes"
        ),
        "changes",
        True,
    ),
    "at each change",
)


def _state_of_output(features: Features) -> Features | None:
    """An output that is named, as the value that is published."""
    output = value_of(features, "output")
    if not isinstance(output, OutputRef):
        return None
    spans = (feature for feature in features if feature[0] == "span")
    return (("value", ValueRef(ValueKind.OUTPUT, output=output)), *spans)


def publish_clause(things: Things) -> Rule:
    """Send values to the cloud: at a period, at changes, or when a sensor passes a number."""
    joint = Words(",|and|, and|&|as well as|plus")
    values = Seq(things.value, Opt(Seq(joint, things.value)), Opt(Seq(joint, things.value)))
    it = Mark(
        Feature(
            Words("it|them|this|that|value|reading"),
            "value",
            ValueRef(ValueKind.SENSOR, sensor=SensorRef("it")),
        ),
        "the value before",
    )
    pressing = Mark(
        Feature(
            Feature(
                Seq(
                    Words(
                        "each|every|all|when|whenever|on each|on every|each time|every time", "each"
                    ),
                    things.button,
                    Words("press|presses|is pressed|pressed|gets pressed|push|pushes"),
                ),
                "value",
                ValueRef(ValueKind.PRESSES),
            ),
            "changes",
            True,
        ),
        "at each press",
    )
    changing = Feature(
        Seq(
            Mark(
                Words(
                    "state changes|changes|every change|each change|every state change|"
                    "each state change|all changes|all state changes|any change|any state change"
                ),
                "each change",
            ),
            Words("of|in|to"),
            Alt(
                things.value,
                Mapped(things.output, _state_of_output),
            ),
        ),
        "changes",
        True,
    )
    changed = Feature(
        Seq(
            Mapped(things.output, _state_of_output),
            Mark(Words("state changes|changes|'s state changes"), "each change"),
        ),
        "changes",
        True,
    )
    items = Items(
        {
            "verb": Alt(verb("publish", "publish", "publish"), verb(_SEND, "send", "send")),
            "values": Alt(values, it, pressing, changing, changed),
            "cycle": CYCLE,
            "changes": _CHANGES,
            "pressed": Mark(
                Feature(
                    Seq(
                        Words("when|whenever|if|once|each time|every time|as soon as"),
                        things.button,
                        Words("is pressed|pressed|gets pressed|is pushed|is clicked"),
                    ),
                    "pressed",
                    True,
                ),
                "at each press",
            ),
            "condition": condition_rule(things),
            "topic": _TOPIC,
            "cloud": Feature(_CLOUD, "cloud", True),
            "always": ALWAYS,
        },
        ("verb", "values"),
        COMMA,
    )
    return Mapped(Seq(LEAD, items), _publish)


def _publish(features: Features) -> Features | None:
    # Other verbs also speak of the console.
    if not any(value_of(features, said) for said in ("publish", "cloud", "named")):
        return None
    values = tuple(v for v in values_of(features, "value") if isinstance(v, ValueRef))
    period, condition = value_of(features, "period"), value_of(features, "condition")
    changes = value_of(features, "changes") is not None
    presses = all(value.kind is ValueKind.PRESSES for value in values)
    if value_of(features, "pressed") is not None:
        if not presses:
            return with_spans(features, _not_at_presses())
        changes = True
    if sum((period is not None, changes, condition is not None)) > 1:
        return with_spans(features, _twice())
    if value_of(features, "intro") in ("level", "only"):
        return with_spans(features, _lasting())
    return with_spans(
        features,
        Publish(
            values=values,
            period=period if isinstance(period, Fraction) else None,
            # The presses themselves are what happens.
            changes=changes or (presses and period is None and condition is None),
            condition=condition if isinstance(condition, Condition) else None,
            topic=str(value_of(features, "topic") or ""),
        ),
    )


def _not_at_presses() -> Unusable:
    return Unusable(
        code="E152",
        subject="publish",
        message="at a press only the number of presses can be published.",
        fix='Say "publish the button presses", or a period: "every 10 seconds".',
    )


def _lasting() -> Unusable:
    return Unusable(
        code="E152",
        subject="publish",
        message="under a condition a value is published once, not for as long as that holds.",
        fix='Say "publish the temperature when it rises above 30 C", or a period without it.',
    )


def _twice() -> Unusable:
    return Unusable(
        code="E152",
        subject="publish",
        message="it is published for two different reasons.",
        fix='Say one: "publish the temperature every 10 seconds".',
    )


_MESSAGE = "message|messages|mqtt message|mqtt messages|cloud message|cloud messages|command"
_ANY = Words(_MESSAGE + "|any message|new message|every message|each message|all messages")
_COMES = Words(
    "arrives|arrive|comes in|come in|is received|are received|comes|received|is published|"
    "gets published|appears|arriving|coming in|was received"
)
_SAYS = Mapped(TEXT, lambda features: (("payload", value_of(features, "text")),))


def _trigger() -> Rule:
    """The message that is waited for."""
    when = Words("when|whenever|if|once|as soon as|every time|each time|after|on|upon|at")
    what = Alt(Seq(Opt(_ANY), _SAYS), _ANY, Seq(_ANY, Words("saying|with text|with"), _SAYS))
    place = Opt(Alt(_TOPIC, _CLOUD))
    return Mark(
        Seq(
            when,
            Alt(
                Seq(what, _COMES, place),
                Seq(what, place, _COMES),
                Seq(what, _TOPIC),
                Seq(Words("i publish|someone publishes|cloud sends"), what, place),
            ),
        ),
        "at each message",
    )


def _effects(things: Things) -> Rule:
    """What a message does to an output."""
    outputs = Seq(things.output, Opt(Seq(Words("and|, and|&|as well as|and also"), things.output)))
    it = Mark(Feature(Words("it|them"), "output", OutputRef("it")), "the output before")
    which = Alt(outputs, it)
    switch = verb("turn|switch|set|put", "switch")
    obeys = Mark(
        Words(
            "on or off|on and off|on / off|to it|accordingly|to its payload|to message|to payload|"
            "to its text|to what it says|as it says|as message says"
        ),
        "as the message says",
    )
    return Alt(
        Feature(
            Seq(verb("toggle|invert|flip|toggle state of", "toggle"), which),
            "effect",
            MessageEffect.TOGGLE,
        ),
        Feature(
            Alt(Seq(switch, which, obeys), Seq(switch, obeys, which)), "effect", MessageEffect.OBEY
        ),
        Mapped(Alt(Seq(switch, which, STATE), Seq(switch, STATE, which)), _switched),
        Feature(
            Seq(verb("turn on|switch on|activate|enable|start|light", "switch on"), which),
            "effect",
            MessageEffect.ON,
        ),
        Feature(
            Seq(verb("turn off|switch off|deactivate|disable|stop", "switch off"), which),
            "effect",
            MessageEffect.OFF,
        ),
    )


def _switched(features: Features) -> Features | None:
    setting = str(value_of(features, "verb") or "").split()
    if not value_of(features, "state") and {"set", "sets", "setting"} & set(setting):
        return None  # "set off the alarm" can mean either
    effect = MessageEffect.ON if value_of(features, "state") else MessageEffect.OFF
    kept = tuple(feature for feature in features if feature[0] in ("output", "span"))
    return (("effect", effect), *kept)


def _printing() -> Rule:
    return Feature(
        Seq(
            verb(PRINT, "print"),
            Mark(
                Words(
                    "it|them|message|messages|its text|payload|its payload|text of message|"
                    "every message|each message|all messages|what arrives|whatever arrives"
                ),
                "the message",
            ),
            Opt(CHANNEL),
        ),
        "effect",
        MessageEffect.PRINT,
    )


def message_clause(things: Things) -> Rule:
    """Do something at each message of a topic."""
    doing = Alt(_effects(things), _printing())
    trigger = _trigger()
    then = Opt(Words(",|then|, then"))
    joint = Opt(Words(",|and|, and|, then|and then"))
    subscribe = Seq(
        verb("subscribe to|listen to|listen on|subscribe", "subscribe"),
        Opt(Words(_MESSAGE)),
        Alt(_TOPIC, Mark(_QUOTED_TOPIC, _say_topic)),
        Opt(_CLOUD),
    )
    controlled = Feature(
        Seq(
            verb("control|drive|steer|operate|set|switch|turn", "switch"),
            things.output,
            Opt(Mark(Words("on and off|on or off|on / off"), "as the message says")),
            Alt(
                Mark(
                    Seq(
                        Words("by|with|from|via|through|over|on|according to"),
                        Opt(Words(_MESSAGE)),
                        Alt(_NAMED, Seq(Words("on|from|of|to"), _NAMED)),
                    ),
                    _say_topic,
                ),
                Mark(
                    Words(
                        "from cloud|over mqtt|via mqtt|by mqtt|by cloud|through cloud|via cloud|"
                        "over cloud|by cloud messages|by mqtt messages|with mqtt messages"
                    ),
                    "by the device's cloud",
                ),
            ),
        ),
        "effect",
        MessageEffect.OBEY,
    )
    alone = Feature(subscribe, "effect", MessageEffect.PRINT)
    return Mapped(
        Seq(
            LEAD,
            Alt(
                Seq(trigger, then, doing),
                Seq(doing, COMMA, trigger),
                Seq(subscribe, joint, Alt(doing, Seq(trigger, then, doing), Seq(doing, trigger))),
                controlled,
                alone,
            ),
        ),
        _message,
    )


def _message(features: Features) -> Features | None:
    topics = {str(topic) for topic in values_of(features, "topic")}
    effect = value_of(features, "effect")
    outputs = tuple(o for o in values_of(features, "output") if isinstance(o, OutputRef))
    if len(topics) > 1 or not isinstance(effect, MessageEffect):
        return None
    return with_spans(
        features,
        Subscribe(
            effect=effect,
            topic=next(iter(topics), ""),
            outputs=tuple(dict.fromkeys(outputs)),
            payload=str(value_of(features, "payload") or ""),
        ),
    )
