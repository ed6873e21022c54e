"""The RGB LED, put together from clauses: one thing decides its colour."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.intent import Amount, Band, Bands, Cycle, Dimension, Intent, Paint
from controlplane.planning.limits import (
    LONGEST_COMMAND,
    LONGEST_STEP_MS,
    SHORTEST_STEP_MS,
    check_text,
    identifier,
    milliseconds,
)
from controlplane.planning.phrases import convert
from controlplane.planning.resolve import Resolver, Thing
from controlplane.planning.thresholds import proof_step

RGB = "rgb"


@dataclass(slots=True)
class Colours:
    """Collects what is said about the RGB LED."""

    resolver: Resolver
    _cycle: Cycle | None = None
    _bands: tuple[Bands, Thing] | None = None
    _paints: dict[str, Paint] = field(default_factory=dict)
    _said: bool = False
    _limits: tuple[Fraction, ...] = ()
    _order: tuple[str, ...] = ()

    def add(self, intent: Cycle | Bands | Paint) -> None:
        """Take one clause."""
        self._said = True
        masters = [self._cycle, self._bands, self._paints or None]
        kind = (Cycle, Bands, Paint).index(type(intent))
        others = [m for number, m in enumerate(masters) if m is not None and number != kind]
        if others or (kind < 2 and masters[kind] is not None):
            self._complain(
                "E158", "the RGB LED is given its colour by two things.", "Say one.", intent
            )
            return
        if intent.source is None and RGB not in self.resolver.things:
            self._complain(
                "E203",
                "what shows the colour is not said.",
                "Say \"set the RGB LED to red when I send 'red'\".",
                intent,
            )
            return
        if intent.source is not None and self.resolver.input(intent.source, intent) is None:
            return
        match intent:
            case Cycle():
                self._add_cycle(intent)
            case Bands():
                self._add_bands(intent)
            case Paint():
                self._add_paint(intent)

    def behaviours(self, taken: set[str]) -> list[Behaviour]:
        """What decides the colour; ``taken`` are commands that have another answer."""
        thing = self.resolver.things.get(RGB)
        if thing is None:
            return []
        if self._cycle is not None:
            return [_cycle_behaviour(self._cycle, thing)]
        if self._bands is not None:
            return [self._bands_behaviour(self._bands[1], thing)]
        for word in taken & set(self._paints):
            self._complain(
                "E158",
                f"the command {word!r} is given two different answers.",
                "Say one answer for each command.",
                self._paints[word],
            )
        if not self._said:
            self._complain(
                "E151",
                "what the RGB LED does is not said.",
                'Say e.g. "cycle the RGB LED through red, green and blue, 1 s each".',
                Intent(),
            )
        return [_paint_behaviour(paint, thing) for paint in self._paints.values()]

    def _complain(self, code: str, message: str, fix: str, at: Intent) -> None:
        self.resolver.complain(code, RGB, message, fix, at)

    def _add_cycle(self, intent: Cycle) -> None:
        step = intent.step * 1000
        if len(set(intent.colours)) != len(intent.colours):
            self._complain("E152", "a colour is named twice.", "Name each colour once.", intent)
        if not SHORTEST_STEP_MS <= step <= LONGEST_STEP_MS or step.denominator != 1:
            self._complain(
                "E152",
                f"a colour of {decimal_text(step, 3)} ms cannot be shown: whole milliseconds "
                f"from {SHORTEST_STEP_MS} to {LONGEST_STEP_MS} can.",
                "Use e.g. 1 s.",
                intent,
            )
        self.resolver.assumptions[RGB] = (
            f"Each colour of the RGB LED shows for {decimal_text(step / 1000)} s."
        )
        self._cycle = intent

    def _add_paint(self, intent: Paint) -> None:
        check_text(self.resolver, "command", intent.word, LONGEST_COMMAND, intent, subject=RGB)
        other = self._paints.setdefault(intent.word, intent)
        if other.colour != intent.colour:
            self._complain(
                "E158",
                f"the command {intent.word!r} is given two colours.",
                "Say one colour for each command.",
                intent,
            )

    def _add_bands(self, intent: Bands) -> None:
        amounts = [a for band in intent.bands for a in (band.low, band.high) if a is not None]
        said = next((a for a in amounts if a.dimension is not Dimension.BARE), amounts[0])
        sensor = self.resolver.sensor(intent.sensor, said, intent)
        if sensor is None:
            return
        sides = [_side(band, said, sensor) for band in intent.bands]
        known = [side for side in sides if side is not None]
        if len(known) != len(sides):
            self._complain(
                "E204", "a limit of its colours has no usable unit.", "Say e.g. 20 C.", intent
            )
            return
        self._join(sorted(known, key=lambda side: side[0] or Fraction(-(10**9))), sensor, intent)
        self._bands = (intent, sensor)

    def _join(
        self,
        sides: list[tuple[Fraction | None, Fraction | None, str]],
        sensor: Thing,
        intent: Bands,
    ) -> None:
        """Bands that follow one another without a gap, from the lowest value to the highest."""
        limits = [high for _, high, _ in sides[:-1]]
        joined = limits == [low for low, _, _ in sides[1:]] and None not in limits
        if not joined or sides[0][0] is not None or sides[-1][1] is not None:
            self._complain(
                "E153",
                "the colours leave a gap, overlap, or end somewhere.",
                'Say e.g. "blue below 20 C, green from 20 to 25 C, red above 25 C".',
                intent,
            )
            return
        found = tuple(limit for limit in limits if limit is not None)
        step, kind = proof_step(sensor), sensor.kind
        apart = all(later - limit >= 2 * step for limit, later in pairwise(found))
        if not apart or not all(kind.minimum + step <= x <= kind.maximum - step for x in found):
            self._complain(
                "E157",
                "the limits of its colours cannot be shown on both sides: they have to be "
                f"{decimal_text(2 * step)} {kind.unit} apart, "
                f"from {decimal_text(kind.minimum + step)} "
                f"to {decimal_text(kind.maximum - step)} {kind.unit}.",
                "Use other limits.",
                intent,
            )
        self._limits, self._order = found, tuple(colour for _, _, colour in sides)

    def _bands_behaviour(self, sensor: Thing, thing: Thing) -> Behaviour:
        unit, limits = sensor.kind.unit, [decimal_text(limit, 3) for limit in self._limits]
        pairs = zip(self._order, [*limits, ""], strict=False)
        told = ", ".join(f"{c} up to {x} {unit}" if x else f"{c} above" for c, x in pairs)
        return Behaviour(
            id="bands_rgb",
            kind=BehaviourKind.BANDS,
            signals=(sensor.id, *thing.signals),
            parameters=(
                Parameter(name="colours", value=" ".join(self._order), unit=Unit.TEXT),
                Parameter(name="limits", value=" ".join(limits), unit=Unit.TEXT),
            ),
            text=f"Show the {sensor.id} by the colour of the RGB LED: {told}.",
        )


def _side(
    band: Band, said: Amount, sensor: Thing
) -> tuple[Fraction | None, Fraction | None, str] | None:
    """The limits of a band in the sensor's unit; None when one cannot be converted."""
    found: list[Fraction | None] = []
    for amount in (band.low, band.high):
        if amount is None:
            found.append(None)
            continue
        bare = amount.dimension is Dimension.BARE
        value = convert(Amount(amount.number, said.dimension) if bare else amount, sensor.kind.unit)
        if value is None:
            return None
        found.append(value)
    return found[0], found[1], band.colour


def _cycle_behaviour(intent: Cycle, thing: Thing) -> Behaviour:
    step = intent.step * 1000
    return Behaviour(
        id="cycle_rgb",
        kind=BehaviourKind.CYCLE,
        signals=thing.signals,
        parameters=(
            Parameter(name="colours", value=" ".join(intent.colours), unit=Unit.TEXT),
            milliseconds("step", step),
        ),
        text=f"Show {', '.join(intent.colours)} on the RGB LED, {decimal_text(step)} ms each.",
    )


def _paint_behaviour(intent: Paint, thing: Thing) -> Behaviour:
    return Behaviour(
        id=f"command_{identifier(intent.word)}",
        kind=BehaviourKind.COMMAND,
        signals=thing.signals,
        parameters=(
            Parameter(name="command", value=intent.word, unit=Unit.TEXT),
            Parameter(name="value", value="colour", unit=Unit.TEXT),
            Parameter(name="colour", value=intent.colour, unit=Unit.TEXT),
        ),
        text=f"Show {intent.colour} on the RGB LED when {intent.word!r} comes.",
    )
