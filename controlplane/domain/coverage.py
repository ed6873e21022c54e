"""How much of a sketch a scenario reached."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRange:
    """Lines of one file of a sketch, from 1; `text` is how they begin."""

    file: str
    first: int
    last: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of a sketch one scenario reached in a simulator.

    Only lines that became code count. `unknown` says why nothing is known, "" when it is.
    """

    scenario_id: str
    runner: str
    executed: int = 0
    executable: int = 0
    never_ran: tuple[LineRange, ...] = ()
    unknown: str = ""
