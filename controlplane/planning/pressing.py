"""The button: "toggle the LED when the button is pressed", in many wordings."""

from fractions import Fraction

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
    Action,
    ActionKind,
    Debounce,
    OutputRef,
    Press,
)
from controlplane.planning.phrases import TEXT, Things
from controlplane.planning.rates import DURATION, value_of, values_of
from controlplane.planning.wording import (
    CHANNEL,
    COMMA,
    LEAD,
    PRINT,
    seconds_as,
    verb,
    with_spans,
)

_WHEN = Opt(
    Words(
        "when|if|whenever|every time|each time|once|after|any time|anytime|as soon as|on "
        "every|at every"
    )
)
_PRESSED = Words(
    "is pressed|gets pressed|is pushed|pressed|goes down|is hit|is clicked|was pressed|"
    "has been pressed|pushed|is activated|being pressed|press|is pressed down"
)
_EACH = [
    "",
    "by ",
    *(
        f"{when}{which}"
        for when in ("", "on ", "at ", "with ", "upon ", "for ", "after ")
        for which in ("", "each ", "every ")
    ),
]
_PRESSING = Words(
    "|".join(
        f"{each}{noun} {of}"
        for each in _EACH
        for noun in ("press", "push", "click")
        for of in ("of", "on")
    )
    + "|i press|you press|user presses|someone presses|somebody presses|i push|pressing|press of|"
    "pushing|push of|press on|pressing of|presses of|presses on|you push|click of|i hit|we press|"
    "i click|clicking|pressing on|press|on press of|each press of|every press of|on each press of|"
    "on every press of|at each press of|with each press of|with every press of|upon press of|"
    "for each press of|for every press of|at every press of|by pressing|on pressing|upon pressing"
)
_ENCODER = "encoder|rotary encoder|encoder knob|rotary encoder knob"
DEBOUNCE_DEFAULT = Fraction(-1)
_DEBOUNCE_NUMBER = Mapped(
    Alt(
        Seq(
            Opt(Words("with|use|using|and|, with|at|has")),
            DURATION,
            Words(
                "debounce|debouncing|debounce time|of debounce|of debouncing|debounce period|"
                "debounce delay|debounce interval"
            ),
        ),
        Seq(
            Opt(Words("with|use|using|and|, with|is|apply|set|has|should be")),
            Words(
                "debounce|debounce :|debouncing :|"
                "debounce time of|debounce of|debounced by|debounced for|debounced with|"
                "debounced at|debounced|debouncing of|debounce time|debounce time :|"
                "debounce time to|debounce is|debounce time is|debouncing|debounce to|"
                "debouncing time of|debounce period of|debounce delay of|debounce interval of|"
                "debounced over|debounced in"
            ),
            DURATION,
        ),
    ),
    seconds_as("debounce"),
)
_DEBOUNCE = Mark(
    Alt(
        _DEBOUNCE_NUMBER,
        Feature(
            Words("debounced|with debounce|with debouncing|and debounce it|debounce it"),
            "debounce",
            DEBOUNCE_DEFAULT,
        ),
    ),
    "debounce time",
)


def _trigger(things: Things) -> Rule:
    button = things.button
    knob = Feature(Words(_ENCODER), "button", OutputRef("button", label="external"))
    spoken = Alt(
        Seq(_WHEN, Alt(button, Mark(knob, "the switch of the encoder")), _PRESSED),
        Seq(_WHEN, _PRESSING, Mark(knob, "the switch of the encoder")),
        Seq(_WHEN, _PRESSING, button),
        Seq(
            Words(
                "on|at|upon|with|for|after|when|per|by|each|every|on each|on every|at each|"
                "at every|with each|with every|for each|for every|upon each|upon every|"
                "after each|after every"
            ),
            button,
            Words("press|push|click|presses|pressing"),
        ),
        Seq(button, Words("press|presses|push|pushes")),
        Words(
            "on each press|on every press|at each press|at every press|each press|every press|"
            "with each press|with every press"
        ),
        Seq(Opt(Words("with|using|use|via|by|by means of|from|have")), button, Opt(Words("to"))),
    )
    return Mark(spoken, "at each press of the button")


def _actions(things: Things) -> Rule:
    toggle = verb("toggle|invert|flip|toggle state of|change state of", "toggle", "toggle")
    counting = verb("count", "count", "counting")
    printing = verb(PRINT, "print", "printing")
    message = Mark(
        Alt(
            Seq(
                Opt(
                    Words(
                        "line|message|text|string|word|words|line saying|message saying|"
                        "line with|line reading|message reading"
                    )
                ),
                TEXT,
            ),
            Words("line|message|text line|message line|line of text", "line"),
        ),
        "a line of text",
    )
    counted = Mark(
        Words(
            "it|them|presses|press|button presses|number of presses|how often it was pressed|"
            "count|number of button presses|press count|total|total count|total number of presses|"
            "running count|new count|count of presses|number of times it was pressed|up|"
            "number|current count|how many times it was pressed|counter|press counter"
        ),
        "the presses",
    )
    switch = verb("switch|turn", "toggle", "toggle")
    both = Mark(Words("on or off|on / off|off or on"), "toggle")
    one = Alt(
        Mapped(
            Seq(switch, Alt(Seq(things.output, both), Seq(both, things.output))), _toggle_action
        ),
        Mapped(Seq(toggle, things.output), _toggle_action),
        Mapped(Seq(things.output, toggle), _toggle_action),
        Mapped(Seq(printing, message, Opt(CHANNEL)), _print_action),
        Mapped(Seq(printing, counted, Opt(CHANNEL)), _count_action),
        Mapped(
            Seq(
                counting,
                Opt(counted),
                Opt(Seq(Words("and|, and"), printing, counted)),
                Opt(CHANNEL),
            ),
            _count_action,
        ),
        Mapped(
            Seq(
                verb("increment|increase|advance|bump", "count"),
                Mark(Words("counter|count|press counter|press count|number"), "the presses"),
                Opt(Seq(Words("and|, and"), printing, counted)),
                Opt(CHANNEL),
            ),
            _count_action,
        ),
    )
    more = Opt(Seq(Words("and|, and|,|and also|, then|and then|then"), one))
    return Seq(one, more, more)


def _action(features: Features, action: Action) -> Features:
    return (("action", action), *(f for f in features if f[0] == "span"))


def _toggle_action(features: Features) -> Features | None:
    output = value_of(features, "output")
    if not isinstance(output, OutputRef):
        return None
    return _action(features, Action(ActionKind.TOGGLE, output=output))


def _print_action(features: Features) -> Features | None:
    text = value_of(features, "text")
    return _action(
        features, Action(ActionKind.PRINT, text="button pressed" if text is None else str(text))
    )


def _count_action(features: Features) -> Features | None:
    said = "print" if value_of(features, "printing") is not None else ""
    return _action(features, Action(ActionKind.COUNT, text=said))


def press_clause(things: Things) -> Rule:
    """Do something at each press of the button, or count the presses."""
    items = Items(
        {
            "trigger": _trigger(things),
            "actions": Seq(Opt(Words("then")), _actions(things)),
            "more": Seq(Opt(Words("and|, and|and also|also|then")), _actions(things)),
            "debounce": _DEBOUNCE,
            "channel": CHANNEL,
        },
        ("trigger", "actions"),
        COMMA,
    )
    counting = Items(
        {
            "count": Mark(
                Seq(
                    Words("count|counts|counting|to count|count how often|count how many times"),
                    Opt(Words("number of|all|each|every|how many|how often")),
                    Alt(
                        Seq(
                            things.button,
                            Words("presses|press|pushes|clicks|is pressed|was pressed"),
                        ),
                        Seq(
                            Words("presses of|press of|pushes of|presses on|clicks of"),
                            things.button,
                        ),
                    ),
                ),
                "count the presses of the button",
            ),
            "print": Seq(
                Words("and|, and"),
                verb(PRINT, "print", "printing"),
                Mark(
                    Words(
                        "it|them|count|number|total|result|running total|count each time|"
                        "number each time|total each time|count on each press|"
                        "count at each press|count every time|total at each press|"
                        "total at every press|total on each press|total on every press|"
                        "count on every press|count at every press|number at each press|"
                        "number on each press|number at every press|number on every press"
                    ),
                    "the count",
                ),
            ),
            "debounce": _DEBOUNCE,
            "channel": CHANNEL,
        },
        ("count",),
        COMMA,
    )
    by_button = Seq(
        things.button,
        verb("switch|turn", "toggle", "toggle"),
        things.output,
        Mark(Words("on and off|off and on"), "toggle"),
        Opt(_DEBOUNCE),
    )
    return Alt(
        Mapped(Seq(LEAD, items), _press),
        Mapped(Seq(LEAD, by_button), lambda f: _press((*f, *(_toggle_action(f) or ())[:1]))),
        Mapped(Seq(LEAD, counting), lambda f: _press((*f, *(_count_action(f) or ())[:1]))),
    )


def _press(features: Features) -> Features | None:
    button = value_of(features, "button")
    said = [a for a in values_of(features, "action") if isinstance(a, Action)]
    counts = [a for a in said if a.kind is ActionKind.COUNT]
    plain = [a for a in said if a.kind is not ActionKind.COUNT]
    actions = (*dict.fromkeys(plain), *sorted(counts, key=lambda count: count.text)[-1:])
    debounce = value_of(features, "debounce")
    return with_spans(
        features,
        Press(
            button=button if isinstance(button, OutputRef) else None,
            actions=actions,
            debounce=debounce if isinstance(debounce, Fraction) else None,
        ),
    )


def debounce_clause(things: Things) -> Rule:
    """A debounce time said on its own."""
    by = Seq(
        Words("debounce"), things.button, Words("with|for|by|at|to|over|using|within|in"), DURATION
    )
    of = Seq(things.button, _DEBOUNCE_NUMBER)
    rule = Mark(
        Alt(
            Mapped(
                by,
                lambda f: (("debounce", value_of(f, "seconds")), ("button", value_of(f, "button"))),
            ),
            _DEBOUNCE_NUMBER,
            of,
            Seq(_DEBOUNCE_NUMBER, Words("for|on|of|at"), things.button),
        ),
        "debounce time",
    )
    return Mapped(Seq(LEAD, rule), _debounce)


def _debounce(features: Features) -> Features | None:
    seconds, button = value_of(features, "debounce"), value_of(features, "button")
    if not isinstance(seconds, Fraction):
        return None
    return with_spans(
        features,
        Debounce(seconds=seconds, button=button if isinstance(button, OutputRef) else None),
    )
