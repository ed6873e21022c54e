"""From the text of a scenario file to a ``Scenario``, or to every reason why not."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from benchline.scenario.model import (
    MAX_DURATION_MS,
    REFERENCE_MV,
    Draw,
    Finding,
    Scenario,
    ScenarioError,
    Severity,
    Signal,
    SignalKind,
)
from benchline.scenario.names import name_assertions
from benchline.scenario.parse_steps import ID, StepReader
from benchline.scenario.reading import Fields, Reader, as_number
from benchline.scenario.references import check_references
from benchline.scenario.units import pin_number
from benchline.scenario.where import WhereError, compile_where, reserved_words
from benchline.scenario.yamltree import Mapping as MappingNode
from benchline.scenario.yamltree import Scalar, read_tree

SCENARIO_VERSION = 1
"""The version of the language that this package reads."""

MAX_VARS = 50
"""Most variables of a scenario."""


def parse_scenario(text: str) -> Scenario:
    """Read a scenario. Raises ScenarioError with all findings, each with its line."""
    scenario, findings = read_scenario(text)
    errors = tuple(finding for finding in findings if finding.severity is Severity.ERROR)
    if scenario is None or errors:
        raise ScenarioError(errors)
    return scenario


def read_scenario(text: str) -> tuple[Scenario | None, tuple[Finding, ...]]:
    """Read as much as can be read: the scenario (None when there are errors) and all findings."""
    try:
        root = read_tree(text)
    except ScenarioError as error:
        return None, error.findings
    reader = Reader()
    scenario = _scenario(reader, Fields(reader, root, "scenario"))
    findings = reader.findings
    if not any(finding.severity is Severity.ERROR for finding in findings):
        findings = [*findings, *check_references(scenario)]
    findings = sorted(findings, key=lambda finding: finding.line)
    broken = any(finding.severity is Severity.ERROR for finding in findings)
    return (None if broken else scenario), tuple(findings)


def _scenario(reader: Reader, fields: Fields) -> Scenario:
    version = fields.text("scenario", required=True)
    if version and version != str(SCENARIO_VERSION):
        fields.complain("bad-version", "scenario", f"must be {SCENARIO_VERSION}")
    name = fields.text("id", required=True)
    if name and ID.fullmatch(name) is None:
        fields.complain("bad-id", "id", "must match ^[a-z][a-z0-9_]{0,47}$")
    duration = fields.duration("duration", 0, required=True)
    if "duration" in fields and not 0 < duration <= MAX_DURATION_MS:
        fields.complain("bad-value", "duration", "must be more than 0 and at most 10m")
    signals = _signals(reader, fields)
    constants, draws = _vars(reader, fields)
    nodes = reader.items(fields.node("steps", required=True), "steps")
    constraints = fields.words("constraints")
    for text in constraints:
        try:
            compile_where(text)
        except WhereError as error:
            fields.complain("bad-where", "constraints", f"{text[:60]!r}: {error}")
    scenario = Scenario(
        id=name,
        title=fields.text("title") or name,
        duration_ms=duration,
        signals=signals,
        constants=constants,
        draws=draws,
        constraints=constraints,
        steps=name_assertions(StepReader(reader, signals).read(nodes)),
        proves=fields.words("proves"),
        requires=fields.words("requires"),
        control=fields.flag("control"),
    )
    fields.finish()
    return scenario


def _signals(reader: Reader, fields: Fields) -> Mapping[str, Signal]:
    node = fields.node("signals")
    table = reader.mapping(node, "signals", fields.line_of("signals"))
    signals: dict[str, Signal] = {}
    pins: dict[int, str] = {}
    for name in table.keys():  # noqa: SIM118 - Fields is not a dict
        body = reader.mapping(table.node(name), f"signals.{name[:48]}", table.line_of(name))
        if ID.fullmatch(name) is None:
            table.complain("bad-id", name[:48], "must match ^[a-z][a-z0-9_]{0,47}$")
        signal = _signal(name, body)
        body.finish()
        other = pins.get(signal.pin)
        if other is not None and "pin" in body:
            body.complain("pin-twice", "pin", f"is the pin of {other} too")
        if signal.kind is SignalKind.ECHO and signal.trigger == signal.pin and "pin" in body:
            body.complain("pin-twice", "trigger", "is the pin of the echo")
        pins[signal.pin] = name
        signals[name] = signal
    return signals


def _signal(name: str, body: Fields) -> Signal:
    kind = body.word("kind", {kind.value for kind in SignalKind})
    if not kind and "kind" not in body:
        body.complain("missing-key", "kind", "is missing")
    analog = kind == SignalKind.ANALOG
    pin = body.read("pin", pin_number, 0, required=True)
    spelling = body.text("pin")
    digital = kind not in (SignalKind.ANALOG, SignalKind.ECHO)
    active = body.word("active", {"high", "low"}, "high") if digital else "high"
    unit = body.text("unit", limit=20)
    signal = Signal(
        name=name,
        kind=SignalKind(kind) if kind else SignalKind.DIGITAL_OUT,
        pin=pin,
        spelling=spelling,
        active_high=active == "high",
        unit=unit,
        line=body.line,
    )
    if kind == SignalKind.ECHO:
        return _echo(signal, body)
    if not analog:
        return signal
    low, high = _range(body)
    slope = body.number("mv_per_unit", 1.0)
    full_scale = body.integer("full_scale_mv", REFERENCE_MV, low=1, high=5000)
    if slope == 0:
        body.complain("bad-value", "mv_per_unit", "must not be 0")
    return replace(
        signal,
        mv_at_zero=body.number("mv_at_zero", 0.0),
        mv_per_unit=slope,
        full_scale_mv=full_scale,
        minimum=low,
        maximum=high,
    )


def _echo(signal: Signal, body: Fields) -> Signal:
    """What an echo signal has besides its pin."""
    low, high = _range(body)
    slope = body.number("us_per_unit", 1.0)
    if slope <= 0:
        body.complain("bad-value", "us_per_unit", "must be more than 0")
    return replace(
        signal,
        trigger=body.read("trigger", pin_number, 0, required=True),
        trigger_spelling=body.text("trigger"),
        us_per_unit=slope,
        minimum=low,
        maximum=high,
    )


def _range(body: Fields) -> tuple[float | None, float | None]:
    """The values that may be stimulated, from and to; None: no limit."""
    low = body.number("min", 0.0) if body.text("min") else None
    high = body.number("max", 0.0) if body.text("max") else None
    if low is not None and high is not None and low >= high:
        body.complain("bad-value", "max", "must be more than min")
    return low, high


def _vars(reader: Reader, fields: Fields) -> tuple[Mapping[str, str], tuple[Draw, ...]]:
    table = reader.mapping(fields.node("vars"), "vars", fields.line_of("vars"))
    names = table.keys()
    if len(names) > MAX_VARS:
        fields.complain("too-many", "vars", f"at most {MAX_VARS} variables")
    constants: dict[str, str] = {}
    draws: list[Draw] = []
    for name in names[:MAX_VARS]:
        if ID.fullmatch(name) is None or name in reserved_words():
            table.complain("bad-id", name[:48], "cannot be the name of a variable")
        node = table.node(name)
        if isinstance(node, Scalar):
            if len(node.text) > 200:
                table.complain("too-long", name, "is longer than 200 characters")
            constants[name] = node.text
        elif isinstance(node, MappingNode):
            draws.append(_draw(name, reader.mapping(node, f"vars.{name}", node.line)))
        else:
            table.complain("bad-value", name, "must be a value, {draw: [a, b]} or {choice: [...]}")
    known = {draw.name for draw in draws}
    for draw in draws:
        for other in draw.distinct_from:
            if other not in known or other == draw.name:
                table.complain("unknown-name", draw.name, f"{other[:40]!r} is no other drawn var")
    return constants, tuple(draws)


def _draw(name: str, body: Fields) -> Draw:
    choices, bounds = body.words("choice"), body.words("draw")
    distinct = body.words("distinct_from")
    decimals = body.integer("decimals", 0, low=0, high=6)
    step = body.text("step", str(Decimal(1).scaleb(-decimals)))
    body.finish()
    line = body.line
    if ("choice" in body) == ("draw" in body):
        body.complain("bad-draw", "", "needs exactly one of draw and choice")
        return Draw(name=name, line=line)
    if "choice" in body:
        if not choices:
            body.complain("bad-draw", "choice", "must not be empty")
        return Draw(name=name, choices=choices, distinct_from=distinct, line=line)
    numbers = [as_number(text) for text in (*bounds, step)]
    if len(bounds) != 2 or None in numbers:
        body.complain("bad-draw", "draw", "must be two numbers, with a number as step")
        return Draw(name=name, line=line)
    first, last, width = Decimal(bounds[0]), Decimal(bounds[1]), Decimal(step)
    if not (first < last and 0 < width <= last - first):
        body.complain("bad-draw", "draw", "must be [low, high] with 0 < step <= high - low")
    elif (last - first) / width > 10_000_000:
        body.complain("bad-draw", "step", "gives more than ten million values")
    elif "step" not in body and "decimals" not in body and any("." in text for text in bounds):
        body.complain("bad-draw", "step", "is missing; fractions need a step or decimals")
    return Draw(
        name=name, first=bounds[0], last=bounds[1], step=step, distinct_from=distinct, line=line
    )
