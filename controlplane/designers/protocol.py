"""What every designer does."""

from dataclasses import dataclass
from typing import Protocol

from controlplane.domain.bench import Board
from controlplane.domain.design import Design, UnderstoodSpan
from controlplane.domain.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignRequest:
    """A wish. ``board`` is a name or selector of a board, "" lets the designer choose.

    ``bench`` are the boards that there are, for wishes that name one of them.
    """

    prompt: str
    board: str = ""
    bench: tuple[Board, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no design: all findings at once, and what was understood nevertheless."""

    findings: tuple[Finding, ...]
    understood: tuple[UnderstoodSpan, ...] = ()


class Designer(Protocol):
    """Turns a request into a whole, validated design, or refuses it whole."""

    name: str
    version: str

    async def design(self, request: DesignRequest) -> Design | Refusal:
        """Design; never half a design. Raises only when a tool or service is broken."""
