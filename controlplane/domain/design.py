"""The design document: what was understood, what is built from what, and how it is proved.

A design is frozen. Its canonical JSON (sorted keys, no spaces, UTF-8) is hashed, and the first
12 hex digits of that hash travel in the firmware's BOOT record.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from controlplane.domain.codec import canonical_json, decode
from controlplane.domain.finding import Finding
from controlplane.domain.units import Unit, parse_decimal

SCHEMA_VERSION = 1


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


class SignalKind(StrEnum):
    """How a signal is observed or stimulated; the words of the scenario language."""

    ANALOG = "analog"
    DIGITAL_IN = "digital_in"
    DIGITAL_OUT = "digital_out"


class BehaviourKind(StrEnum):
    """The behaviours that designers may ask for."""

    BLINK = "blink"
    REPORT = "report"
    THRESHOLD = "threshold"
    BUTTON = "button"
    COMMAND = "command"
    ECHO = "echo"


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
    """One sensor or actuator of the design, and the signals it carries."""

    id: str
    kind: str
    part_number: str
    signals: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinAssignment:
    """One pin, what it is wired to, and why this one.

    ``component`` and ``signal`` are ids of this design ("console" for the console pins).
    """

    pin: str
    signal: str
    component: str
    function: PinRole
    active: Active
    pull: Pull
    fixed_by: FixedBy
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSignal:
    """A named quantity at a pin: the observable contract that behaviours and scenarios use.

    Analog signals: ``mv_at_zero`` is the pin voltage (mV) at 0 ``unit``, ``mv_per_unit`` its
    slope, ``minimum`` and ``maximum`` the range in ``unit``. Numbers are exact decimals as text.
    ``full_scale_mv`` is what all bits of the converter stand for.
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
    """An acceptance scenario: the YAML text is the authority, the rest describes it."""

    id: str
    title: str
    yaml: str
    sha256: str
    control: bool
    proves: tuple[str, ...]
    requires: tuple[str, ...]
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignerStamp:
    """Which designer wrote the design."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A whole, validated design. Build one through a designer or :meth:`from_json`."""

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

    def __post_init__(self) -> None:
        """Refuse a document that contradicts itself; raises ValueError."""
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"design schema {self.schema_version} is not {SCHEMA_VERSION}")
        if self.prompt_digest != text_digest(self.prompt):
            raise ValueError("prompt_digest is not the sha256 of the prompt")
        for scenario in self.scenarios:
            if scenario.sha256 != text_digest(scenario.yaml):
                raise ValueError(f"sha256 of scenario {scenario.id} is not that of its text")

    def to_json(self) -> str:
        """Write the canonical JSON."""
        return canonical_json(self)

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
