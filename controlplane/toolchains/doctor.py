"""Whether the tools that builds and simulations need are here, and what to do when not."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from controlplane.bench_core.manifest import PORTS, CorePort
from controlplane.childproc.command import Command, Confinement, Limits
from controlplane.childproc.confinement import ConfinementMissingError, strongest_confinement
from controlplane.childproc.runner import run
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble, locate
from controlplane.toolchains.compiler import locate_compiler

MACHINE_LIST_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: `fix` says what to type when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


async def checks(simulator: Tool, machine: str) -> list[Check]:
    """Look at the confinement, each port's compiler and C library, and the simulator.

    `simulator` must list `machine` when asked `-machine help`.
    """
    try:
        level = await strongest_confinement()
    except ConfinementMissingError as error:
        return [Check(name="confinement", ok=False, detail=str(error), fix=str(error))]
    found = [_confinement(level)]
    # Parts of one family share their compiler.
    for port in {port.compiler_prefix: port for port in PORTS.values()}.values():
        found += await _compiler(port, level)
    found.append(await _simulator(simulator, machine, level))
    return found


def _confinement(level: Confinement) -> Check:
    if level.hides_files:
        return Check(name="confinement", ok=True, detail=level.value)
    return Check(
        name="confinement",
        ok=False,
        detail=f"{level.value}: compilers and simulators can see this user's files",
        fix=(
            "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
            if shutil.which("bwrap")
            else "apt install bubblewrap"
        ),
    )


async def _compiler(port: CorePort, level: Confinement) -> list[Check]:
    try:
        compiler = await locate_compiler(port, level)
    except ToolBrokenError as error:
        return [_failed("compiler", error)]
    good = Check(name="compiler", ok=True, detail=compiler.identity)
    try:
        await compiler.canary()
    except ToolBrokenError as error:
        return [good, _failed(port.libc, error)]
    return [good, Check(name=port.libc, ok=True, detail=f"a file for {port.part} compiles")]


async def _simulator(tool: Tool, machine: str, level: Confinement) -> Check:
    try:
        found = await locate(tool, confinement=level)
        command = Command(argv=(str(found.path), "-machine", "help"), cwd=Path("/"))
        limits = Limits(wall_s=MACHINE_LIST_SECONDS)
        answer = await run(command, limits, confinement=level)
    except ToolBrokenError as error:
        return _failed("simulator", error)
    names = {
        line.split(maxsplit=1)[0]
        for line in answer.stdout.decode("utf-8", "replace").splitlines()
        if line
    }
    if machine not in names:
        what = f"{found.version} has no machine {machine}"
        return _failed("simulator", ToolBrokenError(tool, ToolTrouble.UNUSABLE, what))
    detail = f"{tool.name} {found.version}, machine {machine}"
    return Check(name="simulator", ok=True, detail=detail)


def _failed(name: str, error: ToolBrokenError) -> Check:
    return Check(name=name, ok=False, detail=str(error), fix=f"apt install {error.package}")
