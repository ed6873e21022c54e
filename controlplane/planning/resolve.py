"""Puts mentions together: which LED, which sensor, on which pin the user wants it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, ComponentKind, OnBoard
from controlplane.planning.intent import (
    Amount,
    Blink,
    Command,
    Condition,
    Debounce,
    Dimension,
    Follow,
    InputRef,
    Intent,
    OutputRef,
    Press,
    Publish,
    Report,
    SensorRef,
    Subscribe,
    Switch,
    ValueRef,
    Wire,
)
from controlplane.planning.phrases import convert


class Components(Protocol):
    """The component kinds by key."""

    def __getitem__(self, key: str, /) -> ComponentKind:
        """Give one kind."""

    def get(self, key: str, /) -> ComponentKind | None:
        """Give one kind or None."""


@dataclass(slots=True, kw_only=True)
class Thing:
    """A component of the device; ``pin`` is "" until the pin solver has given one.

    ``line_pins`` are the pins of a kind with several lines, in their order; () where none is said.
    """

    id: str
    kind: ComponentKind
    pin: str = ""
    line_pins: tuple[str, ...] = ()
    onboard: OnBoard | None = None
    label: str = ""

    @property
    def signals(self) -> tuple[str, ...]:
        """The ids of what it gives or takes: its own, or one for each line."""
        return tuple(f"{self.id}_{line}" for line in self.kind.lines) or (self.id,)

    @property
    def trigger(self) -> str:
        """The id of the signal that asks it, "" where it needs none."""
        return f"{self.id}_trigger" if self.kind.has_trigger else ""

    @property
    def wires(self) -> tuple[str, ...]:
        """The ids of all its signals, each with a pin."""
        return (*self.signals, self.trigger) if self.trigger else self.signals

    @property
    def pins(self) -> tuple[str, ...]:
        """The pin that was said for each wire, "" where none was."""
        return self.line_pins or (self.pin,) * len(self.wires)


_DEFAULT_SENSOR = {
    Dimension.CELSIUS: "tmp36",
    Dimension.DEGREES: "tmp36",
    Dimension.FAHRENHEIT: "tmp36",
    Dimension.KELVIN: "tmp36",
    Dimension.VOLTS: "analog_input",
    Dimension.MILLIVOLTS: "analog_input",
    Dimension.CENTIMETRES: "hc_sr04",
    Dimension.MILLIMETRES: "hc_sr04",
    Dimension.METRES: "hc_sr04",
    Dimension.INCHES: "hc_sr04",
}


SignalsOf = Callable[[ValueRef, Intent], tuple[Thing, ...] | None]
"""Finds the things that a value comes from; None after a finding."""


@dataclass(slots=True)
class Resolver:
    """Turns mentions into things, in the order of the prompt; collects findings."""

    board: BoardModel
    components: Components
    things: dict[str, Thing] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    assumptions: dict[str, str] = field(default_factory=dict)
    last_outputs: tuple[Thing, ...] = ()
    last_sensor: Thing | None = None
    last_button: Thing | None = None
    _plain_led_pins: list[str] = field(default_factory=list)
    _plain_button_pins: list[str] = field(default_factory=list)
    _sensor_kinds: list[str] = field(default_factory=list)
    _dimensions: set[Dimension] = field(default_factory=set)

    def survey(self, intents: Iterable[Intent]) -> None:
        """Note first what later clauses say about things ("the LED is on PB5")."""
        for intent in intents:
            for ref in _outputs_of(intent):
                plain = not ref.label and ref.pin
                if ref.kind == "led" and plain and ref.pin not in self._plain_led_pins:
                    self._plain_led_pins.append(ref.pin)
                if ref.kind == "button" and ref.pin and ref.pin not in self._plain_button_pins:
                    self._plain_button_pins.append(ref.pin)
            if isinstance(intent, Switch | Publish) and intent.condition is not None:
                amount = intent.condition.amount
                self._dimensions |= {amount.dimension} - {Dimension.BARE} if amount else set()
            for sensor in _sensors_of(intent):
                if sensor.kind != "it" and sensor.kind not in self._sensor_kinds:
                    self._sensor_kinds.append(sensor.kind)

    def complain(self, code: str, subject: str, message: str, fix: str, at: Intent) -> None:
        """Add a finding about a clause."""
        finding = Finding(
            code=code, subject=subject, message=message, fix=fix, start=at.start, end=at.end
        )
        if finding not in self.findings:
            self.findings.append(finding)

    def output(self, ref: OutputRef, at: Intent) -> Thing | None:
        """The output that is meant; None after a finding."""
        if ref.kind == "it":
            if len(self.last_outputs) == 1:
                return self.last_outputs[0]
            self._unclear("it", 'Name the output, e.g. "the relay".', at)
            return None
        return self._led(ref, at) if ref.kind == "led" else self._load(ref, at)

    def button(self, ref: OutputRef | None, at: Intent) -> Thing | None:
        """The button that is meant; the on-board one unless a pin says otherwise."""
        if ref is None or (not ref.label and not ref.pin):
            if self.last_button is not None:
                return self.last_button
            ref = ref or OutputRef("button")
        onboard = self.board.fixed("button")
        pins = list(dict.fromkeys([*self._plain_button_pins, *([ref.pin] if ref.pin else [])]))
        if len(pins) > 1:
            self._two_pins("button", pins, at)
            return None
        pin = pins[0] if pins else ""
        soldered = onboard if pin in ("", onboard.pin if onboard else "") else None
        soldered = None if ref.label == "external" and not pin else soldered
        if ref.label in ("onboard", "boot") and not self._has_button(ref, soldered, pin, at):
            return None
        existing = self.things.get("button")
        if existing is not None and existing.onboard != soldered:
            self.complain("E111", "button", "only one button can be used.", "Name one button.", at)
            return None
        if existing is None:
            existing = Thing(
                id="button",
                kind=self.components["button"],
                pin=soldered.pin if soldered else pin,
                onboard=soldered,
            )
            self.things["button"] = existing
            if soldered and not ref.label and not pin:
                text = f"The button is the {soldered.label} on {soldered.pin}."
                self.assumptions["button"] = text
        self.last_button = existing
        return existing

    def _has_button(self, ref: OutputRef, soldered: OnBoard | None, pin: str, at: Intent) -> bool:
        """Whether the board has the button that was named; a finding otherwise."""
        onboard = self.board.fixed("button")
        if onboard is None or (ref.label == "boot" and "BOOT" not in onboard.label):
            self.complain(
                "E151",
                "button",
                f"the {self.board.name} has no such button that firmware can read.",
                'Say "the button", or name the pin of an external one.',
                at,
            )
            return False
        if soldered is None:
            self._two_pins(onboard.label, [onboard.pin, pin], at)
        return soldered is not None

    def input(self, ref: InputRef, at: Intent) -> Thing | None:
        """The digital input that is meant; None after a finding."""
        return self._wired(self.components[ref.kind], ref.pins, at)

    def _wired(self, kind: ComponentKind, pins: tuple[str, ...], at: Intent) -> Thing | None:
        """The only thing of a kind, on the pins of its lines where they are said."""
        thing = self.things.setdefault(kind.signal, Thing(id=kind.signal, kind=kind))
        if not pins:
            return thing
        said = thing.line_pins or tuple(filter(None, [thing.pin]))
        if said and said != pins:
            self._two_pins(kind.name, list(dict.fromkeys([*said, *pins])), at)
            return None
        if len(pins) != len(thing.wires) or len(set(pins)) != len(pins):
            self.complain(
                "E111",
                kind.name,
                f"the {kind.name} takes {len(thing.wires)} pins, and not just "
                f"{' and '.join(dict.fromkeys(pins))}.",
                "Name one pin for each line, or none.",
                at,
            )
            return None
        if len(pins) > 1:
            thing.line_pins = pins
        else:
            thing.pin = pins[0]
        return thing

    def sensor(self, ref: SensorRef | None, amount: Amount | None, at: Intent) -> Thing | None:
        """The sensor that is meant; from the unit of the amount when none is named."""
        if ref is not None and ref.kind != "it":
            return self._named_sensor(ref, at)
        if self.last_sensor is not None and (
            amount is None
            or amount.dimension is Dimension.BARE
            or convert(amount, self.last_sensor.kind.unit) is not None
        ):
            return self.last_sensor
        dimension = amount.dimension if amount else None
        if dimension is Dimension.BARE and len(self._dimensions) == 1:
            dimension = next(iter(self._dimensions))
        kind = _DEFAULT_SENSOR.get(dimension) if dimension else None
        if kind is None and dimension is Dimension.PERCENT:
            fitting = [k for k in self._sensor_kinds if self.components[k].unit == "%"]
            kind = fitting[0] if len(fitting) == 1 else None
        if kind is None and len(self._sensor_kinds) == 1:
            kind = self._sensor_kinds[0]
        if kind is None:
            self._unclear(
                "the measured value", 'Name it, e.g. "when the temperature is above 30 C".', at
            )
            return None
        return self._named_sensor(SensorRef(kind), at)

    def value(self, ref: SensorRef | None, before: Intent | None, at: Intent) -> Thing | None:
        """The sensor whose value is to be told; "it" cannot be an output named just before."""
        about_output = before is not None and _outputs_of(before) and not _sensors_of(before)
        if ref == SensorRef("it") and about_output:
            self._unclear("it", 'Name the value, e.g. "the temperature".', at)
            return None
        return self.sensor(ref, None, at)

    def _named_sensor(self, ref: SensorRef, at: Intent) -> Thing | None:
        kind = self.components[ref.kind]
        thing = self.things.get(kind.signal)
        if thing is None:
            thing = self.things[kind.signal] = Thing(id=kind.signal, kind=kind)
        if kind.has_trigger:
            self.last_sensor = self._wired(kind, tuple(filter(None, (ref.pin, ref.trigger))), at)
            return self.last_sensor
        if ref.pin and thing.pin and ref.pin != thing.pin:
            self._two_pins(kind.name, [thing.pin, ref.pin], at)
            return None
        thing.pin = thing.pin or ref.pin
        self.last_sensor = thing
        return thing

    def _led(self, ref: OutputRef, at: Intent) -> Thing | None:
        onboard = self.board.fixed("led")
        if ref.label == "onboard":
            if onboard is None:
                return self._stand_in(ref.pin, at)
            if ref.pin and ref.pin != onboard.pin:
                self._two_pins("on-board LED", [onboard.pin, ref.pin], at)
                return None
            return self._soldered("led", onboard)
        if not ref.label:
            pins = [ref.pin] if ref.pin else self._plain_led_pins
            if len(pins) > 1:
                place = self.board.preferred[0]
                self._unclear("the LED", f'Say which, e.g. "the LED on {place}".', at)
                return None
            if not pins and any(
                t.kind.key == "led" and t.id != "led" for t in self.things.values()
            ):
                self._unclear(
                    "the LED", 'Say "the on-board LED", or name the LED by its colour.', at
                )
                return None
            if pins:
                return self._led_on(pins[0], at)
            if onboard is None:
                return self._stand_in("", at)
            text = f"The LED is the {onboard.label} on {onboard.pin}."
            self.assumptions.setdefault("led", text)
            return self._soldered("led", onboard)
        return self._coloured_led(ref, at)

    def _led_on(self, pin: str, at: Intent) -> Thing | None:
        """The LED on a pin, which may be one of the board's own."""
        own = next((i for i in self._own_leds() if i.pin == pin), None)
        key = "led" if own is not None and own == self.board.fixed("led") else f"led_{pin.lower()}"
        if own is not None:
            return self._soldered(key, own)
        return self._placed(key, "led", pin, at, label="")

    def _own_leds(self) -> list[OnBoard]:
        return [item for item in self.board.onboard if item.kind == "led"]

    def _coloured_led(self, ref: OutputRef, at: Intent) -> Thing | None:
        """An external LED, or the one of that colour where the board has several."""
        key = f"{ref.label}_led"
        own = next((i for i in self._own_leds() if i.label.startswith(f"{ref.label} LED")), None)
        if own is None or ref.pin not in ("", own.pin):
            return self._placed(key, "led", ref.pin, at, label=ref.label)
        self.assumptions[key] = f"The {ref.label} LED is the {own.label} on {own.pin}."
        return self._soldered(key, own)

    def _soldered(self, key: str, onboard: OnBoard) -> Thing:
        thing = self.things.get(key)
        if thing is None:
            thing = Thing(id=key, kind=self.components["led"], pin=onboard.pin, onboard=onboard)
            self.things[key] = thing
        return thing

    def _stand_in(self, pin: str, at: Intent) -> Thing | None:
        """The LED of a board model that has none which a level can switch: an external one."""
        rgb = self.board.fixed("rgb_led")
        why = "has no LED that firmware can switch"
        if rgb is not None:
            why = f"has an {rgb.label} on {rgb.pin}, which takes serial data and no level"
        self.assumptions["led"] = f"The {self.board.name} {why}: the LED is an external one."
        return self._placed("led", "led", pin, at, label="")

    def _load(self, ref: OutputRef, at: Intent) -> Thing | None:
        return self._placed(ref.kind, ref.kind, ref.pin, at, label="")

    def _placed(self, key: str, kind: str, pin: str, at: Intent, *, label: str) -> Thing | None:
        thing = self.things.get(key)
        if thing is None:
            thing = Thing(id=key, kind=self.components[kind], pin=pin, label=label)
            self.things[key] = thing
        elif pin and thing.pin and pin != thing.pin:
            self._two_pins(thing.kind.name, [thing.pin, pin], at)
            return None
        thing.pin = thing.pin or pin
        return thing

    def _two_pins(self, name: str, pins: list[str], at: Intent) -> None:
        self.complain(
            "E111",
            name,
            f"the {name} is put on two pins, {' and '.join(pins)}.",
            "Name one pin.",
            at,
        )

    def _unclear(self, what: str, fix: str, at: Intent) -> None:
        self.complain("E203", what, f"it is not clear what {what} refers to.", fix, at)


def _outputs_of(intent: Intent) -> list[OutputRef]:
    match intent:
        case Blink(output=output):
            return [output]
        case Switch(outputs=outputs) | Subscribe(outputs=outputs):
            return list(outputs)
        case Follow(outputs=outputs):
            return list(outputs)
        case Press(button=button, actions=actions):
            found = [action.output for action in actions if action.output]
            return [button, *found] if button else found
        case Wire(output=output) if output is not None:
            return [output]
        case Debounce(button=button) if button is not None:
            return [button]
        case Report(values=values) | Publish(values=values):
            return [value.output for value in values if value.output]
        case Command(value=ValueRef(output=output)) if output is not None:
            return [output]
    return []


def _sensors_of(intent: Intent) -> list[SensorRef]:
    match intent:
        case Switch(condition=condition) if condition.sensor is not None:
            return [condition.sensor]
        case Wire(sensor=sensor) if sensor is not None:
            return [sensor]
        case Publish(condition=Condition(sensor=sensor)) if sensor is not None:
            return [sensor]
        case Report(values=values) | Publish(values=values):
            return [value.sensor for value in values if value.sensor]
        case Command(value=ValueRef(sensor=sensor)) if sensor is not None:
            return [sensor]
    return []
