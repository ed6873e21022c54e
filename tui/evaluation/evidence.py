"""What a session shows of itself: its design's public facts, and each run with what was seen."""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tui.evaluation.stimuli import Stimuli, read_stimuli
from tui.evaluation.transcript import Edge, Line, Transcript, read_transcript

MOST_DESIGN_BYTES = 4 * 1024 * 1024


class EvidenceError(ValueError):
    """Something that a session shows cannot be read."""


class Ending(StrEnum):
    """How a session ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    BROKEN = "BROKEN"
    REFUSED = "REFUSED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component of the design."""

    id: str
    kind: str
    words: str
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A pin of the design."""

    pin: str
    signal: str
    component: str
    function: str
    active: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A behaviour of the design, with its numbers and words as text."""

    id: str
    kind: str
    signals: tuple[str, ...]
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario of the design."""

    id: str
    yaml: str
    control: bool
    proves: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignFacts:
    """The public facts of a design document."""

    sha256: str
    model: str
    part: str
    components: tuple[Component, ...] = ()
    pins: tuple[Pin, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    behaviours: tuple[Behaviour, ...] = ()
    scenarios: tuple[Scenario, ...] = ()

    def pin_of(self, signal: str) -> Pin | None:
        """The pin of a signal."""
        return next((one for one in self.pins if one.signal == signal), None)


@dataclass(slots=True, kw_only=True)
class Run:
    """One scenario on one runner: what was given, and what was seen."""

    scenario: str
    runner: str
    control: bool
    stimuli: Stimuli
    seen: Transcript

    def edges(self, pin: str) -> list[Edge]:
        """Levels of a pin in the order of time."""
        return self.seen.edges.get(pin, [])

    @property
    def lines(self) -> list[Line]:
        """Lines of text in the order of time."""
        return self.seen.lines

    @property
    def end_ms(self) -> int:
        """When the run ended."""
        return self.seen.end_ms

    def __str__(self) -> str:
        """Name it for a message."""
        return f"{self.scenario} on {self.runner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One finding of the session."""

    stage: str
    code: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a session shows. ``stage`` is the one that decided how it ended."""

    ending: Ending
    message: str = ""
    stage: str = ""
    complaints: tuple[Complaint, ...] = ()
    design: DesignFacts | None = None
    runs: tuple[Run, ...] = ()
    judged: bool = False


def read_design(text: str) -> DesignFacts:
    """Read a design document.

    Raises:
        EvidenceError: it is not one.
    """
    try:
        if len(text) > MOST_DESIGN_BYTES:
            raise EvidenceError(f"a design of {len(text)} characters")
        return _design(
            json.loads(text), hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EvidenceError(f"the design document cannot be read: {error}") from error


def _design(raw: dict[str, Any], sha256: str) -> DesignFacts:
    return DesignFacts(
        sha256=sha256,
        model=str(raw["board"]["model"]),
        part=str(raw["board"]["part"]),
        components=tuple(
            Component(
                id=str(one["id"]),
                kind=str(one["kind"]),
                words=f"{one['id']} {one.get('part_number', '')} {one.get('note', '')}".lower(),
                signals=tuple(str(name) for name in one.get("signals", ())),
            )
            for one in raw["components"]
        ),
        pins=tuple(
            Pin(
                pin=str(one["pin"]),
                signal=str(one["signal"]),
                component=str(one["component"]),
                function=str(one["function"]),
                active=str(one.get("active", "")),
            )
            for one in raw["pins"]
        ),
        units={str(one["id"]): str(one.get("unit", "")) for one in raw["signals"]},
        behaviours=tuple(
            Behaviour(
                id=str(one["id"]),
                kind=str(one["kind"]),
                signals=tuple(str(name) for name in one.get("signals", ())),
                parameters={str(p["name"]): str(p["value"]) for p in one.get("parameters", ())},
            )
            for one in raw["behaviours"]
        ),
        scenarios=tuple(
            Scenario(
                id=str(one["id"]),
                yaml=str(one["yaml"]),
                control=one.get("control") is True,
                proves=tuple(str(name) for name in one.get("proves", ())),
            )
            for one in raw["scenarios"]
        ),
    )


def read_run(scenario: Scenario, runner: str, report: bytes, console: bytes) -> Run:
    """Put together one run.

    Raises:
        EvidenceError: the report or the scenario cannot be read.
    """
    try:
        values = {str(k): str(v) for k, v in json.loads(report)["values"].items()}
        stimuli = read_stimuli(scenario.yaml, values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EvidenceError(f"the report of {scenario.id} cannot be read: {error}") from error
    return Run(
        scenario=scenario.id,
        runner=runner,
        control=scenario.control,
        stimuli=stimuli,
        seen=read_transcript(console),
    )
