"""What every firmware author does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from controlplane.domain.build import SourceFile
from controlplane.domain.design import Design
from controlplane.domain.event import Fact
from controlplane.domain.finding import Finding
from controlplane.domain.model_call import Turn


async def tell_nobody(fact: Fact) -> None:
    """The listener of those who do not listen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What went before: on whose account an author spends, and the conversation so far.

    A repair is written by the turns of the project before it, and a user's turn with the evidence
    behind them: ``History(turns=(*project.turns, Turn(Role.USER, evidence)))``. Turns are only
    appended to. ``model`` and ``effort`` replace the configured ones where they are not "";
    ``ceiling_micro_usd`` is what the account may spend at most, 0 for no limit of its own.
    """

    session_id: str = ""
    attempt: int = 1
    ceiling_micro_usd: int = 0
    turns: tuple[Turn, ...] = ()
    model: str = ""
    effort: str = ""
    tell: Callable[[Fact], Awaitable[None]] = tell_nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProject:
    """A sketch project; paths are relative to its folder, which is called ``name``.

    The files are ``<name>.ino``, perhaps further sources, ``design.json`` and
    ``scenarios/<id>.yaml``. ``turns`` is the whole conversation that led to it.
    """

    name: str
    files: tuple[SourceFile, ...]
    turns: tuple[Turn, ...] = ()

    @property
    def sketch(self) -> SourceFile:
        """The main sketch file."""
        return next(file for file in self.files if file.path == f"{self.name}.ino")

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        """The files that a toolchain compiles."""
        code = (".ino", ".h", ".hpp", ".cpp", ".c")
        return tuple(file for file in self.files if file.path.endswith(code))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotWritten:
    """Why there are no sources; ``turns`` as for a project."""

    findings: tuple[Finding, ...]
    turns: tuple[Turn, ...] = ()


NO_HISTORY = History()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stronger:
    """What an author can turn to once, where it made no progress; "" is what it has already."""

    model: str = ""
    effort: str = ""

    def __str__(self) -> str:
        """Name it for people."""
        named = self.model or "the same model"
        return f"{named} with effort {self.effort}" if self.effort else named


class FirmwareAuthor(Protocol):
    """Writes the sources of a design."""

    name: str
    version: str
    repairs: bool
    """Whether it can do something with the evidence of a failure."""

    @property
    def stronger(self) -> Stronger | None:
        """What it can turn to where a repair had no effect."""
        ...

    async def write(
        self, design: Design, history: History = NO_HISTORY
    ) -> SourceProject | NotWritten:
        """Write the project, or say why not. Raises only when a tool or service is broken."""
