"""What follows motion, put together from clauses: outputs with their hold times, and lines."""

from dataclasses import dataclass, field
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.intent import Follow, Intent, Notice
from controlplane.planning.limits import (
    LONGEST_HOLD_MS,
    LONGEST_TEXT,
    SHORTEST_HOLD_MS,
    check_text,
    milliseconds,
    thing_name,
)
from controlplane.planning.resolve import Resolver, Thing


@dataclass(slots=True)
class Motion:
    """Collects what is said about motion; contradictions become findings of the resolver."""

    resolver: Resolver
    _follows: dict[str, tuple[Follow, Thing, Thing]] = field(default_factory=dict)
    _notice: tuple[Notice, Thing] | None = None
    _said: bool = False

    def add(self, intent: Follow | Notice) -> None:
        """Take one clause."""
        self._said = True
        source = self.resolver.input(intent.source, intent)
        if source is None:
            return
        self.resolver.assumptions.setdefault(
            source.id,
            f"The {source.kind.name} is taken at its word: a module may report motion for up to "
            "a minute after power-on, and keeps its output on for a time of its own.",
        )
        if isinstance(intent, Notice):
            self._tell(intent, source)
            return
        outputs = intent.outputs
        found = [self.resolver.output(ref, intent) for ref in outputs]
        self.resolver.last_outputs = tuple(thing for thing in found if thing is not None)
        for output in self.resolver.last_outputs:
            self._follow(intent, source, output)

    def behaviours(self) -> list[Behaviour]:
        """One behaviour for each output, and one for the lines."""
        found = [
            _follow_behaviour(source, output, _hold_ms(intent))
            for intent, source, output in self._follows.values()
        ]
        if self._notice is not None:
            found.append(_notice_behaviour(*self._notice))
        elif not self._said and "motion" in self.resolver.things:
            self.resolver.complain(
                "E151",
                "motion",
                "what happens at motion is not said.",
                'Say e.g. "turn the lamp on for 30 s when motion is detected".',
                Intent(),
            )
        return found

    def drivers(self) -> list[tuple[str, Intent]]:
        """The outputs that follow motion, with the clause that says so."""
        return [(output_id, follow) for output_id, (follow, _, _) in self._follows.items()]

    def _follow(self, intent: Follow, source: Thing, output: Thing) -> None:
        hold = _hold_ms(intent)
        other = self._follows.get(output.id)
        if other is not None and _hold_ms(other[0]) != hold:
            self.resolver.complain(
                "E152",
                output.id,
                f"the {thing_name(output)} is to stay on for two different times.",
                "Say one time for each output.",
                intent,
            )
        if hold and (not SHORTEST_HOLD_MS <= hold <= LONGEST_HOLD_MS or hold.denominator != 1):
            self.resolver.complain(
                "E152",
                output.id,
                f"a time of {decimal_text(hold, 3)} ms after motion cannot be proved: whole "
                f"milliseconds from {SHORTEST_HOLD_MS} to {LONGEST_HOLD_MS} can.",
                f"Use at most {LONGEST_HOLD_MS / 1000} s.",
                intent,
            )
        until = "when the motion sensor no longer reports motion"
        if hold:
            until = f"{decimal_text(hold / 1000)} s after motion was last seen, so that more "
            until += "motion keeps it on"
        self.resolver.assumptions[f"follow_{output.id}"] = (
            f"The {thing_name(output)} goes off {until}."
        )
        self._follows[output.id] = (intent, source, output)

    def _tell(self, intent: Notice, source: Thing) -> None:
        check_text(self.resolver, "text", intent.began, LONGEST_TEXT, intent)
        if self._notice is not None and self._notice[0] != intent:
            self.resolver.complain(
                "E158",
                "motion",
                "motion is to print two different texts.",
                "Say one text.",
                intent,
            )
        self._notice = (intent, source)


def _hold_ms(intent: Follow) -> Fraction:
    return (intent.hold or Fraction(0)) * 1000


def _follow_behaviour(source: Thing, output: Thing, hold: Fraction) -> Behaviour:
    longer = f", and for {decimal_text(hold / 1000)} s after it" if hold else ""
    return Behaviour(
        id=f"follow_{output.id}",
        kind=BehaviourKind.FOLLOW,
        signals=(source.id, output.id),
        parameters=(milliseconds("hold", hold),),
        text=f"Switch the {thing_name(output)} on while there is {source.id}{longer}.",
    )


def _notice_behaviour(intent: Notice, source: Thing) -> Behaviour:
    parameters = [Parameter(name="began", value=intent.began, unit=Unit.TEXT)]
    text = f"Print {intent.began!r} when {source.id} begins"
    if intent.ended:
        parameters.append(Parameter(name="ended", value=intent.ended, unit=Unit.TEXT))
        text += f" and {intent.ended!r} when it ends"
    return Behaviour(
        id=f"notice_{source.id}",
        kind=BehaviourKind.NOTICE,
        signals=(source.id,),
        parameters=tuple(parameters),
        text=f"{text}.",
    )
