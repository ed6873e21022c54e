"""Holds the behaviours that a design states against the labels: kinds, numbers, words."""

from collections import Counter
from collections.abc import Callable, Iterator

from tui.evaluation.binding import Bound
from tui.evaluation.evidence import Behaviour, DesignFacts
from tui.evaluation.labels import (
    Blink,
    Case,
    Does,
    Echo,
    Limit,
    Press,
    Reply,
    Report,
    Threshold,
)

_KINDS = ("blink", "report", "threshold", "button", "command", "echo")
_KIND_OF = {
    "Blink": "blink",
    "Report": "report",
    "Say": "report",
    "Threshold": "threshold",
    "Follow": "threshold",
    "Press": "button",
    "Pulse": "button",
    "Reply": "command",
    "Set": "command",
    "Echo": "echo",
}
_STATED = (Blink, Report, Threshold, Press, Reply, Echo)
"""Labels whose numbers a design states."""

_COUNTED = ("blink", "report", "threshold", "command")
"""Kinds of which a design has one behaviour for each label."""


def promise_problems(case: Case, design: DesignFacts, bound: dict[str, Bound]) -> list[str]:
    """What the design's own statements contradict, lack or add."""
    problems = []
    for does in case.does:
        if not _is_free(does, design, bound):
            problems += _one(does, design, bound)
    problems += _unasked(case, design)
    proved = {name for scenario in design.scenarios for name in scenario.proves}
    problems += [
        f"no scenario proves {behaviour.id}"
        for behaviour in design.behaviours
        if behaviour.id not in proved
    ]
    if not any(scenario.control for scenario in design.scenarios):
        problems.append("the design has no control scenario")
    return problems


def unpromised(case: Case, design: DesignFacts, bound: dict[str, Bound]) -> list[str]:
    """What the design states nothing about that could be held against the labels."""
    return [
        f"{type(does).__name__.lower()} {' '.join(about_of(does))}".strip()
        for does in case.does
        if not isinstance(does, _STATED) or _is_free(does, design, bound)
    ]


def about_of(does: Does) -> list[str]:
    """Names of the things that a behaviour is about."""
    keys = ("of", "by", "thing", "toggles", "state", "count")
    return [name for key in keys if isinstance(name := getattr(does, key, ""), str) and name]


def _is_free(does: Does, design: DesignFacts, bound: dict[str, Bound]) -> bool:
    """Whether the design does it with a behaviour of a kind that states no numbers."""
    signals = {bound[name].signal for name in about_of(does) if name in bound}
    free = [one for one in design.behaviours if one.kind not in _KINDS]
    stated = [one for one in design.behaviours if one.kind == _KIND_OF[type(does).__name__]]
    if any(signals.issubset(one.signals) for one in stated):
        return False
    return any(signals.issubset(one.signals) for one in free)


def _unasked(case: Case, design: DesignFacts) -> Iterator[str]:
    if case.unjudged:
        return
    wanted = Counter(_KIND_OF[type(does).__name__] for does in case.does)
    wanted["button"] += sum(isinstance(does, Reply) and bool(does.count) for does in case.does)
    for kind, number in Counter(one.kind for one in design.behaviours).items():
        if kind in _KINDS and not wanted[kind]:
            yield f"the design has a {kind}, which nobody asked for"
        elif kind in _COUNTED and number > wanted[kind]:
            yield f"the design has {number} of kind {kind}; {wanted[kind]} were asked for"


def _one(does: Does, design: DesignFacts, bound: dict[str, Bound]) -> list[str]:
    def of_kind(kind: str, *names: str) -> list[Behaviour]:
        signals = {bound[name].signal for name in names if name in bound}
        return [
            one for one in design.behaviours if one.kind == kind and signals.issubset(one.signals)
        ]

    match does:
        case Blink(thing=thing):
            return _first(of_kind("blink", thing), f"blinks {thing}", lambda b: _blink(does, b))
        case Report(of=of):
            found = of_kind("report", of)
            if of not in bound:
                found = [b for b in found if b.parameters.get("value") == of]
            return _first(
                found, f"reports {of}", lambda b: _number(b, "period", does.every_ms, "ms")
            )
        case Threshold(of=of, thing=thing):
            found = of_kind("threshold", of, thing)
            return _first(found, f"switches {thing} by {of}", lambda b: _threshold(does, b))
        case Press(by=by, toggles=toggles):
            found = of_kind("button", by, *([toggles] if toggles else []))
            return _first(found, f"acts on {by}", lambda b: _press(does, b))
        case Reply(to=to):
            found = [b for b in of_kind("command") if b.parameters.get("command") == to]
            return _first(found, f"answers '{to}'", lambda b: _reply(does, b, bound))
        case Echo():
            return [] if of_kind("echo") else ["nothing in the design echoes"]
        case _:
            return []


def _first(found: list[Behaviour], what: str, check: Callable[[Behaviour], list[str]]) -> list[str]:
    """The complaints about the behaviour that has the fewest."""
    if not found:
        return [f"nothing in the design {what}"]
    return min((check(one) for one in found), key=len)


def _blink(does: Blink, behaviour: Behaviour) -> list[str]:
    problems = _number(behaviour, "period", does.every_ms, "ms")
    if does.on_ms is not None:
        problems += _number(behaviour, "on", does.on_ms, "ms")
    return problems


def _threshold(does: Threshold, behaviour: Behaviour) -> list[str]:
    return [*_limit(behaviour, "on", does.on), *_limit(behaviour, "off", does.off)]


def _limit(behaviour: Behaviour, side: str, limit: Limit) -> list[str]:
    problems = _number(behaviour, f"{side}_value", limit.value, limit.unit)
    sign = behaviour.parameters.get(f"{side}_when", "")
    if sign[:1] != (">" if limit.above else "<"):
        word = "above" if limit.above else "below"
        problems.append(f"{behaviour.id}: {side} is to be {word} {limit.value:g}, not '{sign}'")
    return problems


def _press(does: Press, behaviour: Behaviour) -> list[str]:
    problems = []
    if does.debounce_ms is not None:
        problems += _number(behaviour, "debounce", does.debounce_ms, "ms")
    said = behaviour.parameters.get("print", "")
    if does.text and said != does.text:
        problems.append(f"{behaviour.id} prints '{said[:80]}', not '{does.text}'")
    if does.counts and behaviour.parameters.get("count", "") in {"", "silent"}:
        problems.append(f"{behaviour.id} does not count")
    return problems


def _reply(does: Reply, behaviour: Behaviour, bound: dict[str, Bound]) -> list[str]:
    said = behaviour.parameters.get("answer", "")
    if does.text:
        return [] if said == does.text else [f"'{does.to}' is answered with '{said[:80]}'"]
    about = bound.get(does.of or does.state or does.count)
    if about is not None and about.signal not in behaviour.signals and not does.count:
        return [f"the answer to '{does.to}' is not about {about.thing.name}"]
    return []


def _number(behaviour: Behaviour, key: str, wanted: float, unit: str) -> list[str]:
    text = behaviour.parameters.get(key, "")
    try:
        found = float(text)
    except ValueError:
        return [f"{behaviour.id} states no {key}"]
    if abs(found - wanted) <= 0.001 + abs(wanted) * 1e-5:
        return []
    return [f"{behaviour.id}: {key} is {found:g} {unit}, not {wanted:g} {unit}"]
