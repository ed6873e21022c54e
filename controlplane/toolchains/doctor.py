"""Whether the tools that builds need are here, and what to do when not."""

import shutil
from dataclasses import dataclass

from controlplane.bench_core.manifest import PORTS, CorePort
from controlplane.childproc.command import Confinement
from controlplane.childproc.confinement import ConfinementMissingError, strongest_confinement
from controlplane.childproc.tools import ToolBrokenError
from controlplane.toolchains.compiler import locate_compiler


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: `fix` says what to type when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


async def checks() -> list[Check]:
    """Look at the confinement and at each port's compiler and C library."""
    try:
        level = await strongest_confinement()
    except ConfinementMissingError as error:
        return [Check(name="confinement", ok=False, detail=str(error), fix=str(error))]
    found = [_confinement(level)]
    # Parts of one family share their compiler.
    for port in {port.compiler_prefix: port for port in PORTS.values()}.values():
        found += await _compiler(port, level)
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


def _failed(name: str, error: ToolBrokenError) -> Check:
    return Check(name=name, ok=False, detail=str(error), fix=error.fix)
