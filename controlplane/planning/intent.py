"""Intents: what single clauses of a prompt ask for, before things and numbers are put together."""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from controlplane.catalog.naming import Naming


class Dimension(StrEnum):
    """The unit that a number was given in."""

    CELSIUS = "C"
    DEGREES = "degrees"
    FAHRENHEIT = "F"
    KELVIN = "K"
    PERCENT = "%"
    VOLTS = "V"
    MILLIVOLTS = "mV"
    CENTIMETRES = "cm"
    MILLIMETRES = "mm"
    METRES = "m"
    INCHES = "in"
    BARE = ""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as it was said, with its unit."""

    number: Fraction
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class OutputRef:
    """A mention of an output or a button; ``kind`` "it" refers to the one mentioned before."""

    kind: str
    label: str = ""
    pin: str = ""


@dataclass(frozen=True, slots=True)
class SensorRef:
    """A mention of a sensor; ``kind`` "it" refers to the one mentioned before.

    ``trigger`` is the second pin of one that is asked by a pulse.
    """

    kind: str
    pin: str = ""
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class InputRef:
    """A mention of a digital input; ``pins`` in the order of its lines, () where none is said."""

    kind: str
    pins: tuple[str, ...] = ()


class ValueKind(StrEnum):
    """What can be reported or answered."""

    SENSOR = "sensor"
    PRESSES = "presses"
    UPTIME = "uptime"
    COUNTER = "counter"
    OUTPUT = "output"
    POSITION = "position"
    COLOUR = "colour"


@dataclass(frozen=True, slots=True)
class ValueRef:
    """A mention of something that has a value."""

    kind: ValueKind
    sensor: SensorRef | None = None
    output: OutputRef | None = None
    input: InputRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One clause; ``start`` and ``end`` are character offsets in the prompt."""

    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blink(Intent):
    """Blink an LED: ``on`` and ``off`` in seconds. ``verb`` False: "... and the LED at 1 Hz"."""

    output: OutputRef
    on: Fraction
    off: Fraction
    verb: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Intent):
    """Print values every ``period`` seconds (None: not said).

    ``measured``: only measuring was asked for, printing is how it shows.
    """

    values: tuple[ValueRef, ...]
    period: Fraction | None
    verb: bool = True
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a sensor with an amount; ``op`` is >, >=, <, <=, "at" or "else"."""

    op: str
    sensor: SensorRef | None = None
    amount: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Intent):
    """Switch outputs (none: those mentioned before) to ``state`` under a condition.

    ``holds`` is True when the wording also says that the opposite holds otherwise ("while").
    ``goes_off`` is True for "goes off", which means the opposite for an alarm.
    """

    outputs: tuple[OutputRef, ...]
    state: bool
    condition: Condition
    hysteresis: Amount | None = None
    no_hysteresis: bool = False
    holds: bool = False
    goes_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hysteresis(Intent):
    """A hysteresis said on its own, for the threshold before it; None: expressly none."""

    amount: Amount | None


class ActionKind(StrEnum):
    """What a press of the button does."""

    TOGGLE = "toggle"
    PRINT = "print"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Action:
    """One effect of a press; ``text`` is what it prints ("print" for a count to be printed)."""

    kind: ActionKind
    output: OutputRef | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(Intent):
    """Do something at each press; ``button`` None: the one mentioned before."""

    button: OutputRef | None
    actions: tuple[Action, ...]
    debounce: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Debounce(Intent):
    """A debounce time (seconds) said on its own."""

    seconds: Fraction
    button: OutputRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow(Intent):
    """Switch outputs on while an input is on, and for ``hold`` seconds longer (None: not said)."""

    outputs: tuple[OutputRef, ...]
    source: InputRef
    hold: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Intent):
    """Print a text when an input goes on, and another when it goes off; "" prints nothing."""

    source: InputRef
    began: str
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Intent):
    """Count the notches of an encoder; ``printed``: each new position is to be printed.

    ``source`` None: "print the position" of the encoder that was mentioned.
    """

    source: InputRef | None
    printed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle(Intent):
    """Show colours one after the other, each for ``step`` seconds."""

    source: InputRef
    colours: tuple[str, ...]
    step: Fraction


@dataclass(frozen=True, slots=True)
class Band:
    """A colour between two amounts; None where it has no limit on that side."""

    colour: str
    low: Amount | None = None
    high: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands(Intent):
    """Show the colour of the band that a sensor is in."""

    source: InputRef
    sensor: SensorRef | None
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paint(Intent):
    """Show a colour when a console line comes; ``source`` None: the one mentioned before."""

    source: InputRef | None
    colour: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Intent):
    """Answer a console line with a value or a text. ``verb`` False: "... and 'a' with 'b'"."""

    word: str
    value: ValueRef | None = None
    text: str = ""
    verb: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(Intent):
    """Send every received line back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Intent):
    """Send values to the cloud: every ``period`` seconds, at each change, or under a condition.

    ``topic`` "": what the value is called.
    """

    values: tuple[ValueRef, ...]
    period: Fraction | None = None
    changes: bool = False
    condition: Condition | None = None
    topic: str = ""


class MessageEffect(StrEnum):
    """What a cloud message does."""

    ON = "on"
    OFF = "off"
    TOGGLE = "toggle"
    OBEY = "obey"
    PRINT = "print"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe(Intent):
    """Do something at each cloud message of a topic ("": the output's own).

    ``payload`` "" means that it does not matter what the message says.
    """

    effect: MessageEffect
    topic: str = ""
    outputs: tuple[OutputRef, ...] = ()
    payload: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire(Intent):
    """Fix the pin of something."""

    output: OutputRef | None = None
    sensor: SensorRef | None = None
    input: InputRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoardModel(Intent):
    """Fix the board model, or narrow it down."""

    naming: Naming


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable(Intent):
    """A clause that is understood but cannot be meant: it becomes a finding."""

    code: str
    subject: str
    message: str
    fix: str
