"""The template of a sensor that answers a trigger by an echo."""

from math import ceil

from controlplane.domain.design import DesignSignal
from controlplane.domain.units import parse_decimal
from controlplane.firmware.pieces import Sections, c_float, camel, pascal

TRIGGER_US = 10
"""HC-SR04 user guide: the trigger is high for at least 10 us."""

_LEAD_US = 1500
"""More than an HC-SR04 takes from the trigger to the beginning of its echo."""


def timeout_us(signal: DesignSignal) -> int:
    """How long an echo is waited for, to its end: whole milliseconds."""
    longest = parse_decimal(signal.maximum) * parse_decimal(signal.us_per_unit)
    return ceil((longest + _LEAD_US) / 1000) * 1000


def ranger(sketch: Sections, signal: DesignSignal) -> None:
    """Measure by an echo; none is no value, and not one of 0."""
    name, upper = camel(signal.id), signal.id.upper()
    trigger, unit = signal.trigger.upper(), signal.unit.upper()
    longest = f"more than {signal.maximum} {signal.unit} take"
    sketch.numbers += [
        f"const unsigned int {upper}_TRIGGER_US = {TRIGGER_US};",
        f"const float {upper}_US_PER_{unit} = {c_float(signal.us_per_unit)};  // there and back",
        f"const unsigned long {upper}_TIMEOUT_US = {timeout_us(signal)};  // {longest}",
    ]
    sketch.state += [f"float {name} = 0.0f;", f"bool {name}IsValid = false;"]
    sketch.functions.append(
        f"// Measures the {signal.id.replace('_', ' ')} in {signal.unit}; no echo is none.\n"
        f"void measure{pascal(signal.id)}() {{\n"
        f"  digitalWrite({trigger}_PIN, {trigger}_ON);\n"
        f"  delayMicroseconds({upper}_TRIGGER_US);\n"
        f"  digitalWrite({trigger}_PIN, {trigger}_OFF);\n"
        f"  const unsigned long echo = pulseIn({upper}_PIN, HIGH, {upper}_TIMEOUT_US);\n"
        f"  {name}IsValid = echo > 0;\n"
        f"  {name} = echo / {upper}_US_PER_{unit};\n"
        "}\n"
    )
    sketch.start.append(f"  measure{pascal(signal.id)}();")
    sketch.sampled.append(f"measure{pascal(signal.id)}")
