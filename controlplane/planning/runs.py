"""Whole runs: the main scenario, and the control run."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.planning.cloud_proofs import (
    control_published,
    follow_published,
    last_published,
    prove_limits,
    prove_rate,
)
from controlplane.planning.colour_proofs import (
    control_colours,
    prove_bands,
    prove_cycle,
    prove_paint,
)
from controlplane.planning.distance_proofs import prove_out_of_range
from controlplane.planning.message_proofs import control_messages, prove_messages
from controlplane.planning.messaging import is_periodic
from controlplane.planning.motion_proofs import (
    control_motion,
    prove_motion,
)
from controlplane.planning.proofs import Proofs
from controlplane.planning.timeline import (
    PHASE_MS,
    START_MS,
    Timeline,
    beyond_range,
    detects_absence,
    exactly,
    lower_half,
    press_lines,
    single_quoted,
    upper_half,
)
from controlplane.planning.turning_proofs import (
    control_turning,
    prove_turning,
)


def prove_all(timeline: Proofs, behaviours: Sequence[Behaviour], periods_of: Sequence[str]) -> None:
    """Fill the main scenario: rates first, then stimuli one after the other."""
    timeline.begin()
    timeline.ambient(behaviours)
    timeline.reports = [b.id for b in behaviours if b.kind is BehaviourKind.REPORT]
    _periods(timeline, [b for b in behaviours if b.id in periods_of])
    timeline.now = max(START_MS + 200, timeline.after_first_reports())
    by_kind = {kind: [b for b in behaviours if b.kind is kind] for kind in BehaviourKind}
    for behaviour in by_kind[BehaviourKind.THRESHOLD]:
        timeline.threshold(behaviour, behaviours)
    _other_values(timeline, behaviours)
    prove_motion(timeline, behaviours, [b for b in behaviours if b.id in periods_of])
    for behaviour in by_kind[BehaviourKind.BANDS]:
        prove_bands(timeline, behaviour)
    for behaviour in by_kind[BehaviourKind.TURN]:
        prove_turning(timeline, behaviour, behaviours, periods_of)
    prove_limits(timeline, behaviours)
    prove_out_of_range(timeline, behaviours)
    for behaviour in by_kind[BehaviourKind.BUTTON]:
        if _shows_presses(behaviour, behaviours, periods_of):
            timeline.button(behaviour, behaviours)
    prove_messages(timeline, behaviours)
    _commands(timeline, by_kind[BehaviourKind.COMMAND], behaviours)
    for behaviour in by_kind[BehaviourKind.ECHO]:
        timeline.echo(behaviour)
    _last_reports(timeline, by_kind[BehaviourKind.REPORT], periods_of)
    last_published(timeline, [b for b in behaviours if b.id in periods_of])
    timeline.until(timeline.now + 200)


def _periods(timeline: Proofs, behaviours: Sequence[Behaviour]) -> None:
    """What happens by the clock alone."""
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.BLINK:
            timeline.blink(behaviour)
        elif behaviour.kind is BehaviourKind.REPORT:
            timeline.report(behaviour)
        elif behaviour.kind is BehaviourKind.CYCLE:
            prove_cycle(timeline, behaviour)
        elif is_periodic(behaviour):
            prove_rate(timeline, behaviour)


def _shows_presses(
    button: Behaviour, behaviours: Sequence[Behaviour], periods_of: Sequence[str]
) -> bool:
    """Whether a press shows soon: a count that is told patiently is proved there."""
    told = [b for b in behaviours if b.word("value") == "presses"]
    soon = [b for b in told if not b.parameter("period") or b.id in periods_of]
    return bool(soon) or bool(press_lines(button)) or len(button.signals) > 1


def _commands(
    timeline: Proofs, commands: Sequence[Behaviour], behaviours: Sequence[Behaviour]
) -> None:
    """Commands that were not asked on the way."""
    shown = "off"
    for behaviour in commands:
        if behaviour.word("value") == "colour":
            prove_paint(timeline, behaviour, shown)
            shown = behaviour.word("colour")
        elif behaviour.id not in timeline.proves:
            timeline.command(behaviour, behaviours)


def _other_values(timeline: Proofs, behaviours: Sequence[Behaviour]) -> None:
    """Reports and answers show values that no constant comes near."""
    switching = {b.signals[0]: b for b in reversed(behaviours) if b.kind is BehaviourKind.THRESHOLD}
    for signal in list(timeline.signals.values()):
        if not signal.is_measured:
            continue
        mine = [b for b in behaviours if b.signals == (signal.id,)]
        if signal.id in switching:
            slow = [b for b in mine if _is_repeated(b) and b.number("period") > 2000]
            if slow:
                low, high = beyond_range(switching[signal.id], signal)
                timeline.set(signal.id, timeline.draw(f"{signal.id}_second", low, high, signal))
                shown = timeline.follow(slow, signal, limit=8001)
                timeline.now += max(shown, follow_published(timeline, slow, signal, limit=8001))
            continue
        low, high = upper_half(signal)
        timeline.set(signal.id, timeline.draw(f"{signal.id}_second", low, high, signal))
        shown = timeline.follow(behaviours, signal, limit=8001)
        published = follow_published(timeline, behaviours, signal, limit=8001)
        timeline.now += max(PHASE_MS, shown, published)
        timeline.answers(behaviours, signal.id, "")
        if any(b.kind is BehaviourKind.COMMAND for b in mine):
            low, high = lower_half(signal)
            timeline.set(signal.id, timeline.draw(f"{signal.id}_third", low, high, signal))
            timeline.now += PHASE_MS
            timeline.answers_again(behaviours, signal.id, "", "")


def _is_repeated(behaviour: Behaviour) -> bool:
    return behaviour.kind is BehaviourKind.REPORT or is_periodic(behaviour)


def _last_reports(
    timeline: Proofs, reports: Sequence[Behaviour], periods_of: Sequence[str]
) -> None:
    """At the end, reports of presses and of the uptime show other values than at the start."""
    for behaviour in reports:
        if behaviour.id not in periods_of:
            continue
        period = round(behaviour.number("period"))
        if behaviour.word("value") == "presses":
            timeline.add(
                timeline.now,
                f"expect: {{id: presses_value, line: '^presses {timeline.presses}$', "
                f"after: {timeline.now}ms, within: {period + START_MS}ms}}",
                report=behaviour.id,
            )
            timeline.now += period + START_MS
        elif behaviour.word("value") == "uptime" and period <= 3000:
            timeline.now = max(timeline.now, max(1000, period) + period + 3000)
            timeline.uptime("uptime_rises", behaviour, after=timeline.now)
            timeline.now += period + START_MS


def prove_control(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """No stimulus at all: no values, no switching, no presses, no answers."""
    timeline.begin()
    timeline.until(2500)
    control_published(timeline, behaviours)
    control_messages(timeline, behaviours)
    for behaviour in behaviours:
        match behaviour.kind:
            case BehaviourKind.REPORT if behaviour.word("value") == "sensor":
                signal = timeline.signals[behaviour.signals[0]]
                any_value = timeline.value_regex(f"{signal.line_name} ", signal)
                where = "" if detects_absence(signal) else ', where: "v > 0"'
                timeline.add(
                    timeline.now,
                    f"never: {{id: no_{signal.id}, line: {single_quoted(any_value)}{where}}}",
                )
            case BehaviourKind.THRESHOLD:
                _control_output(timeline, behaviour)
            case BehaviourKind.BUTTON:
                for index, line in enumerate(press_lines(behaviour)):
                    regex = exactly(line).replace("#", "[0-9]+")
                    timeline.add(
                        timeline.now,
                        f"never: {{id: no_press_{index + 1}, line: {single_quoted(regex)}}}",
                    )
                for output in behaviour.signals[1:]:
                    timeline.add(
                        timeline.now, f"never: {{id: {output}_untouched, pin: {output}, level: on}}"
                    )
            case BehaviourKind.COMMAND:
                _control_command(timeline, behaviour)
                if behaviour.word("value") == "colour":
                    control_colours(timeline, behaviour)
            case BehaviourKind.BANDS:
                control_colours(timeline, behaviour)
            case BehaviourKind.TURN:
                control_turning(timeline, behaviour)
            case BehaviourKind.FOLLOW | BehaviourKind.NOTICE:
                control_motion(timeline, behaviour)
            case _:
                pass


def _control_output(timeline: Timeline, behaviour: Behaviour) -> None:
    signal, output = timeline.signals[behaviour.signals[0]], behaviour.signals[1]
    rising = behaviour.word("on_when").startswith(">")
    if rising or detects_absence(signal):
        timeline.add(timeline.now, f"never: {{id: {output}_stays_off, pin: {output}, level: on}}")
    else:
        timeline.add(
            timeline.now,
            f"expect: {{id: {output}_on_at_zero, pin: {output}, level: on, within: 1s}}",
        )


def _control_command(timeline: Timeline, behaviour: Behaviour) -> None:
    regex = timeline.answer_regex(behaviour)
    name = behaviour.id.removeprefix("command_")
    timeline.add(timeline.now, f"never: {{id: {name}_unasked, line: {single_quoted(regex)}}}")
