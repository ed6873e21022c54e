"""Sketches from templates: constants on top, one small function for each behaviour, no drift.

Schedules add their period to the time at which they were due, so that they do not drift. Times
that are whole milliseconds use ``millis()``, others ``micros()``: on the 1 ms tick single intervals
are then off by less than 1 ms and their mean is exact to a millionth.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from controlplane.domain.design import (
    Active,
    Behaviour,
    BehaviourKind,
    Design,
    PinAssignment,
    Pull,
    SignalKind,
)
from controlplane.firmware.cloud_pieces import (
    HEADER,
    messages,
    publish_again,
    publish_passing,
    uses_cloud,
)
from controlplane.firmware.colour_pieces import bands, cycle, show_rgb
from controlplane.firmware.distance_pieces import ranger
from controlplane.firmware.motion_pieces import follow, notice
from controlplane.firmware.pieces import (
    Sections,
    blink,
    button,
    commands,
    report,
    sensor,
    threshold,
)
from controlplane.firmware.turning_pieces import turn
from controlplane.planning.messaging import (
    is_limit,
    is_periodic,
    published_outputs,
    published_presses,
)

SAMPLE_MS = 100
"""Sensors are read, and outputs that follow them set, this often."""


@dataclass(slots=True)
class Sketch:
    """The sections of a sketch while it is written."""

    published: Mapping[str, str] = field(default_factory=dict)
    pins: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)
    sampled: list[str] = field(default_factory=list)


def write_sketch(design: Design) -> str:
    """Write the sketch of a design."""
    presses = published_presses(design.behaviours)
    sketch = Sketch(
        published=published_outputs(design.behaviours) | ({"presses": presses} if presses else {})
    )
    for pin in design.pins:
        if pin.signal != "console":
            _wire(sketch, design, pin)
    of_kind = {kind: [b for b in design.behaviours if b.kind is kind] for kind in BehaviourKind}
    sensors = [signal for signal in design.signals if signal.is_measured]
    for signal in sensors:
        (ranger if signal.kind is SignalKind.ECHO else sensor)(sketch, signal)
    for behaviour in of_kind[BehaviourKind.THRESHOLD]:
        threshold(sketch, behaviour, design.signal(behaviour.signals[0]))
    for behaviour in filter(is_limit, of_kind[BehaviourKind.PUBLISH]):
        publish_passing(sketch, behaviour, design.signal(behaviour.signals[0]))
    _colours(sketch, design, of_kind)
    if sensors:
        _sampling(sketch, {signal.kind for signal in sensors})
    for kind, write in _BY_THEMSELVES.items():
        for behaviour in of_kind[kind]:
            write(sketch, behaviour)
    for behaviour in of_kind[BehaviourKind.REPORT]:
        report(sketch, design, behaviour)
    for behaviour in filter(is_periodic, of_kind[BehaviourKind.PUBLISH]):
        publish_again(sketch, design, behaviour)
    messages(sketch, of_kind[BehaviourKind.MESSAGE])
    _console(sketch, design, of_kind)
    if any(signal.kind is SignalKind.ECHO for signal in sensors):
        # What takes longest comes last: what is due at the same moment is on time.
        sketch.loop.append(sketch.loop.pop(sketch.loop.index(_SAMPLE)))
    return _text(design, sketch)


_BY_THEMSELVES: Mapping[BehaviourKind, Callable[[Sections, Behaviour], None]] = {
    BehaviourKind.BLINK: blink,
    BehaviourKind.BUTTON: button,
    BehaviourKind.FOLLOW: follow,
    BehaviourKind.NOTICE: notice,
    BehaviourKind.TURN: turn,
}
"""Templates that need nothing but their behaviour, in the order in which they are written."""


def _colours(
    sketch: Sketch, design: Design, of_kind: Mapping[BehaviourKind, list[Behaviour]]
) -> None:
    commands = [b for b in of_kind[BehaviourKind.COMMAND] if b.word("value") == "colour"]
    colourful = [*of_kind[BehaviourKind.CYCLE], *of_kind[BehaviourKind.BANDS], *commands]
    if colourful:
        show_rgb(sketch, colourful)
    for behaviour in of_kind[BehaviourKind.BANDS]:
        bands(sketch, behaviour, design.signal(behaviour.signals[0]))
    for behaviour in of_kind[BehaviourKind.CYCLE]:
        cycle(sketch, behaviour)


def _wire(sketch: Sketch, design: Design, pin: PinAssignment) -> None:
    name = pin.signal.upper()
    component = next(c for c in design.components if c.id == pin.component)
    note = f"{component.part_number or component.kind}"
    written = pin_number(pin.pin)
    if written != pin.pin:
        note = f"{pin.pin}, {note}"
    if pin.active is not Active.NONE:
        note += f", active {pin.active}"
    sketch.pins.append(f"const int {name}_PIN = {written};  // {note}")
    on, off = ("LOW", "HIGH") if pin.active is Active.LOW else ("HIGH", "LOW")
    if pin.function == "gpio_out":
        sketch.pins += [f"const int {name}_ON = {on};", f"const int {name}_OFF = {off};"]
        sketch.setup += [
            f"  digitalWrite({name}_PIN, {name}_OFF);",
            f"  pinMode({name}_PIN, OUTPUT);",
        ]
    elif pin.function == "gpio_in":
        word = "PRESSED" if component.kind == "button" else "ACTIVE"
        if design.signal(pin.signal).kind is not SignalKind.ECHO:
            sketch.pins.append(f"const int {name}_{word} = {on};")
        mode = {Pull.UP: "INPUT_PULLUP", Pull.DOWN: "INPUT_PULLDOWN"}.get(pin.pull, "INPUT")
        sketch.setup.append(f"  pinMode({name}_PIN, {mode});")


def pin_number(name: str) -> str:
    """How sketches write a pin: by its name, or where pins have only numbers, by that."""
    return name.removeprefix("GPIO")


_SAMPLE = "sampleSensors"


def _sampling(sketch: Sketch, kinds: Set[SignalKind]) -> None:
    sketch.numbers.append(f"const unsigned long SAMPLE_MS = {SAMPLE_MS};")
    sketch.state.append("unsigned long sampleDue = 0;")
    # A distance was measured a moment ago, and its echo has to die away.
    later = " + SAMPLE_MS" if SignalKind.ECHO in kinds else ""
    sketch.start.append(f"  sampleDue = millis(){later};")
    calls = "\n".join(f"  {call}();" for call in sketch.sampled)
    sketch.functions.append(
        "// Reads the sensors and sets what follows them.\n"
        f"void {_SAMPLE}() {{\n"
        "  if (!isDue(millis(), sampleDue)) return;\n"
        "  sampleDue += SAMPLE_MS;\n"
        f"{calls}\n"
        "}\n"
    )
    sketch.loop.append(_SAMPLE)
    if SignalKind.ANALOG in kinds:
        sketch.setup.insert(0, "  analogReadResolution(12);")


def _console(sketch: Sketch, design: Design, of_kind: dict[BehaviourKind, list[Behaviour]]) -> None:
    if of_kind[BehaviourKind.COMMAND] or of_kind[BehaviourKind.ECHO]:
        commands(
            sketch, design, of_kind[BehaviourKind.COMMAND], echo=bool(of_kind[BehaviourKind.ECHO])
        )


def _text(design: Design, sketch: Sketch) -> str:
    comment = "\n".join(f"//   {line}" for line in _wrapped(design.prompt))
    does = "\n".join(f"// - {behaviour.text}" for behaviour in design.behaviours)
    scheduled = any("isDue(" in text for text in sketch.functions)
    due = (
        "// Whether a moment has come; right across the overflow of the clock.\n"
        "bool isDue(unsigned long now, unsigned long due) {\n"
        "  return static_cast<long>(now - due) >= 0;\n"
        "}\n"
    )
    sections = [
        f"// Wish:\n{comment}\n//\n{does}\n// Board: {design.board.model}\n",
        f"#include <{HEADER}>\n" if uses_cloud(design.behaviours) else "",
        _section("Wiring", sketch.pins),
        _section("Numbers", sketch.numbers),
        _section("State", sketch.state),
        due if scheduled else "",
        *sketch.functions,
        "void setup() {\n  Serial.begin(115200);\n"
        + "".join(f"{line}\n" for line in [*sketch.setup, *sketch.start])
        + "}\n",
        "void loop() {\n" + "".join(f"  {call}();\n" for call in sketch.loop) + "  delay(1);\n}\n",
    ]
    return "\n".join(section for section in sections if section)


def _section(title: str, lines: list[str]) -> str:
    return f"// {title}\n" + "\n".join(lines) + "\n" if lines else ""


def _wrapped(prompt: str, width: int = 90) -> list[str]:
    """The prompt as comment lines: plain ASCII, no line ends with a backslash."""
    plain = "".join(ch if ch.isascii() and ch.isprintable() else " " for ch in prompt)
    lines, line = [], ""
    for word in plain.replace("\\", "/").replace("??", "? ?").split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]
