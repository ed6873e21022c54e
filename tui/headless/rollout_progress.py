"""Calm progress of a deployment on stderr: a line a decision, a moving line on a terminal."""

from tui.headless.status_line import StatusLine
from tui.rollout_wording import board_lines, moving_line
from tui.state import fact as f
from tui.state.rollout import RolloutView, reduce_rollout
from tui.wording import glyph, visible


def lines_for(event: f.Event, before: RolloutView, after: RolloutView) -> list[str]:
    """What one event adds to the talk. Pure."""
    fact = event.fact
    match fact:
        case f.WaveMoved():
            return [_wave(fact)]
        case f.BoardMoved():
            return _board(fact, before)
        case f.ScenarioEnded():
            message = f": {visible(fact.message)}" if fact.message else ""
            name = f"{fact.scenario_id} on {fact.runner.rpartition('/')[2]}"
            return [f"  {glyph(fact.outcome)} {name}: {fact.outcome.value}{message}"]
        case f.Noted():
            return [f"  note: {visible(fact.text)}"]
        case f.DeploymentMoved() if fact.state.ended:
            return [f"deployment {fact.state.value}: {visible(fact.message)}"]
        case _:
            return []


def _wave(fact: f.WaveMoved) -> str:
    head = f"wave {fact.wave} of {fact.wave_count}"
    boards = f"{fact.boards} board{'' if fact.boards == 1 else 's'}"
    match fact.state:
        case f.State.RUNNING:
            return f"▶ {head}: {boards}"
        case f.State.CANCELLED:
            return f"! {head} is not begun: {visible(fact.message)}"
        case _:
            bad = f", {fact.not_passed} not passed so far" if fact.not_passed else ""
            return f"  {head} is over{bad}"


def _board(fact: f.BoardMoved, before: RolloutView) -> list[str]:
    known = before.of(fact.board)
    if known is not None and (known.board.state, known.board.message) == (fact.state, fact.message):
        return []
    if fact.state in (f.State.PENDING, f.State.RUNNING):
        again = known is not None and known.board.state is f.State.WAITING
        return [f"  … {fact.board_id} is free"] if again else []
    return [f"  {line}" for line in board_lines(fact)]


class RolloutProgress(StatusLine):
    """Follows a deployment: folds its events and talks about them. An async context manager."""

    def __init__(self, view: RolloutView, *, plain: bool = False) -> None:
        super().__init__(plain=plain)
        self.view = view

    def status(self) -> str:
        """What moves right now."""
        return moving_line(self.view)

    def feed(self, event: f.Event) -> None:
        """Take one event."""
        before = self.view
        self.view = reduce_rollout(before, event)
        if self.view is before:
            return
        for line in lines_for(event, before, self.view):
            self.say(line)
        self.refresh()
