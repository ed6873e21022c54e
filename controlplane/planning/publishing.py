"""Values for the cloud: "publish the temperature every 10 seconds"."""

from fractions import Fraction

from controlplane.planning.conditions import condition_rule
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
    Condition,
    OutputRef,
    Publish,
    SensorRef,
    Unusable,
    ValueKind,
    ValueRef,
)
from controlplane.planning.phrases import Things
from controlplane.planning.rates import CYCLE, value_of, values_of
from controlplane.planning.topics import CLOUD, TOPIC
from controlplane.planning.wording import ALWAYS, COMMA, LEAD, verb, with_spans

_SEND = "send|post|push|upload|report|transmit|stream|forward|log|print|write"
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
            "topic": TOPIC,
            "cloud": Feature(CLOUD, "cloud", True),
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
