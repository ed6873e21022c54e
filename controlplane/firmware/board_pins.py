"""`board_pins.h`: the one place of a written project that knows pins, levels and scales."""

from collections.abc import Iterator

from controlplane.domain.design import Active, Design, PinAssignment, Pull, SignalKind
from controlplane.firmware.pieces import c_float
from controlplane.firmware.sketch import pin_number

FILE = "board_pins.h"


def board_pins(design: Design) -> str:
    """The header of a design; sketches use its names only."""
    lines = [
        "// Generated from the design: pins, levels and scales. Not to be edited.",
        "#pragma once",
        "#include <Arduino.h>",
        "",
    ]
    for pin in design.pins:
        if pin.signal != "console":
            lines += [*_pin(design, pin), ""]
    return "\n".join(lines)


def _pin(design: Design, pin: PinAssignment) -> Iterator[str]:
    name = pin.signal.upper()
    component = next(c for c in design.components if c.id == pin.component)
    part = " ".join((component.part_number or component.kind).split())
    active = "" if pin.active is Active.NONE else f", active {pin.active}"
    yield f"constexpr int {name}_PIN = {pin_number(pin.pin)};  // {pin.pin}, {part}{active}"
    on, off = ("LOW", "HIGH") if pin.active is Active.LOW else ("HIGH", "LOW")
    if pin.function == "gpio_out":
        yield f"constexpr int {name}_ON = {on};"
        yield f"constexpr int {name}_OFF = {off};"
    elif pin.function == "gpio_in":
        mode = {Pull.UP: "INPUT_PULLUP", Pull.DOWN: "INPUT_PULLDOWN"}.get(pin.pull, "INPUT")
        yield f"constexpr int {name}_MODE = {mode};"
        signal = design.signal(pin.signal)
        if signal.kind is SignalKind.ECHO:
            limits = f"{signal.minimum} to {signal.maximum} {signal.unit}"
            yield f"// Echo of {limits}; a longer one is none"
            yield f"constexpr float {name}_US_PER_UNIT = {c_float(signal.us_per_unit)};"
            return
        yield f"constexpr int {name}_PRESSED = {on};"
    else:
        signal = design.signal(pin.signal)
        unit = signal.unit or "value"
        yield f"// {signal.minimum} to {signal.maximum} {unit}; analogReadResolution(12)"
        yield f"constexpr float {name}_FULL_SCALE_MV = {signal.full_scale_mv}.0f;  // 4095 counts"
        yield f"constexpr float {name}_MV_AT_ZERO = {c_float(signal.mv_at_zero)};"
        yield f"constexpr float {name}_MV_PER_UNIT = {c_float(signal.mv_per_unit)};  // 1 {unit}"
        yield f"constexpr float {name}_LOWEST = {c_float(signal.minimum)};"
        yield f"constexpr float {name}_HIGHEST = {c_float(signal.maximum)};"
