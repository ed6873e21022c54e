"""Reads a whole prompt: its division into clauses, with every content word accounted for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.catalog.naming import Naming
from controlplane.domain.design import UnderstoodSpan
from controlplane.domain.finding import Finding
from controlplane.domain.part import ComponentKind
from controlplane.planning.clauses import build_clauses
from controlplane.planning.commands import build_commands
from controlplane.planning.grammar import SPAN, Chart, Features, Rule, Span, Words
from controlplane.planning.hints import not_understood
from controlplane.planning.intent import (
    Follow,
    Intent,
    OnBoardModel,
    Press,
    Subscribe,
    Switch,
    Unusable,
)
from controlplane.planning.phrases import build_things
from controlplane.planning.tokens import (
    END_OF_LINE,
    MAX_PROMPT_CHARS,
    MAX_TOKENS,
    Kind,
    Token,
    tokenize,
)

_SEPARATORS = Words(
    ",|;|.|:|!|?|and|&|+|plus|also|too|while|whilst|as well as|as well|in addition|"
    "additionally|furthermore|"
    "moreover|meanwhile|at the same time|besides|but|finally|in parallel|with|where|"
    f"{END_OF_LINE}|thank you|thanks|-|many thanks|thank you very much|thanks lot|"
    "thanks in advance|"
    "thank you in advance|cheers|hi|hello|hey|hi there|hello there|dear|regards|ok|okay"
)
_LEFTOVER, _UNUSABLE, _CLAUSE = 1000, 400, 1
_KEPT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a prompt says. ``findings`` not empty: it must not be used for a design."""

    intents: tuple[Intent, ...]
    understood: tuple[UnderstoodSpan, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Path:
    cost: int
    intents: tuple[Intent, ...] = ()
    spans: tuple[Span, ...] = ()
    leftovers: tuple[int, ...] = ()


_Place = tuple[int, bool]
"""A token position, and whether a clause may begin there."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One clause, separator, filler or leftover: where it leads and what it adds."""

    to: _Place
    adds: _Path = field(default_factory=lambda: _Path(0))

    def before(self, rest: _Path) -> _Path:
        """The path that begins with this step."""
        adds = self.adds
        return _Path(
            adds.cost + rest.cost,
            adds.intents + rest.intents,
            adds.spans + rest.spans,
            adds.leftovers + rest.leftovers,
        )


class PromptReader:
    """The grammar over one catalogue. Building it costs milliseconds, reading is pure."""

    def __init__(
        self, components: Mapping[str, ComponentKind], boards: Mapping[str, Naming]
    ) -> None:
        things = build_things(components, boards)
        self._standing, self._trailing = build_clauses(things, build_commands(things))
        self._board = things.board

    def read(self, prompt: str) -> Reading:
        """Read a prompt; every problem becomes a finding."""
        if len(prompt) > MAX_PROMPT_CHARS:
            return _refused(
                "E200",
                "prompt",
                f"the prompt is longer than {MAX_PROMPT_CHARS} characters.",
                "Say it in fewer words.",
            )
        tokens = tokenize(prompt)
        if not any(token.kind is not Kind.MARK for token in tokens):
            return _refused(
                "E200", "prompt", "the prompt is empty.", "Say what the device should do."
            )
        if len(tokens) > MAX_TOKENS:
            return _refused(
                "E200",
                "prompt",
                f"the prompt has more than {MAX_TOKENS} words.",
                "Say it in fewer words.",
            )
        paths = _Divider(tokens, self._standing, self._trailing).best()
        apart = self._with_board_apart(prompt, tokens) if _is_partial(paths) else None
        return apart or _reading(prompt, tokens, paths)

    def _with_board_apart(self, prompt: str, tokens: Sequence[Token]) -> Reading | None:
        """Read a prompt that names the board inside a wish: "blink the LED on a Nucleo at 2 Hz"."""
        chart = Chart(tokens)
        found = [
            (end - start, start, features)
            for start in range(len(tokens))
            for end, features in self._board.at(chart, start)
        ]
        if not found:
            return None
        length, start, features = max(found, key=lambda match: match[:2])
        rest = [*tokens[:start], *tokens[start + length :]]
        paths = _Divider(rest, self._standing, self._trailing).best()
        naming = next((v for _, v in features if isinstance(v, Naming)), None)
        span = next((v for k, v in features if k == SPAN and isinstance(v, Span)), None)
        if _is_partial(paths) or naming is None or span is None:
            return None
        reading = _reading(prompt, rest, paths)
        begin, end = tokens[span.first].start, tokens[span.end - 1].end
        said = UnderstoodSpan(start=begin, end=end, text=prompt[begin:end], meaning=span.meaning)
        return replace(
            reading,
            intents=(*reading.intents, OnBoardModel(naming=naming, start=begin, end=end)),
            understood=tuple(sorted((*reading.understood, said), key=lambda item: item.start)),
        )


def _is_partial(paths: tuple[_Path, ...]) -> bool:
    return not paths or bool(paths[0].leftovers)


def _refused(code: str, subject: str, message: str, fix: str) -> Reading:
    finding = Finding(code=code, subject=subject, message=message, fix=fix)
    return Reading(intents=(), understood=(), findings=(finding,))


class _Divider:
    """Finds the cheapest divisions of the tokens into clauses, separators and leftovers."""

    def __init__(self, tokens: Sequence[Token], standing: Rule, trailing: Rule) -> None:
        self._tokens = tokens
        self._chart = Chart(tokens)
        self._standing = standing
        self._trailing = trailing
        self._may_leave = False

    def best(self) -> tuple[_Path, ...]:
        """The cheapest divisions with different meanings; without leftovers if that can be."""
        for self._may_leave in (False, True):
            found = self._divide()
            if found:
                return found
        return ()

    def _divide(self) -> tuple[_Path, ...]:
        """Forward to find what can be reached, backward to find what is cheapest."""
        count = len(self._tokens)
        steps: dict[_Place, list[_Step]] = {}
        reached = {(0, True)}
        for position in range(count):
            for place in ((position, True), (position, False)):
                if place in reached:
                    steps[place] = list(self._steps(*place))
                    reached.update(step.to for step in steps[place])
        table: dict[_Place, tuple[_Path, ...]] = {
            (count, fresh): (_Path(0),) for fresh in (True, False)
        }
        for place in reversed(steps):
            paths = [step.before(rest) for step in steps[place] for rest in table.get(step.to, ())]
            table[place] = _cheapest(paths)
        return table[0, True]

    def _steps(self, position: int, fresh: bool) -> Iterator[_Step]:
        if self._tokens[position].filler:
            yield _Step((position + 1, fresh))
        for end, _ in _SEPARATORS.at(self._chart, position):
            if end > position:
                yield _Step((end, True))
        rule = self._standing if fresh else self._trailing
        condition = self._may_be_condition(position)
        for end, features in rule.at(self._chart, position):
            if end > position and not (condition and _switches(features)):
                yield _clause_step((end, False), features)
        if self._may_leave:
            yield _Step((position + 1, True), _Path(_LEFTOVER, leftovers=(position,)))

    def _may_be_condition(self, position: int) -> bool:
        """Whether "while the fan is on above 30 C" begins here: joined, or a condition?

        "While reporting" joins, and so does "while" before what goes on all the time.
        """
        before = position - 1
        while before >= 0 and self._tokens[before].filler:
            before -= 1
        joined = before >= 0 and self._tokens[before].text in ("while", "whilst")
        return joined and not self._tokens[position].text.endswith("ing")


def _switches(features: Features) -> bool:
    """Whether a clause says when an output is on."""
    return any(isinstance(value, Switch | Follow | Subscribe) for _, value in features)


def _clause_step(to: _Place, features: Features) -> _Step:
    intents = tuple(v for k, v in features if k == "intent" and isinstance(v, Intent))
    spans = tuple(v for k, v in features if k == SPAN and isinstance(v, Span))
    cost = _CLAUSE + _UNUSABLE * sum(isinstance(intent, Unusable) for intent in intents)
    first = min(span.first for span in spans)
    last = max(span.end for span in spans)
    placed = tuple(replace(intent, start=first, end=last) for intent in intents)
    return _Step(to, _Path(cost, placed, spans))


def _cheapest(paths: list[_Path]) -> tuple[_Path, ...]:
    lowest = min((path.cost for path in paths), default=0)
    distinct: dict[tuple[Intent, ...], _Path] = {}
    for path in paths:
        if path.cost == lowest:
            distinct.setdefault(path.intents, path)
    told = {_without_button(path.intents) for path in distinct.values() if _names_button(path)}
    return tuple(p for p in distinct.values() if _names_button(p) or p.intents not in told)[:_KEPT]


def _names_button(path: _Path) -> bool:
    return any(isinstance(i, Press) and i.button is not None for i in path.intents)


def _without_button(intents: tuple[Intent, ...]) -> tuple[Intent, ...]:
    """The same wishes with the button left open, which says less and nothing else."""
    return tuple(replace(i, button=None) if isinstance(i, Press) else i for i in intents)


def _reading(prompt: str, tokens: Sequence[Token], paths: tuple[_Path, ...]) -> Reading:
    path = paths[0]
    intents = tuple(
        replace(intent, start=tokens[intent.start].start, end=tokens[intent.end - 1].end)
        for intent in path.intents
    )
    findings = [*_leftover_findings(prompt, tokens, path.leftovers)]
    findings += [
        Finding(
            code=i.code, subject=i.subject, message=i.message, fix=i.fix, start=i.start, end=i.end
        )
        for i in intents
        if isinstance(i, Unusable)
    ]
    if not findings and len(paths) > 1:
        findings.append(
            Finding(
                code="E203",
                subject="prompt",
                message="the prompt can be read in more than one way.",
                fix="Use one sentence for each wish, with the thing, its number and its unit.",
            )
        )
    return Reading(
        intents=intents, understood=_understood(prompt, tokens, path), findings=tuple(findings)
    )


def _leftover_findings(
    prompt: str, tokens: Sequence[Token], leftovers: Sequence[int]
) -> list[Finding]:
    runs: list[list[int]] = []
    for index in leftovers:
        if runs and all(tokens[i].filler for i in range(runs[-1][-1] + 1, index)):
            runs[-1].append(index)
        else:
            runs.append([index])
    findings = []
    for run in runs:
        start, end = tokens[run[0]].start, tokens[run[-1]].end
        parts = [tokens[i] for i in run]
        findings.append(not_understood(prompt[start:end], parts, start, end))
    return findings


def _understood(prompt: str, tokens: Sequence[Token], path: _Path) -> tuple[UnderstoodSpan, ...]:
    """One span for each phrase; connecting words get spans of their own."""
    spans = [*path.spans]
    covered = {index for first, end, _ in spans for index in range(first, end)}
    covered |= set(path.leftovers)
    for index, token in enumerate(tokens):
        if index not in covered and token.kind is not Kind.MARK:
            spans.append(Span(index, index + 1, "no wish of its own" if token.filler else "joins"))
    return tuple(
        UnderstoodSpan(
            start=tokens[first].start,
            end=tokens[end - 1].end,
            text=prompt[tokens[first].start : tokens[end - 1].end],
            meaning=meaning,
        )
        for first, end, meaning in sorted(spans)
    )
