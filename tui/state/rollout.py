"""One deployment as a screen shows it: a pure fold over its events."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tui.state.fact import (
    AssertionDecided,
    BoardMoved,
    DeploymentMoved,
    Event,
    FlashAdvanced,
    FlashMoved,
    Noted,
    Outcome,
    ScenarioBegan,
    ScenarioEnded,
    State,
    WaveMoved,
)

_MAX_NOTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """One board of a deployment: how it stands, and how far its write or its scenario is."""

    board: BoardMoved
    phase: str = ""
    fraction: float = 0.0
    scenario: str = ""
    checks: int = 0
    bad_checks: int = 0

    @property
    def not_passed(self) -> bool:
        """It is over and did not pass, so that it may be done again."""
        return self.board.state.ended and self.board.outcome is not Outcome.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """Everything known of one deployment. Boards are in the order of waves and names."""

    name: str
    state: State = State.UNKNOWN
    outcome: Outcome = Outcome.NONE
    message: str = ""
    wave: int = 0
    wave_count: int = 0
    wave_note: str = ""
    boards: tuple[BoardView, ...] = ()
    notes: tuple[str, ...] = ()
    last_sequence: int = 0
    missed: bool = False

    @property
    def deployment_id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    def of(self, board: str) -> BoardView | None:
        """A board by its full name or by the last part of it."""
        return next((b for b in self.boards if board in (b.board.board, b.board.board_id)), None)

    @property
    def not_passed(self) -> tuple[BoardView, ...]:
        """Boards that are over and did not pass."""
        return tuple(board for board in self.boards if board.not_passed)


def reduce_rollout(view: RolloutView, event: Event) -> RolloutView:
    """The deployment after one more event. An event that was seen before changes nothing.

    A jump in the sequence is never hidden: it sets ``missed``.
    """
    if event.sequence <= view.last_sequence:
        return view
    missed = view.missed or event.sequence != view.last_sequence + 1
    return replace(_apply(view, event), last_sequence=event.sequence, missed=missed)


def reduce_rollouts(view: RolloutView, events: Iterable[Event]) -> RolloutView:
    """Fold many events."""
    for event in events:
        view = reduce_rollout(view, event)
    return view


def _apply(view: RolloutView, event: Event) -> RolloutView:
    fact = event.fact
    match fact:
        case DeploymentMoved():
            return replace(view, state=fact.state, outcome=fact.outcome, message=fact.message)
        case WaveMoved():
            return replace(
                view,
                wave=view.wave if fact.state is State.CANCELLED else max(view.wave, fact.wave),
                wave_count=fact.wave_count,
                wave_note=fact.message,
            )
        case BoardMoved():
            return _with_board(view, fact)
        case FlashMoved():
            begun = fact.outcome is Outcome.NONE
            return _changed(
                view, fact.board, phase="begins" if begun else "", fraction=0.0, scenario=""
            )
        case FlashAdvanced():
            return _changed(view, fact.board, phase=fact.phase, fraction=fact.fraction)
        case ScenarioBegan():
            return _changed(view, fact.runner, scenario=fact.scenario_id, phase="")
        case AssertionDecided():
            return _with_check(view, fact)
        case ScenarioEnded():
            return _changed(view, fact.runner, scenario="")
        case Noted():
            return replace(view, notes=(*view.notes, fact.text)[-_MAX_NOTES:])
        case _:
            return view


def _with_board(view: RolloutView, moved: BoardMoved) -> RolloutView:
    known = view.of(moved.board)
    if known is None:
        boards = sorted((*view.boards, BoardView(board=moved)), key=_place)
        waves = max(view.wave_count, moved.wave)
        return replace(view, boards=tuple(boards), wave_count=waves)
    fresh = replace(known, board=moved)
    if moved.state.ended:
        fresh = replace(fresh, phase="", fraction=0.0, scenario="")
    return _swapped(view, known, fresh)


def _place(board: BoardView) -> tuple[bool, int, str]:
    """By wave and name; boards that were refused beforehand come last."""
    return board.board.wave == 0, board.board.wave, board.board.board


def _changed(view: RolloutView, board: str, **changes: object) -> RolloutView:
    known = view.of(board)
    if known is None:
        return view
    return _swapped(view, known, replace(known, **changes))  # type: ignore[arg-type]  # fields


def _with_check(view: RolloutView, fact: AssertionDecided) -> RolloutView:
    known = view.of(fact.runner)
    if known is None:
        return view
    bad = fact.assertion.outcome in (Outcome.FAILED, Outcome.BROKEN)
    return _changed(
        view, fact.runner, checks=known.checks + 1, bad_checks=known.bad_checks + int(bad)
    )


def _swapped(view: RolloutView, known: BoardView, fresh: BoardView) -> RolloutView:
    return replace(view, boards=tuple(fresh if b is known else b for b in view.boards))
