"""Wrong variants of generated sketches: a scenario is worth something when it kills them.

Each mutant is one plausible mistake in the text of a sketch by the offline author.
"""

import re
from collections.abc import Callable

from controlplane.domain.units import decimal_text, parse_decimal
from controlplane.firmware.mutant import Mutant
from tests.cloud_mutants import cloud_mutants, cut

_THRESHOLD = re.compile(
    r"const float (\w+)_(ON|OFF)_(ABOVE|BELOW|FROM|DOWN_TO)_(\w+) = (-?[\d.]+)f;"
)
_CONTROL = re.compile(r"void control(\w+)\(\) \{\n.*?\n\}\n", re.DOTALL)
_OUTPUT = re.compile(r"const int (\w+)_ON = (HIGH|LOW);\nconst int \1_OFF = (HIGH|LOW);\n")
_BLINK = re.compile(r"const unsigned long (\w+?)_(HALF_PERIOD|ON|OFF)_(MS|US) = (\d+);")
_REPORT = re.compile(r"const unsigned long (\w+)_REPORT_(MS|US) = (\d+);")
_PIN = re.compile(r"const int (\w+)_PIN = (P[A-Z]\d+|\d+);")
_REPLY = re.compile(r"(if \(strcmp\(line, \"[^\n]*\) == 0\) \{\n)(.*?)(\n  \})", re.DOTALL)
_HOLD = re.compile(r"const unsigned long (\w+)_HOLD_MS = (\d+);")
_ACTIVE = re.compile(r"const int (\w+)_ACTIVE = (HIGH|LOW);")
_DEBOUNCE = re.compile(r"const unsigned long DEBOUNCE_MS = (\d+);")


def mutants_of(sketch: str) -> tuple[Mutant, ...]:
    """Every mutant that applies to a sketch; each differs from it."""
    makers: tuple[Callable[[str], list[Mutant]], ...] = (
        _threshold_constants,
        _comparisons,
        _hysteresis,
        _inverted,
        _rates,
        _periods,
        _replies,
        _pins,
        _debounce,
        _readings,
        _echoes,
        _holds,
        _inputs,
        _turning,
        cloud_mutants,
        _colours,
    )
    found = [mutant for make in makers for mutant in make(sketch)]
    return tuple(mutant for mutant in found if mutant.text != sketch)


def _threshold_constants(sketch: str) -> list[Mutant]:
    mutants = []
    for match in _THRESHOLD.finditer(sketch):
        output = match[1].lower()
        delta = 10 if match[4] == "MV" else 1
        for sign in (1, -1):
            value = decimal_text(parse_decimal(match[5]) + sign * delta)
            value = value if "." in value else f"{value}.0"
            mutants.append(
                Mutant(
                    name=f"threshold_constant_{output}_{match[2].lower()}_{sign:+d}",
                    text=cut(sketch, match, 5, value),
                    expected=(f"{output}_",),
                )
            )
    return mutants


def _comparisons(sketch: str) -> list[Mutant]:
    mutants = []
    for body in _CONTROL.finditer(sketch):
        for match in re.finditer(r" (>=|<=|>|<) \w+_(ON|OFF)_", body[0]):
            swapped = {">": "<", "<": ">", ">=": "<=", "<=": ">="}[match[1]]
            at = body.start() + match.start(1)
            text = sketch[:at] + swapped + sketch[at + len(match[1]) :]
            name = f"comparison_{body[1].lower()}_{match[2].lower()}"
            mutants.append(Mutant(name=name, text=text, expected=(_snake(body[1]),)))
    return mutants


def _hysteresis(sketch: str) -> list[Mutant]:
    mutants = []
    for body in _CONTROL.finditer(sketch):
        on = re.search(r" (>=|<=|>|<) (\w+_ON_\w+)\)", body[0])
        off = re.search(r" (>=|<=|>|<) (\w+_OFF_\w+)\)", body[0])
        if on is None or off is None or _value(sketch, on[2]) == _value(sketch, off[2]):
            continue
        changed = body[0].replace(off[2], on[2])
        text = sketch[: body.start()] + changed + sketch[body.end() :]
        name = f"hysteresis_removed_{body[1].lower()}"
        mutants.append(Mutant(name=name, text=text, expected=(_snake(body[1]),)))
    return mutants


def _value(sketch: str, constant: str) -> str:
    found = re.search(rf"const float {constant} = (-?[\d.]+)f;", sketch)
    return found[1] if found else ""


def _inverted(sketch: str) -> list[Mutant]:
    return [
        Mutant(
            name=f"inverted_{match[1].lower()}",
            text=sketch.replace(
                match[0],
                f"const int {match[1]}_ON = {match[3]};\nconst int {match[1]}_OFF = {match[2]};\n",
            ),
            expected=(f"{match[1].lower()}_",),
        )
        for match in _OUTPUT.finditer(sketch)
        if f"control{_pascal(match[1])}" in sketch
        or f"set{_pascal(match[1])}" in sketch
        or f") != 0 ? {match[1]}_ON" in sketch
    ]


def _rates(sketch: str) -> list[Mutant]:
    return [
        Mutant(
            name=f"led_rate_{match[1].lower()}_{match[2].lower()}",
            text=cut(sketch, match, 4, str(int(match[4]) * 11 // 10 + 1)),
            expected=(f"{match[1].lower()}_",),
        )
        for match in _BLINK.finditer(sketch)
        if f"blink{_pascal(match[1])}" in sketch
    ]


def _periods(sketch: str) -> list[Mutant]:
    return [
        Mutant(
            name=f"report_period_{match[1].lower()}",
            text=cut(sketch, match, 3, str(int(match[3]) * 11 // 10 + 1)),
            expected=(match[1].lower(),),
        )
        for match in _REPORT.finditer(sketch)
    ]


def _replies(sketch: str) -> list[Mutant]:
    mutants = []
    for match in _REPLY.finditer(sketch):
        word = match[1].split('"')[1]
        mutants.append(
            Mutant(name=f"dropped_reply_{word}", text=cut(sketch, match, 2, ""), expected=(word,))
        )
    return mutants


def _pins(sketch: str) -> list[Mutant]:
    outputs = [m for m in _PIN.finditer(sketch) if f"{m[1]}_ON = " in sketch]
    if len(outputs) < 2:
        return []
    first, second = outputs[0], outputs[1]
    text = sketch.replace(first[0], f"const int {first[1]}_PIN = {second[2]};", 1)
    text = text.replace(second[0], f"const int {second[1]}_PIN = {first[2]};", 1)
    expected = (f"{first[1].lower()}_", f"{second[1].lower()}_")
    return [Mutant(name="swapped_pins", text=text, expected=expected)]


def _debounce(sketch: str) -> list[Mutant]:
    match = _DEBOUNCE.search(sketch)
    if match is None:
        return []
    return [
        Mutant(
            name="debounce_none",
            text=cut(sketch, match, 1, "0"),
            expected=("press", "glitch", "presses_counted"),
        ),
        Mutant(
            name="debounce_half",
            text=cut(sketch, match, 1, str(int(match[1]) // 2)),
            expected=("press", "glitch", "presses_counted"),
        ),
    ]


def _readings(sketch: str) -> list[Mutant]:
    """A reading that is a constant instead of a measurement."""
    return [
        Mutant(
            name=f"constant_reading_{match[1].lower()}",
            text=sketch.replace(f"analogRead({match[1]}_PIN)", "900"),
            expected=(match[1].lower(),),
        )
        for match in re.finditer(r"analogRead\((\w+)_PIN\)", sketch)
    ]


def _echoes(sketch: str) -> list[Mutant]:
    """A distance without a trigger, of half the way, or of an echo that did not come."""
    if "pulseIn(" not in sketch:
        return []
    trigger = re.compile(r"  digitalWrite\(\w+_TRIGGER_PIN, \w+_TRIGGER_ON\);\n")
    pins = re.compile(r"const int DISTANCE_PIN = (\w+);(.*?)DISTANCE_TRIGGER_PIN = (\w+);", re.S)
    changes = {
        "no_trigger": trigger.sub("", sketch),
        "short_trigger": sketch.replace("_TRIGGER_US = 10;", "_TRIGGER_US = 1;"),
        "not_released": re.sub(r"(_TRIGGER)_OFF\);\n  const", r"\1_ON);\n  const", sketch),
        "half_way": sketch.replace("_PER_CM = 58.0f", "_PER_CM = 29.0f"),
        "no_echo_is_near": sketch.replace("IsValid = echo > 0;", "IsValid = true;"),
        "short_timeout": sketch.replace("_TIMEOUT_US = 25000", "_TIMEOUT_US = 1000"),
        "pins_exchanged": pins.sub(
            r"const int DISTANCE_PIN = \3;\2DISTANCE_TRIGGER_PIN = \1;", sketch
        ),
        "low_pulse": sketch.replace("_PIN, HIGH, ", "_PIN, LOW, "),
    }
    return [
        Mutant(name=f"echo_{name}", text=text, expected=("distance", "_"))
        for name, text in changes.items()
    ]


def _holds(sketch: str) -> list[Mutant]:
    """A hold time that is off, left out, or counted from the first motion."""
    mutants = []
    for match in _HOLD.finditer(sketch):
        output = match[1].lower()
        hold = int(match[2])
        for name, value in (
            ("long", hold * 11 // 10 + 1),
            ("short", hold * 9 // 10),
            ("none", 0),
        ):
            text = cut(sketch, match, 2, str(value))
            mutants.append(Mutant(name=f"hold_{name}_{output}", text=text, expected=(output,)))
    for match in re.finditer(r"  if \((\w+)\) (\w+)WantedAt = now;", sketch):
        text = sketch.replace(
            match[0], f"  if ({match[1]} && !{match[2]}IsOn) {match[2]}WantedAt = now;"
        )
        output = _snake(match[2])
        mutants.append(Mutant(name=f"first_motion_{output}", text=text, expected=(output,)))
    return mutants


def _inputs(sketch: str) -> list[Mutant]:
    """An input that is read the wrong way round; anything that depends on it may notice."""
    return [
        Mutant(
            name=f"inverted_input_{match[1].lower()}",
            text=cut(sketch, match, 2, "LOW" if match[2] == "HIGH" else "HIGH"),
            expected=("",),
        )
        for match in _ACTIVE.finditer(sketch)
    ]


def _turning(sketch: str) -> list[Mutant]:
    """An encoder that counts the wrong way, one way, half notches, or edges of one contact."""
    a, b = (re.search(rf"const int ENCODER_{c}_PIN = (\w+);", sketch) for c in "AB")
    if a is None or b is None:
        return []
    exchanged = cut(cut(sketch, b, 1, a[1]), a, 1, b[1])
    changes = {
        "contacts_exchanged": exchanged,
        "wrong_way": sketch.replace("turned > 0 ? 1 : -1", "turned > 0 ? -1 : 1"),
        "one_way": sketch.replace("turned > 0 ? 1 : -1", "1"),
        "every_step": sketch.replace(
            "  if (now != 0) return;", "  if (encoderSteps == 0) return;"
        ).replace("= encoderSteps / 2;", "= encoderSteps;"),
        "half_notches": sketch.replace("  if (now != 0) return;", "  if (now == 1) return;"),
        "not_counted": sketch.replace("  position += ", "  // position += "),
    }
    return [
        Mutant(name=f"encoder_{name}", text=text, expected=("position", "turned", "half"))
        for name, text in changes.items()
    ]


def _colours(sketch: str) -> list[Mutant]:
    """Another colour, a limit or a time that is off, a list in another order."""
    if "showRgb(" not in sketch:
        return []
    expected = ("colour", "value", "rgb")
    found = []
    for match in re.finditer(r"const int COLOUR_(\w+) = (\d);", sketch):
        text = cut(sketch, match, 2, str(int(match[2]) ^ 3))
        found.append(Mutant(name=f"colour_{match[1].lower()}", text=text, expected=("",)))
    for match in re.finditer(r"const unsigned long RGB_STEP_MS = (\d+);", sketch):
        for name, tenths in (("long", 11), ("short", 9)):
            text = cut(sketch, match, 1, str(int(match[1]) * tenths // 10))
            found.append(Mutant(name=f"colour_step_{name}", text=text, expected=expected))
    for match in re.finditer(r"const float RGB_LIMIT_(\d) = (-?[\d.]+)f;", sketch):
        for sign in (1, -1):
            value = decimal_text(parse_decimal(match[2]) + sign)
            text = cut(sketch, match, 2, value if "." in value else f"{value}.0")
            name = f"colour_limit_{match[1]}_{sign:+d}"
            found.append(Mutant(name=name, text=text, expected=expected))
    for match in re.finditer(r"COLOURS\[\] = \{(\w+), (\w+)", sketch):
        text = cut(cut(sketch, match, 2, match[1]), match, 1, match[2])
        found.append(Mutant(name="colour_order", text=text, expected=expected))
    return found


def _pascal(upper: str) -> str:
    return "".join(word.capitalize() for word in upper.lower().split("_"))


def _snake(pascal: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", pascal).lower()
