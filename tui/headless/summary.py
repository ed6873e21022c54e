"""What a design and a finished session look like as text."""

from dataclasses import replace

from benchline.v1 import build_pb2, design_pb2, session_pb2, verdict_pb2
from tui.client.designs import pin_level, proof_words
from tui.client.translate import (
    evidence_of,
    finding_of,
    scenario_of,
    summary_of,
)
from tui.headless.output import table
from tui.headless.progress import finding_lines
from tui.spending_words import against_ceiling
from tui.state.attempts import total_spent
from tui.state.fact import Outcome, State
from tui.state.run import RunView, begin
from tui.wording import (
    STOPS,
    assertion_line,
    clock,
    decided_by,
    demand_lines,
    ending,
    glyph,
    next_steps,
    one_line,
    runner_name,
    stage_line,
    told_by_findings,
    visible,
)

_JOINING = ("joins", "no wish of its own")


def session_lines(session: session_pb2.Session, seen: RunView | None = None) -> list[str]:
    """The verdict, the stages, the scenarios and the errors of a session.

    ``seen`` is what the reader has before their eyes: a reason that stands there is not repeated.
    """
    summary = summary_of(session)
    stands = ending(summary.state, summary.outcome, summary.evidence)
    lines = ["  ".join(filter(None, [stands, _reason(session, seen)]))]
    lines += stage_lines(session)
    lines += _scenario_summaries(session)
    errors = [one for one in session.findings if one.severity == verdict_pb2.Finding.SEVERITY_ERROR]
    if summary.outcome is not Outcome.PASSED:
        told = seen.findings if seen else ()
        for finding in map(finding_of, errors):
            lines += finding_lines(finding) if finding not in told else []
    if session.scenario_results:
        lines.append(f"  seed {session.seed} (the same again: --seed {session.seed})")
    spent = total_spent(begin(summary))
    if spent.calls:
        lines.append(f"  cost {against_ceiling(spent, summary.ceiling_micro_usd)}")
    lines += filter(None, [next_steps(summary)])
    return lines


def _reason(session: session_pb2.Session, seen: RunView | None) -> str:
    """Why it ended so, where neither findings nor the lines of its stages said it."""
    summary = summary_of(session)
    if why_is_in_findings(session):
        return ""
    told = seen.stages if seen else ()
    if summary.outcome in STOPS and any(decided_by(stage, summary) for stage in told):
        return ""
    return one_line(summary.message, 140 if summary.outcome is Outcome.PASSED else 600)


def why_is_in_findings(session: session_pb2.Session) -> bool:
    """Whether the errors of a refused session say why, each with its way forward."""
    findings = [finding_of(one) for one in session.findings]
    return any(told_by_findings(stage, findings) for stage in summary_of(session).stages)


def stage_lines(session: session_pb2.Session) -> list[str]:
    """One line a stage; of a session that is over, those that never began say so.

    The reason for its outcome stands once, at the verdict or in the findings.
    """
    summary = summary_of(session)
    findings = [finding_of(one) for one in session.findings]
    lines = []
    for stage in summary.stages:
        never = summary.state.ended and stage.state is State.PENDING
        told = decided_by(stage, summary) or told_by_findings(stage, findings)
        shown = replace(stage, message="") if told else stage
        lines.append(f"  · {stage.stage.value:<9} not run" if never else f"  {stage_line(shown)}")
    return lines


def _scenario_summaries(session: session_pb2.Session) -> list[str]:
    lines = []
    for wire in session.scenario_results:
        result = scenario_of(wire)
        passed = sum(a.outcome is Outcome.PASSED for a in result.assertions)
        where = f"{runner_name(result.runner)} ({evidence_of(wire.evidence) or 'not run'})"
        lines.append(
            f"  {glyph(result.outcome)} scenario {result.scenario_id} on {where}: "
            f"{result.outcome.value}, {passed} of {len(result.assertions)} checks passed"
        )
        if result.outcome is not Outcome.PASSED:
            bad = [a for a in result.assertions if a.outcome not in (Outcome.PASSED, Outcome.NONE)]
            if result.message and not bad:
                lines.append(f"      {visible(result.message)}")
            lines += [f"      {assertion_line(one)}" for one in bad]
    return lines


def design_lines(design: design_pb2.Design, width: int = 0) -> list[str]:
    """A design: title, board with its reason, wiring with reasons, behaviours, scenarios.

    Reasons are wrapped to ``width`` columns; 0 leaves them on one line.
    """
    lines = [f"{visible(design.title)}  (design {design.design_hash[:12]}, {design.designer})"]
    board = f"{design.board_model} ({design.part}): {visible(design.board_reason)}"
    lines += table([("board", board)], width)
    lines += ["", "wiring"]
    rows = [
        (pin.pin, pin.signal, pin.function, pin_level(pin), visible(pin.reason))
        for pin in design.pins
    ]
    lines += [f"  {line}" for line in table(rows, width)]
    if design.behaviours:
        lines += ["", "behaviours"]
        acts = [(one.behaviour_id, visible(one.text)) for one in design.behaviours]
        lines += [f"  {line}" for line in table(acts, width)]
    if design.understood:
        lines += ["", "understood"]
        pairs = [(one.text, one.meaning) for one in design.understood]
        lines += [f"  {line}" for line in table(understood_rows(pairs), width)]
    if design.assumptions:
        lines += ["", "assumed"]
        lines += table([("", visible(one)) for one in design.assumptions], width)
    if design.scenarios:
        lines += ["", "proved by"]
        proofs = [(one.scenario_id, visible(proof_words(one))) for one in design.scenarios]
        lines += [f"  {line}" for line in table(proofs, width)]
    return lines


def understood_rows(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Words with their meaning; the small words that only join others share one row."""
    rows = [(f'"{one_line(words, 40)}"', visible(m)) for words, m in pairs if m not in _JOINING]
    small = dict.fromkeys(one_line(words, 40) for words, m in pairs if m in _JOINING)
    return [*rows, ("joining words", " ".join(small))] if small else rows


def source_lines(sources: list[build_pb2.SourceFile]) -> list[str]:
    """Every file of a sketch under its name."""
    lines: list[str] = []
    for one in sources:
        lines += ["", f"--- {visible(one.path)} ---"]
        lines += [visible(line) for line in one.content.splitlines()]
    return lines


def why_lines(result: verdict_pb2.ScenarioResult, excerpts: dict[int, list[str]]) -> list[str]:
    """Why a scenario ended as it did: every check with what decided it, more of it if it is bad.

    ``excerpts`` maps the index of a check to the console lines of its evidence.
    """
    fact = scenario_of(result)
    where = f"{runner_name(fact.runner)} ({fact.evidence or 'not run'})"
    head = f"{glyph(fact.outcome)} {fact.scenario_id} on {where}: {fact.outcome.value}"
    times = f"{clock(fact.device_ms)} of device time in {clock(result.wall_ms)}"
    lines = [f"{head}, {times}, seed {fact.seed}{', cached' if fact.cached else ''}"]
    if fact.message:
        lines.append(f"  {visible(fact.message)}")
    for index, assertion in enumerate(fact.assertions):
        lines.append(f"  {assertion_line(assertion)}")
        told = excerpts.get(index, [])
        if assertion.outcome is Outcome.PASSED:
            told = told[:1]
        else:
            lines += [f"      {line}" for line in demand_lines(assertion, 90)]
        lines += [f"      | {line}" for line in told]
    return lines


def head_lines(session: session_pb2.Session) -> list[str]:
    """What a session is: id, prompt, board, how it stands."""
    summary = summary_of(session)
    stands = ending(summary.state, summary.outcome, summary.evidence)
    lines = [f"session  {summary.session_id}  {stands}"]
    lines.append(f"prompt   {visible(session.prompt)}" if session.prompt else "prompt   (uploaded)")
    if session.message and not why_is_in_findings(session):
        lines.append(f"verdict  {visible(session.message)}")
    if session.board:
        lines.append(f"board    {session.board}")
    if session.stack:
        lines.append(f"cloud    {session.device} in {session.stack}")
    return lines
