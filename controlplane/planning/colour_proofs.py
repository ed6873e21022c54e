"""Proofs of the RGB LED: which of its pins are on, and for how long."""

from collections.abc import Sequence
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.domain.units import parse_decimal
from controlplane.planning.colours import BITS
from controlplane.planning.proofs import Proofs
from controlplane.planning.timeline import (
    PHASE_MS,
    REACTION_MS,
    START_MS,
    Timeline,
    console_line,
    detects_absence,
    exactly,
    single_quoted,
    step_of,
)

PINS = 3


def colours_of(behaviour: Behaviour) -> list[str]:
    """The colours of a behaviour, in their order."""
    return behaviour.word("colours").split()


def lines_of(behaviour: Behaviour) -> tuple[str, ...]:
    """The signals of the LED's pins: red, green, blue."""
    return behaviour.signals[-PINS:]


def shows(timeline: Timeline, lines: Sequence[str], colour: str, name: str, at: int) -> None:
    """At a moment all pins are what a colour asks for."""
    for number, line in enumerate(lines):
        level = "on" if BITS[colour] >> number & 1 else "off"
        timeline.add(at, f"pin: {{id: {name}_{line}, signal: {line}, level: {level}, at: {at}ms}}")
    timeline.until(at + 100)


def cycle_ms(behaviour: Behaviour) -> Fraction:
    """How long it takes to see each colour and the first one again, with some room (ms)."""
    return behaviour.number("step") * (len(colours_of(behaviour)) + 1)


def prove_cycle(timeline: Timeline, behaviour: Behaviour) -> None:
    """Every change of every pin in its order, and the time from each colour to the next."""
    colours, lines = colours_of(behaviour), lines_of(behaviour)
    step = round(behaviour.number("step"))
    slack = max(3, step // 50, timeline.held_up_ms)
    shown, before, last = 0, 0, ""
    edges = dict.fromkeys(lines, 0)
    for number in range(len(colours) + 2):
        bits = BITS[colours[number % len(colours)]]
        at = number * step
        names = []
        for pin, line in enumerate(lines):
            if (bits ^ before) >> pin & 1:
                edge = "rising" if bits >> pin & 1 else "falling"
                name = f"colour_{number + 1}_{line}"
                names.append(name)
                edges[line] += 1
                after = max(0, at - at // 50 - slack)
                timeline.add(
                    after,
                    f"expect: {{id: {name}, pin: {line}, edge: {edge}, after: {after}ms, "
                    f"within: {at // 25 + 2 * slack + START_MS}ms}}",
                )
        for name in names if last else []:
            timeline.add(
                at,
                f"expect_latency: {{id: {name}_time, from: {last}, to: {name}, "
                f"max: {step + slack}ms, min: {step - slack}ms}}",
            )
        last = names[0] if names else ""
        before, shown = bits, at
    for line, count in edges.items():
        timeline.add(
            shown,
            f"expect_count: {{id: {line}_changes, pin: {line}, edge: any, "
            f"until: {shown + step // 2}ms, max: {count}}}",
        )
    timeline.until(shown + step // 2)
    timeline.until(shown + shown // 50 + START_MS + 2 * slack + REACTION_MS)
    timeline.proves.append(behaviour.id)


def prove_bands(timeline: Proofs, behaviour: Behaviour) -> None:
    """Values just beside each limit, from the lowest colour to the highest and back."""
    signal = timeline.signals[behaviour.signals[0]]
    lines, colours = lines_of(behaviour), colours_of(behaviour)
    limits = [parse_decimal(text) for text in behaviour.word("limits").split()]
    unit = step_of(signal.unit)
    ways = [(number, side) for number in range(len(limits)) for side in (-1, 1)]
    for way, (number, side) in enumerate([*ways, *reversed(ways[:-1])]):
        edges = sorted(limits[number] + side * unit * share / 10 for share in (3, 8))
        timeline.set(signal.id, timeline.draw(f"colour_{way + 1}", edges[0], edges[1], signal))
        timeline.now += PHASE_MS
        colour = colours[number + (side > 0)]
        shows(timeline, lines, colour, f"value_{way + 1}", timeline.now - 10)
    timeline.until(timeline.now)
    timeline.proves.append(behaviour.id)


def prove_paint(timeline: Timeline, behaviour: Behaviour, before: str) -> None:
    """Another line changes nothing, the command brings its colour; ``before`` was shown."""
    lines, colour, word = lines_of(behaviour), behaviour.word("colour"), behaviour.word("command")
    name = behaviour.id.removeprefix("command_")
    said = single_quoted(exactly(f"rgb {colour}"))
    wrong = timeline.now
    timeline.add(
        wrong,
        f"send: {{at: {wrong}ms, text: {console_line(word + 'x')}}}",
        f"never: {{id: {name}_not_for_others, line: {said}, after: {wrong}ms, "
        f"until: {wrong + PHASE_MS}ms}}",
    )
    shows(timeline, lines, before, f"{name}_before", wrong + PHASE_MS - 10)
    right = wrong + PHASE_MS
    timeline.add(
        right,
        f"send: {{at: {right}ms, text: {console_line(word)}}}",
        f"expect: {{id: {name}_reply, line: {said}, after: {right}ms, within: {REACTION_MS}ms}}",
    )
    shows(timeline, lines, colour, f"{name}_shows", right + REACTION_MS)
    timeline.now = right + PHASE_MS
    timeline.until(timeline.now)
    timeline.proves.append(behaviour.id)


def control_colours(timeline: Timeline, behaviour: Behaviour) -> None:
    """Without a stimulus the LED is dark, or has the colour of the lowest value."""
    lines = lines_of(behaviour)
    lowest = "off"
    has_value = behaviour.kind is BehaviourKind.BANDS
    if has_value and not detects_absence(timeline.signals[behaviour.signals[0]]):
        lowest = colours_of(behaviour)[0]
    for number, line in enumerate(lines):
        if not BITS[lowest] >> number & 1:
            if not timeline.has(f"{line}_stays_off"):
                timeline.add(
                    timeline.now, f"never: {{id: {line}_stays_off, pin: {line}, level: on}}"
                )
        else:
            timeline.add(
                timeline.now, f"expect: {{id: {line}_at_zero, pin: {line}, level: on, within: 1s}}"
            )
