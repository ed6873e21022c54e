"""Checks across a scenario: ids, names in formulas and expressions, sizes, fixed times."""

from collections.abc import Iterator

from benchline.scenario.model import (
    MAX_STEPS,
    Bounce,
    Expect,
    ExpectCount,
    ExpectLatency,
    ExpectPeriod,
    Finding,
    Formula,
    Never,
    PinLevel,
    Press,
    Ramp,
    Reset,
    Scenario,
    Selector,
    Send,
    Step,
    Stimulus,
)
from benchline.scenario.names import all_steps, kind_of, unrolled, unrolled_count
from benchline.scenario.reading import nearest
from benchline.scenario.template import TemplateError, regex_of, template_names
from benchline.scenario.where import compile_where

RECORD_NAMES = frozenset({"value", "at"})
"""Names that a ``where`` over records always has: the value and the device ms."""


def check_references(scenario: Scenario) -> list[Finding]:
    """Findings that need the whole scenario. All are errors."""
    if unrolled_count(scenario.steps) > MAX_STEPS:
        message = f"more than {MAX_STEPS} steps once the repeats are unrolled"
        return [Finding(code="too-many", subject="steps", message=message)]
    return [
        *_ids(scenario),
        *_resets(scenario),
        *_formulas(scenario),
        *_constraints(scenario),
        *_expressions(scenario),
        *_latencies(scenario),
    ]


def variables(scenario: Scenario) -> set[str]:
    """Names of all variables, constant and drawn."""
    return {*scenario.constants, *(draw.name for draw in scenario.draws)}


def _ids(scenario: Scenario) -> Iterator[Finding]:
    seen: set[str] = set()
    for step in unrolled(scenario.steps):
        if step.id and step.id in seen:
            yield _finding("duplicate-id", step, f"the id {step.id!r} stands for another step too")
        seen.add(step.id)


def _resets(scenario: Scenario) -> Iterator[Finding]:
    for step in scenario.steps[1:]:
        if isinstance(step, Reset):
            message = "a reset during the run is not supported in version 1"
            yield _finding("bad-step", step, message, "make it the first step, or leave it out")


def formulas_of(step: Step) -> Iterator[Formula]:
    """All formulas of a step."""
    for name in (
        "at", "value", "hold_ms", "start", "stop", "after", "until", "within",
        "period", "maximum", "minimum", "span",
    ):  # fmt: skip
        amount = getattr(step, name, None)
        if isinstance(amount, Formula):
            yield amount


def selector_of(step: Step) -> Selector | None:
    """The selector of an assertion that has one."""
    if isinstance(step, Expect | ExpectPeriod | ExpectCount | Never | PinLevel):
        return step.selector
    return None


def _formulas(scenario: Scenario) -> Iterator[Finding]:
    known = variables(scenario)
    for step in all_steps(scenario.steps):
        for formula in formulas_of(step):
            for name in sorted(compile_where(formula.text).names - known):
                yield _finding("unknown-name", step, f"${name} is not a var", nearest(name, known))
        selector = selector_of(step)
        template = step.text if isinstance(step, Send) else selector.regex if selector else ""
        try:
            names = template_names(template)
        except TemplateError as error:
            yield _finding("bad-template", step, str(error))
            continue
        for name in sorted(names - known):
            yield _finding("unknown-name", step, f"${{{name}}} is not a var", nearest(name, known))


def _constraints(scenario: Scenario) -> Iterator[Finding]:
    known = variables(scenario)
    for text in scenario.constraints:
        for name in sorted(compile_where(text).names - known):
            message = f"{name!r} in {text!r} is not a var"
            yield Finding(
                code="unknown-name",
                subject="constraints",
                message=message,
                fix=nearest(name, known),
            )


def _expressions(scenario: Scenario) -> Iterator[Finding]:
    known = variables(scenario)
    for step in unrolled(scenario.steps):
        selector = selector_of(step)
        if selector is None or (not selector.regex and not selector.where):
            continue
        captures: set[str] = set(RECORD_NAMES)
        if selector.regex:
            try:
                sample = dict.fromkeys(template_names(selector.regex), "0")
                captures = {"at", *regex_of(selector.regex, sample).groupindex}
            except TemplateError:
                continue  # told already
            except ValueError as error:
                yield _finding("bad-regex", step, str(error))
                continue
        if selector.where and not selector.type:
            here = known | captures
            for name in sorted(compile_where(selector.where).names - here):
                message = f"{name!r} in where is neither a var nor captured by line"
                yield _finding("unknown-name", step, message, nearest(name, here))
        if isinstance(step, Expect) and step.save:
            known |= {step.save, *(f"{step.save}_{name}" for name in captures - {"at"})}


def _latencies(scenario: Scenario) -> Iterator[Finding]:
    moments: set[str] = set()
    stimuli = 0
    latencies: list[ExpectLatency] = []
    for step in unrolled(scenario.steps):
        if isinstance(step, Stimulus | Send | Press | Bounce | Ramp):
            stimuli += 1
            moments.add(f"stimulus.{stimuli}")
        if isinstance(step, ExpectLatency):
            latencies.append(step)
        elif step.id and (kind_of(step) == "expect" or not hasattr(step, "after")):
            moments.add(step.id)
        if isinstance(step, Expect) and step.save:
            moments.add(step.save)
    for latency in latencies:
        for name in (latency.start, latency.stop):
            if name not in moments:
                message = f"{name[:40]!r} is no id or save of an expect or stimulus"
                yield _finding("unknown-name", latency, message, nearest(name, moments))


def _finding(code: str, step: Step, message: str, fix: str = "") -> Finding:
    subject = f"{kind_of(step)} {step.id}".strip()
    return Finding(code=code, subject=subject, message=message, fix=fix, line=step.line)
