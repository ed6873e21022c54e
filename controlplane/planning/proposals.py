"""Scenarios that a designer proposes: read by the scenario language, and doubted.

A proposal has no head of its own: id, wiring and capabilities are written here from the design, so
that it cannot judge other pins than those that were solved. What it says is refused when it cannot
fail, looks away from what it claims to prove, or could be passed by printing constants.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchline.scenario import Scenario, ScenarioError, Severity, check, parse_scenario
from benchline.scenario.model import (
    Assertion,
    Bounce,
    Expect,
    ExpectCount,
    ExpectPeriod,
    Formula,
    Never,
    PinLevel,
    Press,
    Ramp,
    Repeat,
    Selector,
    Send,
    Step,
    Stimulus,
)
from controlplane.domain.design import (
    Behaviour,
    DesignScenario,
    DesignSignal,
    PinAssignment,
    text_digest,
)
from controlplane.domain.finding import Finding
from controlplane.planning.acceptance import signal_line
from controlplane.planning.bouncing import bouncing_steps
from controlplane.planning.complaints import complaint
from controlplane.planning.timeline import quoted

MAX_PROPOSALS = 8
_FAST_MS = 20_000
_LONGEST_MS = 600_000
_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_OURS = frozenset({"main", "control", "idle"})
_TYPES = frozenset({"READY", "FAULT", "ERR"})
_UNUSABLE = frozenset({"cannot-fail", "cannot-pass", "only-never", "loose"})
"""Warnings of the linter that are no reason to refuse a person's scenario, but this one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed scenario; ``variables`` and ``steps`` are YAML."""

    id: str
    title: str
    proves: tuple[str, ...]
    control: bool
    duration_ms: int
    variables: str
    steps: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A behaviour of no known kind. ``idle``: its outputs while nothing is stimulated."""

    behaviour: Behaviour
    reads: tuple[str, ...]
    drives: tuple[str, ...]
    idle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """Usable scenarios, and what is wrong with the others or missing."""

    scenarios: tuple[DesignScenario, ...]
    findings: tuple[Finding, ...]


def judge_proposals(
    proposals: Sequence[Proposal],
    customs: Sequence[Custom],
    behaviours: Sequence[str],
    signals: Sequence[DesignSignal],
    pins: Sequence[PinAssignment],
    contacts: Collection[str],
) -> Proved:
    """Read the proposals, and hold them against the behaviours that only they can prove.

    ``contacts`` are the signals of mechanical contacts: what stimulates one gets a twin in which
    it bounces.
    """
    wiring = {pin.signal: pin for pin in pins}
    findings: list[Finding] = []
    read: list[tuple[DesignScenario, Scenario]] = []
    twins: list[Proposal] = []
    if len(proposals) > MAX_PROPOSALS:
        message = f"{len(proposals)} scenarios are more than {MAX_PROPOSALS}."
        findings.append(complaint("E301", "scenarios", message, "Put some together."))
    seen: set[str] = set()
    for proposal in proposals[:MAX_PROPOSALS]:
        problems = [*_head(proposal, behaviours, seen)]
        seen.add(proposal.id)
        if not problems:
            text = _text(proposal, signals, wiring)
            scenario, problems = _parsed(proposal, text)
            if scenario is not None and not problems:
                read.append((_document(proposal, scenario, text), scenario))
                twins += _twin(proposal, scenario, text, contacts)
        findings += problems
    for custom in customs:
        findings += _proof(custom, [s for d, s in read if custom.behaviour.id in d.proves], signals)
    added = [*_named(twins, seen), *_idle(customs)]
    return Proved(
        scenarios=(
            *(document for document, _ in read),
            *_generated(added, signals, wiring),
        ),
        findings=tuple(findings),
    )


def _head(proposal: Proposal, behaviours: Sequence[str], seen: set[str]) -> Iterator[Finding]:
    name = proposal.id[:40]
    if not _ID.fullmatch(proposal.id) or proposal.id in _OURS:
        taken = ", ".join(sorted(_OURS))
        yield complaint(
            "E102",
            name,
            f"a scenario cannot be called {name!r}.",
            f"Use a short lower-case word other than {taken}.",
        )
    if proposal.id in seen:
        yield complaint("E103", name, "two scenarios have this id.", "Use each id once.")
    for proved in proposal.proves:
        if proved not in behaviours:
            yield complaint(
                "E151",
                name,
                f"it proves {proved[:40]!r}, which is no behaviour.",
                f"Name behaviours: {', '.join(behaviours)}.",
            )
    if not 0 < proposal.duration_ms <= _LONGEST_MS:
        yield complaint(
            "E301", name, f"it lasts {proposal.duration_ms} ms.", f"Use 1 to {_LONGEST_MS} ms."
        )


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines() if line.strip()]


def _text(
    proposal: Proposal, signals: Sequence[DesignSignal], wiring: Mapping[str, PinAssignment]
) -> str:
    said = f"{proposal.steps}\n{proposal.variables}"
    used = [s for s in signals if s.id in wiring and re.search(rf"\b{s.id}\b", said)]
    # "line" also where a send makes it likely: the linter tells of capabilities that are missing.
    requires = ["serial.rx"]
    if re.search(r"\bpin: ?", proposal.steps):
        requires.append("pin.read")
    if proposal.duration_ms > _FAST_MS:
        requires.append("fast_time")
    lines = [
        "scenario: 1",
        f"id: {proposal.id}",
        f"title: {quoted(' '.join(proposal.title.split())[:120] or proposal.id)}",
        f"proves: [{', '.join(proposal.proves)}]",
        f"requires: [{', '.join(requires)}]",
        f"duration: {proposal.duration_ms}ms",
        f"control: {'true' if proposal.control else 'false'}",
        "signals:" if used else "signals: {}",
        *(f"  {signal_line(signal, wiring)}" for signal in used),
    ]
    if proposal.variables.strip():
        lines += ["vars:", *_indented(proposal.variables)]
    lines += ["steps:", *_indented(proposal.steps)]
    return "\n".join(lines) + "\n"


def _parsed(proposal: Proposal, text: str) -> tuple[Scenario | None, list[Finding]]:
    try:
        scenario = parse_scenario(text)
        doubts = check(scenario)
    except ScenarioError as error:
        return None, [_unusable(proposal, str(finding)) for finding in error.findings]
    problems = [
        _unusable(proposal, str(finding))
        for finding in doubts
        if finding.severity is Severity.ERROR or finding.code in _UNUSABLE
    ]
    for step in _flat(scenario.steps):
        selector = _selector(step)
        if selector is not None and selector.type and selector.type not in _TYPES:
            message = f"it waits for records of the type {selector.type[:20]}."
            problems.append(_unusable(proposal, message))
    return scenario, problems


def _unusable(proposal: Proposal, message: str) -> Finding:
    return complaint("E301", proposal.id, message[:400], "Mend the scenario.")


def _document(proposal: Proposal, scenario: Scenario, text: str) -> DesignScenario:
    return DesignScenario(
        id=proposal.id,
        title=scenario.title,
        yaml=text,
        sha256=text_digest(text),
        control=proposal.control,
        proves=tuple(dict.fromkeys(proposal.proves)),
        requires=scenario.requires,
        duration_ms=proposal.duration_ms,
    )


def _flat(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Repeat):
            yield from _flat(step.steps)
        else:
            yield step


def _selector(step: Step) -> Selector | None:
    if isinstance(step, Expect | ExpectPeriod | ExpectCount | PinLevel | Never):
        return step.selector
    return None


def _proof(
    custom: Custom, scenarios: Sequence[Scenario], signals: Sequence[DesignSignal]
) -> Iterator[Finding]:
    """What the scenarios of a custom behaviour leave out."""
    name = custom.behaviour.id
    active = [s for s in scenarios if not s.control]
    if not active:
        yield complaint(
            "E150", name, "no scenario proves this behaviour.", "Propose one that can fail."
        )
        return
    steps = [step for scenario in active for step in _flat(scenario.steps)]
    watched = {
        selector.pin
        for step in steps
        if not isinstance(step, Never) and (selector := _selector(step)) is not None
    }
    for output in custom.drives:
        if output not in watched:
            yield complaint(
                "E150", name, f"no scenario expects anything of {output}.", "Expect its pin."
            )
    speaks = any((s := _selector(step)) is not None and s.regex for step in steps)
    if not custom.drives and not speaks:
        yield complaint("E150", name, "no scenario expects a line of it.", "Expect its line.")
    yield from _stimulated(custom, steps, signals)
    if custom.idle == "changes" and not _bounded(scenarios):
        yield complaint(
            "E150",
            name,
            "nothing says what must not happen.",
            "Add a never, an expect_count with a maximum, or a control scenario.",
        )


def _stimulated(
    custom: Custom, steps: Sequence[Step], signals: Sequence[DesignSignal]
) -> Iterator[Finding]:
    given = {step.signal for step in steps if isinstance(step, Stimulus | Press | Bounce | Ramp)}
    drawn = {s.signal for s in steps if isinstance(s, Stimulus) and isinstance(s.value, Formula)}
    drawn |= {s.signal for s in steps if isinstance(s, Ramp)}
    measured = {signal.id for signal in signals if signal.is_measured}
    name = custom.behaviour.id
    for read in custom.reads:
        if read not in given:
            yield complaint("E150", name, f"no scenario stimulates {read}.", "Stimulate it.")
        elif read in measured and read not in drawn:
            yield complaint(
                "E150",
                name,
                f"{read} is only given constants, which firmware could print by itself.",
                "Draw its values: vars with draw, and value: $name.",
            )
    sends = any(isinstance(step, Send) for step in steps)
    if not custom.reads and not sends and custom.idle == "off" and custom.drives:
        yield complaint(
            "E150", name, "its outputs are off while idle, and nothing wakes it.", "Stimulate it."
        )


def _bounded(scenarios: Sequence[Scenario]) -> bool:
    steps = [step for scenario in scenarios for step in _flat(scenario.steps)]
    return any(scenario.control for scenario in scenarios) or any(
        isinstance(step, Never | ExpectPeriod)
        or (isinstance(step, ExpectCount) and step.maximum is not None)
        for step in steps
        if isinstance(step, Assertion)
    )


def _twin(
    proposal: Proposal, scenario: Scenario, text: str, contacts: Collection[str]
) -> Iterator[Proposal]:
    """The same with bouncing contacts, where one is stimulated."""
    steps = bouncing_steps(scenario, text, contacts)
    if steps:
        yield replace(
            proposal,
            id=f"{proposal.id}_bounces",
            title=f"{scenario.title[:90]}, with contacts that bounce",
            steps=steps,
        )


def _named(twins: Sequence[Proposal], taken: Collection[str]) -> Iterator[Proposal]:
    """The twins, by ids that no proposal has."""
    for twin in twins:
        name = twin.id
        while name in taken:
            name += "_"
        yield replace(twin, id=name)


def _idle(customs: Sequence[Custom]) -> Iterator[Proposal]:
    """The negative control: without a stimulus, outputs stay as they are said to."""
    kept = [c for c in customs if c.idle in ("off", "on") and c.drives]
    if not kept:
        return
    steps = [
        f"- never: {{id: {output}_idle, pin: {output}, "
        f"level: {'on' if custom.idle == 'off' else 'off'}"
        f"{', after: 500ms' if custom.idle == 'on' else ''}}}"
        for custom in kept
        for output in custom.drives
    ]
    yield Proposal(
        id="idle",
        title="Outputs stay as they are while nothing is stimulated",
        proves=tuple(custom.behaviour.id for custom in kept),
        control=True,
        duration_ms=3000,
        variables="",
        steps="\n".join(
            ["- expect: {id: started, type: READY, within: 1s}", *dict.fromkeys(steps)]
        ),
    )


def _generated(
    added: Sequence[Proposal],
    signals: Sequence[DesignSignal],
    wiring: Mapping[str, PinAssignment],
) -> Iterator[DesignScenario]:
    """What was added here, as far as it can be used."""
    for proposal in added:
        text = _text(proposal, signals, wiring)
        scenario, problems = _parsed(proposal, text)
        if scenario is not None and not problems:
            yield replace(_document(proposal, scenario, text), generated=True)
