"""What has to become of a sentence: the labels of a prompt set, as its author means them."""

from dataclasses import dataclass
from enum import StrEnum

COLOURS = ("red", "green", "blue", "yellow", "white", "orange", "amber")

KINDS: dict[str, frozenset[str]] = {
    "temperature sensor": frozenset(
        {"tmp36", "lm35", "ntc", "ds18b20", "dht11", "dht22", "bme280", "bmp280"}
    ),
    "light sensor": frozenset({"ldr", "photoresistor", "bh1750"}),
    "analog input": frozenset({"analog_input", "voltage"}),
    "potentiometer": frozenset({"potentiometer", "pot"}),
    "oled": frozenset({"oled", "ssd1306", "oled_ssd1306"}),
    "rgb led": frozenset({"rgb", "rgb_led", "ws2812"}),
    "keypad": frozenset({"keypad", "keypad_4x4"}),
    "encoder": frozenset({"encoder", "rotary_encoder"}),
    "pir": frozenset({"pir", "motion_sensor"}),
    "hc_sr04": frozenset({"hc_sr04", "ultrasonic"}),
}
"""Words of labels that stand for several component kinds; others stand for themselves."""

UNITS = ("C", "F", "%", "mV", "cm", "hPa", "s", "count")


class Answer(StrEnum):
    """What is right for a sentence."""

    DESIGN = "design"
    REFUSE = "refuse"
    EITHER = "either"


class Why(StrEnum):
    """Why a sentence is not, or need not be, built."""

    AMBIGUOUS = "ambiguous"
    CONTRADICTORY = "contradictory"
    IMPOSSIBLE = "impossible"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A pin and the level (high or low) that means on."""

    pin: str
    active: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFacts:
    """What is known of a board model without asking any catalogue."""

    model: str
    family: str
    part: str
    led: Level | None = None
    button: Level | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that has to be wired."""

    name: str
    kind: str
    on_board: bool = False
    may_be_on_board: bool = False
    pin: str = ""
    active: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """Component kinds of designs that it may be."""
        return KINDS.get(self.kind, frozenset({self.kind}))

    @property
    def colours(self) -> tuple[str, ...]:
        """Colours that its name says."""
        return tuple(word for word in self.name.split("_") if word in COLOURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One side of a threshold."""

    above: bool
    value: float
    unit: str

    def met_by(self, value: float) -> bool:
        """Whether a value is beyond it."""
        return value > self.value if self.above else value < self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Blink:
    """The pin goes on once in ``every_ms``, for ``on_ms`` when that is said."""

    thing: str
    every_ms: float
    on_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A line once in ``every_ms`` with a number that follows ``of``."""

    of: str
    every_ms: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A fixed line once in ``every_ms``."""

    text: str
    every_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """An output that follows a quantity, with a band in which it stays."""

    of: str
    thing: str
    on: Limit
    off: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What each press of a button does: toggle a thing, print the next number, or print a text."""

    by: str
    toggles: str = ""
    counts: bool = False
    text: str = ""
    debounce_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """An output that is on while an input is."""

    of: str
    thing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A press turns an output on for a time."""

    by: str
    thing: str
    for_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A line that is answered; exactly one of the four says with what."""

    to: str
    text: str = ""
    of: str = ""
    unit: str = ""
    state: str = ""
    count: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """A line that turns an output on or off."""

    to: str
    thing: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """Every line comes back."""


Does = Blink | Report | Say | Threshold | Press | Follow | Pulse | Reply | Set | Echo

CLOCKS = ("uptime", "counter")
"""Quantities that the device has without a sensor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardWish:
    """The board that a sentence asks for; "" for what it leaves open."""

    model: str = ""
    part: str = ""
    family: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A sentence with its labels."""

    id: str
    prompt: str
    answer: Answer
    board: str = ""
    why: Why | None = None
    reason: str = ""
    about: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    on: BoardWish = BoardWish()
    things: tuple[Thing, ...] = ()
    does: tuple[Does, ...] = ()
    unjudged: tuple[str, ...] = ()

    def thing(self, name: str) -> Thing | None:
        """Find a thing by its name."""
        return next((one for one in self.things if one.name == name), None)

    @property
    def commands(self) -> tuple[str, ...]:
        """Lines that have a meaning of their own."""
        return tuple(one.to for one in self.does if isinstance(one, Reply | Set))


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSet:
    """A whole file. ``offers`` maps designers to what they claim to do."""

    title: str
    sha256: str
    cases: tuple[Case, ...]
    boards: tuple[BoardFacts, ...] = ()
    offers: tuple[tuple[str, frozenset[str]], ...] = ()

    def board(self, model: str) -> BoardFacts | None:
        """What is known of a board model."""
        return next((one for one in self.boards if one.model == model), None)

    def is_offered(self, case: Case, designer: str) -> bool:
        """Whether a designer claims everything that a case needs."""
        claimed = dict(self.offers).get(designer)
        return claimed is None or claimed.issuperset(case.needs)
