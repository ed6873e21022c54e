"""The timeline of a scenario under construction: steps, stimuli, drawn values, lines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from controlplane.domain.design import Behaviour, DesignSignal, SignalKind
from controlplane.domain.units import Unit, decimal_text, parse_decimal

ASIDE_MS = 37
"""Console input comes this long after a round moment, so that no answer meets a report."""

PHASE_MS = 600
"""How long a stimulus stands: outputs are controlled every 100 ms."""

REACTION_MS = 400
"""What an output, a reply or a line may take."""

SETTLED_MS = 60
"""From then on what happens at start-up does not disturb short periods."""

SHOWN_IN_MAIN_MS = 8000
"""Longest period that the main scenario waits for; longer ones get a scenario of their own."""

START_MS = 300
"""Until then the first report must have come."""

ECHO_WAIT_MS = 25
"""How long an echo is waited for at most."""

_HELD_UP_MS = ECHO_WAIT_MS + 1
"""What that holds the program up for, with some code."""

_COUNTED = {"uptime": "[0-9]+ s", "position": "-?[0-9]+"}
"""What follows the name of a value that no sensor gives, where it is not a plain number."""

_REGEX_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def exactly(text: str) -> str:
    """A regex that matches a text and nothing else."""
    return "^" + _REGEX_SPECIAL.sub(r"\\\1", text) + "$"


def single_quoted(text: str) -> str:
    """A YAML single-quoted scalar."""
    return "'" + text.replace("'", "''") + "'"


def quoted(text: str) -> str:
    """A YAML double-quoted scalar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def console_line(text: str) -> str:
    """A console line as a YAML double-quoted scalar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}\\n"'


def gaps(period_ms: Fraction) -> int:
    """How many periods are measured: five where they are short, one where that takes seconds."""
    if period_ms < 15:
        return 3  # the mean is then allowed what whole milliseconds cannot show
    return 5 if period_ms <= 600 else 3 if period_ms <= 2000 else 2 if period_ms <= 4000 else 1


def step_of(unit: Unit) -> Fraction:
    """The distance from a threshold at which a wrong constant must show: 1 C, % or cm, or 10 mV."""
    return Fraction(10) if unit is Unit.MILLIVOLTS else Fraction(1)


@dataclass(slots=True)
class Timeline:
    """Steps in the order of device time. ``now`` is where the next stimulus goes (ms)."""

    signals: dict[str, DesignSignal]
    placed: list[tuple[int, int, str]] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    """Ids of the reports, in the order in which those of one moment are printed."""
    draws: dict[str, str] = field(default_factory=dict)
    proves: list[str] = field(default_factory=list)
    now: int = 0
    end_ms: int = 0
    presses: int = 0
    toggled: set[str] = field(default_factory=set)
    level: dict[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> list[str]:
        """All steps in the order of device time, which is the order that expects are judged in."""
        return [text for _, _, text in sorted(self.placed, key=lambda step: step[:2])]

    @property
    def held_up_ms(self) -> int:
        """How late anything may be because something else is measured."""
        return _HELD_UP_MS if any(s.kind is SignalKind.ECHO for s in self.signals.values()) else 0

    def tolerance(self, period: Fraction | int) -> str:
        """How far a period may be off: 2 %, or what the program is held up for."""
        held_up = self.held_up_ms
        return f"{held_up}ms" if held_up * 50 > period else "2%"

    def has(self, name: str) -> bool:
        """Whether a step of this id was added."""
        return any(f"{{id: {name}," in text for _, _, text in self.placed)

    def add(self, at_ms: int, *steps: str, report: str = "") -> None:
        """Add steps that belong to a moment.

        An expected line belongs to the moment at which it is printed: one that stands before an
        earlier one passes it by. ``report`` is the id of the report that it is a line of.
        """
        turn = self.reports.index(report) + 1 if report in self.reports else 0
        self.placed += [(at_ms, turn, step) for step in steps]

    def after_first_reports(self) -> int:
        """A round moment after all lines of reports that are expected so far (ms)."""
        told = max((at for at, turn, _ in self.placed if turn), default=0)
        return -(-(told + START_MS) // 100) * 100

    def until(self, time_ms: int) -> None:
        """The run must last at least until then."""
        self.end_ms = max(self.end_ms, time_ms)

    def draw(self, name: str, low: Fraction, high: Fraction, signal: DesignSignal) -> str:
        """A variable between two values of a signal, clipped to its range.

        Where there is room it is one of those that a line shows exactly, so that converters of
        different full scale show the same.
        """
        low = max(low, parse_decimal(signal.minimum))
        high = min(high, parse_decimal(signal.maximum))
        places = 0 if signal.unit is Unit.MILLIVOLTS else 2
        step = "1" if places == 0 else "0.05" if high - low >= Fraction(1, 10) else "0.01"
        shown_low, shown_high = Fraction(ceil(low * 10), 10), Fraction(floor(high * 10), 10)
        if places and shown_high - shown_low >= Fraction(1, 5):
            low, high, step = shown_low, shown_high, "0.1"
        first, last = (decimal_text(value, places) for value in (low, high))
        self.draws[name] = f"{{draw: [{first}, {last}], step: {step}}}"
        return name

    def set(self, signal: str, variable: str) -> None:
        """A stimulus at the present moment."""
        self.add(self.now, f"stimulus: {{at: {self.now}ms, signal: {signal}, value: ${variable}}}")
        self.level[signal] = variable

    def value_regex(self, prefix: str, signal: DesignSignal) -> str:
        """The regex of a line that ends in a value and its unit."""
        number = r"-?[0-9]+" if signal.unit is Unit.MILLIVOLTS else r"-?[0-9]+\.[0-9]"
        head = _REGEX_SPECIAL.sub(r"\\\1", prefix)
        return f"^{head}(?P<v>{number}) {signal.unit}$"

    def report_line(self, behaviour: Behaviour) -> tuple[str, str]:
        """The name of a report and the regex of its lines, which no other line matches."""
        kind = behaviour.word("value")
        if kind == "output":
            return f"{behaviour.signals[0]}_state", f"^{spoken(behaviour.signals[0])} is (on|off)$"
        if kind == "sensor":
            signal = self.signals[behaviour.signals[0]]
            return signal.id, self.value_regex(f"{signal.line_name} ", signal)
        return kind, f"^{kind} {_COUNTED.get(kind, '[0-9]+')}$"

    def answer_regex(self, behaviour: Behaviour) -> str:
        """The regex of every answer to a command."""
        if behaviour.word("answer"):
            return exactly(behaviour.word("answer"))
        if behaviour.word("value") == "colour":
            return exactly(f"rgb {behaviour.word('colour')}")
        head, kind = f"{behaviour.word('command')} ", behaviour.word("value")
        if kind == "sensor":
            signal = self.signals[behaviour.signals[0]]
            return self.value_regex(f"{head}{signal.line_name} ", signal)
        if kind == "output":
            return f"{exactly(f'{head}{spoken(behaviour.signals[0])} ')[:-1]}(on|off)$"
        return f"{exactly(f'{head}{kind} ')[:-1]}{_COUNTED.get(kind, '[0-9]+')}$"

    def near(self, signal: DesignSignal, variable: str) -> str:
        """The condition that a captured value is the stimulus, within what a line shows."""
        return f"abs(v - {variable}) <= {decimal_text(step_of(signal.unit) / 5)}"

    def begin(self) -> None:
        """What every run starts with."""
        self.add(
            self.now,
            "reset: {}",
            "expect: {id: ready, type: READY, within: 1s}",
            "never: {id: no_fault, type: FAULT}",
        )
        self.until(1000 + START_MS)

    def ambient(self, behaviours: Sequence[Behaviour]) -> None:
        """First values of all sensors that are used: where no threshold is passed yet."""
        for signal in self.signals.values():
            if not signal.is_measured:
                continue
            switched = any(_passes(behaviour, signal) for behaviour in behaviours)
            low, high = resting_range(behaviours, signal) if switched else lower_half(signal)
            self.set(signal.id, self.draw(f"{signal.id}_first", low, high, signal))


def printed_at(report: Behaviour, after: int) -> int:
    """When the first line of a report from a moment on is printed; the first comes at once (ms)."""
    return ceil(ceil(after / report.number("period")) * report.number("period"))


def spoken(output: str) -> str:
    """How lines name an output: "red led"."""
    return output.replace("_", " ")


def press_lines(behaviour: Behaviour) -> list[str]:
    """The lines of one press; "#" stands for the count."""
    lines = []
    if behaviour.word("count") == "print":
        lines.append("button pressed #")
    if behaviour.word("print"):
        lines.append(behaviour.word("print"))
    return lines


def detects_absence(signal: DesignSignal) -> bool:
    """Whether 0 V is no valid reading of the sensor; an echo that does not come is none either."""
    if signal.kind is SignalKind.ECHO:
        return True
    lowest = parse_decimal(signal.mv_at_zero) + parse_decimal(signal.minimum) * parse_decimal(
        signal.mv_per_unit
    )
    return lowest > 0


def absent_line(signal: DesignSignal, head: str = "") -> str:
    """The line in place of a value, where the sensor gives none."""
    what = "out of range" if signal.kind is SignalKind.ECHO else "sensor missing"
    return f"{head}{signal.line_name} {what}"


def lower_half(signal: DesignSignal) -> tuple[Fraction, Fraction]:
    """Values of a signal that none of :func:`upper_half` comes near."""
    low, high = resting_range([], signal)
    return low, (low + high) / 2 - step_of(signal.unit)


def upper_half(signal: DesignSignal) -> tuple[Fraction, Fraction]:
    """Values of a signal that none of :func:`lower_half` comes near."""
    low, high = resting_range([], signal)
    return (low + high) / 2 + step_of(signal.unit), high


def _passes(behaviour: Behaviour, signal: DesignSignal) -> bool:
    """Whether a behaviour begins when the signal passes a number."""
    return behaviour.parameter("on_value") is not None and behaviour.signals[0] == signal.id


def resting_range(
    behaviours: Sequence[Behaviour], signal: DesignSignal
) -> tuple[Fraction, Fraction]:
    """Values at which all outputs of a sensor are off, else a part of its range."""
    minimum, maximum = parse_decimal(signal.minimum), parse_decimal(signal.maximum)
    width = (maximum - minimum) / 10
    low, high = minimum + width, maximum - width
    step = step_of(signal.unit)
    for behaviour in behaviours:
        if _passes(behaviour, signal):
            off = behaviour.number("off_value")
            if behaviour.word("on_when").startswith(">"):
                high = min(high, off - step / 2)
                low = min(low, high - step / 2)
                low = max(low, high - 8 * step)
            else:
                low = max(low, off + step / 2)
                high = max(high, low + step / 2)
                high = min(high, low + 8 * step)
    if low > high:  # thresholds in both directions: rest between them
        low, high = high, low
    return low, high


def beyond_range(behaviour: Behaviour, signal: DesignSignal) -> tuple[Fraction, Fraction]:
    """Values at which the output of a threshold is on, away from its resting range."""
    step, on = step_of(signal.unit), behaviour.number("on_value")
    if behaviour.word("on_when").startswith(">"):
        high = min(on + 8 * step, parse_decimal(signal.maximum))
        return min(on + step / 2, high), high
    low = max(on - 8 * step, parse_decimal(signal.minimum))
    return low, max(on - step / 2, low)
