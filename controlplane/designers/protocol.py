"""What every designer does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from controlplane.domain.bench import Board
from controlplane.domain.design import Design, UnderstoodSpan
from controlplane.domain.event import Fact
from controlplane.domain.finding import Finding
from controlplane.domain.question import Answered, Question


async def tell_nobody(fact: Fact) -> None:
    """The listener of those who do not listen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignRequest:
    """A wish. ``board`` is a name or selector of a board, "" lets the designer choose.

    ``bench`` are the boards that there are, for wishes that name one of them. ``session_id`` and
    ``attempt`` say on whose account a designer spends ("": nobody's), ``ceiling_micro_usd`` how
    much at most (0: no limit of its own); ``tell`` hears what happens.
    ``answers`` are what a person said to questions of earlier refusals, round by round.
    """

    prompt: str
    board: str = ""
    bench: tuple[Board, ...] = ()
    session_id: str = ""
    attempt: int = 1
    ceiling_micro_usd: int = 0
    tell: Callable[[Fact], Awaitable[None]] = tell_nobody
    answers: tuple[tuple[Answered, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no design: all findings at once, and what was understood nevertheless.

    ``questions`` are there when answers to them may settle it all.
    """

    findings: tuple[Finding, ...]
    understood: tuple[UnderstoodSpan, ...] = ()
    questions: tuple[Question, ...] = ()


class Designer(Protocol):
    """Turns a request into a whole, validated design, or refuses it whole."""

    name: str
    version: str

    async def design(self, request: DesignRequest) -> Design | Refusal:
        """Design; never half a design. Raises only when a tool or service is broken."""
