"""How a topic of the device's cloud is named, quoted or not."""

from collections.abc import Sequence

from controlplane.planning.grammar import (
    Alt,
    Chart,
    Feature,
    Features,
    Mapped,
    Mark,
    Match,
    Opt,
    Rule,
    Seq,
    Words,
)
from controlplane.planning.phrases import TEXT
from controlplane.planning.rates import value_of
from controlplane.planning.tokens import Kind, Token

CLOUD = Mark(
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


QUOTED_TOPIC = Mapped(TEXT, lambda features: (("topic", value_of(features, "text")),))
NAMED = Feature(
    Seq(
        Words("topic|mqtt topic|cloud topic|topic named|topic called|topic name"),
        Alt(QUOTED_TOPIC, _BareTopic()),
    ),
    "named",
    True,
)


def say_topic(features: Features) -> str:
    """What a named topic is told as."""
    return f"topic {value_of(features, 'topic')}"


TOPIC = Mark(
    Alt(
        Seq(Opt(Words("to|on|under|at|in|into|as|of|from|with|using")), NAMED),
        Seq(Words("to|on|under|as"), QUOTED_TOPIC),
    ),
    say_topic,
)
