"""Lint: scenarios that can be read, but do not say what their author means."""

from collections.abc import Iterator

from benchline.scenario.draw import draw_values
from benchline.scenario.model import (
    Assertion,
    Expect,
    ExpectCount,
    ExpectPeriod,
    Finding,
    Never,
    PinLevel,
    Scenario,
    ScenarioError,
    Selector,
    Send,
    Severity,
    SignalKind,
    Step,
)
from benchline.scenario.names import all_steps, kind_of
from benchline.scenario.plan import RunPlan, fixed
from benchline.scenario.reading import compile_regex
from benchline.scenario.references import formulas_of, selector_of
from benchline.scenario.resolve import resolve
from benchline.scenario.template import template_names
from benchline.scenario.units import show_ms
from benchline.scenario.where import compile_where

CHECK_SEEDS = (0, 1, 2, 3, 4, 5, 6, 7)
"""Seeds that a check tries, so that ranges are seen at several drawn values."""

WARN_DURATION_MS = 20_000
"""Generated scenarios stay below this device time; longer ones get a warning."""

_ODD_LINES = ("", "x", "temperature 20.5 C", "0", "!\u00e9 \ufffd", "a b c d e f g")
KNOWN_CAPABILITIES = frozenset(
    {
        "serial.rx",
        "serial.tx",
        "pin.read",
        "pin.edges",
        "inject.digital",
        "inject.analog",
        "inject.console",
        "inject.echo",
        "reset",
        "power.cycle",
        "fast_time",
    }
)
"""Capabilities that simulators and boards can have."""


def check(scenario: Scenario) -> tuple[Finding, ...]:
    """Everything doubtful about a scenario: errors that make it unusable, and warnings."""
    findings: dict[Finding, None] = {}
    plans = []
    for seed in CHECK_SEEDS:
        try:
            plans.append(resolve(scenario, seed))
        except ScenarioError as error:
            findings.update(dict.fromkeys(error.findings))
    if findings:
        return tuple(findings)
    found = [*_whole(scenario), *_unused(scenario), *_capabilities(scenario)]
    findings.update(dict.fromkeys(found))
    for plan in plans:
        for step in plan.assertions:
            findings.update(dict.fromkeys(_assertion(step, plan)))
    return tuple(sorted(findings, key=lambda finding: finding.line))


def _warn(
    code: str, step: Step | str, message: str, fix: str = "", severity: Severity = Severity.WARNING
) -> Finding:
    subject = step if isinstance(step, str) else f"{kind_of(step)} {step.id}".strip()
    line = 0 if isinstance(step, str) else step.line
    return Finding(
        code=code, subject=subject, message=message, fix=fix, line=line, severity=severity
    )


def _error(code: str, step: Step, message: str, fix: str = "") -> Finding:
    return _warn(code, step, message, fix, Severity.ERROR)


def _whole(scenario: Scenario) -> Iterator[Finding]:
    assertions = [s for s in all_steps(scenario.steps) if isinstance(s, Assertion)]
    if not assertions:
        message = "there is no assertion: this cannot pass or fail"
        yield _warn("no-assertion", "steps", message, severity=Severity.ERROR)
    elif all(isinstance(step, Never) for step in assertions) and not scenario.control:
        message = "only 'never' assertions: firmware that does nothing passes"
        yield _warn("only-never", "steps", message, "add an expect, or set control: true")
    if scenario.duration_ms > WARN_DURATION_MS:
        message = f"{show_ms(scenario.duration_ms)} is long for a board"
        yield _warn("long", "duration", message)
    stimulated = any(not isinstance(s, Assertion) for s in scenario.steps if kind_of(s) != "reset")
    if scenario.control and stimulated:
        yield _warn("control-stimulated", "control", "a control run should have no stimulus")


def _unused(scenario: Scenario) -> Iterator[Finding]:
    used: set[str] = set()
    signals: set[str] = set()
    for text in scenario.constraints:
        used |= compile_where(text).names
    for step in all_steps(scenario.steps):
        for formula in formulas_of(step):
            used |= compile_where(formula.text).names
        selector = selector_of(step)
        if selector is not None:
            used |= template_names(selector.regex)
            used |= compile_where(selector.where).names if selector.where else set()
            used.add((selector.value or "").removeprefix("$"))
            signals.add(selector.pin)
        if isinstance(step, Send):
            used |= template_names(step.text)
        signals.add(getattr(step, "signal", ""))
    drawn = {draw.name: draw.line for draw in scenario.draws}
    for name in (*scenario.constants, *drawn):
        if name not in used:
            yield Finding(
                code="unused-var",
                subject=f"vars.{name}",
                message="is used nowhere",
                line=drawn.get(name, 0),
                severity=Severity.WARNING,
            )
    for signal in scenario.signals.values():
        watched = signal.kind in (SignalKind.DIGITAL_OUT, SignalKind.ECHO)
        if signal.name not in signals and not watched:
            yield Finding(
                code="unused-signal",
                subject=f"signals.{signal.name}",
                message="is never stimulated; in a run it reads its pull, or 0",
                line=signal.line,
                severity=Severity.WARNING,
            )


def _capabilities(scenario: Scenario) -> Iterator[Finding]:
    for name in scenario.requires:
        if name not in KNOWN_CAPABILITIES:
            known = ", ".join(sorted(KNOWN_CAPABILITIES))
            yield _warn("unknown-capability", "requires", f"{name[:40]!r} is unknown", known)
    selectors = [selector_of(step) for step in all_steps(scenario.steps)]
    if any(s is not None and s.pin for s in selectors) and not (
        {"pin.read", "pin.edges"} & {*scenario.requires}
    ):
        yield _warn("missing-capability", "requires", "it looks at pins", "add pin.read")
    if any(s is not None and s.regex for s in selectors) and "serial.rx" not in scenario.requires:
        yield _warn("missing-capability", "requires", "it reads lines", "add serial.rx")


def _assertion(step: Assertion, plan: RunPlan) -> Iterator[Finding]:
    start = 0 if step.after is None else fixed(step.after)
    stop = plan.end_ms if step.until is None else fixed(step.until)
    if start >= plan.end_ms:
        yield _error("empty-window", step, f"begins when the run is over ({show_ms(plan.end_ms)})")
        return
    if stop <= start and not isinstance(step, PinLevel):
        yield _error("empty-window", step, "its window is empty")
        return
    if stop > plan.end_ms:
        yield _warn("window-past-end", step, "its window goes on after the end of the run")
    selector = selector_of(step)
    if selector is not None and selector.regex and _matches_everything(selector):
        code = "cannot-pass" if isinstance(step, Never) else "cannot-fail"
        yield _warn(code, step, f"{selector.regex!r} matches every line")
    match step:
        case ExpectPeriod():
            yield from _period(step, start, min(stop, plan.end_ms))
        case Expect():
            yield from _expect(step, start, plan.end_ms)
        case ExpectCount() if step.minimum in {None, 0} and step.maximum is None:
            yield _error("cannot-fail", step, "at least 0 is always so")
        case Never() if step.span is not None and fixed(step.span) == 0:
            yield _error("empty-window", step, "its window is empty")
        case PinLevel() if fixed(step.at) > plan.end_ms:
            yield _error("empty-window", step, "looks after the end of the run")
        case _:
            pass


def _period(step: ExpectPeriod, start: int, stop: int) -> Iterator[Finding]:
    period = fixed(step.period)
    if period < 1:
        yield _error("bad-value", step, "the period must be at least 1 ms")
        return
    allowed = step.tolerance.of(period)
    if allowed >= period:
        yield _error("cannot-fail", step, f"a tolerance of {step.tolerance} accepts any gap")
    elif allowed > period / 4:
        yield _warn("loose", step, f"a tolerance of {step.tolerance} is loose")
    if period * step.count >= stop - start:
        message = (
            f"{step.count} periods of {show_ms(period)} do not fit into {show_ms(stop - start)}"
        )
        yield _error("does-not-fit", step, message, "a smaller count or a longer duration")


def _expect(step: Expect, start: int, end: int) -> Iterator[Finding]:
    if step.within is None and step.until is None:
        message = "without 'within' its failure is known only at the end"
        yield _warn("no-within", step, message)
    elif step.within is not None and start + fixed(step.within) > end:
        yield _warn("window-past-end", step, "its window goes on after the end of the run")
    if step.initial and step.selector.level is None:
        yield _warn("no-effect", step, "'initial' only matters with 'level'")


def _matches_everything(selector: Selector) -> bool:
    """Whether a regex without a ``where`` accepts quite different lines."""
    if selector.where:
        return False
    regex = compile_regex(selector.regex)
    return all(regex.search(line) is not None for line in _ODD_LINES)


def drawn_examples(scenario: Scenario, count: int = 3) -> tuple[dict[str, str], ...]:
    """Values that some seeds give, to show an author what will be tried."""
    return tuple(draw_values(scenario, seed) for seed in range(count))
