"""From a scenario and a seed to a run plan: values drawn, stimuli as table rows, times fixed."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from benchline.cloud_records import message_line
from benchline.scenario.draw import draw_values, seed_number, value_of
from benchline.scenario.model import (
    NO_ECHO,
    Amount,
    Assertion,
    Bounce,
    Finding,
    Formula,
    Press,
    Ramp,
    Scenario,
    ScenarioError,
    Send,
    Signal,
    SignalKind,
    Step,
    Stimulus,
    Time,
)
from benchline.scenario.names import kind_of, unrolled
from benchline.scenario.plan import Moment, RunPlan
from benchline.scenario.reading import compile_regex
from benchline.scenario.references import selector_of
from benchline.scenario.table import (
    ADC_COUNTS_MAX,
    HOST_PORT,
    MAX_ROWS,
    TableRow,
    analog_row,
    console_rows,
    digital_row,
    echo_row,
    end_row,
)
from benchline.scenario.template import fill, fill_regex
from benchline.scenario.units import show_ms
from benchline.scenario.where import Value, WhereError, compile_where

MAX_ECHO_US = 1_000_000
"""Longest echo, a second."""

_TIMES = ("after", "until", "within", "period", "maximum", "minimum", "span", "at")


def resolve(scenario: Scenario, seed: bytes | int) -> RunPlan:
    """Fix everything that the seed decides.

    ``seed`` is an unsigned 64-bit number or its eight big-endian bytes (``derive_seed``). Raises
    ScenarioError with all findings when a value does not fit its signal, a time its run, or the
    rows the table; ValueError for a seed out of range.
    """
    number = seed_number(seed)
    return _Resolver(scenario, draw_values(scenario, number)).plan(number)


def counts_of(signal: Signal, value: float) -> int:
    """12-bit counts of an analog value, rounded. Raises ValueError outside full scale or limits."""
    _check_range(signal, value)
    millivolts = signal.mv_at_zero + signal.mv_per_unit * value
    counts = round(millivolts * ADC_COUNTS_MAX / signal.full_scale_mv)
    if not 0 <= counts <= ADC_COUNTS_MAX:
        raise ValueError(
            f"{value:g} needs {millivolts:g} mV; the input takes 0 to {signal.full_scale_mv} mV"
        )
    return counts


def echo_width(signal: Signal, value: float) -> int:
    """The microseconds of an echo, 0 for NO_ECHO. Raises ValueError outside its limits."""
    if value == NO_ECHO:
        return 0
    _check_range(signal, value)
    width = round(signal.us_per_unit * value)
    if not 1 <= width <= MAX_ECHO_US:
        raise ValueError(f"{value:g} needs an echo of {width} us; it has 1 to {MAX_ECHO_US} us")
    return width


def _check_range(signal: Signal, value: float) -> None:
    low, high = signal.minimum, signal.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise (
            ValueError(f"{value:g} is outside {signal.name}'s range {low:g} to {high:g}")
            if (low is not None and high is not None)
            else ValueError(f"{value:g} is outside {signal.name}'s range")
        )


def value_at(signal: Signal, counts: int) -> float:
    """The analog value that 12-bit counts stand for."""
    millivolts = counts * signal.full_scale_mv / ADC_COUNTS_MAX
    return (millivolts - signal.mv_at_zero) / signal.mv_per_unit


def _sent_rows(step: Send, at: int, data: bytes) -> list[TableRow]:
    """The rows of a send. Raises ValueError for a cloud message that is too long."""
    if not step.topic:
        return console_rows(at, data)
    # The table's own port needs no mark: nothing else comes that way.
    return console_rows(at, message_line(step.topic, data).lstrip(b"\x1e"), HOST_PORT)


def _value_row(ms: int, signal: Signal, value: float) -> TableRow:
    if signal.kind is SignalKind.ECHO:
        return echo_row(ms, signal.pin, signal.trigger, echo_width(signal, value))
    return analog_row(ms, signal.pin, counts_of(signal, value))


def _read_back(signal: Signal, value: float) -> float:
    if signal.kind is SignalKind.ECHO:
        return echo_width(signal, value) / signal.us_per_unit
    return value_at(signal, counts_of(signal, value))


class _Resolver:
    def __init__(self, scenario: Scenario, shown: Mapping[str, str]) -> None:
        self._scenario = scenario
        self._shown = shown
        self._values: dict[str, Value] = {name: value_of(text) for name, text in shown.items()}
        self._findings: list[Finding] = []
        # Until something is put before it a sensor is there, and sees nothing.
        self._rows = [
            echo_row(0, signal.pin, signal.trigger, 0)
            for signal in scenario.signals.values()
            if signal.kind is SignalKind.ECHO
        ]
        self._moments: list[Moment] = []

    def plan(self, seed: int) -> RunPlan:
        scenario = self._scenario
        assertions = []
        for step in unrolled(scenario.steps):
            try:
                if isinstance(step, Assertion):
                    assertions.append(self._fix(step))
                else:
                    self._act(step)
            except (ValueError, OverflowError) as error:
                self._complain(step, str(error))
        if len(self._rows) >= MAX_ROWS:
            message = f"{len(self._rows)} stimuli do not fit; {MAX_ROWS - 1} do"
            self._findings.append(Finding(code="too-many", subject="steps", message=message))
        if self._findings:
            raise ScenarioError(tuple(self._findings))
        rows = sorted(self._rows, key=lambda row: row.ms)
        return RunPlan(
            scenario_id=scenario.id,
            title=scenario.title,
            seed=seed,
            values=self._values,
            shown=self._shown,
            rows=(*rows, end_row(scenario.duration_ms)),
            end_ms=scenario.duration_ms,
            moments=tuple(self._moments),
            assertions=tuple(assertions),
            signals=scenario.signals,
            proves=scenario.proves,
            requires=scenario.requires,
            control=scenario.control,
        )

    def _complain(self, step: Step, message: str) -> None:
        subject = f"{kind_of(step)} {step.id}".strip()
        self._findings.append(
            Finding(code="bad-value", subject=subject, message=message, line=step.line)
        )

    def _number(self, amount: Amount) -> float:
        if not isinstance(amount, Formula):
            return float(amount)
        value = compile_where(amount.text).evaluate(self._values)
        if isinstance(value, str):
            if value in {"on", "off"}:
                return float(value == "on")
            raise WhereError(f"{amount.text!r} is a text, not a number")
        return value

    def _time(self, time: Time) -> int:
        ms = self._number(time)
        if ms < 0:
            raise ValueError(f"a time is negative: {ms:g} ms")
        return round(ms)

    def _fix(self, step: Assertion) -> Assertion:
        changes: dict[str, object] = {}
        for field in fields(step):
            time = getattr(step, field.name)
            if field.name in _TIMES and time is not None:
                changes[field.name] = self._time(time)
        selector = selector_of(step)
        if selector is not None:
            regex = fill_regex(selector.regex, self._shown)
            compile_regex(regex)
            value = selector.value
            if value is not None and value.startswith("$"):
                value = self._shown.get(value.removeprefix("$"), value)
            changes["selector"] = replace(selector, regex=regex, value=value)
        return replace(step, **changes)  # type: ignore[arg-type]  # names are fields of it

    def _act(self, step: Step) -> None:
        """Rows of one stimulus step; its moment is that of its last row."""
        if not isinstance(step, Stimulus | Send | Press | Bounce | Ramp):
            return
        at, text, read_back = self._time(step.at), "", None
        if isinstance(step, Send):
            sent = fill(step.text, self._shown)
            self._add(step, _sent_rows(step, at, sent.encode("utf-8")))
            text = f"send {sent!r}" + (f" on topic {step.topic}" if step.topic else "")
        else:
            signal = self._scenario.signals[step.signal]
            rows = list(self._levels(step, signal, at))
            self._add(step, rows)
            text, read_back = self._describe(step, signal)
            at = rows[-1].ms if isinstance(step, Bounce) else at
        name = step.id or f"stimulus.{len(self._moments) + 1}"
        self._moments.append(Moment(id=name, at_ms=at, text=text, read_back=read_back))

    def _levels(self, step: Step, signal: Signal, at: int) -> Iterator[TableRow]:
        def digital(ms: int, *, on: bool) -> TableRow:
            return digital_row(ms, signal.pin, int(on == signal.active_high))

        if isinstance(step, Stimulus):
            value = self._number(step.value)
            if signal.is_measured:
                yield _value_row(at, signal, value)
            elif value in {0.0, 1.0}:
                yield digital(at, on=value == 1.0)
            else:
                raise ValueError(f"{value:g} is no level; write on or off")
        elif isinstance(step, Press):
            hold = self._time(step.hold_ms)
            if hold < 1:
                raise ValueError("a press lasts at least 1 ms")
            yield digital(at, on=True)
            yield digital(at + hold, on=False)
        elif isinstance(step, Bounce):
            for index in range(2 * step.times + 1):
                yield digital(at + index * step.every_ms, on=step.to == (index % 2 == 0))
        elif isinstance(step, Ramp):
            start, stop = self._number(step.start), self._number(step.stop)
            count = max(step.over_ms // step.every_ms, 1)
            if count > MAX_ROWS:
                raise ValueError(f"{count} rows are too many; use a longer 'every'")
            for index in range(count + 1):
                value = start + (stop - start) * index / count
                ms = at + step.over_ms * index // count
                yield _value_row(ms, signal, value)

    def _describe(self, step: Step, signal: Signal) -> tuple[str, float | None]:
        if not isinstance(step, Stimulus):
            return f"{kind_of(step)} {signal.name}", None
        value = self._number(step.value)
        if not signal.is_measured:
            return f"{signal.name} {'on' if value else 'off'}", None
        if value == NO_ECHO:
            return f"{signal.name} = none", None
        read_back = round(_read_back(signal, value), 6)
        return f"{signal.name} = {value:g} {signal.unit}".rstrip(), read_back

    def _add(self, step: Step, rows: list[TableRow]) -> None:
        if rows and rows[-1].ms >= self._scenario.duration_ms:
            self._complain(
                step,
                f"acts at {show_ms(rows[-1].ms)}, "
                f"the run ends at {show_ms(self._scenario.duration_ms)}",
            )
        self._rows += rows
