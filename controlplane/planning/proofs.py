"""The steps of acceptance scenarios: one proof for each kind of behaviour, on one timeline."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, DesignSignal
from controlplane.domain.units import Unit, decimal_text, parse_decimal

PHASE_MS = 600
"""How long a stimulus stands: outputs are controlled every 100 ms."""

REACTION_MS = 400
"""What an output, a reply or a line may take."""

SETTLED_MS = 60
"""From then on what happens at start-up does not disturb short periods."""

START_MS = 300
"""Until then the first report must have come."""

_REGEX_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def exactly(text: str) -> str:
    """A regex that matches a text and nothing else."""
    return "^" + _REGEX_SPECIAL.sub(r"\\\1", text) + "$"


def _single(text: str) -> str:
    """A YAML single-quoted scalar."""
    return "'" + text.replace("'", "''") + "'"


def _line(text: str) -> str:
    """A console line as a YAML double-quoted scalar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}\\n"'


def _gaps(period_ms: Fraction) -> int:
    """How many periods are measured: five where they are short, one where that takes seconds."""
    if period_ms < 15:
        return 3  # the mean is then allowed what whole milliseconds cannot show
    return 5 if period_ms <= 600 else 3 if period_ms <= 2000 else 2 if period_ms <= 4000 else 1


def step_of(unit: Unit) -> Fraction:
    """The distance from a threshold at which a wrong constant must show: 1 C, 1 % or 10 mV."""
    return Fraction(10) if unit is Unit.MILLIVOLTS else Fraction(1)


@dataclass(slots=True)
class Timeline:
    """Steps in the order of device time. ``now`` is where the next stimulus goes (ms)."""

    signals: dict[str, DesignSignal]
    placed: list[tuple[int, str]] = field(default_factory=list)
    draws: dict[str, str] = field(default_factory=dict)
    proves: list[str] = field(default_factory=list)
    now: int = 0
    end_ms: int = 0
    presses: int = 0
    level: dict[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> list[str]:
        """All steps in the order of device time, which is the order that expects are judged in."""
        return [text for _, text in sorted(self.placed, key=lambda step: step[0])]

    def add(self, at_ms: int, *steps: str) -> None:
        """Add steps that belong to a moment."""
        self.placed += [(at_ms, step) for step in steps]

    def until(self, time_ms: int) -> None:
        """The run must last at least until then."""
        self.end_ms = max(self.end_ms, time_ms)

    def draw(self, name: str, low: Fraction, high: Fraction, signal: DesignSignal) -> str:
        """A variable between two values of a signal, clipped to its range."""
        low = max(low, parse_decimal(signal.minimum))
        high = min(high, parse_decimal(signal.maximum))
        places = 0 if signal.unit is Unit.MILLIVOLTS else 2
        first, last = (decimal_text(value, places) for value in (low, high))
        step = "1" if places == 0 else "0.05" if high - low >= Fraction(1, 10) else "0.01"
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

    def near(self, signal: DesignSignal, variable: str) -> str:
        """The condition that a captured value is the stimulus, within what a line shows."""
        return f"abs(v - {variable}) <= {decimal_text(step_of(signal.unit) / 5)}"

    # --- single proofs ---------------------------------------------------------------------

    def blink(self, behaviour: Behaviour) -> None:
        """Rate from rising edges; the time on, so that a wrong duty cycle shows."""
        led = behaviour.signals[0]
        period, on = behaviour.number("period"), behaviour.number("on")
        begin = 0 if period >= 1000 else SETTLED_MS
        count = _gaps(period)
        self.add(
            begin,
            f"expect_period: {{id: {led}_rate, pin: {led}, edge: rising, after: {begin}ms, "
            f"period: {round(period)}ms, tolerance: 2%, count: {count}}}",
        )
        slack = max(2, int(on / 50))
        self.add(
            begin,
            f"expect: {{id: {led}_on, pin: {led}, edge: rising, after: {SETTLED_MS}ms, "
            f"within: {round(period) + REACTION_MS}ms}}",
            f"expect: {{id: {led}_off, pin: {led}, edge: falling, "
            f"within: {round(on) + REACTION_MS}ms}}",
            f"expect_latency: {{id: {led}_on_time, from: {led}_on, to: {led}_off, "
            f"max: {round(on) + slack}ms, min: {max(0, round(on) - slack)}ms}}",
        )
        self.until(begin + round(period * (count + 1)) + START_MS)
        self.until(SETTLED_MS + round(period + on) + 2 * REACTION_MS)
        self.proves.append(behaviour.id)

    def report(self, behaviour: Behaviour) -> None:
        """The period of the lines; values are judged where stimuli change."""
        period = behaviour.number("period")
        name, regex = _report_line(behaviour)
        begin = 0 if period >= 1000 else SETTLED_MS
        count = _gaps(period)
        self.add(
            begin,
            f"expect_period: {{id: {name}_period, line: {_single(regex)}, after: {begin}ms, "
            f"period: {round(period)}ms, tolerance: 2%, count: {count}}}",
        )
        self.until(begin + round(period * (count + 1)) + START_MS)
        self.proves.append(behaviour.id)
        kind = behaviour.word("value")
        if kind == "sensor":
            signal = self.signals[behaviour.signals[0]]
            self._value(f"{name}_value", signal, after=0, within=START_MS)
        elif kind == "counter":
            for number in (1, 2):
                self.add(
                    round(period) * (number - 1),
                    f"expect: {{id: counter_{number}, line: '^counter {number}$', "
                    f"within: {round(period) + START_MS}ms}}",
                )
        elif kind == "uptime":
            after = max(1000, round(period))
            self.add(
                after,
                f"expect: {{id: uptime_value, line: '^uptime (?P<v>[0-9]+) s$', after: {after}ms, "
                f'where: "v >= {after // 1000} and v <= {(after + round(period)) // 1000 + 1}", '
                f"within: {round(period) + START_MS}ms}}",
            )
            self.until(after + round(period) + START_MS + 100)

    def _value(self, name: str, signal: DesignSignal, after: int, within: int) -> None:
        regex = self.value_regex(f"{signal.line_name} ", signal)
        where = self.near(signal, self.level[signal.id])
        self.add(
            after,
            f'expect: {{id: {name}, line: {_single(regex)}, where: "{where}", '
            f"after: {after}ms, within: {within}ms}}",
        )

    def follow(self, behaviours: Sequence[Behaviour], signal: DesignSignal, limit: int) -> int:
        """Reports of a signal show its present stimulus; gives the time that takes (ms)."""
        longest = 0
        for behaviour in behaviours:
            shown = behaviour.kind is BehaviourKind.REPORT and signal.id in behaviour.signals
            period = round(behaviour.number("period")) if shown else limit
            if shown and period < limit:
                within = period + START_MS
                self._value(f"{signal.id}_follows", signal, self.now + 100, within)
                longest = max(longest, within + 200)
        return longest

    def threshold(self, behaviour: Behaviour, others: Sequence[Behaviour]) -> None:
        """Both directions, just beside each constant, and the band between them."""
        sensor, output = (behaviour.signals[0], behaviour.signals[1])
        signal = self.signals[sensor]
        on, off = behaviour.number("on_value"), behaviour.number("off_value")
        rising = behaviour.word("on_when").startswith(">")
        sign, unit = (1 if rising else -1), step_of(signal.unit)
        band = abs(on - off)
        inner = min(unit, band) if band else unit
        beyond, back = ("above", "below") if rising else ("below", "above")

        def beside(name: str, at: Fraction, direction: int, room: Fraction) -> None:
            edges = sorted((at + direction * room / 5, at + direction * room * 4 / 5))
            self.set(sensor, self.draw(f"{output}_{name}", edges[0], edges[1], signal))

        start = self.now
        beside("near_on", on, -sign, inner)
        self.now += PHASE_MS
        self.add(
            self.now,
            f"never: {{id: {output}_quiet_{back}, pin: {output}, level: on, "
            f"after: {start}ms, until: {self.now}ms}}",
        )
        beside("beyond_on", on, sign, unit)
        self._switched(f"{output}_on_{beyond}", output, on=True)
        self.now += max(PHASE_MS, self.follow(others, signal, limit=2001))
        self.answers(others, sensor, output)
        if band:
            beside("near_off", off, sign, inner)
            hold = self.now
            self.now += PHASE_MS
            self.add(
                self.now,
                f"never: {{id: {output}_holds_in_band, pin: {output}, level: off, "
                f"after: {hold}ms, until: {self.now}ms}}",
            )
        beside("beyond_off", off, -sign, unit)
        self._switched(f"{output}_off_{back}", output, on=False)
        self.now += PHASE_MS
        self.proves.append(behaviour.id)

    def _switched(self, name: str, output: str, *, on: bool) -> None:
        self.add(
            self.now,
            f"expect: {{id: {name}, pin: {output}, level: {'on' if on else 'off'}, "
            f"after: {self.now}ms, within: {REACTION_MS}ms}}",
        )
        self.until(self.now + REACTION_MS + 100)

    def answers(self, behaviours: Sequence[Behaviour], sensor: str, output: str) -> None:
        """Commands about a sensor or an output, asked while their values are known."""
        for behaviour in behaviours:
            if behaviour.kind is not BehaviourKind.COMMAND or behaviour.id in self.proves:
                continue
            word = behaviour.word("command")
            if behaviour.signals == (sensor,):
                signal = self.signals[sensor]
                regex = self.value_regex(f"{word} {signal.line_name} ", signal)
                where = f', where: "{self.near(signal, self.level[sensor])}"'
                self._ask(behaviour, regex, where)
            elif behaviour.signals == (output,) and output:
                self._ask(behaviour, exactly(f"{word} {output} on"), "")

    def _ask(self, behaviour: Behaviour, regex: str, where: str) -> None:
        word = behaviour.word("command")
        name = behaviour.id.removeprefix("command_")
        wrong, right = self.now, self.now + PHASE_MS
        self.add(
            self.now,
            *[
                f"send: {{at: {wrong}ms, text: {_line(word + 'x')}}}",
                f"never: {{id: {name}_not_for_others, line: {_single(regex)}, "
                f"after: {wrong}ms, until: {right}ms}}",
                f"send: {{at: {right}ms, text: {_line(word)}}}",
                f"expect: {{id: {name}_reply, line: {_single(regex)}{where}, "
                f"after: {right}ms, within: {REACTION_MS}ms}}",
            ],
        )
        self.now = right + PHASE_MS
        self.until(self.now)
        self.proves.append(behaviour.id)

    def command(self, behaviour: Behaviour) -> None:
        """A command that needs no stimulus of its own."""
        word, kind = behaviour.word("command"), behaviour.word("value")
        if not kind:
            self._ask(behaviour, exactly(behaviour.word("answer")), "")
        elif kind == "presses":
            self._ask(behaviour, exactly(f"{word} presses {self.presses}"), "")
        elif kind == "uptime":
            at = (self.now + PHASE_MS) // 1000
            regex = exactly(f"{word} uptime @ s").replace("@", "(?P<v>[0-9]+)")
            self._ask(behaviour, regex, f', where: "v >= {at} and v <= {at + 1}"')
        elif kind == "counter":
            regex = exactly(f"{word} counter @").replace("@", "(?P<v>[0-9]+)")
            self._ask(behaviour, regex, ', where: "v >= 1"')
        elif kind == "output":
            self._ask(behaviour, f"{exactly(f'{word} {behaviour.signals[0]}')[:-1]} (on|off)$", "")

    def echo(self, behaviour: Behaviour) -> None:
        """A line with a drawn number comes back."""
        self.draws["echoed"] = "{draw: [1000, 9999], step: 1}"
        self.add(
            self.now,
            *[
                f'send: {{at: {self.now}ms, text: "line ${{echoed}}\\n"}}',
                f"expect: {{id: echo, line: '^line ${{echoed}}$', after: {self.now}ms, "
                f"within: {REACTION_MS}ms}}",
            ],
        )
        self.now += PHASE_MS
        self.until(self.now)
        self.proves.append(behaviour.id)

    def button(self, behaviour: Behaviour, others: Sequence[Behaviour]) -> None:
        """Bounces count once, a pulse shorter than the debounce time does not count."""
        debounce = round(behaviour.number("debounce"))
        every = max(1, min(5, debounce // 5))
        settle = 8 * every + debounce
        hold = settle + debounce + 100
        lines = _press_lines(behaviour)
        toggles = behaviour.signals[1:]
        for number in (1, 2):
            press = self.now
            self.presses += 1
            self.add(
                self.now,
                *[
                    f"bounce: {{at: {press}ms, signal: button, to: on, times: 3, every: {every}ms}}",
                    f"bounce: {{at: {press + hold}ms, signal: button, to: off, times: 3, "
                    f"every: {every}ms}}",
                ],
            )
            for index, line in enumerate(lines):
                regex = exactly(line.replace("#", str(self.presses)))
                name = f"press_{number}" + (f"_{index + 1}" if index else "")
                self.add(
                    self.now,
                    f"expect: {{id: {name}, line: {_single(regex)}, after: {press}ms, "
                    f"within: {settle + REACTION_MS}ms}}",
                )
            for output in toggles:
                level = "on" if number == 1 else "off"
                self.add(
                    self.now,
                    f"expect: {{id: {output}_toggles_{level}, pin: {output}, level: {level}, "
                    f"after: {press}ms, within: {settle + REACTION_MS}ms}}",
                )
            self.now += hold + settle + REACTION_MS
            if number == 1:
                self._glitch(debounce, lines, toggles)
        self._counted(lines, toggles)
        self.until(self.now)
        self.proves.append(behaviour.id)

    def _glitch(self, debounce: int, lines: Sequence[str], toggles: Sequence[str]) -> None:
        after = self.now
        self.add(
            self.now,
            f"press: {{at: {after}ms, signal: button, for: {max(1, debounce * 3 // 5)}ms}}",
        )
        self.now += 2 * debounce + PHASE_MS
        for line in lines[:1]:
            regex = exactly(line).replace("#", "[0-9]+")
            self.add(
                self.now,
                f"never: {{id: glitch_ignored, line: {_single(regex)}, after: {after}ms, "
                f"until: {self.now}ms}}",
            )
        for output in toggles:
            self.add(
                self.now,
                f"never: {{id: glitch_leaves_{output}, pin: {output}, edge: any, "
                f"after: {after}ms, until: {self.now}ms}}",
            )

    def _counted(self, lines: Sequence[str], toggles: Sequence[str]) -> None:
        for line in lines[:1]:
            regex = exactly(line).replace("#", "[0-9]+")
            self.add(
                self.now,
                f"expect_count: {{id: presses_counted, line: {_single(regex)}, "
                f"until: {self.now}ms, count: {self.presses}}}",
            )
        for output in toggles:
            self.add(
                self.now,
                f"expect_count: {{id: {output}_toggles, pin: {output}, edge: any, after: {START_MS}ms, "
                f"until: {self.now}ms, count: {self.presses}}}",
            )

    # --- whole scenarios -----------------------------------------------------------------

    def begin(self) -> None:
        """What every run starts with."""
        self.add(
            self.now,
            *[
                "reset: {}",
                "expect: {id: ready, type: READY, within: 1s}",
                "never: {id: no_fault, type: FAULT}",
            ],
        )

    def ambient(self, behaviours: Sequence[Behaviour]) -> None:
        """First values of all sensors that are used: where no threshold is passed yet."""
        for signal in self.signals.values():
            if signal.kind != "analog":
                continue
            low, high = _resting_range(behaviours, signal)
            self.set(signal.id, self.draw(f"{signal.id}_first", low, high, signal))

    def patient(self, behaviour: Behaviour) -> None:
        """One interval of a long period, in a run of its own."""
        self.begin()
        self.ambient([behaviour])
        period = behaviour.number("period")
        if behaviour.kind is BehaviourKind.BLINK:
            self.add(
                self.now,
                f"expect_period: {{id: {behaviour.signals[0]}_rate, pin: {behaviour.signals[0]}, "
                f"edge: rising, period: {round(period)}ms, tolerance: 2%, count: 1}}",
            )
        else:
            name, regex = _report_line(behaviour)
            self.add(
                self.now,
                f"expect_period: {{id: {name}_period, line: {_single(regex)}, "
                f"period: {round(period)}ms, tolerance: 2%, count: 1}}",
            )
            if behaviour.word("value") == "sensor":
                self._changed(behaviour, round(period))
        self.proves.append(behaviour.id)
        self.until(round(period * 102 / 100) + 2 * START_MS)

    def _changed(self, behaviour: Behaviour, period: int) -> None:
        signal = self.signals[behaviour.signals[0]]
        name = f"{signal.id}"
        self._value(f"{name}_value", signal, after=0, within=START_MS)
        self.now = period // 2
        low, high = _resting_range([], signal)
        self.set(name, self.draw(f"{name}_second", low, high, signal))
        self._value(f"{name}_follows", signal, after=self.now, within=period)

    def control(self, behaviours: Sequence[Behaviour]) -> None:
        """No stimulus at all: no values, no switching, no presses, no answers."""
        self.begin()
        self.until(2500)
        for behaviour in behaviours:
            match behaviour.kind:
                case BehaviourKind.REPORT if behaviour.word("value") == "sensor":
                    signal = self.signals[behaviour.signals[0]]
                    any_value = self.value_regex(f"{signal.line_name} ", signal)
                    where = "" if _detects_absence(signal) else ', where: "v > 0"'
                    self.add(
                        self.now,
                        f"never: {{id: no_{signal.id}, line: {_single(any_value)}{where}}}",
                    )
                case BehaviourKind.THRESHOLD:
                    self._control_output(behaviour)
                case BehaviourKind.BUTTON:
                    for index, line in enumerate(_press_lines(behaviour)):
                        regex = exactly(line).replace("#", "[0-9]+")
                        self.add(
                            self.now, f"never: {{id: no_press_{index + 1}, line: {_single(regex)}}}"
                        )
                    for output in behaviour.signals[1:]:
                        self.add(
                            self.now, f"never: {{id: {output}_untouched, pin: {output}, level: on}}"
                        )
                case BehaviourKind.COMMAND:
                    self._control_command(behaviour)
                case _:
                    pass

    def _control_output(self, behaviour: Behaviour) -> None:
        signal, output = self.signals[behaviour.signals[0]], behaviour.signals[1]
        rising = behaviour.word("on_when").startswith(">")
        if rising or _detects_absence(signal):
            self.add(self.now, f"never: {{id: {output}_stays_off, pin: {output}, level: on}}")
        else:
            self.add(
                self.now,
                f"expect: {{id: {output}_on_at_zero, pin: {output}, level: on, within: 1s}}",
            )

    def _control_command(self, behaviour: Behaviour) -> None:
        text = behaviour.word("answer") or f"{behaviour.word('command')} "
        regex = exactly(text)[:-1] + ("$" if behaviour.word("answer") else "")
        name = behaviour.id.removeprefix("command_")
        self.add(self.now, f"never: {{id: {name}_unasked, line: {_single(regex)}}}")


def prove_all(
    timeline: Timeline, behaviours: Sequence[Behaviour], periods_of: Sequence[str]
) -> None:
    """Fill the main scenario: rates first, then stimuli one after the other."""
    timeline.begin()
    timeline.ambient(behaviours)
    for behaviour in behaviours:
        if behaviour.id not in periods_of:
            continue
        if behaviour.kind is BehaviourKind.BLINK:
            timeline.blink(behaviour)
        elif behaviour.kind is BehaviourKind.REPORT:
            timeline.report(behaviour)
    timeline.now = START_MS + 200
    by_kind = {kind: [b for b in behaviours if b.kind is kind] for kind in BehaviourKind}
    for behaviour in by_kind[BehaviourKind.THRESHOLD]:
        timeline.threshold(behaviour, behaviours)
    _plain_sensors(timeline, behaviours)
    for behaviour in by_kind[BehaviourKind.BUTTON]:
        timeline.button(behaviour, behaviours)
    for behaviour in by_kind[BehaviourKind.COMMAND]:
        if behaviour.id not in timeline.proves:
            timeline.command(behaviour)
    for behaviour in by_kind[BehaviourKind.ECHO]:
        timeline.echo(behaviour)
    _press_reports(timeline, by_kind[BehaviourKind.REPORT], periods_of)
    timeline.until(timeline.now + 200)


def _plain_sensors(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """Sensors without a threshold: a second value, shown by reports and answers."""
    switched = {b.signals[0] for b in behaviours if b.kind is BehaviourKind.THRESHOLD}
    for signal in list(timeline.signals.values()):
        if signal.kind != "analog" or signal.id in switched:
            continue
        low, high = _resting_range([], signal)
        timeline.set(signal.id, timeline.draw(f"{signal.id}_second", low, high, signal))
        timeline.now += max(PHASE_MS, timeline.follow(behaviours, signal, limit=8001))
        timeline.answers(behaviours, signal.id, "")


def _press_reports(
    timeline: Timeline, reports: Sequence[Behaviour], periods_of: Sequence[str]
) -> None:
    for behaviour in reports:
        if behaviour.word("value") == "presses" and behaviour.id in periods_of:
            period = round(behaviour.number("period"))
            timeline.add(
                timeline.now,
                f"expect: {{id: presses_value, line: '^presses {timeline.presses}$', "
                f"after: {timeline.now}ms, within: {period + START_MS}ms}}",
            )
            timeline.now += period + START_MS


def _report_line(behaviour: Behaviour) -> tuple[str, str]:
    """The name of a report and the regex of its lines."""
    kind = behaviour.word("value")
    if kind == "output":
        return f"{behaviour.signals[0]}_state", f"^{behaviour.signals[0]} is (on|off)$"
    name = behaviour.signals[0] if kind == "sensor" else kind
    return name, f"^{name} "


def _press_lines(behaviour: Behaviour) -> list[str]:
    """The lines of one press; "#" stands for the count."""
    lines = []
    if behaviour.word("count") == "print":
        lines.append("button pressed #")
    if behaviour.word("print"):
        lines.append(behaviour.word("print"))
    return lines


def _detects_absence(signal: DesignSignal) -> bool:
    """Whether 0 V is no valid reading of the sensor."""
    lowest = parse_decimal(signal.mv_at_zero) + parse_decimal(signal.minimum) * parse_decimal(
        signal.mv_per_unit
    )
    return lowest > 0


def _resting_range(
    behaviours: Sequence[Behaviour], signal: DesignSignal
) -> tuple[Fraction, Fraction]:
    """Values at which all outputs of a sensor are off, else a part of its range."""
    minimum, maximum = parse_decimal(signal.minimum), parse_decimal(signal.maximum)
    width = (maximum - minimum) / 10
    low, high = minimum + width, maximum - width
    step = step_of(signal.unit)
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.THRESHOLD and behaviour.signals[0] == signal.id:
            off = behaviour.number("off_value")
            if behaviour.word("on_when").startswith(">"):
                high = min(high, off - step / 5)
                low = min(low, high - step / 2)
                low = max(low, high - 8 * step)
            else:
                low = max(low, off + step / 5)
                high = max(high, low + step / 2)
                high = min(high, low + 8 * step)
    if low > high:  # thresholds in both directions: rest between them
        low, high = high, low
    return low, high
