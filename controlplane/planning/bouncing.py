"""The twin of a proposed scenario: the same steps, but contacts bounce as real ones do. Pure.

Who proposes scenarios presses buttons cleanly, and firmware that leaves debouncing out passes them.
The steps of the twin are those that were proposed, with bounces added where a contact changes.
Firmware that debounces passes it whether it acts at the first edge and then looks away, or once the
contact has settled: then all that it does is late by at most the length of a bounce, and so windows
are wider by as much.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from benchline.scenario import Scenario, resolve
from benchline.scenario.draw import draw_values, value_of
from benchline.scenario.model import (
    MAX_STEPS,
    Bounce,
    Formula,
    Press,
    Step,
    Stimulus,
    Time,
)
from benchline.scenario.names import shifted, unrolled, unrolled_count
from benchline.scenario.table import MAX_ROWS
from benchline.scenario.units import parse_duration
from benchline.scenario.where import Value, compile_where, reserved_words
from benchline.scenario.yamltree import Mapping as MappingNode
from benchline.scenario.yamltree import Node, Scalar, read_tree
from benchline.scenario.yamltree import Sequence as SequenceNode

BOUNCE_MS = 4
"""From the first edge of a bouncing contact to its last: less than the shortest debounce time that
a design may ask for (5 ms), and what good buttons need."""

FITS_MS = 40
"""A contact bounces where it rests for so long before and after: bounces must not change whether a
press is long enough to count."""

_SEEDS = range(32)
_MOST_ROWS = 5
_TWICE, _ONCE = "times: 2, every: 1ms", "times: 1, every: 2ms"
"""How a contact bounces: every other closing twice, else once. So what counts each edge as a press
is 3 too far after a press, then 5, 8, 10: nothing that goes round, as a toggle does, ends right."""

_PLAIN = re.compile(r"[$-]?[A-Za-z0-9][A-Za-z0-9_.%+-]*")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A contact goes to a level; ``step`` is the number of the step that moves it."""

    step: int
    signal: str
    at: Time
    level: bool | Formula
    clean: bool = True


def bouncing_steps(scenario: Scenario, text: str, contacts: Collection[str]) -> str:
    """The steps (YAML) with bounces of these signals added, "" where no contact can bounce.

    ``text`` is the file that the scenario was read from.
    """
    steps = read_tree(text).entries.get("steps")
    bounces = _bounces(scenario, contacts)
    if not bounces or not isinstance(steps, SequenceNode):
        return ""
    _widen(steps)
    lines = [f"- {_shown(step)[1:-1]}" for step in steps.items]
    closings = dict.fromkeys(contacts, 0)
    for change in bounces:
        closings[change.signal] += change.level is True
        how = _TWICE if change.level and closings[change.signal] % 2 else _ONCE
        lines.append(
            f"- bounce: {{at: {_time(change.at)}, signal: {change.signal}, "
            f"to: {'on' if change.level else 'off'}, {how}}}"
        )
    return "\n".join(lines) + "\n"


def _bounces(scenario: Scenario, contacts: Collection[str]) -> list[_Change]:
    """The changes that bounce, whatever is drawn; as many as a scenario has room for."""
    changes = [
        change
        for number, step in enumerate(unrolled(scenario.steps))
        if getattr(step, "signal", "") in contacts
        for change in _changes(number, step)
    ]
    kept = {c.step for c in changes if c.clean and isinstance(c.level, bool)}
    if not kept:
        return []
    try:
        rows = len(resolve(scenario, _SEEDS[0]).rows)
        for seed in _SEEDS:
            shown = draw_values(scenario, seed)
            values = {name: value_of(text) for name, text in shown.items()}
            kept -= _restless(changes, values, scenario.duration_ms)
    except ValueError:
        return []  # with this seed there is no run
    room = min(MAX_STEPS - unrolled_count(scenario.steps), (MAX_ROWS - rows) // _MOST_ROWS)
    found: list[_Change] = []
    for number, of_step in groupby(changes, key=lambda change: change.step):
        moved = list(of_step) if number in kept else []
        if len(found) + len(moved) <= room:
            found += moved
    return found


def _changes(number: int, step: Step) -> Iterator[_Change]:
    match step:
        case Press():
            for at, level in ((step.at, True), (_later(step.at, step.hold_ms), False)):
                yield _Change(step=number, signal=step.signal, at=at, level=level)
        case Stimulus():
            to = step.value if isinstance(step.value, Formula) else step.value == 1.0
            yield _Change(step=number, signal=step.signal, at=step.at, level=to)
        case Bounce():
            for at in (step.at, shifted(step.at, 2 * step.times * step.every_ms)):
                yield _Change(step=number, signal=step.signal, at=at, level=step.to, clean=False)
        case _:
            return


def _restless(
    changes: Sequence[_Change], values: Mapping[str, Value], duration_ms: int
) -> set[int]:
    """The steps with a change that is none, or that has no room for a bounce."""
    found: set[int] = set()
    for signal in {change.signal for change in changes}:
        moments = sorted(
            ((_ms(c.at, values), c) for c in changes if c.signal == signal), key=lambda m: m[0]
        )
        level = False
        for at, change in moments:
            to = _level(change.level, values)
            if to == level or at == 0:
                found.add(change.step)
            level = to
        for (before, first), (after, second) in pairwise(moments):
            if after - before < FITS_MS:
                found |= {first.step, second.step}
        found |= {change.step for at, change in moments if at + FITS_MS >= duration_ms}
    return found


def _ms(time: Time, values: Mapping[str, Value]) -> int:
    return (
        round(float(compile_where(time.text).evaluate(values)))
        if isinstance(time, Formula)
        else time
    )


def _level(level: bool | Formula, values: Mapping[str, Value]) -> bool:
    if isinstance(level, bool):
        return level
    return compile_where(level.text).evaluate(values) in ("on", 1.0)


def _later(time: Time, by: Time) -> Time:
    if isinstance(by, int):
        return shifted(time, by)
    return Formula(text=f"{time.text if isinstance(time, Formula) else time} + {by.text}")


def _time(time: Time) -> str:
    if not isinstance(time, Formula):
        return f"{time}ms"
    words = reserved_words()
    return json.dumps(_NAME.sub(lambda m: m[0] if m[0] in words else f"${m[0]}", time.text))


def _widen(steps: SequenceNode) -> None:
    """Leave room for what comes late by a bounce; levels at a moment and counts stay."""
    for step in steps.items:
        if not isinstance(step, MappingNode):
            continue
        for kind, body in step.entries.items():
            if not isinstance(body, MappingNode):
                continue
            inner = body.entries.get("steps")
            if kind == "repeat" and isinstance(inner, SequenceNode):
                _widen(inner)
            elif kind == "expect":
                _move(body, "within", BOUNCE_MS)
                _move(body, "until", BOUNCE_MS)
            elif kind == "expect_latency":
                _move(body, "max", BOUNCE_MS)
                _move(body, "min", -BOUNCE_MS)
            elif kind == "never":
                _move(body, "after", BOUNCE_MS)
                _move(body, "for", -BOUNCE_MS)


def _move(body: MappingNode, key: str, by_ms: int) -> None:
    """Change a time; one that is shorter than what is taken away stays."""
    node = body.entries.get(key)
    if not isinstance(node, Scalar):
        return
    if "$" in node.text:
        node.text = f"{node.text} + {by_ms}" if by_ms > 0 else f"max({node.text} - {-by_ms}, 1)"
        return
    ms = parse_duration(node.text)
    if ms + by_ms > 0:
        node.text = f"{ms + by_ms}ms"


def _shown(node: Node) -> str:
    """A node in one line of YAML."""
    if isinstance(node, Scalar):
        plain = not node.quoted and _PLAIN.fullmatch(node.text)
        return node.text if plain else json.dumps(node.text, ensure_ascii=False)
    if isinstance(node, SequenceNode):
        return f"[{', '.join(map(_shown, node.items))}]"
    entries = [f"{_shown_key(key)}: {_shown(value)}" for key, value in node.entries.items()]
    return f"{{{', '.join(entries)}}}"


def _shown_key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)
