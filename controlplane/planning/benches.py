"""What a session may expect of the benches. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from controlplane.domain.bench import Agent, Board, BoardKind

AGENT_RETURN = timedelta(seconds=15)
"""How long an agent that is away may take to come back with a board that nobody knew before."""


def patience(
    matching: Sequence[Board], agents: Sequence[Agent], board_wait: timedelta
) -> timedelta:
    """How long to wait for a board: 0 when none that matches can come.

    Boards that are held, away or faulty are waited for. Where no bench ever had a board that
    matches, only an agent that is away, or the first one of all, can bring one.
    """
    if matching:
        return board_wait
    if agents and all(agent.online for agent in agents):
        return timedelta(0)
    return min(board_wait, AGENT_RETURN)


def why_not_injected(board: Board) -> str:
    """Why no scenario may inject inputs on a board; empty where one may."""
    if board.kind is not BoardKind.PHYSICAL:
        return ""
    return (
        f"{board.board_id} is a physical board; scenarios with injected inputs are run on "
        "virtual boards only until its owner can allow them"
    )


def absence(model: str, bench: Sequence[Board]) -> str:
    """What a designer's session is told when no bench has such a board."""
    models = ", ".join(sorted({board.model for board in bench if board.model}))
    has = f"the benches have {models}" if models else "no bench is connected yet"
    return (
        f"no bench has a board that fits {model} ({has}): DEPLOY cannot be done without one; "
        "--until simulate ends before it"
    )
