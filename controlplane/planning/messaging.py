"""What is published and what messages do: the wishes for the cloud put together, or refused."""

from collections.abc import Collection, Iterator, Mapping

from benchline.cloud_records import is_topic
from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.intent import (
    Condition,
    Dimension,
    Intent,
    MessageEffect,
    Publish,
    Subscribe,
    ValueKind,
    ValueRef,
)
from controlplane.planning.limits import (
    LONGEST_PERIOD_MS,
    LONGEST_S,
    LONGEST_TEXT,
    SHORTEST_PUBLISH_MS,
    identifier,
    is_usable_text,
    milliseconds,
    named,
    thing_name,
)
from controlplane.planning.phrases import convert
from controlplane.planning.resolve import Resolver, SignalsOf, Thing
from controlplane.planning.thresholds import proof_step

MOST_TOPICS = 8
"""Topics that firmware on the bench core can subscribe to."""

LONGEST_TOPIC = 60
"""Characters; proofs also send to a topic that is a little longer."""

_PUBLISHABLE = (ValueKind.SENSOR, ValueKind.OUTPUT, ValueKind.PRESSES, ValueKind.UPTIME)
_WORDS = {">": "above", ">=": "at or above", "<": "below", "<=": "at or below"}
_EXAMPLE = 'Say e.g. "publish the temperature every 10 seconds".'


class Messaging:
    """Collects what is published, by topic, and what messages do."""

    def __init__(self, resolver: Resolver, signals_of: SignalsOf) -> None:
        self._resolver = resolver
        self._signals_of = signals_of
        self._published: dict[str, tuple[Publish, Behaviour]] = {}
        self._messages: dict[tuple[str, str, str], tuple[Subscribe, Behaviour]] = {}
        self._ids: set[str] = set()

    @property
    def counts_presses(self) -> bool:
        """Whether the number of presses is published."""
        return any(b.word("value") == ValueKind.PRESSES for _, b in self._published.values())

    def publish(self, intent: Publish) -> None:
        """Take what is to be published."""
        if intent.topic and len(intent.values) > 1:
            self._complain(
                "E158", intent.topic, "two values have one topic.", "Give each its own.", intent
            )
            return
        for value in intent.values:
            self._publish(value, intent)

    def _publish(self, value: ValueRef, intent: Publish) -> None:
        things = self._signals_of(value, intent)
        if things is None:
            return
        name = things[0].id if things else value.kind.value
        if value.kind not in _PUBLISHABLE:
            message = f"the {value.kind} is printed only, it is not published."
            fix = "Publish a measured value, the state of an output, button presses or the uptime."
            self._complain("E151", name, message, fix, intent)
            return
        if value.kind is ValueKind.PRESSES:
            name, things = "presses", ()
        trigger = self._trigger(value.kind, name, things, intent)
        topic = intent.topic or name
        if trigger is None or not self._usable(topic, intent):
            return
        parameters, when = trigger
        said = (
            f"the state of the {named(name)}" if value.kind is ValueKind.OUTPUT else f"the {name}"
        )
        if value.kind is ValueKind.PRESSES:
            said = "the number of presses"
        behaviour = Behaviour(
            id=f"publish_{identifier(topic)}",
            kind=BehaviourKind.PUBLISH,
            signals=tuple(thing.id for thing in things),
            parameters=(
                Parameter(name="value", value=value.kind.value, unit=Unit.TEXT),
                Parameter(name="topic", value=topic, unit=Unit.TEXT),
                *parameters,
            ),
            text=f"Publish {said} {when} on topic {topic}.",
        )
        self._keep(topic, behaviour, intent)

    def _keep(self, topic: str, behaviour: Behaviour, intent: Publish) -> None:
        alike = {b.id: kept for kept, (_, b) in self._published.items()}
        if alike.get(behaviour.id, topic) != topic:
            message = f"the topics {alike[behaviour.id]} and {topic} are too much alike."
            self._complain("E158", topic, message, "Use two other names.", intent)
        other = self._published.get(topic)
        if other is not None and other[1] != behaviour:
            message = f"two things are published on topic {topic}."
            fix = f'Give each its own topic: "... to topic {topic}/alarm".'
            self._complain("E158", topic, message, fix, intent)
        self._published[topic] = (intent, behaviour)

    def _trigger(
        self, kind: ValueKind, name: str, things: tuple[Thing, ...], intent: Publish
    ) -> tuple[tuple[Parameter, ...], str] | None:
        """When it is published: parameters, and how that is said; None after a finding."""
        if intent.condition is not None:
            if kind is not ValueKind.SENSOR:
                message = "under a condition only the value that it is about can be published."
                fix = 'Say e.g. "publish the temperature when it rises above 30 C".'
                self._complain("E152", name, message, fix, intent)
                return None
            return self._limit(things[0], intent.condition, intent)
        if intent.period is not None:
            period = intent.period * 1000
            if not SHORTEST_PUBLISH_MS <= period <= LONGEST_PERIOD_MS:
                message = f"{name} cannot be published every {decimal_text(period, 3)} ms."
                fix = f"Use {decimal_text(SHORTEST_PUBLISH_MS)} ms to {LONGEST_S} s."
                self._complain("E152", name, message, fix, intent)
                return None
            return (milliseconds("period", period),), f"every {decimal_text(period, 3)} ms"
        if kind is ValueKind.OUTPUT:
            return (), "at each change"
        if kind is ValueKind.PRESSES:
            return (), "at each press"
        message = "how often it is published is not said."
        if intent.changes:
            message = "a measured value changes all the time."
        self._complain("E201", name, message, _EXAMPLE, intent)
        return None

    def _limit(
        self, sensor: Thing, condition: Condition, intent: Publish
    ) -> tuple[tuple[Parameter, ...], str] | None:
        """When a sensor passes a number; it has to come back by a step before that counts again."""
        if condition.op not in _WORDS or condition.amount is None:
            message = "at which side of a number it is published is not said."
            self._complain("E203", sensor.id, message, 'Say "above" or "below".', intent)
            return None
        about: Thing | None = sensor
        if condition.sensor is not None and condition.sensor.kind != "it":
            about = self._resolver.sensor(condition.sensor, condition.amount, intent)
        if about is None:
            return None
        if about is not sensor:
            message = f"the {sensor.id} is published under a condition of the {about.id}."
            self._complain("E154", sensor.id, message, "Use one sensor.", intent)
            return None
        value = convert(condition.amount, sensor.kind.unit)
        if condition.amount.dimension is Dimension.BARE or value is None:
            message = f"the {sensor.id} is measured in {sensor.kind.unit}, which the number is not."
            fix = f'Say "{decimal_text(condition.amount.number)} {sensor.kind.unit}".'
            self._complain("E204", sensor.id, message, fix, intent)
            return None
        step, unit = proof_step(sensor), sensor.kind.unit
        low, high = sensor.kind.minimum + 3 * step, sensor.kind.maximum - 3 * step
        if not low <= value <= high:
            message = f"{decimal_text(value, 3)} {unit} cannot be shown on both sides."
            fix = f"Use {decimal_text(low)} to {decimal_text(high)} {unit}."
            self._complain("E157", sensor.id, message, fix, intent)
            return None
        rising = condition.op.startswith(">")
        back = value - step if rising else value + step
        self._resolver.assumptions[f"again_{sensor.id}"] = (
            f"The {sensor.id} is published once when it is {_WORDS[condition.op]} "
            f"{decimal_text(value, 3)} {unit}, and again after it was "
            f"{'below' if rising else 'above'} {decimal_text(back, 3)} {unit}."
        )
        return (
            Parameter(name="on_when", value=condition.op, unit=Unit.TEXT),
            Parameter(name="on_value", value=decimal_text(value, 3), unit=unit),
            Parameter(name="off_when", value="<" if rising else ">", unit=Unit.TEXT),
            Parameter(name="off_value", value=decimal_text(back, 3), unit=unit),
        ), f"when it is {_WORDS[condition.op]} {decimal_text(value, 3)} {unit}"

    def subscribe(self, intent: Subscribe) -> None:
        """Take what a message does."""
        if intent.effect is MessageEffect.PRINT:
            if not intent.topic:
                message = "which topic is not said."
                fix = 'Say e.g. "print each message on topic news".'
                self._complain("E201", "topic", message, fix, intent)
                return
            self._message(None, intent)
            return
        found = [self._resolver.output(ref, intent) for ref in intent.outputs]
        outputs = tuple(thing for thing in found if thing is not None)
        self._resolver.last_outputs = outputs
        for output in outputs:
            self._message(output, intent)

    def _message(self, output: Thing | None, intent: Subscribe) -> None:
        topic = intent.topic
        if not topic and output is not None:
            topic = f"{output.id}/set"
            self._resolver.assumptions[f"topic_{output.id}"] = (
                f"Messages for the {thing_name(output)} come on topic {topic}."
            )
        if not self._usable(topic, intent) or not self._fits(topic, intent):
            return
        effect, payload = intent.effect, intent.payload
        parameters = [
            Parameter(name="topic", value=topic, unit=Unit.TEXT),
            Parameter(name="effect", value=effect.value, unit=Unit.TEXT),
        ]
        if payload:
            parameters.append(Parameter(name="payload", value=payload, unit=Unit.TEXT))
        key = (topic, payload, output.id if output else "")
        other = self._messages.get(key)
        if other is not None:
            if other[1].word("effect") != effect:
                message = f"a message on topic {topic} is to do two different things."
                fix = "Tell them apart: \"when 'on' arrives on topic ...\"."
                self._complain("E158", topic, message, fix, intent)
            return
        behaviour = Behaviour(
            id=self._new_id(f"message_{identifier(topic)[:14].strip('_')}_{effect}"),
            kind=BehaviourKind.MESSAGE,
            signals=(output.id,) if output else (),
            parameters=tuple(parameters),
            text=_message_text(topic, payload, effect, output),
        )
        self._messages[key] = (intent, behaviour)

    def _new_id(self, wanted: str) -> str:
        number, name = 1, wanted
        while name in self._ids:
            number += 1
            name = f"{wanted[:28]}_{number}"
        self._ids.add(name)
        return name

    def _fits(self, topic: str, intent: Subscribe) -> bool:
        """Whether the firmware has room for the topic, and a message can say the payload."""
        topics = {topic, *(of for of, _, _ in self._messages)}
        if len(topics) > MOST_TOPICS:
            message = f"{len(topics)} topics are more than {MOST_TOPICS}."
            self._complain("E104", "topics", message, "Use fewer.", intent)
            return False
        if intent.payload and intent.effect in (MessageEffect.OBEY, MessageEffect.PRINT):
            message = "what a message says is given twice."
            self._complain(
                "E158", topic, message, 'Say "turn the LED on", or leave it out.', intent
            )
            return False
        if intent.payload and not is_usable_text(intent.payload, LONGEST_TEXT):
            message = f"the message {intent.payload[:100]!r} cannot be used."
            fix = f"Use 1 to {LONGEST_TEXT} printable ASCII characters without spaces at the ends."
            self._complain("E159", topic, message, fix, intent)
            return False
        return True

    def _usable(self, topic: str, intent: Intent) -> bool:
        plain = is_topic(topic) and len(topic) <= LONGEST_TOPIC
        if plain and not topic.startswith("/") and not topic.endswith("/") and "//" not in topic:
            return True
        message = f"{topic[:80]!r} cannot be a topic."
        fix = f"Use at most {LONGEST_TOPIC} letters, digits and _ . / -, as in 'lab/temperature'."
        self._complain("E159", "topic", message, fix, intent)
        return False

    def drivers(self) -> Iterator[tuple[str, Intent]]:
        """Outputs that messages switch, each once."""
        outputs = {
            output: intent for (_, _, output), (intent, _) in self._messages.items() if output
        }
        yield from outputs.items()

    def finish(self, drivers: Mapping[str, Collection[str]]) -> list[Behaviour]:
        """The behaviours; ``drivers`` says for each output what drives it."""
        for intent, behaviour in self._published.values():
            kind = behaviour.word("value")
            if kind == ValueKind.OUTPUT and behaviour.parameter("period") is None:
                self._check_changes(behaviour, drivers.get(behaviour.signals[0], ()), intent)
        effects: dict[str, set[str]] = {}
        for (_, _, output), (_, behaviour) in self._messages.items():
            effects.setdefault(output, set()).add(behaviour.word("effect"))
        for output, said in self.drivers():
            if effects[output] == {MessageEffect.OFF}:
                message = f"messages switch the {named(output)} off, and nothing switches it on."
                self._complain("E151", output, message, "Say what switches it on.", said)
        published = [behaviour for _, behaviour in self._published.values()]
        return [*published, *(behaviour for _, behaviour in self._messages.values())]

    def _check_changes(
        self, behaviour: Behaviour, driven: Collection[str], intent: Publish
    ) -> None:
        output = behaviour.signals[0]
        if not driven or set(driven) <= CHANGES_SHOWN:
            return
        message = f"the {named(output)} {' and '.join(driven)}: its changes are not published."
        fix = (
            f'Publish its state at a period: "publish the state of the {named(output)} every 10 s".'
        )
        self._complain("E151", output, message, fix, intent)

    def _complain(self, code: str, subject: str, message: str, fix: str, at: Intent) -> None:
        self._resolver.complain(code, subject, message, fix, at)


CHANGES_SHOWN = frozenset({"follows a threshold", "is toggled by the button", "obeys messages"})
"""What may drive an output whose changes are published: their proofs look at each change."""


def _message_text(topic: str, payload: str, effect: MessageEffect, output: Thing | None) -> str:
    what = f"message {payload!r}" if payload else "message"
    if output is None:
        return f"Print each {what} on topic {topic}."
    name = thing_name(output)
    does = {
        MessageEffect.ON: f"switch the {name} on",
        MessageEffect.OFF: f"switch the {name} off",
        MessageEffect.TOGGLE: f"toggle the {name}",
        MessageEffect.OBEY: f"switch the {name} as it says, on or off",
    }
    return f"At each {what} on topic {topic}: {does[effect]}."


def is_periodic(behaviour: Behaviour) -> bool:
    """Whether something is published again and again."""
    return behaviour.kind is BehaviourKind.PUBLISH and behaviour.parameter("period") is not None


def is_limit(behaviour: Behaviour) -> bool:
    """Whether a value is published when it passes a number."""
    return behaviour.kind is BehaviourKind.PUBLISH and behaviour.parameter("on_value") is not None


def published_outputs(behaviours: Collection[Behaviour]) -> dict[str, str]:
    """Topics of the outputs whose changes are published, by output."""
    return {
        behaviour.signals[0]: behaviour.word("topic")
        for behaviour in behaviours
        if behaviour.kind is BehaviourKind.PUBLISH
        and behaviour.word("value") == ValueKind.OUTPUT
        and behaviour.parameter("period") is None
    }


def published_presses(behaviours: Collection[Behaviour]) -> str:
    """The topic of the number of presses when it is published at each press, else ""."""
    return next(
        (
            behaviour.word("topic")
            for behaviour in behaviours
            if behaviour.kind is BehaviourKind.PUBLISH
            and behaviour.word("value") == ValueKind.PRESSES
            and behaviour.parameter("period") is None
        ),
        "",
    )
