"""Puts the halves of a threshold together and refuses what contradicts itself."""

from dataclasses import dataclass
from fractions import Fraction

from controlplane.domain.design import Behaviour, BehaviourKind, Parameter
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.intent import Amount, Dimension, Switch
from controlplane.planning.limits import thing_name
from controlplane.planning.phrases import convert, convert_difference
from controlplane.planning.resolve import Resolver, Thing

_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_WORDS = {">": "above", ">=": "at or above", "<": "below", "<=": "at or below"}
_EXAMPLE = 'Say e.g. "switch the relay on above 30 C and off below 28 C".'


@dataclass(slots=True)
class Rules:
    """Everything said about switching one output."""

    output: Thing
    said: list[tuple[Switch, Thing | None]]
    hysteresis: list[Amount]
    no_hysteresis: bool = False


@dataclass(frozen=True, slots=True)
class _Edge:
    op: str
    value: Fraction

    @property
    def rising(self) -> bool:
        return self.op.startswith(">")


def resolution(sensor: Thing) -> Fraction:
    """One step of a 12-bit converter, in the sensor's unit.

    Four of them are the 3 mm to which the data sheet of an HC-SR04 says that it measures.
    """
    if sensor.kind.has_trigger:
        return Fraction(3, 10) / 4
    return Fraction(sensor.kind.full_scale_mv, 4095) / sensor.kind.mv_per_unit


def proof_step(sensor: Thing) -> Fraction:
    """The distance from a threshold that a proof needs on both sides: 1 C, 1 %, 1 cm or 10 mV."""
    return Fraction(10) if sensor.kind.unit is Unit.MILLIVOLTS else Fraction(1)


def build_threshold(rules: Rules, resolver: Resolver) -> Behaviour | None:
    """Make one behaviour of all that was said about an output; None after findings."""
    before = len(resolver.findings)
    if rules.output.kind.key == "buzzer" and all(rule.goes_off for rule, _ in rules.said):
        _complain(
            rules,
            resolver,
            "E203",
            'is "set off" or "goes off", which can mean that it sounds or that it falls silent.',
            'Say "sound the buzzer above 30 C" or "switch the buzzer off above 30 C".',
        )
    sensors = {sensor.id: sensor for _, sensor in rules.said if sensor is not None}
    if len(sensors) > 1:
        _complain(rules, resolver, "E154", "depends on two different sensors.", _EXAMPLE)
    if len(sensors) != 1 or len(resolver.findings) > before:
        return None
    sensor = next(iter(sensors.values()))
    edges = _edges(rules, sensor, resolver)
    if edges is None or not _fits_otherwise(rules, resolver):
        return None
    on, off = edges
    return _behaviour(rules.output, sensor, on, off)


def _complain(rules: Rules, resolver: Resolver, code: str, message: str, fix: str) -> None:
    last = rules.said[-1][0]
    resolver.complain(code, rules.output.id, f"the {thing_name(rules.output)} {message}", fix, last)


def _edges(rules: Rules, sensor: Thing, resolver: Resolver) -> tuple[_Edge, _Edge] | None:
    on = _edge(rules, sensor, resolver, state=True)
    off = _edge(rules, sensor, resolver, state=False)
    if on == "bad" or off == "bad":
        return None
    on_edge = on if isinstance(on, _Edge) else None
    off_edge = off if isinstance(off, _Edge) else None
    if (on_edge and on_edge.op == "at") or (off_edge and off_edge.op == "at"):
        directed = _direct(on_edge, off_edge)
        if directed is None:
            _complain(
                rules,
                resolver,
                "E203",
                "has a threshold without a direction.",
                'Say "above" or "below".',
            )
            return None
        on_edge, off_edge = directed
    has_else = any(rule.condition.op == "else" for rule, _ in rules.said)
    completed = _complete(rules, sensor, resolver, on_edge, off_edge, expressly=has_else)
    if completed is None or not _consistent(rules, sensor, resolver, *completed):
        return None
    return completed


def _fits_otherwise(rules: Rules, resolver: Resolver) -> bool:
    """Whether "otherwise" says the opposite of the only threshold that was given."""
    otherwise = {rule.state for rule, _ in rules.said if rule.condition.op == "else"}
    given = {rule.state for rule, _ in rules.said if rule.condition.op != "else"}
    if not otherwise or (len(given) == 1 and otherwise.isdisjoint(given)):
        return True
    both = len(given) > 1
    _complain(
        rules,
        resolver,
        "E153",
        "has two thresholds, and between them it stays as it is."
        if both
        else "is switched to the same by its threshold and otherwise.",
        'Leave "otherwise" out.' if both else _EXAMPLE,
    )
    return False


def _edge(rules: Rules, sensor: Thing, resolver: Resolver, *, state: bool) -> _Edge | str | None:
    found: dict[_Edge, None] = {}
    for rule, _ in rules.said:
        if rule.state is not state or rule.condition.op == "else" or rule.condition.amount is None:
            continue
        value = _value(rules, rule.condition.amount, sensor, resolver)
        if value is None:
            return "bad"
        found[_Edge(rule.condition.op, value)] = None
    if len(found) > 1:
        said = " and ".join(f"{_WORDS.get(e.op, e.op)} {decimal_text(e.value)}" for e in found)
        _complain(
            rules,
            resolver,
            "E153",
            f"is switched {'on' if state else 'off'} by two conditions, {said}.",
            _EXAMPLE,
        )
        return "bad"
    return next(iter(found), None)


def _value(rules: Rules, amount: Amount, sensor: Thing, resolver: Resolver) -> Fraction | None:
    if amount.dimension is Dimension.BARE:
        siblings = {
            rule.condition.amount.dimension
            for rule, _ in rules.said
            if rule.condition.amount and rule.condition.amount.dimension is not Dimension.BARE
        }
        if len(siblings) != 1:
            _complain(
                rules,
                resolver,
                "E204",
                f"has the threshold {decimal_text(amount.number)} without a unit.",
                f'Say "{decimal_text(amount.number)} {sensor.kind.unit}".',
            )
            return None
        amount = Amount(amount.number, siblings.pop())
    value = convert(amount, sensor.kind.unit)
    if value is None:
        _complain(
            rules,
            resolver,
            "E204",
            f"has a threshold in {amount.dimension}, but the {sensor.kind.name} gives "
            f"{sensor.kind.unit}.",
            f"Give the threshold in {sensor.kind.unit}.",
        )
        return None
    if amount.dimension is Dimension.DEGREES:
        resolver.assumptions["degrees"] = "Degrees are degrees Celsius."
    if amount.dimension in (Dimension.FAHRENHEIT, Dimension.KELVIN, Dimension.INCHES):
        exact = f"{decimal_text(value, 3)} {sensor.kind.unit}"
        text = f"{decimal_text(amount.number)} {amount.dimension} is {exact}."
        resolver.assumptions[f"convert_{decimal_text(amount.number)}"] = text
    return value


def _direct(on: _Edge | None, off: _Edge | None) -> tuple[_Edge, _Edge] | None:
    if on is None or off is None:
        return None
    if on.op == "at" and off.op == "at":
        if on.value == off.value:
            return None
        high = on.value > off.value
        return _Edge(">=" if high else "<=", on.value), _Edge("<=" if high else ">=", off.value)
    if on.op == "at":
        return _Edge("<=" if off.rising else ">=", on.value), off
    return on, _Edge("<=" if on.rising else ">=", off.value)


def _complete(
    rules: Rules,
    sensor: Thing,
    resolver: Resolver,
    on: _Edge | None,
    off: _Edge | None,
    *,
    expressly: bool,
) -> tuple[_Edge, _Edge] | None:
    """Fill in the missing half, from a hysteresis or as the plain opposite."""
    given = on or off
    if given is None:
        _complain(rules, resolver, "E200", "has no threshold.", _EXAMPLE)
        return None
    width = _width(rules, sensor, resolver)
    if width is not None and width < 0:
        return None
    if on is not None and off is not None:
        if (width is not None and abs(on.value - off.value) != width) or (
            rules.no_hysteresis and on.value != off.value
        ):
            _complain(
                rules,
                resolver,
                "E153",
                "has a hysteresis that its thresholds contradict.",
                "Leave the hysteresis out, or give one threshold only.",
            )
            return None
        return on, off
    if width is None or width == 0:
        other = _Edge(_OPPOSITE[given.op], given.value)
        if not expressly and not rules.no_hysteresis and not any(r.holds for r, _ in rules.said):
            resolver.assumptions[f"single_{rules.output.id}"] = (
                f"No hysteresis was asked for: the {thing_name(rules.output)} is "
                f"{'off' if on else 'on'} again {_WORDS[other.op]} "
                f"{decimal_text(other.value)} {sensor.kind.unit}."
            )
    else:
        step = -width if given.rising else width
        other = _Edge("<" if given.rising else ">", given.value + step)
        resolver.assumptions[f"hysteresis_{rules.output.id}"] = (
            f"The hysteresis lies on the far side: the {thing_name(rules.output)} is "
            f"{'off' if on else 'on'} again {_WORDS[other.op]} "
            f"{decimal_text(other.value)} {sensor.kind.unit}."
        )
    return (given, other) if on else (other, given)


def _width(rules: Rules, sensor: Thing, resolver: Resolver) -> Fraction | None:
    widths = {
        convert_difference(_with_unit(amount, rules, sensor), sensor.kind.unit)
        for amount in rules.hysteresis
    }
    if not widths:
        return None
    width = widths.pop()
    if widths or width is None or width < 0 or (rules.no_hysteresis and width):
        _complain(
            rules,
            resolver,
            "E153",
            "has a hysteresis that cannot be used.",
            'Say e.g. "with a hysteresis of 2 C".',
        )
        return Fraction(-1)
    return width


def _with_unit(amount: Amount, rules: Rules, sensor: Thing) -> Amount:
    """A hysteresis of a bare number is in the unit of the threshold, or in the sensor's."""
    if amount.dimension is not Dimension.BARE:
        return amount
    said = {rule.condition.amount.dimension for rule, _ in rules.said if rule.condition.amount}
    if len(said - {Dimension.BARE}) == 1:
        return Amount(amount.number, next(iter(said - {Dimension.BARE})))
    return Amount(amount.number, Dimension(str(sensor.kind.unit)))


def _consistent(rules: Rules, sensor: Thing, resolver: Resolver, on: _Edge, off: _Edge) -> bool:
    unit = sensor.kind.unit
    said = (
        f"on {_WORDS[on.op]} {decimal_text(on.value)} {unit} and "
        f"off {_WORDS[off.op]} {decimal_text(off.value)} {unit}"
    )
    if on.rising == off.rising:
        _complain(
            rules,
            resolver,
            "E153",
            f"is to be {said}: both in the same direction, so they contradict each other.",
            _EXAMPLE,
        )
        return False
    band = on.value - off.value if on.rising else off.value - on.value
    if band < 0:
        _complain(
            rules,
            resolver,
            "E155",
            f"is to be {said}: between the two it would be on and off at once.",
            f"Swap the two numbers: on {_WORDS[on.op]} {decimal_text(off.value)} {unit} and "
            f"off {_WORDS[off.op]} {decimal_text(on.value)} {unit}.",
        )
        return False
    if band == 0 and "=" in on.op and "=" in off.op:
        at = f"{decimal_text(on.value)} {unit}"
        _complain(
            rules,
            resolver,
            "E155",
            f"is to be {said}: at {at} it would be on and off at once.",
            f"Say on {_WORDS[on.op]} {at} and off {_WORDS[_OPPOSITE[on.op]]} {at}.",
        )
        return False
    if 0 < band < 4 * resolution(sensor):
        _complain(
            rules,
            resolver,
            "E156",
            f"has a hysteresis of {decimal_text(band, 3)} {unit}, less than the converter "
            f"resolves ({decimal_text(4 * resolution(sensor), 2)} {unit}).",
            "Use a wider hysteresis.",
        )
        return False
    return _in_range(rules, sensor, resolver, (on.value, off.value))


def _in_range(
    rules: Rules, sensor: Thing, resolver: Resolver, values: tuple[Fraction, Fraction]
) -> bool:
    kind, step = sensor.kind, proof_step(sensor)
    fine = True
    for value in dict.fromkeys(values):
        if not kind.minimum + step <= value <= kind.maximum - step:
            fine = False
            _complain(
                rules,
                resolver,
                "E157",
                f"has the threshold {decimal_text(value, 3)} {kind.unit}, which a {kind.key} "
                f"cannot show on both sides: it measures {decimal_text(kind.minimum)} to "
                f"{decimal_text(kind.maximum)} {kind.unit}.",
                f"Use a threshold from {decimal_text(kind.minimum + step)} to "
                f"{decimal_text(kind.maximum - step)} {kind.unit}.",
            )
    return fine


def _behaviour(output: Thing, sensor: Thing, on: _Edge, off: _Edge) -> Behaviour:
    unit = sensor.kind.unit
    return Behaviour(
        id=f"threshold_{output.id}",
        kind=BehaviourKind.THRESHOLD,
        signals=(sensor.id, output.id),
        parameters=(
            Parameter(name="on_when", value=on.op, unit=Unit.TEXT),
            Parameter(name="on_value", value=decimal_text(on.value, 3), unit=unit),
            Parameter(name="off_when", value=off.op, unit=Unit.TEXT),
            Parameter(name="off_value", value=decimal_text(off.value, 3), unit=unit),
        ),
        text=(
            f"Switch the {thing_name(output)} on when the {sensor.id} is {_WORDS[on.op]} "
            f"{decimal_text(on.value, 3)} {unit} and off when it is {_WORDS[off.op]} "
            f"{decimal_text(off.value, 3)} {unit}."
        ),
    )
