"""One run as a screen shows it: a pure fold over its events."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from tui.state.fact import (
    ArtifactStored,
    Assertion,
    AssertionDecided,
    AttemptMoved,
    Bytes,
    ConsoleGrew,
    DesignMade,
    Diagnostic,
    Event,
    Fact,
    Finding,
    FlashAdvanced,
    FlashMoved,
    LeaseMoved,
    Noted,
    Outcome,
    ScenarioBegan,
    ScenarioEnded,
    SessionMoved,
    SessionSummary,
    Stage,
    StageMoved,
    State,
)
from tui.state.model_call import ModelCalled
from tui.state.question import Answered, Asked

_T = TypeVar("_T")
_MAX_KEPT = 2_000
"""Findings, diagnostics and notes kept of each kind; a run makes far fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioView:
    """One scenario on one runner. ``began_ms`` is Unix time in milliseconds."""

    scenario_id: str
    title: str
    runner: str
    stage: Stage
    device_ms: int = 0
    began_ms: int = 0
    outcome: Outcome = Outcome.NONE
    evidence: str = ""
    message: str = ""
    cached: bool = False
    seed: int = 0
    assertions: tuple[Assertion, ...] = ()
    console: Bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashView:
    """One write to flash."""

    command_id: str
    board: str
    image: str
    phase: str = ""
    fraction: float = 0.0
    reason: str = ""
    outcome: Outcome = Outcome.NONE
    message: str = ""
    sectors_erased: int = 0
    sectors_skipped: int = 0
    bytes_programmed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """Everything known of one session."""

    name: str
    title: str = ""
    state: State = State.UNKNOWN
    outcome: Outcome = Outcome.NONE
    evidence: str = ""
    message: str = ""
    stages: tuple[StageMoved, ...] = ()
    attempts: tuple[AttemptMoved, ...] = ()
    calls: tuple[ModelCalled, ...] = ()
    design: DesignMade | None = None
    findings: tuple[Finding, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    artifacts: tuple[ArtifactStored, ...] = ()
    scenarios: tuple[ScenarioView, ...] = ()
    flashes: tuple[FlashView, ...] = ()
    consoles: tuple[ConsoleGrew, ...] = ()
    notes: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    answered: tuple[Answered, ...] = ()
    board: str = ""
    lease: str = ""
    attempt: int = 1
    last_sequence: int = 0
    missed: bool = False

    @property
    def session_id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    @property
    def open_round(self) -> Asked | None:
        """The questions that it waits for, if any; it may be WAITING for a board instead."""
        newest = self.asked[-1] if self.asked and self.state is State.WAITING else None
        answered = {one.round for one in self.answered}
        return newest if newest is not None and newest.round not in answered else None


def begin(summary: SessionSummary) -> RunView:
    """What is known of a run before its first event is read."""
    return RunView(
        name=summary.name,
        title=summary.title,
        state=summary.state,
        outcome=summary.outcome,
        evidence=summary.evidence,
        message=summary.message,
        stages=summary.stages,
        board=summary.board,
        attempts=summary.attempts,
        attempt=summary.attempt,
    )


def reduce_run(view: RunView, event: Event) -> RunView:
    """The run after one more event. An event that was seen before changes nothing.

    A jump in the sequence is never hidden: it sets ``missed``.
    """
    if event.sequence <= view.last_sequence:
        return view
    missed = view.missed or event.sequence != view.last_sequence + 1
    moved = _apply(view, event)
    attempt = max(view.attempt, event.attempt)
    return replace(moved, last_sequence=event.sequence, missed=missed, attempt=attempt)


def reduce_all(view: RunView, events: Iterable[Event]) -> RunView:
    """Fold many events."""
    for event in events:
        view = reduce_run(view, event)
    return view


def live_console(view: RunView) -> str:
    """The console that is worth watching now: the one that grew last, else the board's."""
    if view.consoles:
        return view.consoles[-1].range.console
    ended = [s.console.console for s in view.scenarios if s.console]
    return ended[-1] if ended else ""


FIRMWARE = frozenset({"firmware.test.elf", "firmware.image", "firmware.vendor.hex"})
"""Kinds of artifacts that a simulator or a board can run."""


def has_firmware(view: RunView) -> bool:
    """The run has built an image, or was given one."""
    return any(one.kind in FIRMWARE for one in view.artifacts)


def _apply(view: RunView, event: Event) -> RunView:
    fact: Fact = event.fact
    match fact:
        case SessionMoved() | StageMoved() | AttemptMoved() | ModelCalled():
            return _apply_life(view, fact)
        case DesignMade():
            return replace(view, design=fact, title=view.title or fact.title)
        case Finding():
            return replace(view, findings=_add(view.findings, fact))
        case Diagnostic():
            return replace(view, diagnostics=_add(view.diagnostics, fact))
        case ArtifactStored():
            return replace(view, artifacts=_put(view.artifacts, fact, lambda one: one.kind))
        case Noted() | Asked() | Answered():
            return _apply_talk(view, fact)
        case ScenarioBegan() | AssertionDecided() | ScenarioEnded():
            return _apply_scenario(view, event, fact)
        case FlashMoved() | FlashAdvanced():
            moved = _apply_flash(view, fact)
            ended = isinstance(fact, FlashMoved) and fact.outcome is not Outcome.NONE
            return _restarted(moved, event.time_ms) if ended else moved
        case LeaseMoved():
            granted = fact.change == "granted"
            return replace(view, board=fact.board, lease=fact.lease if granted else "")
        case ConsoleGrew():
            others = tuple(c for c in view.consoles if c.range.console != fact.range.console)
            return replace(view, consoles=(*others, fact))
        case _:
            return view  # those of deployments and stacks do not stand in a session's journal


def _apply_talk(view: RunView, fact: Noted | Asked | Answered) -> RunView:
    match fact:
        case Noted():
            return replace(view, notes=_add(view.notes, fact.text))
        case Asked():
            return replace(view, asked=_put(view.asked, fact, lambda one: one.round))
        case Answered():
            return replace(view, answered=_put(view.answered, fact, lambda one: one.round))


def _apply_life(
    view: RunView, fact: SessionMoved | StageMoved | AttemptMoved | ModelCalled
) -> RunView:
    match fact:
        case SessionMoved():
            return replace(
                view,
                stages=_stopped(view.stages) if fact.state is State.CANCELLED else view.stages,
                calls=tuple(c.broken_off() for c in view.calls) if fact.state.ended else view.calls,
                state=fact.state,
                outcome=fact.outcome,
                evidence=fact.evidence or view.evidence,
                message=fact.message,
            )
        case StageMoved():
            return replace(view, stages=_put(view.stages, fact, lambda one: one.stage))
        case ModelCalled():
            return _called(view, fact)
        case AttemptMoved():
            fact = _with_reason(view, fact)
            moved = replace(view, attempts=_put(view.attempts, fact, lambda one: one.attempt))
            again = fact.state is State.RUNNING and fact.attempt > 1
            return _anew(moved) if again else moved


def _called(view: RunView, fact: ModelCalled) -> RunView:
    """A session asks one thing at a time: a try that was under way before another broke off."""
    others = tuple(one.broken_off() if one.call_id != fact.call_id else one for one in view.calls)
    return replace(view, calls=_put(others, fact, lambda one: one.call_id))


def _with_reason(view: RunView, fact: AttemptMoved) -> AttemptMoved:
    """An attempt begins with why it is made; when it ends it says what it found."""
    if fact.state is not State.DONE:
        return replace(fact, why=fact.message)
    begun = (one.why for one in view.attempts if one.attempt == fact.attempt)
    return replace(fact, why=next(begun, ""))


def _anew(view: RunView) -> RunView:
    """A new attempt runs the stages from the build on once more; older verdicts are past."""
    stages = tuple(
        one if one.stage is Stage.DESIGN else StageMoved(stage=one.stage, state=State.PENDING)
        for one in view.stages
    )
    return replace(view, stages=stages, scenarios=(), diagnostics=())


def _restarted(view: RunView, at_ms: int) -> RunView:
    """A board is reset when its flash is written: device time of its scenario begins then."""
    scenarios = tuple(
        replace(one, began_ms=at_ms)
        if one.outcome is Outcome.NONE and one.stage is Stage.DEPLOY
        else one
        for one in view.scenarios
    )
    return replace(view, scenarios=scenarios)


def _stopped(stages: tuple[StageMoved, ...]) -> tuple[StageMoved, ...]:
    """The stages of a session that was cancelled: what went on, goes on no more."""
    busy = (State.RUNNING, State.WAITING)
    return tuple(
        replace(one, state=State.CANCELLED) if one.state in busy else one for one in stages
    )


def _apply_scenario(
    view: RunView, event: Event, fact: ScenarioBegan | AssertionDecided | ScenarioEnded
) -> RunView:
    old = _find_scenario(view, fact.scenario_id, fact.runner)
    match fact:
        case ScenarioBegan():
            new = ScenarioView(
                scenario_id=fact.scenario_id,
                title=fact.title,
                runner=fact.runner,
                stage=event.stage,
                device_ms=fact.device_ms,
                began_ms=event.time_ms,
                assertions=tuple(Assertion(assertion_id=name) for name in fact.assertion_ids),
            )
        case AssertionDecided():
            old = old or _unannounced(event, fact.scenario_id, fact.runner)
            decided = _put(old.assertions, fact.assertion, lambda one: one.assertion_id)
            new = replace(old, assertions=decided)
        case ScenarioEnded():
            old = old or _unannounced(event, fact.scenario_id, fact.runner)
            new = replace(
                old,
                title=fact.title or old.title,
                outcome=fact.outcome,
                evidence=fact.evidence,
                message=fact.message,
                device_ms=fact.device_ms or old.device_ms,
                cached=fact.cached,
                seed=fact.seed,
                assertions=fact.assertions or old.assertions,
                console=fact.console,
            )
    return replace(
        view, scenarios=_put(view.scenarios, new, lambda one: (one.scenario_id, one.runner))
    )


def _find_scenario(view: RunView, scenario_id: str, runner: str) -> ScenarioView | None:
    found = (s for s in view.scenarios if (s.scenario_id, s.runner) == (scenario_id, runner))
    return next(found, None)


def _unannounced(event: Event, scenario_id: str, runner: str) -> ScenarioView:
    return ScenarioView(
        scenario_id=scenario_id,
        title=scenario_id,
        runner=runner,
        stage=event.stage,
        began_ms=event.time_ms,
    )


def _apply_flash(view: RunView, fact: FlashMoved | FlashAdvanced) -> RunView:
    known = next((f for f in view.flashes if f.command_id == fact.command_id), None)
    flash = known or FlashView(command_id=fact.command_id, board=fact.board, image=fact.image)
    match fact:
        case FlashAdvanced():
            if flash.outcome is not Outcome.NONE:
                return view
            flash = replace(flash, phase=fact.phase, fraction=min(max(fact.fraction, 0.0), 1.0))
        case FlashMoved():
            flash = replace(
                flash,
                image=fact.image or flash.image,
                reason=fact.reason or flash.reason,
                outcome=fact.outcome,
                message=fact.message,
                sectors_erased=fact.sectors_erased,
                sectors_skipped=fact.sectors_skipped,
                bytes_programmed=fact.bytes_programmed,
            )
    return replace(view, flashes=_put(view.flashes, flash, lambda one: one.command_id))


def _put(items: tuple[_T, ...], item: _T, key: Callable[[_T], object]) -> tuple[_T, ...]:
    """Replace the item with the same key in its place, else append."""
    wanted = key(item)
    for index, one in enumerate(items):
        if key(one) == wanted:
            return (*items[:index], item, *items[index + 1 :])
    return (*items, item)


def _add(items: tuple[_T, ...], item: _T) -> tuple[_T, ...]:
    return (*items, item)[-_MAX_KEPT:]
