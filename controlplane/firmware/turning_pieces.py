"""The template of the rotary encoder."""

from controlplane.domain.design import Behaviour
from controlplane.firmware.pieces import Sections


def turn(sketch: Sections, behaviour: Behaviour) -> None:
    """Count notches; bounces go forth and back, and cancel each other out."""
    a, b = (f"digitalRead({s.upper()}_PIN) == {s.upper()}_ACTIVE" for s in behaviour.signals)
    sketch.state += [
        "long position = 0;",
        "unsigned int encoderContacts = 0;",
        "int encoderSteps = 0;",
    ]
    printing = ""
    if behaviour.word("position") == "print":
        printing = '  Serial.print("position ");\n  Serial.println(position);\n'
    sketch.functions.append(
        "// Which contacts of the encoder are closed: A is 2, B is 1.\n"
        "unsigned int readContacts() {\n"
        f"  const bool a = {a};\n"
        f"  const bool b = {b};\n"
        "  return (a ? 2U : 0U) | (b ? 1U : 0U);\n"
        "}\n"
    )
    sketch.functions.append(
        f"// {behaviour.text}\n"
        "void readEncoder() {\n"
        "  // From one state to the next: a step up, a step down, or none that can be.\n"
        "  static const signed char STEP[4][4] = {\n"
        "      {0, -1, 1, 0}, {1, 0, 0, -1}, {-1, 0, 0, 1}, {0, 1, -1, 0}};\n"
        "  const unsigned int now = readContacts();\n"
        "  encoderSteps += STEP[encoderContacts][now];\n"
        "  encoderContacts = now;\n"
        "  if (now != 0) return;  // between two notches\n"
        "  const int turned = encoderSteps / 2;\n"
        "  encoderSteps = 0;\n"
        "  if (turned == 0) return;\n"
        "  position += turned > 0 ? 1 : -1;\n"
        f"{printing}"
        "}\n"
    )
    sketch.start.append("  encoderContacts = readContacts();")
    sketch.loop.append("readEncoder")
