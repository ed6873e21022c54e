"""Templates of the cloud: what is published, and what messages do."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind, Design, DesignSignal
from controlplane.domain.units import Unit
from controlplane.firmware.pieces import (
    Sections,
    c_float,
    c_text,
    camel,
    pascal,
    period_of,
    read_again,
    setter,
)
from controlplane.planning.intent import MessageEffect, ValueKind
from controlplane.planning.limits import identifier
from controlplane.planning.timeline import detects_absence

HEADER = "Cloud.h"


def publish_again(sketch: Sections, design: Design, behaviour: Behaviour) -> None:
    """Publish a value again and again."""
    topic = identifier(behaviour.word("topic"))
    name, upper = camel(topic), topic.upper()
    clock, unit, period = period_of(behaviour)
    sketch.numbers.append(f"const unsigned long {upper}_PUBLISH_{unit} = {period};")
    sketch.state.append(f"unsigned long {name}PublishDue = 0;")
    sketch.start.append(f"  {name}PublishDue = {clock}();")
    body = "\n".join(f"  {line}" for line in _value(design, behaviour))
    sketch.functions.append(
        f"// {behaviour.text}\n"
        f"void publish{pascal(topic)}() {{\n"
        f"  if (!isDue({clock}(), {name}PublishDue)) return;\n"
        f"  {name}PublishDue += {upper}_PUBLISH_{unit};\n"
        f"{body}\n"
        "}\n"
    )
    sketch.loop.append(f"publish{pascal(topic)}")


def _value(design: Design, behaviour: Behaviour) -> list[str]:
    topic, kind = c_text(behaviour.word("topic")), behaviour.word("value")
    if kind == ValueKind.SENSOR:
        signal = design.signal(behaviour.signals[0])
        guard = f"if ({camel(signal.id)}IsValid) " if detects_absence(signal) else ""
        return [*read_again(signal), f"{guard}{_measured(topic, signal)}"]
    if kind == ValueKind.OUTPUT:
        return [f'Cloud.publish({topic}, {camel(behaviour.signals[0])}IsOn ? "on" : "off");']
    if kind == ValueKind.UPTIME:
        return [f"Cloud.publish({topic}, millis() / 1000);"]
    return [f"Cloud.publish({topic}, presses);"]


def _measured(topic: str, signal: DesignSignal) -> str:
    digits = 0 if signal.unit is Unit.MILLIVOLTS else 1
    return f"Cloud.publish({topic}, {camel(signal.id)}, {digits});"


def publish_passing(sketch: Sections, behaviour: Behaviour, signal: DesignSignal) -> None:
    """Publish a measured value when it passes a number."""
    topic = identifier(behaviour.word("topic"))
    name, upper, value = camel(topic), topic.upper(), camel(signal.id)
    sketch.numbers += [
        f"const float {upper}_PUBLISH_AT = {c_float(behaviour.word('on_value'))};",
        f"const float {upper}_ARM_AT = {c_float(behaviour.word('off_value'))};",
    ]
    sketch.state.append(f"bool {name}IsArmed = true;")
    guard = f"  if (!{value}IsValid) return;\n" if detects_absence(signal) else ""
    sketch.functions.append(
        f"// {behaviour.text}\n"
        f"void publish{pascal(topic)}() {{\n"
        f"{guard}"
        f"  if ({name}IsArmed && {value} {behaviour.word('on_when')} {upper}_PUBLISH_AT) {{\n"
        f"    {name}IsArmed = false;\n"
        f"    {_measured(c_text(behaviour.word('topic')), signal)}\n"
        f"  }} else if ({value} {behaviour.word('off_when')} {upper}_ARM_AT) {{\n"
        f"    {name}IsArmed = true;\n"
        "  }\n"
        "}\n"
    )
    sketch.sampled.append(f"publish{pascal(topic)}")


def messages(sketch: Sections, behaviours: Sequence[Behaviour]) -> None:
    """Subscribe to the topics, and do what their messages say."""
    for output in dict.fromkeys(name for behaviour in behaviours for name in behaviour.signals):
        sketch.state.append(f"bool {camel(output)}IsOn = false;")
        sketch.functions.append(setter(sketch, output))
    for topic in dict.fromkeys(behaviour.word("topic") for behaviour in behaviours):
        mine = [behaviour for behaviour in behaviours if behaviour.word("topic") == topic]
        _handler(sketch, topic, mine)


def _handler(sketch: Sections, topic: str, behaviours: Sequence[Behaviour]) -> None:
    function = f"heard{pascal(identifier(topic))}"
    lines = [line for behaviour in behaviours for line in _effect(behaviour)]
    uses = any("payload" in line for line in lines)
    said = "".join(f"// {behaviour.text}\n" for behaviour in behaviours)
    names = f"const String &{'topic' if any('(topic)' in x for x in lines) else ''}"
    sketch.functions.append(
        f"{said}void {function}({names}, const String &{'payload' if uses else ''}) {{\n"
        + "".join(f"  {line}\n" for line in lines)
        + "}\n"
    )
    sketch.setup.append(f"  Cloud.subscribe({c_text(topic)}, {function});")


def _effect(behaviour: Behaviour) -> list[str]:
    payload = behaviour.word("payload")
    only = f"if (payload == {c_text(payload)}) " if payload else ""
    effect = MessageEffect(behaviour.word("effect"))
    if effect is MessageEffect.PRINT:
        return [
            'Serial.print("message ");',
            "Serial.print(topic);",
            "Serial.print(' ');",
            "Serial.println(payload);",
        ]
    output = behaviour.signals[0]
    switch = f"set{pascal(output)}"
    if effect is MessageEffect.OBEY:
        return [
            f'if (payload == "on") {switch}(true);',
            f'if (payload == "off") {switch}(false);',
        ]
    new = {
        MessageEffect.ON: "true",
        MessageEffect.OFF: "false",
        MessageEffect.TOGGLE: f"!{camel(output)}IsOn",
    }[effect]
    return [f"{only}{switch}({new});"]


def uses_cloud(behaviours: Sequence[Behaviour]) -> bool:
    """Whether a sketch of these behaviours needs the cloud's header."""
    return any(b.kind in (BehaviourKind.PUBLISH, BehaviourKind.MESSAGE) for b in behaviours)
