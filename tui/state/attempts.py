"""The attempts of a run: why each was made, what it changed, spent and came to. Pure."""

from dataclasses import dataclass

from tui.state.fact import AttemptMoved, Coverage, Outcome, Stage, StageMoved, State
from tui.state.model_call import NOTHING_SPENT, Spent, spent_by
from tui.state.run import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One attempt. ``why`` is what it was made for, ``stage`` where it is or what ended it."""

    number: int
    state: State
    outcome: Outcome = Outcome.NONE
    stage: Stage = Stage.NONE
    why: str = ""
    message: str = ""
    files_changed: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    failing_checks: int = 0
    warnings: int = 0
    model: str = ""
    diff_sha256: str = ""
    coverage: Coverage | None = None
    best: bool = False
    spent: Spent = NOTHING_SPENT


def attempts_of(run: RunView, best: int = 0) -> tuple[AttemptView, ...]:
    """All attempts, oldest first; the one that goes on is the last.

    ``best`` is the attempt that a run which is over shows, 0 when that is its newest.
    """
    told = {one.attempt: one for one in run.attempts}
    numbers = range(1, max([run.attempt, *told]) + 1)
    chosen = (best or run.attempt) if run.state.ended and len(numbers) > 1 else 0
    return tuple(_attempt(run, told.get(number), number, number == chosen) for number in numbers)


def total_spent(run: RunView) -> Spent:
    """What all attempts spent."""
    return sum((one.spent for one in attempts_of(run)), NOTHING_SPENT)


def _attempt(run: RunView, told: AttemptMoved | None, number: int, best: bool) -> AttemptView:
    spent = spent_by(call for call in run.calls if call.attempt == number)
    if told is None or told.state is not State.DONE:
        newest = number == run.attempt
        return AttemptView(
            number=number,
            state=(run.state if newest else State.DONE) if told is None else told.state,
            outcome=run.outcome if newest else Outcome.NONE,
            stage=_going_on(run.stages) if newest else Stage.NONE,
            why=told.why if told is not None else "",
            best=best,
            spent=spent,
        )
    # The ledger knows more than the events: also what was cancelled, and what an event did not say.
    ledger = Spent(
        calls=told.calls,
        input_tokens=told.input_tokens,
        cached_tokens=told.cached_tokens,
        output_tokens=told.output_tokens,
        micro_usd=told.cost_micro_usd if told.cost_micro_usd is not None else spent.micro_usd,
        unknown=0 if told.cost_micro_usd is not None else max(1, spent.unknown),
    )
    return AttemptView(
        number=number,
        state=told.state,
        outcome=told.outcome,
        stage=told.stage,
        why=told.why,
        message=told.message,
        files_changed=told.files_changed,
        lines_added=told.lines_added,
        lines_removed=told.lines_removed,
        failing_checks=told.failing_checks,
        warnings=told.warnings,
        model=told.model,
        diff_sha256=told.diff_sha256,
        coverage=told.coverage,
        best=best,
        spent=ledger if told.calls else NOTHING_SPENT,
    )


def _going_on(stages: tuple[StageMoved, ...]) -> Stage:
    """The stage that runs, else the last one that was begun."""
    begun = [one for one in stages if one.state is not State.PENDING]
    running = [one for one in begun if one.state in (State.RUNNING, State.WAITING)]
    found = running or begun[-1:]
    return found[0].stage if found else Stage.NONE
