"""A small chart parser: rules give every way in which they match at a position, memoized.

A match is ``(end, features)``; features are (key, value) pairs, collected left to right. Filler
tokens may be skipped before any terminal, nothing else ever is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from controlplane.planning.tokens import Kind, Token

Features = tuple[tuple[str, object], ...]
Match = tuple[int, Features]

SPAN = "span"
"""Key of the feature that :class:`Mark` adds, a :class:`Span`."""


REACH = 8
"""Tokens within which a terminal is looked for: at most seven fillers are skipped at a time."""


class Span(NamedTuple):
    """Tokens from ``first`` up to, not including, ``end``, and what they mean."""

    first: int
    end: int
    meaning: str


class Chart:
    """The tokens of one prompt and every match found so far."""

    __slots__ = ("memo", "tokens")

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.memo: dict[tuple[int, int], tuple[Match, ...]] = {}


class Rule(ABC):
    """Something that can match at a token position."""

    __slots__ = ()

    def at(self, chart: Chart, start: int) -> tuple[Match, ...]:
        """Every distinct match that begins at ``start``."""
        key = (id(self), start)
        found = chart.memo.get(key)
        if found is None:
            found = chart.memo[key] = tuple(dict.fromkeys(self._match(chart, start)))
        return found

    @abstractmethod
    def _match(self, chart: Chart, start: int) -> list[Match]:
        """Compute the matches."""


class Terminal(Rule):
    """One token of a kind, its value stored under a key."""

    __slots__ = ("_key", "_kind")

    def __init__(self, kind: Kind, key: str) -> None:
        self._kind = kind
        self._key = key

    def _match(self, chart: Chart, start: int) -> list[Match]:
        for position in range(start, min(start + REACH, len(chart.tokens))):
            token = chart.tokens[position]
            if token.kind is self._kind:
                value = token.number if self._kind is Kind.NUMBER else token.text
                return [(position + 1, ((self._key, value),))]
            if not token.filler:
                break
        return []


class Words(Rule):
    """One of several phrases; alternatives are separated by "|", words by spaces.

    With ``values``, the feature ``key`` gets the value of the phrase that matched.
    """

    __slots__ = ("_key", "_tree", "_values")

    def __init__(
        self, phrases: str, key: str = "", values: Mapping[str, object] | None = None
    ) -> None:
        self._key = key
        self._values = values
        self._tree: dict[str, Any] = {}
        for phrase in phrases.split("|"):
            node = self._tree
            for word in phrase.split():
                node = node.setdefault(word, {})
            node[""] = phrase.strip()

    def _match(self, chart: Chart, start: int) -> list[Match]:
        matches: list[Match] = []
        pending: list[tuple[dict[str, object], int]] = [(self._tree, start)]
        while pending:
            node, position = pending.pop()
            phrase = node.get("")
            if isinstance(phrase, str):
                value = self._values[phrase] if self._values else phrase
                matches.append((position, ((self._key, value),) if self._key else ()))
            for step in range(position, min(position + REACH, len(chart.tokens))):
                token = chart.tokens[step]
                if token.kind in (Kind.WORD, Kind.MARK, Kind.NUMBER):
                    below = node.get(token.text)
                    if isinstance(below, dict):
                        pending.append((below, step + 1))
                if not token.filler:
                    break
        return matches


class Seq(Rule):
    """Rules one after the other."""

    __slots__ = ("_rules",)

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules

    def _match(self, chart: Chart, start: int) -> list[Match]:
        matches: list[Match] = [(start, ())]
        for rule in self._rules:
            matches = [
                (end, features + more)
                for position, features in matches
                for end, more in rule.at(chart, position)
            ]
            if not matches:
                break
        return matches


class Alt(Rule):
    """Any of several rules."""

    __slots__ = ("_rules",)

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules

    def _match(self, chart: Chart, start: int) -> list[Match]:
        return [match for rule in self._rules for match in rule.at(chart, start)]


class Opt(Rule):
    """A rule or nothing."""

    __slots__ = ("_rule",)

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def _match(self, chart: Chart, start: int) -> list[Match]:
        return [*self._rule.at(chart, start), (start, ())]


class Feature(Rule):
    """A rule whose match also carries a constant feature."""

    __slots__ = ("_feature", "_rule")

    def __init__(self, rule: Rule, key: str, value: object) -> None:
        self._rule = rule
        self._feature = (key, value)

    def _match(self, chart: Chart, start: int) -> list[Match]:
        return [(end, (*features, self._feature)) for end, features in self._rule.at(chart, start)]


class Mapped(Rule):
    """A rule whose features are turned into others; None rejects the match."""

    __slots__ = ("_change", "_rule")

    def __init__(self, rule: Rule, change: Callable[[Features], Features | None]) -> None:
        self._rule = rule
        self._change = change

    def _match(self, chart: Chart, start: int) -> list[Match]:
        matches: list[Match] = []
        for end, features in self._rule.at(chart, start):
            changed = self._change(features)
            if changed is not None:
                matches.append((end, changed))
        return matches


class Mark(Rule):
    """A rule whose tokens are accounted for as one understood span."""

    __slots__ = ("_meaning", "_rule")

    def __init__(self, rule: Rule, meaning: str | Callable[[Features], str]) -> None:
        self._rule = rule
        self._meaning = meaning

    def _match(self, chart: Chart, start: int) -> list[Match]:
        first = start
        while first < len(chart.tokens) and chart.tokens[first].filler:
            first += 1
        matches: list[Match] = []
        for end, features in self._rule.at(chart, start):
            if end <= first:
                matches.append((end, features))
                continue
            meaning = self._meaning if isinstance(self._meaning, str) else self._meaning(features)
            inner = tuple(feature for feature in features if feature[0] != SPAN)
            matches.append((end, (*inner, (SPAN, Span(first, end, meaning)))))
        return matches


class Items(Rule):
    """Items in any order, each at most ``limits`` times, joined by nothing or by ``joint``.

    ``required`` items must all be there. The freedom of English word order lives here.
    """

    __slots__ = ("_items", "_joint", "_limits", "_required")

    def __init__(
        self,
        items: Mapping[str, Rule],
        required: Sequence[str],
        joint: Rule,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._items = items
        self._required = frozenset(required)
        self._joint = joint
        self._limits = dict.fromkeys(items, 1) | dict(limits or {})

    def _match(self, chart: Chart, start: int) -> list[Match]:
        matches: list[Match] = []
        pending: list[tuple[int, tuple[str, ...], Features]] = [(start, (), ())]
        while pending:
            position, used, features = pending.pop()
            if self._required <= set(used):
                matches.append((position, features))
            begins = [(position, ())] if not used else self._joint.at(chart, position)
            for begin, joined in begins:
                for name, rule in self._items.items():
                    if used.count(name) >= self._limits[name]:
                        continue
                    pending += [
                        (end, (*used, name), features + joined + more)
                        for end, more in rule.at(chart, begin)
                        if end > begin
                    ]
        return matches
