"""Templates of what follows motion."""

from controlplane.domain.design import Behaviour
from controlplane.firmware.pieces import Sections, c_text, camel, pascal, setter


def follow(sketch: Sections, behaviour: Behaviour) -> None:
    """Switch an output on while an input is on, and for its hold time after that."""
    source, output = behaviour.signals
    name, upper = camel(output), output.upper()
    hold = behaviour.word("hold")
    sketch.state.append(f"bool {name}IsOn = false;")
    sketch.functions.append(setter(sketch, output))
    read = f"digitalRead({source.upper()}_PIN) == {source.upper()}_ACTIVE"
    if hold == "0":
        body = f"  set{pascal(output)}({read});\n"
    else:
        sketch.numbers.append(f"const unsigned long {upper}_HOLD_MS = {hold};")
        sketch.state.append(f"unsigned long {name}WantedAt = 0;")
        body = (
            f"  const bool {source} = {read};\n"
            "  const unsigned long now = millis();\n"
            f"  if ({source}) {name}WantedAt = now;\n"
            f"  const bool held = {name}IsOn && now - {name}WantedAt < {upper}_HOLD_MS;\n"
            f"  set{pascal(output)}({source} || held);\n"
        )
    sketch.functions.append(f"// {behaviour.text}\nvoid follow{pascal(output)}() {{\n{body}}}\n")
    sketch.loop.append(f"follow{pascal(output)}")


def notice(sketch: Sections, behaviour: Behaviour) -> None:
    """Say when an input goes on, and when it goes off if that was asked for."""
    (source,) = behaviour.signals
    name, upper = camel(source), source.upper()
    began, ended = c_text(behaviour.word("began")), behaviour.word("ended")
    say = f"  Serial.println({name}WasOn ? {began} : {c_text(ended)});\n"
    if not ended:
        say = f"  if ({name}WasOn) Serial.println({began});\n"
    sketch.state.append(f"bool {name}WasOn = false;")
    sketch.functions.append(
        f"// {behaviour.text}\n"
        f"void notice{pascal(source)}() {{\n"
        f"  const bool {name} = digitalRead({upper}_PIN) == {upper}_ACTIVE;\n"
        f"  if ({name} == {name}WasOn) return;\n"
        f"  {name}WasOn = {name};\n"
        f"{say}"
        "}\n"
    )
    sketch.loop.append(f"notice{pascal(source)}")
