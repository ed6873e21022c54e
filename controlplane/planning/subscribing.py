"""Messages from the cloud: "when a message arrives on topic fan, turn the fan on or off"."""

from controlplane.planning.conditions import STATE
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
from controlplane.planning.intent import MessageEffect, OutputRef, Subscribe
from controlplane.planning.phrases import TEXT, Things
from controlplane.planning.rates import value_of, values_of
from controlplane.planning.topics import CLOUD, NAMED, QUOTED_TOPIC, TOPIC, say_topic
from controlplane.planning.wording import CHANNEL, COMMA, LEAD, PRINT, verb, with_spans

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
    place = Opt(Alt(TOPIC, CLOUD))
    return Mark(
        Seq(
            when,
            Alt(
                Seq(what, _COMES, place),
                Seq(what, place, _COMES),
                Seq(what, TOPIC),
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
        Alt(TOPIC, Mark(QUOTED_TOPIC, say_topic)),
        Opt(CLOUD),
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
                        Alt(NAMED, Seq(Words("on|from|of|to"), NAMED)),
                    ),
                    say_topic,
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
