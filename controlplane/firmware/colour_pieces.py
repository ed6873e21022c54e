"""Templates of the RGB LED."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind, DesignSignal
from controlplane.domain.units import parse_decimal
from controlplane.firmware.pieces import Sections, c_float, camel
from controlplane.planning.colours import BITS
from controlplane.planning.timeline import detects_absence


def show_rgb(sketch: Sections, behaviours: Sequence[Behaviour]) -> None:
    """What all behaviours of the LED share: the colours that they name, and its three pins."""
    named = {c for b in behaviours for c in (*b.word("colours").split(), b.word("colour")) if c}
    named |= {"off"} if any(b.kind is BehaviourKind.BANDS for b in behaviours) else set()
    sketch.numbers += [f"const int COLOUR_{c.upper()} = {BITS[c]};" for c in BITS if c in named]
    writes = "".join(
        f"  digitalWrite({line.upper()}_PIN, (colour & {1 << number}) != 0 ? {line.upper()}_ON "
        f": {line.upper()}_OFF);\n"
        for number, line in enumerate(behaviours[0].signals[-3:])
    )
    sketch.functions.append(
        "// A colour is a sum of 1 for red, 2 for green and 4 for blue.\n"
        f"void showRgb(int colour) {{\n{writes}}}\n"
    )


def cycle(sketch: Sections, behaviour: Behaviour) -> None:
    """Show colours one after the other."""
    colours = behaviour.word("colours").split()
    listed = ", ".join(f"COLOUR_{colour.upper()}" for colour in colours)
    sketch.numbers.append(f"const unsigned long RGB_STEP_MS = {behaviour.word('step')};")
    sketch.state += ["unsigned int rgbNext = 0;", "unsigned long rgbDue = 0;"]
    sketch.start.append("  rgbDue = millis();")
    sketch.functions.append(
        f"// {behaviour.text}\n"
        "void cycleRgb() {\n"
        f"  static const int COLOURS[] = {{{listed}}};\n"
        "  if (!isDue(millis(), rgbDue)) return;\n"
        "  rgbDue += RGB_STEP_MS;\n"
        "  showRgb(COLOURS[rgbNext]);\n"
        f"  rgbNext = (rgbNext + 1) % {len(colours)};\n"
        "}\n"
    )
    sketch.loop.append("cycleRgb")


def bands(sketch: Sections, behaviour: Behaviour, signal: DesignSignal) -> None:
    """Show the colour of the band that a sensor is in."""
    colours = [f"COLOUR_{c.upper()}" for c in behaviour.word("colours").split()]
    limits = behaviour.word("limits").split()
    value = camel(signal.id)
    sketch.numbers += [
        f"const float RGB_LIMIT_{number} = {c_float(parse_decimal(limit))};"
        for number, limit in enumerate(limits, start=1)
    ]
    lines = [f"  if ({value} > RGB_LIMIT_{n}) colour = {c};" for n, c in enumerate(colours) if n]
    body = "\n".join([f"  int colour = {colours[0]};", *lines])
    if detects_absence(signal):
        body += f"\n  if (!{value}IsValid) colour = COLOUR_OFF;"
    sketch.functions.append(
        f"// {behaviour.text}\nvoid controlRgb() {{\n{body}\n  showRgb(colour);\n}}\n"
    )
    sketch.sampled.append("controlRgb")
