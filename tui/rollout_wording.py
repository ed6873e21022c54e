"""Words about deployments that the console and the verbs share. Pure."""

from tui.state.fact import BoardMoved, Outcome, State
from tui.state.rollout import BoardView, RolloutView
from tui.wording import bar, ending, glyph, one_line, visible

_OTHER_IMAGE = frozenset({"NO_IMAGE_FOR_PART", "IMAGE_TOO_LARGE", "SEVERAL_IMAGES_FIT"})
"""Why a board is refused that a retry, which has the same images, does not mend."""


def board_head(board: BoardMoved) -> str:
    """``✓ vf405-01  PASSED (virtual)  read back and equal``."""
    sign = glyph(board.outcome, board.state)
    stands = ending(board.state, board.outcome, board.evidence)
    reason = "" if board.outcome is Outcome.PASSED or not board.reason else f"{board.reason}: "
    tail = f"  {reason}{visible(board.message)}" if board.message or reason else ""
    return f"{sign} {board.board_id:<12} {stands}{tail}".rstrip()


def board_lines(board: BoardMoved) -> list[str]:
    """How a board stands, and what to do when it did not pass."""
    lines = [board_head(board)]
    if board.next_action:
        lines.append(f"  next: {visible(board.next_action)}")
    return lines


def board_doing(view: BoardView) -> str:
    """What a board does right now: its write, its scenario, or how it stands."""
    board = view.board
    if board.state.ended:
        if board.outcome is Outcome.PASSED:
            return visible(board.message)
        action = f" → {board.next_action}" if board.next_action else ""
        return f"{board.reason}: {visible(board.message)}{visible(action)}"
    if view.scenario:
        bad = f", {view.bad_checks} bad" if view.bad_checks else ""
        return f"{view.scenario}: {view.checks} checks{bad}"
    if view.phase:
        return f"{bar(view.fraction)} {view.phase.lower()} {round(view.fraction * 100)} %"
    if board.message:
        return visible(board.message)
    if board.state is State.RUNNING:
        return "has the board"
    return f"wave {board.wave}"


def wave_line(view: RolloutView) -> str:
    """``wave 1 of 2  ███░░░░░░░ 3 of 8 boards done, 1 not passed``."""
    to_flash = [board for board in view.boards if board.board.wave]
    done = [board for board in to_flash if board.board.state.ended]
    bad = sum(board.not_passed for board in to_flash)
    share = len(done) / len(to_flash) if to_flash else 1.0
    wave = f"wave {view.wave} of {view.wave_count}" if view.wave else "no wave was begun"
    text = f"{wave}  {bar(share)} {len(done)} of {len(to_flash)} boards done"
    if bad:
        text += f", {bad} not passed"
    if view.wave_note:
        text += f"; {view.wave_note}"
    return text


def moving_line(view: RolloutView) -> str:
    """What moves right now on one line; empty when nothing does."""
    if view.state.ended:
        return ""
    moving = [b for b in view.boards if not b.board.state.ended and (b.phase or b.scenario)]
    shown = [f"{b.board.board_id} {_short(b)}" for b in moving[:3]]
    more = f" +{len(moving) - 3}" if len(moving) > 3 else ""
    return one_line(f"    {wave_line(view)}  {'  '.join(shown)}{more}", 200) if shown else ""


def _short(view: BoardView) -> str:
    if view.scenario:
        return view.scenario
    return f"{view.phase.lower()} {round(view.fraction * 100)} %"


def rollout_ending(view: RolloutView) -> str:
    """``BROKEN: 7 of 8 boards passed; 1 BROKEN``."""
    return f"{ending(view.state, view.outcome, '')}: {view.message}".rstrip(": ")


def rollout_next(view: RolloutView) -> str:
    """What a person does after a deployment, as commands."""
    again = any(
        board.not_passed and board.board.next_action and board.board.reason not in _OTHER_IMAGE
        for board in view.boards
    )
    if not view.state.ended or not again:
        return ""
    short = view.deployment_id[:12]
    return f"next: mend what is named above, then `benchline flash --retry {short}`"
