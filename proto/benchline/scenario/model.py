"""A scenario as it was written: frozen data, one class per kind of step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from benchline.scenario.units import Tolerance

MAX_STEPS = 400
"""Most steps that a scenario may have after its repeats are expanded."""

MAX_DURATION_MS = 600_000
"""Longest accepted run, ten minutes of device time."""


class Severity(StrEnum):
    """Whether a finding stops the scenario from being used. The contract imports no program's."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One complaint about a scenario. ``line`` counts from 1; 0 means the whole file."""

    code: str
    subject: str
    message: str
    fix: str = ""
    line: int = 0
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """One line for people."""
        place = f"line {self.line}: " if self.line else ""
        advice = f" ({self.fix})" if self.fix else ""
        return f"{place}{self.subject}: {self.message}{advice} [{self.code}]"


class ScenarioError(ValueError):
    """A scenario that cannot be used; ``findings`` lists every reason."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


NO_ECHO = math.inf
"""The value of an echo signal with nothing in its range."""

REFERENCE_MV = 3300
"""Full scale of analog inputs where a scenario does not say: VREF+ = VDDA = 3.3 V."""


class SignalKind(StrEnum):
    """How a signal is wired."""

    ANALOG = "analog"
    DIGITAL_IN = "digital_in"
    DIGITAL_OUT = "digital_out"
    ECHO = "echo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A name for a pin. ``pin`` is the pin number (PA0 = 0, PC12 = 44, GPIO8 = 8).

    ``spelling`` is the pin's name as it was written, and as records show it. An analog signal of
    value x gives ``mv_at_zero + mv_per_unit * x`` millivolts (0..``full_scale_mv``). An echo
    signal of value x answers each pulse on pin ``trigger`` by one of ``us_per_unit * x`` us.
    """

    name: str
    kind: SignalKind
    pin: int
    spelling: str
    active_high: bool = True
    unit: str = ""
    mv_at_zero: float = 0.0
    mv_per_unit: float = 1.0
    full_scale_mv: int = REFERENCE_MV
    trigger: int = 0
    trigger_spelling: str = ""
    us_per_unit: float = 1.0
    minimum: float | None = None
    maximum: float | None = None
    line: int = 0

    @property
    def is_measured(self) -> bool:
        """Whether it has values of a unit, and no levels."""
        return self.kind in (SignalKind.ANALOG, SignalKind.ECHO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A variable that is drawn from the seed: one of ``first + k * step``, or one of ``choices``.

    ``first``, ``last`` and ``step`` are decimal texts, so that drawn values are exact.
    """

    name: str
    first: str = "0"
    last: str = "0"
    step: str = "1"
    choices: tuple[str, ...] = ()
    distinct_from: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """An amount that depends on variables, for example ``$below + 0.5``; ``text`` has no ``$``."""

    text: str


Amount = float | Formula
Time = int | Formula
"""Device milliseconds, or a formula over variables that gives them."""


class Edge(StrEnum):
    """A change of a pin's logical level."""

    RISING = "rising"
    FALLING = "falling"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What an assertion looks at: user lines, records of a type, or a pin.

    Exactly one of ``regex``, ``type`` and ``pin`` is set. With ``pin``, either ``level`` (the
    electrical 0 or 1; ``level_text`` is how it was written) or ``edge`` is set.
    """

    regex: str = ""
    type: str = ""
    name: str = ""
    value: str | None = None
    pin: str = ""
    level: int | None = None
    level_text: str = ""
    edge: Edge | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every step has: its id ("" for an unnamed action) and its line in the file."""

    id: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Step):
    """The run starts with a reset; only accepted as the first step, and implied there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus(Step):
    """From ``at`` on the signal has this value; digital values are 1.0 (on) and 0.0 (off).

    An echo signal may have the value NO_ECHO.
    """

    at: Time
    signal: str
    value: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Step):
    """At ``at`` the text arrives; ``${name}`` stands for a variable.

    Without a ``topic`` as bytes at the console, with one as a cloud message on this topic.
    """

    at: Time
    text: str
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(Step):
    """The signal is on from ``at`` for ``hold_ms``, then off."""

    at: Time
    signal: str
    hold_ms: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce(Step):
    """The signal goes to ``to``, falls back and returns ``times`` times, ``every_ms`` apart."""

    at: Time
    signal: str
    to: bool
    times: int
    every_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp(Step):
    """An analog signal moves evenly from one value to another within ``over_ms``."""

    at: Time
    signal: str
    start: Amount
    stop: Amount
    over_ms: int
    every_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion(Step):
    """What every assertion has: a window of device time."""

    after: Time | None = None
    until: Time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect(Assertion):
    """Something is seen within a time. ``initial``: a pin never driven counts as off."""

    selector: Selector
    within: Time | None = None
    save: str = ""
    initial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectPeriod(Assertion):
    """``count`` consecutive gaps between events are each ``period_ms``, and so is their mean."""

    selector: Selector
    period: Time
    tolerance: Tolerance
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectLatency(Assertion):
    """From one moment to another it takes at most ``maximum`` and at least ``minimum``."""

    start: str
    stop: str
    maximum: Time
    minimum: Time = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectCount(Assertion):
    """Within the window there are at least ``minimum`` and at most ``maximum`` matches."""

    selector: Selector
    minimum: int | None
    maximum: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PinLevel(Assertion):
    """At the moment ``at`` the pin has the level. ``initial`` as for Expect."""

    selector: Selector
    at: Time
    initial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Never(Assertion):
    """Within the window there is no match."""

    selector: Selector
    span: Time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Step):
    """The steps, ``times`` times, each time ``every_ms`` later."""

    times: int
    every_ms: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario file. ``duration_ms`` is the device time of END."""

    id: str
    title: str
    duration_ms: int
    signals: Mapping[str, Signal]
    constants: Mapping[str, str]
    draws: tuple[Draw, ...]
    constraints: tuple[str, ...]
    steps: tuple[Step, ...]
    proves: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    control: bool = False
