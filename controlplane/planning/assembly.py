"""Turns the intents of a prompt into things and behaviours, or into every finding there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from controlplane.domain.design import Assumption, Behaviour, BehaviourKind, Parameter
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, ComponentKind
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.clashes import clashing_texts
from controlplane.planning.colour_behaviours import Colours
from controlplane.planning.degrees import settle_degrees
from controlplane.planning.intent import (
    Action,
    ActionKind,
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
    SensorRef,
    Subscribe,
    Switch,
    Turn,
    ValueKind,
    ValueRef,
    Wire,
)
from controlplane.planning.limits import (
    DEBOUNCE_DEFAULT_MS,
    DEBOUNCE_RANGE_MS,
    LONGEST_COMMAND,
    LONGEST_PERIOD_MS,
    LONGEST_S,
    LONGEST_TEXT,
    SHORTEST_BLINK_MS,
    SHORTEST_PHASE_MS,
    SHORTEST_REPORT_MS,
    blink_behaviour,
    command_behaviour,
    is_usable_text,
    milliseconds,
    named,
    thing_name,
)
from controlplane.planning.messaging import Messaging
from controlplane.planning.motion_behaviours import Motion
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
        self._reports: dict[str, tuple[Report, Behaviour]] = {}
        self._rules: dict[str, Rules] = {}
        self._actions: dict[str, Action] = {}
        self._press_at: Intent | None = None
        self._debounces: dict[Fraction, Intent] = {}
        self._commands: dict[str, Command] = {}
        self._motion = Motion(resolver)
        self._turning = Turning(resolver)
        self._messaging = Messaging(resolver, self._signals_of)
        self._colours = Colours(resolver)
        self._echo = False
        self._silent_count = False
        self._before: Intent | None = None

    def add(self, intent: Intent, before: Intent | None) -> None:
        """Take one clause."""
        self._before = before
        match intent:
            case Blink():
                self._blink(intent, before)
            case Report():
                self._report(intent, before)
            case Switch():
                self._switch(intent)
            case Hysteresis():
                self._hysteresis(intent)
            case Press():
                self._press(intent)
            case Debounce():
                self.resolver.button(intent.button, intent)
                self._debounces[intent.seconds * 1000] = intent
            case Command():
                self._command(intent, before)
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
        meant = tuple(self._presses_meant(intent.values, before))
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
            self._too_long(led.id, intent)

    def _too_long(self, subject: str, intent: Intent) -> None:
        self.resolver.complain(
            "E152",
            subject,
            f"a period above {LONGEST_S} s cannot be proved here.",
            f"Use a period of at most {LONGEST_S} s.",
            intent,
        )

    def _report(self, intent: Report, before: Intent | None) -> None:
        if not intent.verb and not isinstance(before, Report):
            self.resolver.complain(
                "E200",
                "report",
                "what happens at that period is not said.",
                'Say "report the temperature every second".',
                intent,
            )
        if intent.measured and intent.period is not None:
            self.resolver.assumptions["measuring"] = "What is measured again and again is printed."
        for value in self._presses_meant(intent.values, before):
            if value.kind is ValueKind.PRESSES and intent.period is None:
                self._act(Action(ActionKind.COUNT, text="print"), intent)
                self.resolver.button(None, intent)
                continue
            if intent.period is None:
                self.resolver.complain(
                    "E201",
                    "report",
                    "how often it is reported is not said.",
                    'Say "report the temperature every second".',
                    intent,
                )
                self._signals_of(value, intent)
                continue
            self._report_value(value, intent, intent.period * 1000)

    def _presses_meant(
        self, values: Sequence[ValueRef], before: Intent | None
    ) -> Sequence[ValueRef]:
        """After "count the presses", "report them" means the presses."""
        counted = isinstance(before, Press) and any(
            action.kind is ActionKind.COUNT for action in before.actions
        )
        it = ValueRef(ValueKind.SENSOR, sensor=SensorRef("it"))
        return [ValueRef(ValueKind.PRESSES) if counted and v == it else v for v in values]

    def _report_value(self, value: ValueRef, intent: Report, period: Fraction) -> None:
        signals = self._signals_of(value, intent)
        if signals is None:
            return
        name = signals[0].id if signals else value.kind.value
        if value.kind is ValueKind.PRESSES:
            self._silent_count, name, signals = True, "presses", ()
        elif value.kind is ValueKind.POSITION:
            name = value.kind.value
            self._turning.shown_by_the_clock = intent
        if period < SHORTEST_REPORT_MS:
            what = "no period" if period <= 0 else f"a period of {decimal_text(period, 3)} ms"
            self.resolver.complain(
                "E152",
                name,
                f"the report of {name} has {what}; the console carries a report every "
                f"{decimal_text(SHORTEST_REPORT_MS)} ms at most.",
                "Use a longer period.",
                intent,
            )
        elif period > LONGEST_PERIOD_MS:
            self._too_long(name, intent)
        behaviour = Behaviour(
            id=f"report_{name}",
            kind=BehaviourKind.REPORT,
            signals=tuple(name for thing in signals for name in thing.signals),
            parameters=(
                Parameter(name="value", value=value.kind.value, unit=Unit.TEXT),
                milliseconds("period", period),
            ),
            text=f"Report the {name} every {decimal_text(period, 3)} ms.",
        )
        other = self._reports.get(name)
        if other is not None and other[1] != behaviour:
            self.resolver.complain(
                "E152",
                name,
                f"the report of {name} has two different periods.",
                "Say one period.",
                intent,
            )
        self._reports[name] = (intent, behaviour)

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

    def _press(self, intent: Press) -> None:
        self.resolver.button(intent.button, intent)
        for action in intent.actions:
            self._act(action, intent)
        if intent.debounce is not None and intent.debounce >= 0:
            self._debounces[intent.debounce * 1000] = intent

    def _act(self, action: Action, intent: Intent) -> None:
        self._press_at = intent
        key = action.kind.value
        if action.kind is ActionKind.TOGGLE and action.output is not None:
            thing = self.resolver.output(action.output, intent)
            if thing is None:
                return
            self.resolver.last_outputs = (thing,)
            key = f"toggle {thing.id}"
        elif action.kind is ActionKind.PRINT:
            self._check_text("text", action.text, LONGEST_TEXT, intent)
        other = self._actions.get(key)
        if action.kind is ActionKind.COUNT and other is not None:
            action = max(other, action, key=lambda said: said.text)
        elif other is not None and other.text != action.text:
            self.resolver.complain(
                "E158",
                "button",
                "a press is to print two different texts.",
                "Say one text.",
                intent,
            )
        self._actions[key] = action

    def _command(self, intent: Command, before: Intent | None) -> None:
        if not intent.verb and not isinstance(before, Command):
            self.resolver.complain(
                "E200",
                intent.word,
                "what happens with this text is not said.",
                f"Say \"answer '{intent.word}' with ...\".",
                intent,
            )
        self._check_text("command", intent.word, LONGEST_COMMAND, intent)
        if intent.value is None:
            self._check_text("answer", intent.text, LONGEST_TEXT, intent)
        other = self._commands.get(intent.word)
        if other is not None and other != intent:
            self.resolver.complain(
                "E158",
                intent.word,
                f"the command {intent.word!r} is given two different answers.",
                "Say one answer for each command.",
                intent,
            )
        self._commands.setdefault(intent.word, self._with_value(intent))

    def _with_value(self, intent: Command) -> Command:
        """The command with "it" as what was measured before its clause, not after."""
        value = intent.value
        if value is None or value.sensor != SensorRef("it"):
            return intent
        meant = self.resolver.value(value.sensor, self._before, intent)
        if meant is None:
            return intent
        return replace(intent, value=replace(value, sensor=SensorRef(meant.kind.key)))

    def _check_text(self, what: str, text: str, longest: int, intent: Intent) -> None:
        if not is_usable_text(text, longest):
            message = f"the {what} {text[:100]!r} cannot be used: it has to be 1 to {longest} "
            message += "printable ASCII characters without spaces at its ends."
            self.resolver.complain("E159", what, message, "Change the text.", intent)

    def finish(self) -> Assembly:
        """Build the behaviours and check what they share."""
        self._silent_count = self._silent_count or self._messaging.counts_presses
        behaviours = [blink_behaviour(blink, led) for blink, led in self._blinks.values()]
        behaviours += [behaviour for _, behaviour in self._reports.values()]
        thresholds = [build_threshold(rules, self.resolver) for rules in self._rules.values()]
        commands = [self._command_behaviour(c) for c in self._commands.values()]
        found = (*thresholds, self._button_behaviour(), *commands)
        behaviours += [behaviour for behaviour in found if behaviour is not None]
        behaviours += [*self._motion.behaviours(), *self._turning.behaviours()]
        behaviours += self._colours.behaviours(taken=set(self._commands))
        if self._echo:
            text = "Send every received line back" + (", except the commands." if commands else ".")
            behaviours.append(
                Behaviour(id="echo", kind=BehaviourKind.ECHO, signals=(), parameters=(), text=text)
            )
        behaviours += self._messaging.finish(self._check_drivers())
        self.resolver.findings += clashing_texts(behaviours)
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
        for key in self._actions:
            if key.startswith("toggle ") and self._press_at is not None:
                drivers.setdefault(key.removeprefix("toggle "), []).append(
                    ("is toggled by the button", self._press_at)
                )
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

    def _button_behaviour(self) -> Behaviour | None:
        button = self.resolver.things.get("button")
        if button is None:
            return None
        if not self._actions and not self._silent_count:
            self.resolver.complain(
                "E151",
                "button",
                "what the button does is not said.",
                'Say e.g. "toggle the LED when the button is pressed".',
                Intent(),
            )
            return None
        debounce = self._debounce()
        toggles = [k.removeprefix("toggle ") for k in self._actions if k.startswith("toggle ")]
        parameters = [milliseconds("debounce", debounce)]
        effects = [f"toggle the {named(output)}" for output in toggles]
        if ActionKind.PRINT in self._actions:
            text = self._actions[ActionKind.PRINT].text
            parameters.append(Parameter(name="print", value=text, unit=Unit.TEXT))
            effects.append(f"print {text!r}")
        if ActionKind.COUNT in self._actions or self._silent_count:
            counted = self._actions.get(ActionKind.COUNT)
            shown = counted is not None and (bool(counted.text) or not self._silent_count)
            how = "print" if shown else "silent"
            parameters.append(Parameter(name="count", value=how, unit=Unit.TEXT))
            effects.append("count it" + (" and print the count" if how == "print" else ""))
        return Behaviour(
            id="button_press",
            kind=BehaviourKind.BUTTON,
            signals=("button", *toggles),
            parameters=tuple(parameters),
            text=f"At each press of the button (debounced {decimal_text(debounce)} ms): "
            + ", ".join(effects)
            + ".",
        )

    def _debounce(self) -> Fraction:
        if len(self._debounces) > 1:
            self.resolver.complain(
                "E152",
                "button",
                "the button is given two different debounce times.",
                "Say one debounce time.",
                list(self._debounces.values())[-1],
            )
        for value, intent in self._debounces.items():
            low, high = DEBOUNCE_RANGE_MS
            if not low <= value <= high or value.denominator != 1:
                self.resolver.complain(
                    "E152",
                    "button",
                    f"a debounce time of {decimal_text(value, 3)} ms cannot be "
                    f"used: whole milliseconds from {low} to {high} can.",
                    "Use e.g. 30 ms.",
                    intent,
                )
        if self._debounces:
            return next(iter(self._debounces))
        self.resolver.assumptions["debounce"] = (
            f"The button is debounced for {decimal_text(DEBOUNCE_DEFAULT_MS)} ms."
        )
        return DEBOUNCE_DEFAULT_MS

    def _command_behaviour(self, intent: Command) -> Behaviour | None:
        if intent.value is None:
            return command_behaviour(intent.word, answer=intent.text)
        kind = intent.value.kind
        counts = ValueKind.COUNTER in self._reports
        if kind is ValueKind.PRESSES and counts and "button" not in self.resolver.things:
            kind = ValueKind.COUNTER
        if kind is ValueKind.COUNTER and not counts:
            self.resolver.complain(
                "E151",
                intent.word,
                "there is no counter to answer with.",
                'Say what is counted, e.g. "print a counter every second".',
                intent,
            )
        things = self._signals_of(replace(intent.value, kind=kind), intent)
        if things is None:
            return None
        if kind is ValueKind.PRESSES:
            self._silent_count, things = True, ()
        return command_behaviour(intent.word, kind=kind, things=things)
