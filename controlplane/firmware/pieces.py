"""One template for each behaviour of the offline author."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from controlplane.domain.design import Behaviour, Design, DesignSignal, SignalKind
from controlplane.domain.units import Unit, decimal_text, parse_decimal
from controlplane.planning.timeline import absent_line, detects_absence


class Sections(Protocol):
    """The parts of a sketch that templates add to.

    ``published`` has the topics of the outputs whose changes are published, and of "presses".
    """

    published: Mapping[str, str]

    numbers: list[str]
    state: list[str]
    functions: list[str]
    setup: list[str]
    start: list[str]
    loop: list[str]
    sampled: list[str]


def camel(name: str) -> str:
    """``red_led`` -> ``redLed``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def pascal(name: str) -> str:
    """``red_led`` -> ``RedLed``."""
    return "".join(word.capitalize() for word in name.split("_"))


def c_text(text: str) -> str:
    """A C string literal of printable ASCII."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
    return f'"{escaped}"'


def c_float(value: Fraction | str) -> str:
    """A float literal."""
    text = value if isinstance(value, str) else decimal_text(value)
    return f"{text}f" if "." in text else f"{text}.0f"


def _clock(values: Sequence[Fraction]) -> tuple[str, str, list[str]]:
    """The clock function, its unit and the values in it: ms when all are whole, else us."""
    if all(value.denominator == 1 for value in values):
        return "millis", "MS", [str(value) for value in values]
    return "micros", "US", [str(round(value * 1000)) for value in values]


def period_of(behaviour: Behaviour) -> tuple[str, str, str]:
    """The clock function of a period, its unit and the period in it."""
    clock, unit, (period,) = _clock([behaviour.number("period")])
    return clock, unit, period


def blink(sketch: Sections, behaviour: Behaviour) -> None:
    """Turn an LED on and off."""
    led = behaviour.signals[0]
    name, upper = camel(led), led.upper()
    on, off = behaviour.number("on"), behaviour.number("off")
    if on == off:
        clock, unit, (half,) = _clock([on])
        sketch.numbers.append(f"const unsigned long {upper}_HALF_PERIOD_{unit} = {half};")
        wait = f"{upper}_HALF_PERIOD_{unit}"
    else:
        clock, unit, (first, second) = _clock([on, off])
        sketch.numbers += [
            f"const unsigned long {upper}_ON_{unit} = {first};",
            f"const unsigned long {upper}_OFF_{unit} = {second};",
        ]
        wait = f"{name}IsOn ? {upper}_ON_{unit} : {upper}_OFF_{unit}"
    sketch.state += [f"bool {name}IsOn = false;", f"unsigned long {name}Due = 0;"]
    sketch.start.append(f"  {name}Due = {clock}();")
    sketch.loop.append(f"blink{pascal(led)}")
    sketch.functions.append(
        f"// {behaviour.text}\n"
        f"void blink{pascal(led)}() {{\n"
        f"  if (!isDue({clock}(), {name}Due)) return;\n"
        f"  {name}IsOn = !{name}IsOn;\n"
        f"  digitalWrite({upper}_PIN, {name}IsOn ? {upper}_ON : {upper}_OFF);\n"
        f"  {name}Due += {wait};\n"
        "}\n"
    )


def sensor(sketch: Sections, signal: DesignSignal) -> None:
    """Measure an analog signal."""
    name, pascal_name, upper = camel(signal.id), pascal(signal.id), signal.id.upper()
    zero, slope = parse_decimal(signal.mv_at_zero), parse_decimal(signal.mv_per_unit)
    sketch.numbers += [
        f"const float {upper}_MV_AT_ZERO = {c_float(zero)};",
        f"const float {upper}_MV_PER_UNIT = {c_float(slope)};  // mV for 1 {signal.unit}",
    ]
    sketch.state.append(f"float {name} = 0.0f;")
    valid = ""
    if zero + slope * parse_decimal(signal.minimum) > 0:
        sketch.numbers += [
            f"const float {upper}_LOWEST = {c_float(signal.minimum)};",
            f"const float {upper}_HIGHEST = {c_float(signal.maximum)};",
        ]
        sketch.state.append(f"bool {name}IsValid = false;")
        valid = f"  {name}IsValid = {name} >= {upper}_LOWEST && {name} <= {upper}_HIGHEST;\n"
    sketch.functions.append(
        f"// Reads the {signal.id.replace('_', ' ')} in {signal.unit}.\n"
        f"void measure{pascal_name}() {{\n"
        f"  const float millivolts = analogRead({upper}_PIN) "
        f"* {signal.full_scale_mv}.0f / 4095.0f;\n"
        f"  {name} = (millivolts - {upper}_MV_AT_ZERO) / {upper}_MV_PER_UNIT;\n"
        f"{valid}"
        "}\n"
    )
    sketch.sampled.append(f"measure{pascal_name}")


_WORD = {">": "ABOVE", ">=": "FROM", "<": "BELOW", "<=": "DOWN_TO"}


def _unit_suffix(unit: Unit) -> str:
    return "PERCENT" if unit is Unit.PERCENT else unit.upper()


def threshold(sketch: Sections, behaviour: Behaviour, signal: DesignSignal) -> None:
    """Switch an output with two thresholds."""
    output = behaviour.signals[1]
    name, upper = camel(output), output.upper()
    unit = _unit_suffix(signal.unit)
    on_when, off_when = behaviour.word("on_when"), behaviour.word("off_when")
    on_name = f"{upper}_ON_{_WORD[on_when]}_{unit}"
    off_name = f"{upper}_OFF_{_WORD[off_when]}_{unit}"
    sketch.numbers += [
        f"const float {on_name} = {c_float(behaviour.word('on_value'))};",
        f"const float {off_name} = {c_float(behaviour.word('off_value'))};",
    ]
    sketch.state.append(f"bool {name}IsOn = false;")
    value = camel(signal.id)
    guard = ""
    if detects_absence(signal):
        guard = f"  if (!{value}IsValid) {{\n    set{pascal(output)}(false);\n    return;\n  }}\n"
    sketch.functions.append(setter(sketch, output))
    sketch.functions.append(
        f"// {behaviour.text}\n"
        f"void control{pascal(output)}() {{\n"
        f"{guard}"
        f"  if (!{name}IsOn && {value} {on_when} {on_name}) {{\n"
        f"    set{pascal(output)}(true);\n"
        f"  }} else if ({name}IsOn && {value} {off_when} {off_name}) {{\n"
        f"    set{pascal(output)}(false);\n"
        "  }\n"
        "}\n"
    )
    sketch.sampled.append(f"control{pascal(output)}")


def setter(sketch: Sections, output: str) -> str:
    """The function that switches an output, and tells the console and, if asked, the cloud."""
    topic = sketch.published.get(output)
    publish = f'  Cloud.publish({c_text(topic)}, on ? "on" : "off");\n' if topic else ""
    name, upper = camel(output), output.upper()
    words = output.replace("_", " ")
    return (
        f"// Switches the {words} and says so, when that changes it.\n"
        f"void set{pascal(output)}(bool on) {{\n"
        f"  if (on == {name}IsOn) return;\n"
        f"  {name}IsOn = on;\n"
        f"  digitalWrite({upper}_PIN, on ? {upper}_ON : {upper}_OFF);\n"
        f'  Serial.println(on ? "{words} on" : "{words} off");\n'
        f"{publish}"
        "}\n"
    )


def button(sketch: Sections, behaviour: Behaviour) -> None:
    """Do something at each press that is stable for the debounce time."""
    sketch.numbers.append(f"const unsigned long DEBOUNCE_MS = {behaviour.word('debounce')};")
    sketch.state += [
        "bool buttonIsPressed = false;",
        "bool buttonWasRead = false;",
        "unsigned long buttonChangedAt = 0;",
    ]
    effects = []
    for output in behaviour.signals[1:]:
        sketch.state.append(f"bool {camel(output)}IsOn = false;")
        sketch.functions.append(setter(sketch, output))
        effects.append(f"  set{pascal(output)}(!{camel(output)}IsOn);")
    if behaviour.word("count"):
        sketch.state.append("unsigned long presses = 0;")
        effects.append("  presses++;")
    if behaviour.word("count") == "print":
        effects += ['  Serial.print("button pressed ");', "  Serial.println(presses);"]
    if behaviour.word("print"):
        effects.append(f"  Serial.println({c_text(behaviour.word('print'))});")
    if topic := sketch.published.get("presses"):
        effects.append(f"  Cloud.publish({c_text(topic)}, presses);")
    sketch.functions.append(
        f"// {behaviour.text}\nvoid buttonPressed() {{\n" + "\n".join(effects) + "\n}\n"
    )
    sketch.functions.append(
        "// A press or release counts once it has been stable for DEBOUNCE_MS.\n"
        "void readButton() {\n"
        "  const bool pressed = digitalRead(BUTTON_PIN) == BUTTON_PRESSED;\n"
        "  const unsigned long now = millis();\n"
        "  if (pressed != buttonWasRead) {\n"
        "    buttonWasRead = pressed;\n"
        "    buttonChangedAt = now;\n"
        "  }\n"
        "  if (pressed == buttonIsPressed || now - buttonChangedAt < DEBOUNCE_MS) return;\n"
        "  buttonIsPressed = pressed;\n"
        "  if (pressed) buttonPressed();\n"
        "}\n"
    )
    sketch.loop.append("readButton")


def _print_value(signal: DesignSignal, before: str, missing: str) -> list[str]:
    """Print a measured value with its unit."""
    name = camel(signal.id)
    digits = 0 if signal.unit is Unit.MILLIVOLTS else 1
    lines = [
        f'Serial.print("{before}");',
        f"Serial.print({name}, {digits});",
        f'Serial.println(" {signal.unit}");',
    ]
    if not detects_absence(signal):
        return lines
    indented = [f"  {line}" for line in lines]
    return [
        f"if ({name}IsValid) {{",
        *indented,
        "} else {",
        f'  Serial.println("{missing}");',
        "}",
    ]


def read_again(signal: DesignSignal) -> list[str]:
    """A value is told as it is at that moment; between two echoes the last one has to die away."""
    return [] if signal.kind is SignalKind.ECHO else [f"measure{pascal(signal.id)}();"]


def report(sketch: Sections, design: Design, behaviour: Behaviour) -> None:
    """Print a value again and again."""
    kind = behaviour.word("value")
    subject = behaviour.id.removeprefix("report_")
    name, upper, title = camel(subject), subject.upper(), pascal(subject)
    clock, unit, period = period_of(behaviour)
    sketch.numbers.append(f"const unsigned long {upper}_REPORT_{unit} = {period};")
    sketch.state.append(f"unsigned long {name}ReportDue = 0;")
    sketch.start.append(f"  {name}ReportDue = {clock}();")
    lines: list[str] = []
    if kind == "sensor":
        signal = design.signal(behaviour.signals[0])
        lines += read_again(signal)
        lines += _print_value(signal, f"{signal.line_name} ", absent_line(signal))
    elif kind == "output":
        output = behaviour.signals[0]
        words = output.replace("_", " ")
        lines.append(f'Serial.println({camel(output)}IsOn ? "{words} is on" : "{words} is off");')
    elif kind == "uptime":
        lines += [
            'Serial.print("uptime ");',
            "Serial.print(millis() / 1000);",
            'Serial.println(" s");',
        ]
    elif kind == "counter":
        sketch.state.append("unsigned long counter = 0;")
        lines += ["counter++;", 'Serial.print("counter ");', "Serial.println(counter);"]
    else:
        lines += [f'Serial.print("{kind} ");', f"Serial.println({kind});"]
    body = "\n".join(f"  {line}" for line in lines)
    sketch.functions.append(
        f"// {behaviour.text}\n"
        f"void report{title}() {{\n"
        f"  if (!isDue({clock}(), {name}ReportDue)) return;\n"
        f"  {name}ReportDue += {upper}_REPORT_{unit};\n"
        f"{body}\n"
        "}\n"
    )
    sketch.loop.append(f"report{title}")


LINE_BYTES = 96
"""Room for one console line; longer lines are dropped whole."""


def commands(
    sketch: Sections, design: Design, behaviours: Sequence[Behaviour], *, echo: bool
) -> None:
    """Answer lines from the console."""
    sketch.numbers.append(f"const unsigned int LINE_BYTES = {LINE_BYTES};")
    sketch.state += [
        "char line[LINE_BYTES];",
        "unsigned int lineLength = 0;",
        "bool lineIsTooLong = false;",
    ]
    branches = []
    for behaviour in behaviours:
        word = behaviour.word("command")
        body = "\n".join(f"    {text}" for text in _answer(design, behaviour, word))
        branches.append(f"if (strcmp(line, {c_text(word)}) == 0) {{\n{body}\n  }}")
    rest = "Serial.println(line);" if echo else 'Serial.println("unknown command");'
    if branches:
        chain = "  " + " else ".join(branches) + f" else {{\n    {rest}\n  }}\n"
    else:
        chain = f"  {rest}\n"
    sketch.functions.append(f"// Answers one whole line.\nvoid answerLine() {{\n{chain}}}\n")
    sketch.functions.append(
        "// Collects characters until the end of a line (CR, LF or both).\n"
        "void readConsole() {\n"
        "  while (Serial.available() > 0) {\n"
        "    const char letter = static_cast<char>(Serial.read());\n"
        "    if (letter == '\\r' || letter == '\\n') {\n"
        "      line[lineLength] = '\\0';\n"
        "      if (lineIsTooLong) {\n"
        '        Serial.println("line too long");\n'
        "      } else if (lineLength > 0) {\n"
        "        answerLine();\n"
        "      }\n"
        "      lineLength = 0;\n"
        "      lineIsTooLong = false;\n"
        "    } else if (lineLength + 1 < LINE_BYTES) {\n"
        "      line[lineLength++] = letter;\n"
        "    } else {\n"
        "      lineIsTooLong = true;\n"
        "    }\n"
        "  }\n"
        "}\n"
    )
    sketch.loop.append("readConsole")


def _answer(design: Design, behaviour: Behaviour, word: str) -> list[str]:
    kind = behaviour.word("value")
    head = c_text(f"{word} ")[1:-1]
    if not kind:
        return [f"Serial.println({c_text(behaviour.word('answer'))});"]
    if kind == "colour":
        colour = behaviour.word("colour")
        return [f"showRgb(COLOUR_{colour.upper()});", f'Serial.println("rgb {colour}");']
    if kind == "sensor":
        signal = design.signal(behaviour.signals[0])
        return _print_value(signal, f"{head}{signal.line_name} ", absent_line(signal, head))
    if kind == "output":
        output = behaviour.signals[0]
        words = output.replace("_", " ")
        return [
            f'Serial.print("{head}");',
            f'Serial.println({camel(output)}IsOn ? "{words} on" : "{words} off");',
        ]
    if kind == "uptime":
        return [
            f'Serial.print("{head}uptime ");',
            "Serial.print(millis() / 1000);",
            'Serial.println(" s");',
        ]
    return [f'Serial.print("{head}{kind} ");', f"Serial.println({kind});"]
