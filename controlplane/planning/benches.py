"""What a session may expect of the benches. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from controlplane.domain.bench import Agent, Board, BoardKind

AGENT_RETURN = timedelta(seconds=15)
"""How long an agent that is away may take to come back with a board that nobody knew before."""
_MOST_NAMES = 4
_MOST_TOLD = 3


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


def why_offline(boards: Sequence[Board], agents: Sequence[Agent]) -> str:
    """What to say when every board that matches is offline: which, since when, what to start.

    `boards` are sorted by name, so that those of an agent stand together.
    """
    known = {agent.name: agent for agent in agents}
    told: list[str] = []
    for name, group in groupby(boards, key=lambda board: f"agents/{board.agent_id}"):
        agent = known[name]
        of_agent = list(group)
        told += [_gone(agent, b) for b in of_agent] if agent.online else [_away(agent, of_agent)]
    more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    return f"every board that matches is offline: {'; '.join(told[:_MOST_TOLD] + more)}"


def _away(agent: Agent, boards: Sequence[Board]) -> str:
    names = [board.board_id for board in boards[:_MOST_NAMES]]
    more = [f"{len(boards) - _MOST_NAMES} more"] if len(boards) > _MOST_NAMES else []
    start = "start it there with `benchline agent run`"
    if all(board.kind is BoardKind.VIRTUAL for board in boards):
        start += ", or `benchline up` if it is the virtual bench of a local instance"
    since = _minute(agent.last_seen_time)
    return f"{', '.join(names + more)}: {_whose(agent)} is away since {since} ({start})"


def _gone(agent: Agent, board: Board) -> str:
    back = "plug it in there"
    if board.kind is BoardKind.VIRTUAL:
        wish = f'BENCHLINE_VIRTUAL_BOARDS="{board.board_id}:{board.model}"'
        back = f"start it: `benchline down`, then `{wish} benchline up`"
    seen = _minute(board.last_seen_time)
    return f"{board.board_id}: {_whose(agent)} had it last at {seen} ({back})"


def _whose(agent: Agent) -> str:
    name = agent.name.rpartition("/")[2]
    return f"agent {name} on {agent.host}" if agent.host else f"agent {name}"


def _minute(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "an unknown time"


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
