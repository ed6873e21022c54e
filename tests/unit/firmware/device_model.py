"""A model of the generated firmware in Python: what a board would print, without a compiler.

It follows a design, not a sketch, and can be told to lie, so that scenarios show whether they
notice. Ticks are whole milliseconds, as on the device.
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

from benchline.scenario import Event, RecordSplitter, RunPlan
from controlplane.domain.design import (
    Active,
    Behaviour,
    BehaviourKind,
    Design,
    PinAssignment,
    SignalKind,
)
from controlplane.domain.units import Unit, parse_decimal

NONCE = 7
OPS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def pin_index(name: str) -> int:
    if name.startswith("GPIO"):
        return int(name[4:])
    return (ord(name[1]) - ord("A")) * 16 + int(name[2:])


@dataclass
class DeviceModel:
    """One run. ``lies``: "silent" (no replies), "inverted", "constant", "bouncy", "deaf" (sees
    motion the wrong way round), "first motion" (counts hold times from there),
    "backwards" and "one contact" (of an encoder), "near" (takes no echo for something near)."""

    design: Design
    plan: RunPlan
    lies: frozenset[str] = frozenset()
    now: int = 0
    out: list[bytes] = field(default_factory=list)
    inputs: dict[int, int] = field(default_factory=dict)
    driven: dict[str, bool] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    line: str = ""
    presses: int = 0
    counter: int = 0
    button: tuple[bool, bool, int] = (False, False, 0)
    wanted: dict[str, int] = field(default_factory=dict)
    noticed: bool = False
    position: int = 0
    contacts: int = 0
    steps: int = 0

    def events(self) -> Iterator[Event]:
        """Run to the end and give what the evaluator is fed."""
        self._run()
        splitter = RecordSplitter()
        yield from splitter.feed(b"".join(self.out))

    def _record(self, text: str) -> None:
        self.out.append(f"\x1eBL {self.now} {text}\n".encode())

    def _say(self, text: str) -> None:
        self._record("OUT S0")
        self.out.append(f"{text}\r\n".encode())

    def _run(self) -> None:
        self._record(
            f"BOOT core=1 part={self.design.board.part} build=0123456789ab "
            f"design={self.design.design_hash[:12]} nonce={NONCE:08x} sources=injected reset=pin"
        )
        rows = list(self.plan.rows)
        self._apply(rows)
        for pin in self.design.pins:
            if pin.function == "gpio_out":
                self.driven[pin.signal] = False
                self._level(pin, on=False)
        self._record("READY")
        while self.now < self.plan.end_ms:
            self._loop()
            self.now += 1
            self._apply(rows)
        self._record("END dropped=0")

    def _apply(self, rows: list) -> None:
        while rows and rows[0].ms <= self.now:
            row = rows.pop(0)
            if row.signal == 0x0300:
                data = row.value.to_bytes(4, "little")[: row.n]
                for letter in data.decode():
                    self._letter(letter)
            elif row.signal < 0x0300 or row.signal >= 0x0500:
                self.inputs[row.signal] = row.value

    def _level(self, pin: PinAssignment, *, on: bool) -> None:
        high = on != (pin.active is Active.LOW)
        if "inverted" in self.lies:
            high = not high
        self._record(f"PIN {pin.pin} v={int(high)}")

    def _set(self, output: str, *, on: bool, say: bool = True) -> None:
        if self.driven[output] == on:
            return
        self.driven[output] = on
        self._level(self.design.pin_of(output), on=on)
        if say:
            self._say(f"{output.replace('_', ' ')} {'on' if on else 'off'}")

    def _value(self, signal_id: str) -> Fraction:
        signal = self.design.signal(signal_id)
        pin = pin_index(self.design.pin_of(signal_id).pin)
        if signal.kind is SignalKind.ECHO:
            width = 900 if "constant" in self.lies else self.inputs.get(0x0500 + pin, 0)
            return Fraction(width) / parse_decimal(signal.us_per_unit)
        counts = 900 if "constant" in self.lies else self.inputs.get(0x0100 + pin, 0)
        millivolts = Fraction(counts * signal.full_scale_mv, 4095)
        return (millivolts - parse_decimal(signal.mv_at_zero)) / parse_decimal(signal.mv_per_unit)

    def _valid(self, signal_id: str) -> bool:
        signal = self.design.signal(signal_id)
        if signal.kind is SignalKind.ECHO:
            return self._value(signal_id) > 0 or "near" in self.lies
        lowest = parse_decimal(signal.minimum)
        return lowest <= self._value(signal_id) <= parse_decimal(signal.maximum)

    def _shown(self, signal_id: str) -> str:
        signal = self.design.signal(signal_id)
        if not self._valid(signal_id):
            echo = signal.kind is SignalKind.ECHO
            return f"{signal_id} out of range" if echo else f"{signal_id} sensor missing"
        places = 0 if signal.unit is Unit.MILLIVOLTS else 1
        return f"{signal_id} {float(self._value(signal_id)):.{places}f} {signal.unit}"

    def _is_due(self, key: str, step: Callable[[], Fraction]) -> bool:
        """Whether a schedule in whole microseconds has come round."""
        due = self.due.setdefault(key, 0)
        if self.now * 1000 < due:
            return False
        self.due[key] = due + round(step() * 1000)
        return True

    def _loop(self) -> None:
        sampling = self._is_due("sample", lambda: Fraction(100))
        for behaviour in self.design.behaviours:
            match behaviour.kind:
                case BehaviourKind.THRESHOLD if sampling:
                    self._threshold(behaviour)
                case BehaviourKind.BLINK:
                    led = behaviour.signals[0]
                    name = "off" if self.driven[led] else "on"
                    if self._is_due(behaviour.id, partial(behaviour.number, name)):
                        self._set(led, on=not self.driven[led], say=False)
                case BehaviourKind.REPORT:
                    if self._is_due(behaviour.id, partial(behaviour.number, "period")):
                        self._report(behaviour)
                case BehaviourKind.BUTTON:
                    self._button(behaviour)
                case BehaviourKind.FOLLOW:
                    self._follow(behaviour)
                case BehaviourKind.NOTICE:
                    self._notice(behaviour)
                case BehaviourKind.TURN:
                    self._turn(behaviour)
                case _:
                    pass

    def _threshold(self, behaviour: Behaviour) -> None:
        sensor, output = behaviour.signals
        value = self._value(sensor)
        if not self._valid(sensor):
            self._set(output, on=False)
        elif self.driven[output]:
            if OPS[behaviour.word("off_when")](value, behaviour.number("off_value")):
                self._set(output, on=False)
        elif OPS[behaviour.word("on_when")](value, behaviour.number("on_value")):
            self._set(output, on=True)

    def _report(self, behaviour: Behaviour) -> None:
        kind = behaviour.word("value")
        if kind == "counter":
            self.counter += 1
        lines = {
            "uptime": f"uptime {self.now // 1000} s",
            "counter": f"counter {self.counter}",
            "presses": f"presses {self.presses}",
            "position": f"position {self.position}",
        }
        if kind == "sensor":
            self._say(self._shown(behaviour.signals[0]))
        elif kind == "output":
            output = behaviour.signals[0]
            self._say(f"{output.replace('_', ' ')} is {'on' if self.driven[output] else 'off'}")
        else:
            self._say(lines[kind])

    def _is_on(self, signal_id: str) -> bool:
        """Whether a digital input is active; without a stimulus it reads its resistor."""
        pin = self.design.pin_of(signal_id)
        level = self.inputs.get(pin_index(pin.pin), 1 if pin.pull == "up" else 0)
        return bool(level) != (pin.active is Active.LOW)

    def _follow(self, behaviour: Behaviour) -> None:
        source, output = behaviour.signals
        motion = self._is_on(source) != ("deaf" in self.lies)
        counts = "first motion" not in self.lies or not self.driven[output]
        if motion and counts:
            self.wanted[output] = self.now
        since = self.now - self.wanted.get(output, 0)
        self._set(output, on=motion or (self.driven[output] and since < behaviour.number("hold")))

    def _notice(self, behaviour: Behaviour) -> None:
        motion = self._is_on(behaviour.signals[0]) != ("deaf" in self.lies)
        if motion != self.noticed:
            self.noticed = motion
            line = behaviour.word("began" if motion else "ended")
            if line:
                self._say(line)

    def _turn(self, behaviour: Behaviour) -> None:
        a, b = (self._is_on(contact) for contact in behaviour.signals)
        before, self.contacts = self.contacts, 2 * a + b
        ring = [0, 2, 3, 1]
        moved = (ring.index(self.contacts) - ring.index(before)) % 4
        self.steps += {1: 1, 3: -1}.get(moved, 0)
        turned = 0
        if "one contact" in self.lies:
            turned = (-1 if b else 1) if a and not before & 2 else 0
        elif self.contacts == 0:
            turned = (self.steps > 1) - (self.steps < -1)
            self.steps = 0
        if turned:
            self.position += -turned if "backwards" in self.lies else turned
            if behaviour.word("position") == "print":
                self._say(f"position {self.position}")

    def _button(self, behaviour: Behaviour) -> None:
        pressed = self._is_on("button")
        stable, was_read, changed = self.button
        if pressed != was_read:
            was_read, changed = pressed, self.now
        debounce = 0 if "bouncy" in self.lies else behaviour.number("debounce")
        if pressed != stable and self.now - changed >= debounce:
            stable = pressed
            if pressed:
                self._pressed(behaviour)
        self.button = (stable, was_read, changed)

    def _pressed(self, behaviour: Behaviour) -> None:
        for output in behaviour.signals[1:]:
            self._set(output, on=not self.driven[output])
        self.presses += 1
        if behaviour.word("count") == "print":
            self._say(f"button pressed {self.presses}")
        if behaviour.word("print"):
            self._say(behaviour.word("print"))

    def _letter(self, letter: str) -> None:
        if letter != "\n":
            self.line += letter
            return
        line, self.line = self.line, ""
        self._say(self._answer(line))

    def _answer(self, line: str) -> str:
        for behaviour in self.design.behaviours:
            if behaviour.kind is BehaviourKind.COMMAND and behaviour.word("command") == line:
                if "silent" in self.lies:
                    return ""
                return behaviour.word("answer") or f"{line} {self._known(behaviour)}"
        echoes = any(b.kind is BehaviourKind.ECHO for b in self.design.behaviours)
        return line if echoes else "unknown command"

    def _known(self, behaviour: Behaviour) -> str:
        kind = behaviour.word("value")
        if kind == "sensor":
            return self._shown(behaviour.signals[0])
        if kind == "output":
            output = behaviour.signals[0]
            return f"{output.replace('_', ' ')} {'on' if self.driven[output] else 'off'}"
        plain = {
            "uptime": f"uptime {self.now // 1000} s",
            "presses": f"presses {self.presses}",
            "position": f"position {self.position}",
        }
        return plain.get(kind, f"counter {self.counter}")
