"""Turns the intents of a prompt into things and behaviours, or into every finding there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.design import Assumption, Behaviour, BehaviourKind
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, ComponentKind
from controlplane.domain.units import decimal_text
from controlplane.planning.button_behaviours import Button
from controlplane.planning.clashes import clashing_texts
from controlplane.planning.colour_behaviours import Colours
from controlplane.planning.command_behaviours import Commands
from controlplane.planning.degrees import settle_degrees
from controlplane.planning.distance_limits import complain_of_held_up
from controlplane.planning.intent import (
    Bands,
    Blink,
    Command,
    Cycle,
    Debounce,
    Echo,
    Follow,
    Hysteresis,
    Intent,
    Notice,
    Paint,
    Press,
    Publish,
    Report,
    Subscribe,
    Switch,
    Turn,
    ValueKind,
    ValueRef,
    Wire,
)
from controlplane.planning.limits import (
    LONGEST_PERIOD_MS,
    SHORTEST_BLINK_MS,
    SHORTEST_PHASE_MS,
    blink_behaviour,
    complain_of_long_period,
    thing_name,
)
from controlplane.planning.messaging import Messaging
from controlplane.planning.motion_behaviours import Motion
from controlplane.planning.report_behaviours import Reports, presses_meant
from controlplane.planning.resolve import Resolver, Thing
from controlplane.planning.thresholds import Rules, build_threshold
from controlplane.planning.turning_behaviours import Turning


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What was put together; with findings it must not be used."""

    things: tuple[Thing, ...]
    behaviours: tuple[Behaviour, ...]
    assumptions: tuple[Assumption, ...]
    findings: tuple[Finding, ...]


def assemble(
    intents: Sequence[Intent], board: BoardModel, components: Mapping[str, ComponentKind]
) -> Assembly:
    """Put clauses together in their order; contradictions become findings."""
    return assemble_with(Resolver(board=board, components=components), intents)


def assemble_with(resolver: Resolver, intents: Sequence[Intent]) -> Assembly:
    """Put clauses together whose mentions a resolver knows how to take."""
    builder = _Builder(resolver)
    intents, unclear = settle_degrees(intents)
    if unclear is not None:
        resolver.complain(
            "E204",
            "degrees",
            "degrees can be of more than one of the scales that were named.",
            "Say C or F with each number.",
            unclear,
        )
    builder.resolver.survey(intents)
    for position, intent in enumerate(intents):
        builder.add(intent, intents[position - 1] if position else None)
    return builder.finish()


class _Builder:
    """Collects behaviours by what they drive or print."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._blinks: dict[str, tuple[Blink, Thing]] = {}
        self._rules: dict[str, Rules] = {}
        self._button = Button(resolver)
        self._commands = Commands(resolver, self._signals_of)
        self._motion = Motion(resolver)
        self._turning = Turning(resolver)
        self._reports = Reports(resolver, self._signals_of, self._button, self._turning)
        self._messaging = Messaging(resolver, self._signals_of)
        self._colours = Colours(resolver)
        self._echo = False
        self._before: Intent | None = None

    def add(self, intent: Intent, before: Intent | None) -> None:
        """Take one clause."""
        self._before = before
        match intent:
            case Blink():
                self._blink(intent, before)
            case Report():
                self._reports.add(intent, before)
            case Switch():
                self._switch(intent)
            case Hysteresis():
                self._hysteresis(intent)
            case Press() | Debounce():
                self._button.add(intent)
            case Command():
                self._commands.add(intent, before)
            case Echo():
                self._echo = True
            case Publish() | Subscribe():
                self._message(intent, before)
            case Wire():
                self._wire(intent)
            case _:
                self._add_of_kind(intent)

    def _add_of_kind(self, intent: Intent) -> None:
        """Take a clause about a kind of component that has a collector of its own."""
        match intent:
            case Follow() | Notice():
                self._motion.add(intent)
            case Cycle() | Bands() | Paint():
                self._colours.add(intent)
            case Turn():
                self._turning.add(intent)

    def _wire(self, intent: Wire) -> None:
        if intent.input is not None:
            self.resolver.input(intent.input, intent)
        elif intent.output is None:
            self.resolver.sensor(intent.sensor, None, intent)
        elif intent.output.kind == "button":
            self.resolver.button(intent.output, intent)
        else:
            placed = self.resolver.output(intent.output, intent)
            self.resolver.last_outputs = (placed,) if placed else ()

    def _message(self, intent: Publish | Subscribe, before: Intent | None) -> None:
        if isinstance(intent, Subscribe):
            self._messaging.subscribe(intent)
            return
        meant = tuple(presses_meant(intent.values, before))
        self._messaging.publish(replace(intent, values=meant))

    def _blink(self, intent: Blink, before: Intent | None) -> None:
        led = self.resolver.output(intent.output, intent)
        if not intent.verb and not isinstance(before, Blink):
            self.resolver.complain(
                "E200", "LED", "what the LED does at that rate is not said.", 'Say "blink".', intent
            )
        if led is None:
            return
        self.resolver.last_outputs = (led,)
        other = self._blinks.get(led.id)
        if other is not None and (other[0].on, other[0].off) != (intent.on, intent.off):
            self.resolver.complain(
                "E152",
                led.id,
                f"the {thing_name(led)} is given two different rates.",
                "Say one rate for each LED.",
                intent,
            )
        self._blinks[led.id] = (intent, led)
        period, shortest = (intent.on + intent.off) * 1000, min(intent.on, intent.off) * 1000
        if period < SHORTEST_BLINK_MS or shortest < SHORTEST_PHASE_MS:
            what = "has no period" if period <= 0 else f"blinks every {decimal_text(period, 3)} ms"
            self.resolver.complain(
                "E152",
                led.id,
                f"the {thing_name(led)} {what}; the program runs on a 1 ms tick, so 100 Hz (10 "
                f"ms) is the "
                "fastest.",
                "Use a rate of 100 Hz or less.",
                intent,
            )
        elif period > LONGEST_PERIOD_MS:
            complain_of_long_period(self.resolver, led.id, intent)

    def _signals_of(self, value: ValueRef, at: Intent) -> tuple[Thing, ...] | None:
        """The things that a value comes from; None after a finding."""
        thing: Thing | None = None
        match value.kind:
            case ValueKind.SENSOR:
                thing = self.resolver.value(value.sensor, self._before, at)
            case ValueKind.OUTPUT if value.output is not None:
                thing = self.resolver.output(value.output, at)
            case ValueKind.PRESSES:
                thing = self.resolver.button(None, at)
            case ValueKind.POSITION:
                thing = self._turning.meant(value.input, at)
            case _:
                return ()
        return None if thing is None else (thing,)

    def _switch(self, intent: Switch) -> None:
        if intent.outputs:
            found = [self.resolver.output(ref, intent) for ref in intent.outputs]
            outputs = tuple(thing for thing in found if thing is not None)
        else:
            outputs = self.resolver.last_outputs
            if not outputs:
                self.resolver.complain(
                    "E203",
                    "threshold",
                    "what is switched is not said.",
                    'Say e.g. "switch the relay on above 30 C".',
                    intent,
                )
        sensor = None
        if intent.condition.op == "else":
            self._otherwise(intent, outputs)
        else:
            sensor = self.resolver.sensor(intent.condition.sensor, intent.condition.amount, intent)
        self.resolver.last_outputs = outputs
        for output in outputs:
            rules = self._rules.setdefault(output.id, Rules(output, [], []))
            rules.said.append((intent, sensor))
            rules.no_hysteresis = rules.no_hysteresis or intent.no_hysteresis
            if intent.hysteresis is not None:
                rules.hysteresis.append(intent.hysteresis)

    def _otherwise(self, intent: Switch, outputs: Sequence[Thing]) -> None:
        """The other case can only be that of a threshold which the same output has."""
        for output in outputs:
            if output.id not in self._rules:
                self.resolver.complain(
                    "E203",
                    output.id,
                    f"the {thing_name(output)} has no threshold that there could be another case "
                    "of.",
                    'Give each output its own threshold: "turn the lamp on below 30 C".',
                    intent,
                )

    def _hysteresis(self, intent: Hysteresis) -> None:
        rules = [self._rules[t.id] for t in self.resolver.last_outputs if t.id in self._rules]
        if not rules:
            self.resolver.complain(
                "E203",
                "hysteresis",
                "which threshold has the hysteresis is not said.",
                'Say it after the threshold: "... above 30 C with a hysteresis of 2 C".',
                intent,
            )
        for rule in rules:
            if intent.amount is None:
                rule.no_hysteresis = True
            else:
                rule.hysteresis.append(intent.amount)

    def finish(self) -> Assembly:
        """Build the behaviours and check what they share."""
        behaviours = [blink_behaviour(blink, led) for blink, led in self._blinks.values()]
        behaviours += self._reports.behaviours
        thresholds = [build_threshold(rules, self.resolver) for rules in self._rules.values()]
        commands = self._commands.behaviours(counter=self._reports.counts)
        if self._messaging.counts_presses or self._commands.counts_presses:
            self._button.counts_silently = True
        found = (*thresholds, self._button.behaviour(), *commands)
        behaviours += [behaviour for behaviour in found if behaviour is not None]
        behaviours += [*self._motion.behaviours(), *self._turning.behaviours()]
        behaviours += self._colours.behaviours(taken=self._commands.words)
        behaviours = _told_apart(behaviours)
        if self._echo:
            text = "Send every received line back" + (", except the commands." if commands else ".")
            behaviours.append(
                Behaviour(id="echo", kind=BehaviourKind.ECHO, signals=(), parameters=(), text=text)
            )
        behaviours += self._messaging.finish(self._check_drivers())
        self.resolver.findings += clashing_texts(behaviours)
        complain_of_held_up(self.resolver, behaviours)
        if not behaviours and not self.resolver.findings:
            self.resolver.complain(
                "E200",
                "prompt",
                "nothing is to be done.",
                'Say what the device should do, e.g. "blink the LED at 2 Hz".',
                Intent(),
            )
        return Assembly(
            things=tuple(self.resolver.things.values()),
            behaviours=tuple(behaviours),
            assumptions=tuple(
                Assumption(id=key, text=text) for key, text in self.resolver.assumptions.items()
            ),
            findings=tuple(self.resolver.findings),
        )

    def _check_drivers(self) -> dict[str, list[str]]:
        """Refuse outputs with two masters and with none; gives what drives each."""
        drivers: dict[str, list[tuple[str, Intent]]] = {}
        for led_id, (blink, _) in self._blinks.items():
            drivers.setdefault(led_id, []).append(("blinks", blink))
        for output_id, rules in self._rules.items():
            drivers.setdefault(output_id, []).append(("follows a threshold", rules.said[0][0]))
        for output_id, press in self._button.drivers():
            drivers.setdefault(output_id, []).append(("is toggled by the button", press))
        for output_id, follow in self._motion.drivers():
            drivers.setdefault(output_id, []).append(("follows the motion sensor", follow))
        for output_id, message in self._messaging.drivers():
            drivers.setdefault(output_id, []).append(("obeys messages", message))
        for output_id, found in drivers.items():
            if len(found) > 1:
                said = " and ".join(what for what, _ in found)
                self.resolver.complain(
                    "E158",
                    output_id,
                    f"the {output_id} {said}: that contradicts itself.",
                    'Use one output for each, e.g. "a red LED".',
                    found[-1][1],
                )
        used = set(drivers)
        for thing in self.resolver.things.values():
            if thing.kind.role == "output" and thing.id not in used:
                self.resolver.complain(
                    "E151",
                    thing.id,
                    f"what the {thing_name(thing)} does is not said.",
                    "Say what it does, or leave it out.",
                    Intent(),
                )
        return {output_id: [what for what, _ in found] for output_id, found in drivers.items()}


def _told_apart(behaviours: Sequence[Behaviour]) -> list[Behaviour]:
    """The behaviours with an id each: commands may have the same letters, as "a" and "a?"."""
    apart: dict[str, Behaviour] = {}
    for behaviour in behaviours:
        name, number = behaviour.id, 1
        while name in apart:
            number += 1
            name = f"{behaviour.id}_{number}"
        apart[name] = replace(behaviour, id=name)
    return list(apart.values())
