"""The design document: what was understood, what is built from what, and how it is proved.

A design is frozen. Its canonical JSON (sorted keys, no spaces, UTF-8) is hashed, and the first
12 hex digits of that hash travel in the firmware's BOOT record.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from controlplane.domain.codec import canonical_json, decode, later_content
from controlplane.domain.finding import Finding
from controlplane.domain.hardware import (
    NO_CLOUD,
    SINCE_2,
    SPARSE_2,
    Bus,
    Cloud,
    DesignNode,
    Infeasible,
    Link,
    OpenQuestion,
    Requirement,
)
from controlplane.domain.units import Unit, parse_decimal

SCHEMA_VERSION = 2
READ_VERSIONS = (1, 2)
"""Versions of the document that are read; each keeps its own canonical JSON and hash."""


class FixedBy(StrEnum):
    """Who decided a pin or a board."""

    USER = "user"
    BOARD = "board"
    DESIGNER = "designer"


class Active(StrEnum):
    """The electrical level that means "on" or "pressed"; NONE for analog and console pins."""

    HIGH = "high"
    LOW = "low"
    NONE = "none"


class Pull(StrEnum):
    """The internal resistor of an input pin."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


class PinRole(StrEnum):
    """What a pin does in a design."""

    GPIO_IN = "gpio_in"
    GPIO_OUT = "gpio_out"
    ADC = "adc"
    UART_TX = "uart_tx"
    UART_RX = "uart_rx"
    PWM = "pwm"
    I2C_SDA = "i2c_sda"
    I2C_SCL = "i2c_scl"
    SPI_SCK = "spi_sck"
    SPI_MOSI = "spi_mosi"
    SPI_MISO = "spi_miso"
    CAN_TX = "can_tx"
    CAN_RX = "can_rx"


class SignalKind(StrEnum):
    """How a signal is observed or stimulated; the words of the scenario language."""

    ANALOG = "analog"
    DIGITAL_IN = "digital_in"
    DIGITAL_OUT = "digital_out"
    ECHO = "echo"


class BehaviourKind(StrEnum):
    """The behaviours that designers may ask for.

    CUSTOM is whatever the others are not: its text says what, its scenarios are proposed with it.
    """

    BLINK = "blink"
    REPORT = "report"
    THRESHOLD = "threshold"
    BUTTON = "button"
    COMMAND = "command"
    ECHO = "echo"
    FOLLOW = "follow"
    NOTICE = "notice"
    TURN = "turn"
    PUBLISH = "publish"
    MESSAGE = "message"
    CYCLE = "cycle"
    BANDS = "bands"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardChoice:
    """The board model, its part, and why it was taken."""

    model: str
    part: str
    reason: str
    fixed_by: FixedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignPart:
    """The microcontroller type, with the room it has (bytes)."""

    key: str
    name: str
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignComponent:
    """One sensor or actuator of the design, and the signals it carries.

    Electrical facts, 0 = not stated: ``supply_mv`` feeds it, ``logic_mv`` is the level that it
    drives at most, ``supply_ma`` the current it draws, ``pin_ma`` the current that each output pin
    has to give, ``series_ohm`` the resistor in its line. ``driver`` is what stands between the pin
    and the load ("" = nothing).
    """

    id: str
    kind: str
    part_number: str
    signals: tuple[str, ...]
    note: str
    supply_mv: int = field(default=0, metadata=SINCE_2)
    logic_mv: int = field(default=0, metadata=SINCE_2)
    supply_ma: int = field(default=0, metadata=SINCE_2)
    pin_ma: int = field(default=0, metadata=SINCE_2)
    series_ohm: int = field(default=0, metadata=SINCE_2)
    driver: str = field(default="", metadata=SINCE_2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinAssignment:
    """One pin, what it is wired to, and why this one.

    ``component`` and ``signal`` are ids of this design ("console" for the console pins). For pins
    of a peripheral, ``peripheral`` names it with its line ("tim3_ch2", "i2c1_sda"), ``alternate``
    is the number of the alternate function (-1 = none) and ``frequency_hz`` that of a PWM output.
    """

    pin: str
    signal: str
    component: str
    function: PinRole
    active: Active
    pull: Pull
    fixed_by: FixedBy
    reason: str
    peripheral: str = field(default="", metadata=SINCE_2)
    alternate: int = field(default=-1, metadata=SINCE_2)
    frequency_hz: int = field(default=0, metadata=SINCE_2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSignal:
    """A named quantity at a pin: the observable contract that behaviours and scenarios use.

    Analog signals: ``mv_at_zero`` is the pin voltage (mV) at 0 ``unit``, ``mv_per_unit`` its
    slope, ``minimum`` and ``maximum`` the range in ``unit``. Numbers are exact decimals as text.
    ``full_scale_mv`` is what all bits of the converter stand for. Echo signals: a pulse on the
    signal ``trigger`` is answered by one of ``us_per_unit`` microseconds a ``unit``, or by none.
    """

    id: str
    component: str
    kind: SignalKind
    unit: Unit
    line_name: str
    mv_at_zero: str
    mv_per_unit: str
    minimum: str
    maximum: str
    full_scale_mv: int = 3300
    trigger: str = field(default="", metadata=SPARSE_2)
    us_per_unit: str = field(default="", metadata=SPARSE_2)

    @property
    def is_measured(self) -> bool:
        """Whether it has values of a unit, and no levels."""
        return self.kind in (SignalKind.ANALOG, SignalKind.ECHO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A typed value of a behaviour; numbers are exact decimals as text: ("period", "500", ms)."""

    name: str
    value: str
    unit: Unit

    @property
    def number(self) -> Fraction:
        """The exact number; raises ValueError for a text."""
        return parse_decimal(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One thing the firmware does.

    ``signals`` are the ids it reads or drives, in the order that its kind documents;
    ``text`` says it in a sentence.
    """

    id: str
    kind: BehaviourKind
    signals: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    text: str

    def parameter(self, name: str) -> Parameter | None:
        """Find a parameter by its name."""
        return next((p for p in self.parameters if p.name == name), None)

    def number(self, name: str) -> Fraction:
        """Give a numeric parameter; raises KeyError when it is absent."""
        found = self.parameter(name)
        if found is None:
            raise KeyError(f"{self.id} has no parameter {name}")
        return found.number

    def word(self, name: str) -> str:
        """Give a parameter's text, "" when it is absent."""
        found = self.parameter(name)
        return "" if found is None else found.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """Something the prompt left open and convention settled."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderstoodSpan:
    """A stretch of the prompt (character offsets, end exclusive) and how it was read."""

    start: int
    end: int
    text: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignScenario:
    """An acceptance scenario: the YAML text is the authority, the rest describes it.

    ``generated``: it was added to what the designer or the document brought.
    """

    id: str
    title: str
    yaml: str
    sha256: str
    control: bool
    proves: tuple[str, ...]
    requires: tuple[str, ...]
    duration_ms: int
    generated: bool = field(default=False, metadata=SPARSE_2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignerStamp:
    """Which designer wrote the design."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A whole design. Build one through a designer or :meth:`from_json`.

    ``parent`` is the hash of the design that this one is a revision of.
    """

    schema_version: int
    title: str
    prompt: str
    prompt_digest: str
    designer: DesignerStamp
    board: BoardChoice
    parts: tuple[DesignPart, ...]
    components: tuple[DesignComponent, ...]
    pins: tuple[PinAssignment, ...]
    signals: tuple[DesignSignal, ...]
    behaviours: tuple[Behaviour, ...]
    assumptions: tuple[Assumption, ...]
    understood: tuple[UnderstoodSpan, ...]
    findings: tuple[Finding, ...]
    scenarios: tuple[DesignScenario, ...]
    summary: str = field(default="", metadata=SINCE_2)
    parent: str = field(default="", metadata=SINCE_2)
    nodes: tuple[DesignNode, ...] = field(default=(), metadata=SINCE_2)
    buses: tuple[Bus, ...] = field(default=(), metadata=SINCE_2)
    links: tuple[Link, ...] = field(default=(), metadata=SINCE_2)
    cloud: Cloud = field(default=NO_CLOUD, metadata=SINCE_2)
    requirements: tuple[Requirement, ...] = field(default=(), metadata=SINCE_2)
    open_questions: tuple[OpenQuestion, ...] = field(default=(), metadata=SINCE_2)
    infeasible: tuple[Infeasible, ...] = field(default=(), metadata=SINCE_2)

    def __post_init__(self) -> None:
        """Refuse a document that contradicts itself; raises ValueError."""
        if self.schema_version not in READ_VERSIONS:
            known = " and ".join(map(str, READ_VERSIONS))
            raise ValueError(f"design schema {self.schema_version} is not one of {known}")
        newer = later_content(self, self.schema_version)
        if newer:
            raise ValueError(
                f"design schema {self.schema_version} has no {', '.join(newer)}; "
                f"write schema_version {SCHEMA_VERSION}"
            )
        if self.prompt_digest != text_digest(self.prompt):
            raise ValueError("prompt_digest is not the sha256 of the prompt")
        for scenario in self.scenarios:
            if scenario.sha256 != text_digest(scenario.yaml):
                raise ValueError(f"sha256 of scenario {scenario.id} is not that of its text")

    def to_json(self) -> str:
        """Write the canonical JSON."""
        return canonical_json(self, self.schema_version)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Design":
        """Read a design; raises ``codec.DocumentError`` naming every problem."""
        return decode(cls, text)

    @property
    def design_hash(self) -> str:
        """The sha256 of the canonical JSON, 64 hex digits."""
        return text_digest(self.to_json())

    def signal(self, signal_id: str) -> DesignSignal:
        """Find a signal; raises KeyError when the design has none of that id."""
        for signal in self.signals:
            if signal.id == signal_id:
                return signal
        raise KeyError(f"no signal {signal_id}")

    def pin_of(self, signal_id: str) -> PinAssignment:
        """Find the pin of a signal; raises KeyError when it has none."""
        for pin in self.pins:
            if pin.signal == signal_id:
                return pin
        raise KeyError(f"no pin carries {signal_id}")


def text_digest(text: str) -> str:
    """The sha256 of a text's UTF-8 bytes, 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
