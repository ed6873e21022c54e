"""From behaviours of known kinds to the clauses that the offline designer makes of sentences."""

import math
from collections.abc import Mapping
from fractions import Fraction

from controlplane.designers.claude_wire import (
    Answered,
    Counting,
    Crossing,
    WireButton,
    WireCommand,
    WireDesign,
    WireMessage,
    WirePublish,
    WireReport,
    WireThreshold,
)
from controlplane.domain.finding import Finding
from controlplane.domain.part import ComponentKind
from controlplane.domain.units import Unit
from controlplane.planning.complaints import complaint
from controlplane.planning.declared import BUTTON
from controlplane.planning.intent import (
    Action,
    ActionKind,
    Amount,
    Blink,
    Command,
    Condition,
    Dimension,
    Echo,
    Intent,
    MessageEffect,
    OutputRef,
    Press,
    Publish,
    Report,
    SensorRef,
    Subscribe,
    Switch,
    ValueKind,
    ValueRef,
)

_DIMENSIONS = {
    Unit.CELSIUS: Dimension.CELSIUS,
    Unit.PERCENT: Dimension.PERCENT,
    Unit.MILLIVOLTS: Dimension.MILLIVOLTS,
    Unit.CENTIMETRES: Dimension.CENTIMETRES,
}


class Clauses:
    """Reads them; ``findings`` is what has to be mended."""

    def __init__(self, wire: WireDesign, kinds: Mapping[str, ComponentKind]) -> None:
        self._wire = wire
        self._units = {w.id: kinds[w.kind].unit for w in wire.components if w.kind in kinds}
        self.findings: list[Finding] = []

    def intents(self) -> list[Intent]:
        """Every clause, in the order of the answer's lists."""
        intents: list[Intent] = []
        for blink in self._wire.blinks:
            on, off = self._exact(blink.on_ms) / 1000, self._exact(blink.off_ms) / 1000
            intents.append(Blink(output=OutputRef(blink.output), on=on, off=off))
        intents += [self._report(report) for report in self._wire.reports]
        for threshold in self._wire.thresholds:
            intents += self._switches(threshold)
        if len(self._wire.buttons) > 1:
            self.findings.append(
                complaint("E104", "buttons", "only one button is of a known kind.", "Use custom.")
            )
        intents += [self._press(button) for button in self._wire.buttons[:1]]
        intents += [self._command(command) for command in self._wire.commands]
        if self._wire.echo:
            intents.append(Echo())
        intents += [self._publish(each) for each in self._wire.publishes]
        intents += [_subscribe(each) for each in self._wire.messages]
        return intents

    def _exact(self, number: float) -> Fraction:
        """The decimal number that was written."""
        if not math.isfinite(number):
            self.findings.append(
                complaint("E300", "number", f"{number} is no number.", "Give a number.")
            )
            return Fraction(1)
        return Fraction(repr(number))

    def _dimension(self, component: str) -> Dimension:
        """What a number that a component is compared with is of."""
        return _DIMENSIONS.get(self._units.get(component, Unit.NONE), Dimension.BARE)

    def _report(self, report: WireReport) -> Report:
        value = _value(ValueKind(report.value.value), report.source)
        return Report(values=(value,), period=self._exact(report.period_ms) / 1000)

    def _publish(self, wire: WirePublish) -> Publish:
        condition = None
        if wire.when is not Crossing.NONE:
            amount = Amount(self._exact(wire.limit), self._dimension(wire.source))
            condition = Condition(wire.when.value, SensorRef(wire.source), amount)
        return Publish(
            values=(_value(ValueKind(wire.value.value), wire.source),),
            period=self._exact(wire.period_ms) / 1000 or None,
            condition=condition,
            topic=wire.topic,
        )

    def _switches(self, threshold: WireThreshold) -> list[Switch]:
        dimension = self._dimension(threshold.sensor)
        sensor = SensorRef(threshold.sensor)
        sides = (
            (True, threshold.on_when, threshold.on_value),
            (False, threshold.off_when, threshold.off_value),
        )
        return [
            Switch(
                outputs=(OutputRef(threshold.output),),
                state=state,
                condition=Condition(op.value, sensor, Amount(self._exact(number), dimension)),
            )
            for state, op, number in sides
        ]

    def _press(self, button: WireButton) -> Press:
        actions = [Action(ActionKind.TOGGLE, output=OutputRef(o)) for o in button.toggles]
        if button.prints:
            actions.append(Action(ActionKind.PRINT, text=button.prints))
        if button.count is not Counting.NONE:
            shown = "print" if button.count is Counting.PRINT else ""
            actions.append(Action(ActionKind.COUNT, text=shown))
        debounce = self._exact(button.debounce_ms) / 1000 or None
        return Press(button=OutputRef(BUTTON), actions=tuple(actions), debounce=debounce)

    def _command(self, command: WireCommand) -> Command:
        if command.value is Answered.TEXT:
            return Command(word=command.word, text=command.answer)
        value = _value(ValueKind(command.value.value), command.source)
        return Command(word=command.word, value=value)


def _value(kind: ValueKind, source: str) -> ValueRef:
    if kind is ValueKind.SENSOR:
        return ValueRef(kind, sensor=SensorRef(source))
    if kind is ValueKind.OUTPUT:
        return ValueRef(kind, output=OutputRef(source))
    return ValueRef(kind)


def _subscribe(wire: WireMessage) -> Subscribe:
    return Subscribe(
        effect=MessageEffect(wire.effect.value),
        topic=wire.topic,
        outputs=(OutputRef(wire.output),) if wire.output else (),
        payload=wire.payload,
    )
