"""Scenarios as Wokwi's automation scenarios, as far as those can say the same. Pure.

Wokwi's steps are literal and follow one another; a scenario of ours has drawn values, windows of
device time and conditions. What has no counterpart is listed in a comment of the file.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchline.scenario import RunPlan, Scenario, SignalKind, resolve
from benchline.scenario.model import Assertion, Expect, PinLevel, Send
from benchline.scenario.names import kind_of, unrolled
from benchline.scenario.plan import fixed
from benchline.scenario.table import (
    ADC_COUNTS_MAX,
    SIGNAL_ANALOG,
    SIGNAL_CONSOLE,
    SIGNAL_DIGITAL,
    SIGNAL_ECHO,
    TableRow,
)
from controlplane.domain.part import WokwiBoard
from controlplane.exporters.wiring import BOARD_ID, Thing, ThingKind

EXPORT_SEED = 1
"""Wokwi's scenarios have no drawn values: those of this seed are written down."""

_US_PER_CM = 58
_NOTHING_US = 400 * _US_PER_CM
"""Wokwi's sensor always sees something: 400 cm is the furthest."""

_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")


@dataclass(frozen=True, slots=True, kw_only=True)
class WokwiScenario:
    """The file, and what of the scenario it does not hold."""

    text: str
    unmapped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Act:
    """Lines of one step and when they are due; of the same moment stimuli come first."""

    at_ms: int
    rank: int
    lines: tuple[str, ...]


def wokwi_scenario(scenario: Scenario, things: Sequence[Thing], wokwi: WokwiBoard) -> WokwiScenario:
    """Write a scenario for Wokwi; times are kept by delays from step to step."""
    plan = resolve(scenario, EXPORT_SEED)
    by_pin = {thing.pin: thing for thing in things}
    acts = _stimuli(plan, by_pin)
    unmapped = [
        f"send on topic {step.topic}"
        for step in unrolled(scenario.steps)
        if isinstance(step, Send) and step.topic
    ]
    for step in plan.assertions:
        act = _check(step, plan, wokwi)
        if act is None:
            unmapped.append(f"{kind_of(step)} {step.id}".strip())
        else:
            acts.append(act)
    text = "\n".join([*_head(scenario, plan, unmapped), *_steps(sorted(acts), plan.end_ms), ""])
    return WokwiScenario(text=text, unmapped=tuple(unmapped))


def _head(scenario: Scenario, plan: RunPlan, unmapped: Sequence[str]) -> list[str]:
    lines = [
        f"# {scenario.id}, written by Benchline. The device's own time is not asserted here:",
        "# each wait-serial takes as long as it takes, and what follows comes later by that.",
    ]
    if plan.shown:
        drawn = ", ".join(f"{name} = {value}" for name, value in plan.shown.items())
        lines.append(f"# Drawn values of seed {EXPORT_SEED}: {_comment(drawn)}.")
    if unmapped:
        lines.append("# Without a counterpart in Wokwi's steps, so not in this file:")
        lines += [f"#   {_comment(one)}" for one in unmapped]
    return [*lines, f"name: {_quoted(scenario.title)}", "version: 1", "steps:"]


def _steps(acts: Iterable[_Act], end_ms: int) -> list[str]:
    lines, now = [], 0
    for act in acts:
        if act.at_ms > now:
            lines.append(f"  - delay: {act.at_ms - now}ms")
            now = act.at_ms
        lines += act.lines
    if end_ms > now:
        lines.append(f"  - delay: {end_ms - now}ms")
    return lines


def _stimuli(plan: RunPlan, by_pin: Mapping[str, Thing]) -> list[_Act]:
    inputs = {
        (signal.kind, signal.pin): by_pin.get(signal.spelling) for signal in plan.signals.values()
    }
    acts: list[_Act] = []
    sent: dict[int, bytearray] = {}
    for row in plan.rows:
        if row.signal == SIGNAL_CONSOLE:
            sent.setdefault(row.ms, bytearray()).extend(row.value.to_bytes(4, "little")[: row.n])
        elif row.signal < SIGNAL_CONSOLE or row.signal >= SIGNAL_ECHO:
            acts += _control(row, inputs)
    for at_ms, data in sent.items():
        acts.append(_Act(at_ms=at_ms, rank=1, lines=(f"  - write-serial: {_sent(data)}",)))
    return acts


def _control(row: TableRow, inputs: Mapping[tuple[SignalKind, int], Thing | None]) -> list[_Act]:
    """A button is pressed, a knob turned, a thing moved: where the diagram has it on this pin."""
    if row.signal >= SIGNAL_ECHO:
        thing = inputs.get((SignalKind.ECHO, row.signal - SIGNAL_ECHO))
        control, value = "distance", f"{(row.value or _NOTHING_US) / _US_PER_CM:.1f}"
    elif row.signal >= SIGNAL_ANALOG:
        thing = inputs.get((SignalKind.ANALOG, row.signal - SIGNAL_ANALOG))
        control, value = "position", f"{row.value / ADC_COUNTS_MAX:.4f}"
    else:
        thing = inputs.get((SignalKind.DIGITAL_IN, row.signal - SIGNAL_DIGITAL))
        on = thing is not None and bool(row.value) == thing.active_high
        control, value = "pressed", str(int(on))
    if thing is None or thing.kind is ThingKind.LED:
        return []
    lines = (
        "  - set-control:",
        f"      part-id: {thing.id}",
        f"      control: {control}",
        f"      value: {value}",
    )
    return [_Act(at_ms=row.ms, rank=0, lines=lines)]


def _check(step: Assertion, plan: RunPlan, wokwi: WokwiBoard) -> _Act | None:
    """The step that asserts the same, or None."""
    if isinstance(step, Expect):
        literal = _literal(step.selector.regex)
        if not literal or step.selector.where or step.save:
            return None
        at_ms = fixed(step.after) if step.after is not None else 0
        return _Act(at_ms=at_ms, rank=2, lines=(f"  - wait-serial: {_quoted(literal)}",))
    if isinstance(step, PinLevel) and step.selector.level is not None:
        signal = plan.signals.get(step.selector.pin)
        if signal is None:
            return None
        lines = (
            "  - expect-pin:",
            f"      part-id: {BOARD_ID}",
            f"      pin: {_quoted(wokwi.pin(signal.spelling))}",
            f"      value: {step.selector.level}",
        )
        return _Act(at_ms=fixed(step.at), rank=2, lines=lines)
    return None


def _literal(regex: str) -> str:
    """The text that a regex stands for when it stands for one text only, else ""."""
    body = regex.removeprefix("^").removesuffix("$")
    plain = re.sub(r"\\([^A-Za-z0-9])", lambda found: f"\0{ord(found[1]):x}\1", body)
    if _SPECIAL.search(plain):
        return ""
    return re.sub("\0([0-9a-f]+)\1", lambda found: chr(int(found[1], 16)), plain)


def _sent(data: bytearray) -> str:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return json.dumps(list(data))
    return _quoted(text)


def _quoted(text: str) -> str:
    """A YAML double-quoted scalar: JSON's escapes are a subset of its."""
    return json.dumps(text)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
