"""The flash tools that this agent knows, and the flashers that drive them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchagent.flashers.esptool import EsptoolFlasher
from benchagent.flashers.protocol import Flasher
from benchagent.flashers.pyocd import PyocdFlasher


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A flash tool: what boards call it, the package that must be importable, its flasher."""

    name: str
    package: str
    flasher: Callable[[Path], Flasher]
    """Makes it; the path is where it may keep locks."""
    families: tuple[str, ...] = ()
    """Families of whose boards it can write any, so that it may stand in for another tool."""


TOOLS = (
    Tool(
        name="pyocd",
        package="pyocd",
        families=("stm32",),
        flasher=lambda folder: PyocdFlasher(state_dir=folder),
    ),
    Tool(
        name="esptool",
        package="esptool",
        families=("esp32",),
        flasher=lambda folder: EsptoolFlasher(state_dir=folder),
    ),
)


class Flashers:
    """One flasher for each tool. None of them starts a process before it is used."""

    def __init__(self, folder: Path) -> None:
        self._flashers = {tool.name: tool.flasher(folder) for tool in TOOLS}

    def of(self, tool: str) -> Flasher | None:
        """The flasher of a tool; None for one that nobody here knows."""
        return self._flashers.get(tool)

    def others_for(self, family: str, but: str) -> tuple[str, ...]:
        """Tools that can write parts of a family too, besides the one that usually does."""
        return tuple(
            tool.name
            for tool in TOOLS
            if family in tool.families and tool.name != but and tool.name in self.usable
        )

    def __str__(self) -> str:
        """The tools by name, for people."""
        return ", ".join(self._flashers)

    @property
    def usable(self) -> tuple[str, ...]:
        """Tools whose package is installed here."""
        return tuple(tool.name for tool in TOOLS if find_spec(tool.package) is not None)

    def close(self) -> None:
        """Give back what they keep between operations."""
        for flasher in self._flashers.values():
            flasher.close()
