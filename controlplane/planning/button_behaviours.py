"""The button, put together from clauses: what a press does, and how it is debounced."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.intent import Action, ActionKind, Debounce, Intent, Press
from controlplane.planning.limits import (
    DEBOUNCE_DEFAULT_MS,
    DEBOUNCE_RANGE_MS,
    LONGEST_TEXT,
    check_text,
    milliseconds,
    named,
)
from controlplane.planning.resolve import Resolver

_TOGGLE = "toggle "


@dataclass(slots=True)
class Button:
    """Collects what is said about the button.

    ``counts_silently`` says that presses are counted for a report, an answer or a message.
    """

    resolver: Resolver
    counts_silently: bool = False
    _actions: dict[str, Action] = field(default_factory=dict)
    _said_at: Intent | None = None
    _debounces: dict[Fraction, Intent] = field(default_factory=dict)

    def add(self, intent: Press | Debounce) -> None:
        """Take one clause."""
        self.resolver.button(intent.button, intent)
        if isinstance(intent, Debounce):
            self._debounces[intent.seconds * 1000] = intent
            return
        for action in intent.actions:
            self.act(action, intent)
        if intent.debounce is not None and intent.debounce >= 0:
            self._debounces[intent.debounce * 1000] = intent

    def act(self, action: Action, intent: Intent) -> None:
        """Take what a press does."""
        self._said_at = intent
        key = action.kind.value
        if action.kind is ActionKind.TOGGLE and action.output is not None:
            thing = self.resolver.output(action.output, intent)
            if thing is None:
                return
            self.resolver.last_outputs = (thing,)
            key = _TOGGLE + thing.id
        elif action.kind is ActionKind.PRINT:
            check_text(self.resolver, "text", action.text, LONGEST_TEXT, intent)
        other = self._actions.get(key)
        if action.kind is ActionKind.COUNT and other is not None:
            action = max(other, action, key=lambda said: said.text)
        elif other is not None and other.text != action.text:
            self.resolver.complain(
                "E158",
                "button",
                "a press is to print two different texts.",
                "Say one text.",
                intent,
            )
        self._actions[key] = action

    def drivers(self) -> Iterator[tuple[str, Intent]]:
        """The outputs that a press toggles, and where that is said."""
        for output in self._toggles:
            if self._said_at is not None:
                yield output, self._said_at

    def behaviour(self) -> Behaviour | None:
        """What a press does, when there is a button."""
        button = self.resolver.things.get("button")
        if button is None:
            return None
        if not self._actions and not self.counts_silently:
            self.resolver.complain(
                "E151",
                "button",
                "what the button does is not said.",
                'Say e.g. "toggle the LED when the button is pressed".',
                Intent(),
            )
            return None
        debounce = self._debounce()
        toggles = self._toggles
        parameters = [milliseconds("debounce", debounce)]
        effects = [f"toggle the {named(output)}" for output in toggles]
        if ActionKind.PRINT in self._actions:
            text = self._actions[ActionKind.PRINT].text
            parameters.append(Parameter(name="print", value=text, unit=Unit.TEXT))
            effects.append(f"print {text!r}")
        if ActionKind.COUNT in self._actions or self.counts_silently:
            counted = self._actions.get(ActionKind.COUNT)
            shown = counted is not None and (bool(counted.text) or not self.counts_silently)
            how = "print" if shown else "silent"
            parameters.append(Parameter(name="count", value=how, unit=Unit.TEXT))
            effects.append("count it" + (" and print the count" if how == "print" else ""))
        return Behaviour(
            id="button_press",
            kind=BehaviourKind.BUTTON,
            signals=("button", *toggles),
            parameters=tuple(parameters),
            text=f"At each press of the button (debounced {decimal_text(debounce)} ms): "
            + ", ".join(effects)
            + ".",
        )

    def _debounce(self) -> Fraction:
        if len(self._debounces) > 1:
            self.resolver.complain(
                "E152",
                "button",
                "the button is given two different debounce times.",
                "Say one debounce time.",
                list(self._debounces.values())[-1],
            )
        for value, intent in self._debounces.items():
            low, high = DEBOUNCE_RANGE_MS
            if not low <= value <= high or value.denominator != 1:
                self.resolver.complain(
                    "E152",
                    "button",
                    f"a debounce time of {decimal_text(value, 3)} ms cannot be "
                    f"used: whole milliseconds from {low} to {high} can.",
                    "Use e.g. 30 ms.",
                    intent,
                )
        if self._debounces:
            return next(iter(self._debounces))
        self.resolver.assumptions["debounce"] = (
            f"The button is debounced for {decimal_text(DEBOUNCE_DEFAULT_MS)} ms."
        )
        return DEBOUNCE_DEFAULT_MS

    @property
    def _toggles(self) -> list[str]:
        return [key.removeprefix(_TOGGLE) for key in self._actions if key.startswith(_TOGGLE)]
