"""What Claude is asked for: what the device is and does, and how that shows. Nothing is final.

Pins are solved, boards are looked up, known behaviours get our own scenarios. So the answer says
what is meant, not how it is wired. The field names are those of the design document.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controlplane.catalog.loader import Catalogue
from controlplane.claude.calls import AnswerShape
from controlplane.claude.schema import says, schema_of


class Comparison(StrEnum):
    """How a value is compared with a threshold."""

    ABOVE = ">"
    FROM = ">="
    BELOW = "<"
    DOWN_TO = "<="


class Reported(StrEnum):
    """What a report or a command's answer tells."""

    SENSOR = "sensor"
    OUTPUT = "output"
    PRESSES = "presses"
    UPTIME = "uptime"
    COUNTER = "counter"


class Answered(StrEnum):
    """What a command answers with."""

    TEXT = "text"
    SENSOR = "sensor"
    OUTPUT = "output"
    PRESSES = "presses"
    UPTIME = "uptime"
    COUNTER = "counter"


class Published(StrEnum):
    """What a message to the cloud tells."""

    SENSOR = "sensor"
    OUTPUT = "output"
    PRESSES = "presses"
    UPTIME = "uptime"


class Crossing(StrEnum):
    """On which side of a number a value is published; NONE where there is no number."""

    NONE = "none"
    ABOVE = ">"
    FROM = ">="
    BELOW = "<"
    DOWN_TO = "<="


class Effect(StrEnum):
    """What a message from the cloud does; OBEY switches as its text says, on or off."""

    ON = "on"
    OFF = "off"
    TOGGLE = "toggle"
    OBEY = "obey"
    PRINT = "print"


class Counting(StrEnum):
    """Whether presses are counted, and shown at each press."""

    NONE = "none"
    SILENT = "silent"
    PRINT = "print"


class Idle(StrEnum):
    """What the outputs of a behaviour do while nothing is stimulated."""

    OFF = "off"
    ON = "on"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireComponent:
    """A part that is wired to the microcontroller."""

    id: str = says("short lower-case word, e.g. relay, red_led, button, temperature")
    kind: str = says("catalogue kind")
    pin: str = says(
        '"auto" (the solver finds a pin; the rule), "onboard" (the LED or button of the board), '
        "or a pin that the request names, spelled as the catalogue does"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WireBlink:
    """An output that goes on and off by itself."""

    output: str = says("component id")
    on_ms: float
    off_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WireReport:
    """A value that is printed again and again."""

    value: Reported
    source: str = says('component id for sensor and output, else ""')
    period_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WireThreshold:
    """An output that follows a sensor with two thresholds."""

    output: str = says("component id")
    sensor: str = says("component id")
    on_when: Comparison
    on_value: float = says("in the unit of the sensor")
    off_when: Comparison
    off_value: float = says("in the unit of the sensor")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireButton:
    """What each debounced press of the button does."""

    toggles: tuple[str, ...] = says("ids of outputs that each press toggles")
    prints: str = says('text that each press prints, else ""')
    count: Counting
    debounce_ms: float = says("0 takes the usual 30")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireCommand:
    """A console line that is answered."""

    word: str = says("the whole line")
    value: Answered
    source: str = says('component id for sensor and output, else ""')
    answer: str = says('the answer for text, else ""')


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePublish:
    """A value that goes to the device's cloud."""

    value: Published
    source: str = says('component id for sensor and output, else ""')
    topic: str = says('relative to the device; "" takes what the value is called')
    period_ms: float = says("0: at each change of an output, each press, or at the limit")
    when: Crossing
    limit: float = says("of a sensor with period 0, in its unit; 0 where `when` is none")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireMessage:
    """What a message from the device's cloud does."""

    topic: str = says('relative to the device; "" takes <output>/set')
    payload: str = says('the only text that counts, "" for any')
    effect: Effect
    output: str = says('component id; "" for print')


@dataclass(frozen=True, slots=True, kw_only=True)
class WireCustom:
    """Anything else, with scenarios that prove it."""

    id: str = says("short lower-case word")
    text: str = says("one exact sentence: what happens when, with all numbers")
    reads: tuple[str, ...] = says("ids of components that it reads")
    drives: tuple[str, ...] = says("ids of components that it drives")
    idle: Idle


@dataclass(frozen=True, slots=True, kw_only=True)
class WireScenario:
    """A proposed scenario; id, wiring and capabilities are added to it."""

    id: str
    title: str
    proves: tuple[str, ...] = says("ids of custom behaviours")
    control: bool = says("true: nothing is stimulated, and only what must not happen is said")
    duration_ms: int
    vars: str = says('YAML lines "name: {draw: [low, high], step: s}", or ""')
    steps: str = says('YAML lines that each begin with "- "')


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAssumption:
    """What the request left open and was decided."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WireQuestion:
    """What only the person can say."""

    id: str
    text: str
    why: str = says("what hangs on it, in one short sentence")
    choices: tuple[str, ...] = says("up to 6 short answers that would do, likeliest first")
    blocking: bool = says("true: no sensible default exists")
    default: str = says('what is taken otherwise, else ""')


@dataclass(frozen=True, slots=True, kw_only=True)
class WireInfeasible:
    """A wish that cannot be met with this catalogue."""

    requirement: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WireDesign:
    """The whole answer."""

    title: str
    summary: str
    board: str = says("the board model that the request fixes, else the best fitting one")
    board_reason: str
    components: tuple[WireComponent, ...]
    blinks: tuple[WireBlink, ...]
    reports: tuple[WireReport, ...]
    thresholds: tuple[WireThreshold, ...]
    buttons: tuple[WireButton, ...] = says('at most one, for the component with the id "button"')
    commands: tuple[WireCommand, ...]
    echo: bool = says("true: every line that is no command comes back")
    publishes: tuple[WirePublish, ...]
    messages: tuple[WireMessage, ...]
    custom: tuple[WireCustom, ...]
    scenarios: tuple[WireScenario, ...] = says("for custom behaviours; [] without them")
    assumptions: tuple[WireAssumption, ...]
    open_questions: tuple[WireQuestion, ...]
    infeasible: tuple[WireInfeasible, ...]


def design_shape(catalogue: Catalogue) -> AnswerShape:
    """The shape of the answer; the same catalogue gives the same bytes."""
    schema: dict[str, Any] = schema_of(
        WireDesign,
        {
            "WireDesign.board": sorted(catalogue.boards),
            "WireComponent.kind": sorted(catalogue.components),
        },
    )
    return AnswerShape(
        name="submit_design", description="Submit the design of the device.", schema=schema
    )
