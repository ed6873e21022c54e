"""Reads what a run gave the device, from the scenario's text and the values that were drawn."""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field

from benchline.scenario.model import ScenarioError
from benchline.scenario.yamltree import Mapping, Node, Scalar, Sequence, read_node

_MOST_BYTES = 256 * 1024
_MOST_MOMENTS = 20_000
_MOST_PASSES = 200_000
_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(ms|s|m)")
_SCALE = {"ms": 1.0, "s": 1000.0, "m": 60_000.0}
_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class StimuliError(ValueError):
    """A scenario that cannot be read."""


@dataclass(frozen=True, slots=True)
class Given:
    """An analog value, or a digital input that is on (1) or off (0)."""

    at_ms: int
    signal: str
    value: float


@dataclass(frozen=True, slots=True)
class Sent:
    """Text that arrived at the console."""

    at_ms: int
    text: str


@dataclass(slots=True)
class Stimuli:
    """Everything that a run gave, in the order of time; ``pins`` is where each signal was given."""

    given: list[Given] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    pins: dict[str, tuple[str, str]] = field(default_factory=dict)


def read_stimuli(scenario: str, values: Table[str, str]) -> Stimuli:
    """Read the stimuli of a scenario with the values that its run drew.

    Raises:
        StimuliError: the text is not a scenario, or a formula cannot be told.
    """
    try:
        root = read_node(scenario, _MOST_BYTES)
    except ScenarioError as error:
        raise StimuliError(str(error)) from error
    steps = root.entries.get("steps") if isinstance(root, Mapping) else None
    if not isinstance(root, Mapping) or not isinstance(steps, Sequence):
        raise StimuliError("a scenario without steps")
    reading = _Reading(dict(_constants(root)) | dict(values))
    reading.steps(steps, 0)
    found = reading.found
    found.given.sort(key=lambda one: one.at_ms)
    found.sent.sort(key=lambda one: one.at_ms)
    found.pins = dict(_pins(root))
    return found


def _pins(root: Mapping) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each signal of the scenario with its pin and, for digital ones, the level that means on."""
    signals = root.entries.get("signals")
    for name, node in signals.entries.items() if isinstance(signals, Mapping) else ():
        keys = node.entries if isinstance(node, Mapping) else {}
        measured = _text(keys, "kind") in {"analog", "echo"}
        yield name, (_text(keys, "pin"), "" if measured else _text(keys, "active", "high"))


def _constants(root: Mapping) -> Iterator[tuple[str, str]]:
    variables = root.entries.get("vars")
    if isinstance(variables, Mapping):
        for name, node in variables.entries.items():
            if isinstance(node, Scalar):
                yield name, node.text


class _Reading:
    def __init__(self, values: dict[str, str]) -> None:
        self.found = Stimuli()
        self._values = values
        self._passes = 0

    def steps(self, steps: Sequence, offset: float) -> None:
        self._passes += 1 + len(steps.items)
        if self._passes > _MOST_PASSES:
            raise StimuliError("it repeats too much")
        for item in steps.items:
            if not isinstance(item, Mapping) or len(item.entries) != 1:
                raise StimuliError(f"line {item.line}: not one step")
            ((kind, node),) = item.entries.items()
            if isinstance(node, Mapping):
                self._step(kind, node.entries, offset)
            if len(self.found.given) + len(self.found.sent) > _MOST_MOMENTS:
                raise StimuliError(f"more than {_MOST_MOMENTS} stimuli")

    def _step(self, kind: str, keys: dict[str, Node], offset: float) -> None:
        if kind == "repeat":
            times, every = self._number(_text(keys, "times")), self._time(_text(keys, "every"))
            inner = keys.get("steps")
            if isinstance(inner, Sequence) and 0 <= times <= _MOST_MOMENTS:
                for index in range(int(times)):
                    self.steps(inner, offset + index * every)
            return
        if kind not in {"stimulus", "send", "press", "bounce", "ramp"}:
            return
        at = offset + self._time(_text(keys, "at"))
        if kind == "send":
            self.found.sent.append(Sent(round(at), self._filled(_text(keys, "text"))))
            return
        for when, value in self._levels(kind, keys, at):
            self.found.given.append(Given(round(when), _text(keys, "signal"), value))

    def _levels(self, kind: str, keys: dict[str, Node], at: float) -> Iterator[tuple[float, float]]:
        if kind == "stimulus":
            yield at, self._number(_text(keys, "value"))
        elif kind == "press":
            yield at, 1.0
            yield at + self._time(_text(keys, "for", "80ms")), 0.0
        elif kind == "bounce":
            to = self._number(_text(keys, "to", "on"))
            times, every = (
                self._number(_text(keys, "times", "4")),
                self._time(_text(keys, "every", "2ms")),
            )
            for index in range(2 * min(int(times), _MOST_MOMENTS) + 1):
                yield at + index * every, to if index % 2 == 0 else 1.0 - to
        elif kind == "ramp":
            start, stop = self._number(_text(keys, "from")), self._number(_text(keys, "to"))
            over, every = self._time(_text(keys, "over")), self._time(_text(keys, "every", "50ms"))
            count = min(max(int(over // max(every, 1)), 1), _MOST_MOMENTS)
            for index in range(count + 1):
                yield at + over * index / count, start + (stop - start) * index / count

    def _time(self, text: str) -> float:
        match = _TIME.fullmatch(text.strip())
        return float(match[1]) * _SCALE[match[2]] if match else self._number(text)

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda match: self._values.get(match[1], match[0]), text)

    def _number(self, text: str) -> float:
        named = re.sub(r"\$\{?(\w+)\}?", r"\1", text.strip())
        try:
            return self._evaluate(ast.parse(named, mode="eval").body)
        except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError) as error:
            raise StimuliError(f"'{text[:60]}' is no number: {error}") from error

    def _evaluate(self, node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as value):
                return float(value)
            case ast.Name(id="on" | "off" as level):
                return float(level == "on")
            case ast.Name(id="none"):
                return math.nan  # of an echo that does not come
            case ast.Name(id=name) if name in self._values:
                word = self._values[name]
                return float(word == "on") if word in {"on", "off"} else float(word)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._evaluate(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
                return _OPERATIONS[type(op)](self._evaluate(left), self._evaluate(right))
        raise ValueError("only numbers, variables and + - * / are known")


def _text(keys: dict[str, Node], key: str, default: str = "") -> str:
    node = keys.get(key)
    return node.text if isinstance(node, Scalar) else default
