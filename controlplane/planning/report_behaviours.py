"""What is reported again and again, put together from clauses: one period for each value."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.button_behaviours import Button
from controlplane.planning.intent import (
    Action,
    ActionKind,
    Intent,
    Press,
    Report,
    SensorRef,
    ValueKind,
    ValueRef,
)
from controlplane.planning.limits import (
    LONGEST_PERIOD_MS,
    SHORTEST_REPORT_MS,
    complain_of_long_period,
    milliseconds,
)
from controlplane.planning.resolve import Resolver, SignalsOf
from controlplane.planning.turning_behaviours import Turning


def presses_meant(values: Sequence[ValueRef], before: Intent | None) -> Sequence[ValueRef]:
    """After "count the presses", "report them" means the presses."""
    counted = isinstance(before, Press) and any(
        action.kind is ActionKind.COUNT for action in before.actions
    )
    it = ValueRef(ValueKind.SENSOR, sensor=SensorRef("it"))
    return [ValueRef(ValueKind.PRESSES) if counted and v == it else v for v in values]


@dataclass(slots=True)
class Reports:
    """Collects what is reported; ``signals_of`` finds what a value comes from.

    A report may also ask something of the button (to count) and of the encoder (to be read).
    """

    resolver: Resolver
    signals_of: SignalsOf
    button: Button
    turning: Turning
    _behaviours: dict[str, Behaviour] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether a counter of its own is reported."""
        return ValueKind.COUNTER in self._behaviours

    @property
    def behaviours(self) -> list[Behaviour]:
        """Every report."""
        return list(self._behaviours.values())

    def add(self, intent: Report, before: Intent | None) -> None:
        """Take one clause; ``before`` is the one in front of it."""
        if not intent.verb and not isinstance(before, Report):
            self.resolver.complain(
                "E200",
                "report",
                "what happens at that period is not said.",
                'Say "report the temperature every second".',
                intent,
            )
        if intent.measured and intent.period is not None:
            self.resolver.assumptions["measuring"] = "What is measured again and again is printed."
        for value in presses_meant(intent.values, before):
            if value.kind is ValueKind.PRESSES and intent.period is None:
                self.button.act(Action(ActionKind.COUNT, text="print"), intent)
                self.resolver.button(None, intent)
                continue
            if intent.period is None:
                self.resolver.complain(
                    "E201",
                    "report",
                    "how often it is reported is not said.",
                    'Say "report the temperature every second".',
                    intent,
                )
                self.signals_of(value, intent)
                continue
            self._add_value(value, intent, intent.period * 1000)

    def _add_value(self, value: ValueRef, intent: Report, period: Fraction) -> None:
        signals = self.signals_of(value, intent)
        if signals is None:
            return
        name = signals[0].id if signals else value.kind.value
        if value.kind is ValueKind.PRESSES:
            self.button.counts_silently, name, signals = True, "presses", ()
        elif value.kind is ValueKind.POSITION:
            name = value.kind.value
            self.turning.shown_by_the_clock = intent
        if period < SHORTEST_REPORT_MS:
            what = "no period" if period <= 0 else f"a period of {decimal_text(period, 3)} ms"
            self.resolver.complain(
                "E152",
                name,
                f"the report of {name} has {what}; the console carries a report every "
                f"{decimal_text(SHORTEST_REPORT_MS)} ms at most.",
                "Use a longer period.",
                intent,
            )
        elif period > LONGEST_PERIOD_MS:
            complain_of_long_period(self.resolver, name, intent)
        behaviour = Behaviour(
            id=f"report_{name}",
            kind=BehaviourKind.REPORT,
            signals=tuple(name for thing in signals for name in thing.signals),
            parameters=(
                Parameter(name="value", value=value.kind.value, unit=Unit.TEXT),
                milliseconds("period", period),
            ),
            text=f"Report the {name} every {decimal_text(period, 3)} ms.",
        )
        other = self._behaviours.get(name)
        if other is not None and other != behaviour:
            self.resolver.complain(
                "E152",
                name,
                f"the report of {name} has two different periods.",
                "Say one period.",
                intent,
            )
        self._behaviours[name] = behaviour
