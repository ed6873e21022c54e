"""The rotary encoder, put together from clauses: one position, and when it is printed."""

from dataclasses import dataclass

from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit
from controlplane.planning.intent import InputRef, Intent, Turn
from controlplane.planning.resolve import Resolver, Thing

ENCODER = "encoder"


@dataclass(slots=True)
class Turning:
    """Collects what is said about the encoder.

    ``shown_by_the_clock`` is the clause that reports the position again and again, if any.
    """

    resolver: Resolver
    shown_by_the_clock: Intent | None = None
    _turn: Turn | None = None
    _shown: bool = False
    _said: bool = False

    def add(self, intent: Turn) -> None:
        """Take one clause."""
        shown = self._shown
        self.meant(intent.source, intent)
        self._shown = shown
        printed = intent.printed or (self._turn is not None and self._turn.printed)
        self._turn = Turn(source=intent.source, printed=printed, start=intent.start, end=intent.end)

    def meant(self, ref: InputRef | None, at: Intent) -> Thing | None:
        """The encoder whose position is shown; "the position" alone is that of the only one."""
        self._said = self._shown = True
        if ref is not None:
            return self.resolver.input(ref, at)
        thing = self.resolver.things.get(ENCODER)
        if thing is None or "potentiometer" in self.resolver.things:
            self.resolver.complain(
                "E203",
                "the position",
                "it is not clear what the position refers to.",
                'Say "the position of the encoder".',
                at,
            )
            return None
        return thing

    def behaviours(self) -> list[Behaviour]:
        """The counting of notches, when there is an encoder."""
        thing = self.resolver.things.get(ENCODER)
        if thing is None or thing.kind.key != ENCODER:
            return []
        if not self._said:
            self.resolver.complain(
                "E151",
                ENCODER,
                "what the rotary encoder does is not said.",
                'Say e.g. "print the position of the encoder whenever it changes".',
                Intent(),
            )
            return []
        printed = self._turn is not None and (self._turn.printed or not self._shown)
        if printed and self.shown_by_the_clock is not None:
            self.resolver.complain(
                "E158",
                ENCODER,
                "the position is to be printed at each change and by the clock.",
                "Say one of the two.",
                self.shown_by_the_clock,
            )
        self.resolver.assumptions[ENCODER] = (
            "A notch of the encoder is one cycle of both contacts. The position starts at 0 and "
            "rises when contact A closes before B: exchange the two where that is the wrong way."
        )
        return [
            Behaviour(
                id=f"turn_{ENCODER}",
                kind=BehaviourKind.TURN,
                signals=thing.signals,
                parameters=(
                    Parameter(
                        name="position", value="print" if printed else "silent", unit=Unit.TEXT
                    ),
                ),
                text="Count the notches of the encoder up and down"
                + (" and print each new position." if printed else "."),
            )
        ]
