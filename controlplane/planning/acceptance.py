"""Acceptance scenarios of a design: stimuli that its firmware cannot know, and a control run.

Scenarios must be able to fail: values are drawn just beside each threshold on both sides, on
times and periods are measured at the pin, wrong commands must not be answered, and the control run
proves that nothing happens by itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from controlplane.domain.design import (
    Active,
    Behaviour,
    BehaviourKind,
    DesignScenario,
    DesignSignal,
    PinAssignment,
    SignalKind,
    text_digest,
)
from controlplane.domain.part import SUPPLY_MV
from controlplane.planning.colour_proofs import cycle_ms
from controlplane.planning.patience import prove_patiently
from controlplane.planning.proofs import Proofs
from controlplane.planning.runs import prove_all, prove_control
from controlplane.planning.timeline import SHOWN_IN_MAIN_MS, Timeline, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    id: str
    title: str
    timeline: Timeline
    control: bool = False
    requires: tuple[str, ...] = ("serial.rx", "pin.read")


def write_scenarios(
    title: str,
    behaviours: Sequence[Behaviour],
    signals: Sequence[DesignSignal],
    pins: Sequence[PinAssignment],
) -> tuple[DesignScenario, ...]:
    """Write the scenarios that prove all behaviours, and the control run."""
    by_id = {signal.id: signal for signal in signals}
    quick = [b for b in behaviours if _period(b) <= SHOWN_IN_MAIN_MS]
    slow = [b for b in behaviours if _period(b) > SHOWN_IN_MAIN_MS]
    drafts = []
    main = Proofs(signals=by_id)
    prove_all(main, behaviours, periods_of=[b.id for b in quick])
    drafts.append(_Draft(id="main", title=title, timeline=main))
    for behaviour in slow:
        patient = Proofs(signals=by_id)
        prove_patiently(patient, behaviour, behaviours)
        drafts.append(
            _Draft(
                id=f"slow_{behaviour.id}"[:48],
                title=f"Long period: {behaviour.text}",
                timeline=patient,
                requires=("serial.rx", "pin.read", "fast_time"),
            )
        )
    control = Timeline(signals=by_id)
    prove_control(control, behaviours)
    drafts.append(
        _Draft(
            id="control",
            title="Nothing happens without a stimulus",
            timeline=control,
            control=True,
        )
    )
    return tuple(_render(draft, signals, pins) for draft in drafts)


def _period(behaviour: Behaviour) -> Fraction:
    """How long it takes to show a behaviour (ms); a hold time has to pass twice and a half."""
    found, hold = behaviour.parameter("period"), behaviour.parameter("hold")
    if behaviour.kind is BehaviourKind.CYCLE:
        return cycle_ms(behaviour)
    if hold is not None:
        return hold.number * 5 / 2
    return found.number if found is not None else Fraction(0)


def _render(
    draft: _Draft, signals: Sequence[DesignSignal], pins: Sequence[PinAssignment]
) -> DesignScenario:
    timeline = draft.timeline
    duration = timeline.end_ms
    proves = tuple(dict.fromkeys(timeline.proves))
    looked_at = " ".join(timeline.steps)
    # A sensor that is asked is there in each run: without a stimulus it sees nothing.
    signals = [
        s
        for s in signals
        if s.kind is SignalKind.ECHO or re.search(rf"\b(signal|pin): {s.id}\b", looked_at)
    ]
    requires = tuple(r for r in draft.requires if r != "pin.read" or " pin: " in looked_at)
    if any(s.kind is SignalKind.ECHO for s in signals):
        requires = (*requires, "inject.echo")
    lines = [
        "scenario: 1",
        f"id: {draft.id}",
        f"title: {quoted(draft.title)}",
        f"proves: [{', '.join(proves)}]",
        f"requires: [{', '.join(requires)}]",
        f"duration: {duration}ms",
        f"control: {'true' if draft.control else 'false'}",
        "signals:" if signals else "signals: {}",
    ]
    by_signal = {pin.signal: pin for pin in pins}
    lines += [f"  {signal_line(signal, by_signal)}" for signal in signals]
    if timeline.draws:
        lines.append("vars:")
        lines += [f"  {name}: {text}" for name, text in timeline.draws.items()]
    lines.append("steps:")
    lines += [f"  - {step}" for step in timeline.steps]
    text = "\n".join(lines) + "\n"
    return DesignScenario(
        id=draft.id,
        title=draft.title,
        yaml=text,
        sha256=text_digest(text),
        control=draft.control,
        proves=proves,
        requires=requires,
        duration_ms=duration,
    )


def signal_line(signal: DesignSignal, wiring: Mapping[str, PinAssignment]) -> str:
    """How a scenario names a signal and its pins; ``wiring`` has the pins by signal."""
    pin = wiring[signal.id]
    if signal.kind is SignalKind.ECHO:
        return (
            f"{signal.id}: {{kind: echo, pin: {pin.pin}, trigger: {wiring[signal.trigger].pin}, "
            f"unit: {quoted(signal.unit)}, us_per_unit: {signal.us_per_unit}, "
            f"min: {signal.minimum}, max: {signal.maximum}}}"
        )
    if signal.kind is SignalKind.ANALOG:
        usual = signal.full_scale_mv == SUPPLY_MV
        scale = "" if usual else f"full_scale_mv: {signal.full_scale_mv}, "
        return (
            f"{signal.id}: {{kind: analog, pin: {pin.pin}, unit: {quoted(signal.unit)}, "
            f"mv_at_zero: {signal.mv_at_zero}, mv_per_unit: {signal.mv_per_unit}, {scale}"
            f"min: {signal.minimum}, max: {signal.maximum}}}"
        )
    active = Active.LOW if pin.active is Active.LOW else Active.HIGH
    return f"{signal.id}: {{kind: {signal.kind}, pin: {pin.pin}, active: {active}}}"
