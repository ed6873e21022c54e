"""What is said about a session when it is over. Pure."""

from controlplane.domain.session import Session
from controlplane.domain.verdict import Evidence, Outcome, ScenarioResult, Stage, worst

_WEAKEST_FIRST = (Evidence.INJECTED, Evidence.SIMULATED, Evidence.VIRTUAL, Evidence.PHYSICAL)


_JUDGING = (Stage.SIMULATE, Stage.DEPLOY)


def session_outcome(session: Session) -> Outcome:
    """The outcome of a session whose last stage has ended.

    A session that was to be judged and of which every judging stage was skipped is SKIPPED: what
    was only built was not proved. So is one that was to provision, and could not.
    """
    ended = [r for r in session.stages if r.outcome is not None]
    outcome = worst([r.outcome for r in ended if r.outcome is not None])
    judged = [r.outcome for r in ended if r.stage in _JUDGING]
    if outcome is Outcome.PASSED and judged and set(judged) == {Outcome.SKIPPED}:
        return Outcome.SKIPPED
    last = session.stages[-1] if session.stages else None
    if outcome is Outcome.PASSED and last is not None and last.stage is Stage.PROVISION:
        return last.outcome or outcome
    return outcome


def session_evidence(session: Session) -> Evidence | None:
    """The strongest evidence among the scenarios that were judged."""
    levels = [r.evidence for r in session.scenario_results if r.evidence is not None]
    return max(levels, key=_WEAKEST_FIRST.index, default=None)


def session_message(session: Session, outcome: Outcome) -> str:
    """One sentence about the outcome: what passed, or the first thing that did not."""
    if outcome is not Outcome.PASSED:
        return next(
            (
                f"{record.stage.lower()}: {record.message}"
                for record in session.stages
                if record.outcome is outcome
            ),
            f"ended {outcome.lower()}",
        )
    judged = [r for r in session.scenario_results if r.outcome is Outcome.PASSED]
    if not judged:
        return "nothing was judged: no scenario was run"
    checks = sum(len(result.assertions) for result in judged)
    runners = ", ".join(dict.fromkeys(result.runner for result in judged))
    told = f"{checks} checks in {len(judged)} scenario runs passed on {runners}"
    said = {finding.code: finding for finding in session.findings}
    if doubt := said.get("NOT_ADEQUATE"):
        told = f"{told}, but they are not adequate: {doubt.message}"
    if unheard := said.get("W162"):
        told = f"{told}; {unheard.message}: {unheard.fix}"
    return told


def first_failure(results: tuple[ScenarioResult, ...], outcome: Outcome) -> str:
    """The sentence of the first assertion (or scenario) that ended so; "" when all is well."""
    if outcome is Outcome.PASSED:
        return ""
    for result in results:
        for assertion in result.assertions:
            if assertion.outcome is outcome:
                message = assertion.message.removeprefix(f"{assertion.assertion_id}: ")
                return f"{result.scenario_id}/{assertion.assertion_id}: {message}"
        if result.outcome is outcome and result.message:
            return f"{result.scenario_id}: {result.message}"
    return ""
