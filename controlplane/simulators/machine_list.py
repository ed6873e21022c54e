"""Asking a QEMU which machines it has."""

import asyncio
from pathlib import Path

from controlplane.childproc.command import Command, Confinement, Limits
from controlplane.childproc.runner import run
from controlplane.childproc.tools import LocatedTool, ToolBrokenError, ToolTrouble

MACHINE_LIST_SECONDS = 10.0

_listed: dict[tuple[Path, int], frozenset[str]] = {}


async def list_machines(tool: LocatedTool, confinement: Confinement | None) -> frozenset[str]:
    """The machines that a QEMU lists; asked once per file (path, mtime).

    Raises:
        ToolBrokenError: it cannot be started.
    """
    key = (tool.path, (await asyncio.to_thread(tool.path.stat)).st_mtime_ns)
    if key not in _listed:
        _listed[key] = await _ask(tool, confinement)
    return _listed[key]


async def _ask(tool: LocatedTool, confinement: Confinement | None) -> frozenset[str]:
    command = Command(argv=(str(tool.path), "-M", "help"), cwd=Path("/"))
    try:
        limits = Limits(wall_s=MACHINE_LIST_SECONDS)
        answer = await run(command, limits, confinement=confinement)
    except OSError as error:
        what = "could not be started"
        raise ToolBrokenError(tool.tool, ToolTrouble.UNUSABLE, what, str(error)) from error
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    return frozenset(line.split(maxsplit=1)[0] for line in lines if line.strip())
