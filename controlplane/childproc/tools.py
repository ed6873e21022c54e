"""Finding the programs that this product starts, and saying what is wrong with them."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import re2

from controlplane.childproc.command import Command, Completed, Confinement, Limits
from controlplane.childproc.runner import run

VERSION_SECONDS = 5.0
DETAIL_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program, the package that brings it, and how it tells its version.

    `version_pattern` is searched in the output of `version_args`; its first group is the version.
    `fix` is what to type to get it; by default the package is Debian's.
    """

    name: str
    package: str
    version_pattern: str
    version_args: tuple[str, ...] = ("--version",)
    fix: str = ""

    @property
    def install(self) -> str:
        """What to type to install it."""
        return self.fix or f"apt install {self.package}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedTool:
    """A tool that answered: where it is and which version it says it is."""

    tool: Tool
    path: Path
    version: str


class ToolTrouble(StrEnum):
    """Why a tool cannot be used."""

    MISSING = "missing"
    NOT_EXECUTABLE = "not-executable"
    HUNG = "hung"
    GARBAGE = "garbage"
    CRASHED = "crashed"
    UNUSABLE = "unusable"


class ToolBrokenError(Exception):
    """A tool of this machine is at fault, not the operator's firmware.

    The message says which tool, what it did, and which package to install again.
    """

    def __init__(self, tool: Tool, trouble: ToolTrouble, what: str, detail: str = "") -> None:
        verb = "install" if trouble is ToolTrouble.MISSING else "reinstall"
        super().__init__(f"{tool.name} {what}; {verb} the package {tool.package} ({tool.install})")
        self.tool = tool.name
        self.package = tool.package
        self.fix = tool.install
        self.trouble = trouble
        self.detail = detail[:DETAIL_CHARACTERS]


_located: dict[tuple[str, Path, int, int], LocatedTool] = {}


async def locate(
    tool: Tool,
    *,
    confinement: Confinement | None = None,
    path: Path | None = None,
    readable: tuple[Path, ...] = (),
    env: Mapping[str, str] | None = None,
) -> LocatedTool:
    """The tool on the current PATH, or at `path`, asked for its version.

    `readable` is what it needs to see for that besides its own installation, `env` what it is told.
    PATH is searched at each call; the version is asked once per file (path, mtime, size).

    Raises:
        ToolBrokenError: missing, not executable, silent for 5 s, or not telling a version.
    """
    path = path or _search(tool)
    facts = await asyncio.to_thread(path.stat)
    key = (tool.name, path, facts.st_mtime_ns, facts.st_size)
    if key not in _located:
        command = Command(
            argv=(str(path), *tool.version_args), cwd=Path("/"), read_only=readable, env=env or {}
        )
        version = await _version(tool, command, confinement)
        _located[key] = LocatedTool(tool=tool, path=path, version=version)
    return _located[key]


def _search(tool: Tool) -> Path:
    found = shutil.which(tool.name)
    if found is not None:
        return Path(found).absolute()
    for directory in os.get_exec_path():
        candidate = Path(directory) / tool.name
        if candidate.exists():
            raise ToolBrokenError(
                tool, ToolTrouble.NOT_EXECUTABLE, f"({candidate}) is not executable"
            )
    raise ToolBrokenError(tool, ToolTrouble.MISSING, "was not found")


async def _version(tool: Tool, command: Command, confinement: Confinement | None) -> str:
    limits = Limits(wall_s=VERSION_SECONDS, cpu_s=int(VERSION_SECONDS), output_bytes=65536)
    asked = " ".join(tool.version_args)
    try:
        answer = await run(command, limits, confinement=confinement)
    except OSError as error:
        raise ToolBrokenError(
            tool, ToolTrouble.UNUSABLE, f"could not be started ({error.strerror})", str(error)
        ) from error
    return _version_in(tool, asked, answer)


def _version_in(tool: Tool, asked: str, answer: Completed) -> str:
    text = (answer.stdout + answer.stderr).decode("utf-8", "replace")
    if answer.limit_hit != "none":
        raise ToolBrokenError(
            tool, ToolTrouble.HUNG, f"did not answer {asked} within {VERSION_SECONDS:g} s", text
        )
    if answer.rc != 0:
        ending = f"signal {-answer.rc}" if answer.rc < 0 else f"exit code {answer.rc}"
        raise ToolBrokenError(tool, ToolTrouble.CRASHED, f"ended {asked} with {ending}", text)
    match = re2.search(tool.version_pattern, text)
    if match is None:
        raise ToolBrokenError(
            tool, ToolTrouble.GARBAGE, f"did not tell a version when asked {asked}", text
        )
    return str(match.group(1))
