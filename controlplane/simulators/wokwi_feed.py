"""What Wokwi's service tells of a run, event by event, fed to the judge. All of it is hostile."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from benchline.scenario import Evaluator, Event, EventKind, RecordSplitter, RunPlan, TextSplitter
from controlplane.simulators.pads import Pads
from controlplane.simulators.protocol import OnEvent, SimulationLimits

MESSAGE_COST_BYTES = 128
"""What a change of a pin counts against the limit of the register log."""


class MalformedEventError(ValueError):
    """An event of the service has not the form that it should have."""


class Feed:
    """Takes the events of one run; `stop` is set once nothing more is needed.

    `names` are the pins that are listened to, by the name that the diagram has for them. Firmware
    that prints `records` tells its own time; the text of other firmware has the time of the
    simulation, and so have the levels of its outputs.
    """

    def __init__(
        self,
        plan: RunPlan,
        judge: Evaluator,
        limits: SimulationLimits,
        *,
        records: bool,
        on_event: OnEvent | None = None,
    ) -> None:
        self.records = records
        self.names: dict[str, str] = {}
        self.events: list[Event] = []
        self.console = bytearray()
        self.pads = Pads()
        self.stop = asyncio.Event()
        self.running = False
        self.heard = self.finished = self.console_full = self.pins_full = False
        self.pin_changes = 0
        self._plan = plan
        self._judge = judge
        self._limits = limits
        self._on_event = on_event
        self._splitter = RecordSplitter()
        self._lines = TextSplitter()

    @property
    def booted(self) -> bool:
        """Whether the firmware printed its BOOT record; without records nothing tells."""
        return not self.records or any(event.type == "BOOT" for event in self.events)

    def serial(self, message: Mapping[str, Any]) -> None:
        """Bytes of the console.

        Raises:
            MalformedEventError: they are none.
        """
        piece = _bytes_of(message)
        at_ms = _milliseconds_of(message)
        self.heard = True
        piece = piece[: self._limits.console_bytes - len(self.console)]
        self.console += piece
        events = self._splitter.feed(piece) if self.records else self._lines.feed(piece, at_ms)
        for event in events:
            if self.stop.is_set():
                break
            self._take(event)
            if self.finished and self.records:
                # What a later moment printed depends on the service's speed: it is not kept.
                del self.console[event.end :]
        if len(self.console) >= self._limits.console_bytes and not self.finished:
            self.console_full = True
            self.stop.set()

    def pin(self, message: Mapping[str, Any]) -> None:
        """The level or the direction of a pin of the board has changed.

        Raises:
            MalformedEventError: it tells neither.
        """
        payload = _payload_of(message)
        pin = self.names.get(str(payload.get("pin")))
        if pin is None or self.stop.is_set():
            return
        value, direction = payload.get("value"), payload.get("direction")
        if value not in (0, 1) or not isinstance(direction, str):
            raise MalformedEventError("a change of a pin without level or direction")
        self.heard = True
        self.pin_changes += 1
        output, level = direction == "out", int(value)
        if output:
            self.pads.write(pin, level)
        self.pads.set_output(pin, output)
        if self.pin_changes * MESSAGE_COST_BYTES > self._limits.log_bytes:
            self.pins_full = True
            self.stop.set()

    def paused(self, message: Mapping[str, Any]) -> None:
        """The simulation has come to the end of its time; earlier pauses are the start's own.

        Raises:
            MalformedEventError: it does not tell when.
        """
        at_ms = _milliseconds_of(message)
        if not self.running or self.stop.is_set() or at_ms < self._plan.end_ms:
            return
        self.heard = True
        rest = self._splitter.finish() if self.records else self._lines.finish(self._plan.end_ms)
        for event in rest:
            self._take(event)
        self.stop.set()

    def without_idle_levels(self) -> Pads:
        """What appeared on the pins, for a comparison with records.

        A pin that becomes an output before it is written shows 0, which no record tells unless the
        firmware also writes that 0.
        """
        claimed: dict[str, str] = {}
        for event in self.events:
            if event.type == "PIN" and not event.malformed:
                claimed.setdefault(event.name, event.fields.get("v", ""))
        for pin in self.names.values():
            if self.pads.levels(pin)[:1] == b"\0" and claimed.get(pin) != "0":
                self.pads.forget_first(pin)
        return self.pads

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self._judge.feed(event)
        if self._on_event is not None:
            self._on_event(event)
        if self._judge.done or (not self.records and event.kind is EventKind.RECORD):
            self.finished = True
            self.stop.set()


def _payload_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise MalformedEventError("an event without payload")
    return payload


def _bytes_of(message: Mapping[str, Any]) -> bytes:
    found = _payload_of(message).get("bytes")
    if not isinstance(found, list):
        raise MalformedEventError("console data without bytes")
    try:
        return bytes(found)
    except (TypeError, ValueError) as error:
        raise MalformedEventError("console data that are no bytes") from error


def _milliseconds_of(message: Mapping[str, Any]) -> int:
    nanos = message.get("nanos")
    if isinstance(nanos, bool) or not isinstance(nanos, int | float):
        raise MalformedEventError("an event without the simulated time")
    if not math.isfinite(nanos) or not 0 <= nanos < 1 << 63:
        raise MalformedEventError("an event at no possible time")
    return int(nanos // 1_000_000)
