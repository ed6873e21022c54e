"""Whether the tools that builds need are here, and what to do when not."""

import shutil
from collections.abc import Sequence

from controlplane.bench_core.manifest import PORTS, CorePort
from controlplane.catalog.loader import load_catalogue
from controlplane.childproc.command import Confinement
from controlplane.childproc.confinement import ConfinementMissingError, strongest_confinement
from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.domain.check import Check
from controlplane.toolchains.compiler import locate_compiler
from controlplane.toolchains.vendor import VendorToolchain


async def checks(vendors: Sequence[VendorToolchain] = ()) -> list[Check]:
    """Look at the confinement, each port's compiler and C library, and the vendors' toolchains."""
    try:
        level = await strongest_confinement()
    except ConfinementMissingError as error:
        return [Check(name="confinement", ok=False, detail=str(error), fix=str(error))]
    found = [_confinement(level)]
    # Parts of one family share their compiler.
    for port in {port.compiler_prefix: port for port in PORTS.values()}.values():
        found += await _compiler(port, level)
    return [*found, *[await _vendor(toolchain) for toolchain in vendors]]


async def _vendor(toolchain: VendorToolchain) -> Check:
    """A vendor's toolchain: that it is not installed is no fault."""
    models = [key for key in load_catalogue().boards if toolchain.builds_for(key)]
    unported = [key for key in models if all(key not in port.variants for port in PORTS.values())]
    found, missing = [], ""
    for model in unported:
        try:
            found.append(f"{model}: {await toolchain.fingerprint(model)}")
        except ToolBrokenError as error:
            if error.trouble is not ToolTrouble.MISSING:
                return _failed(toolchain.key, error)
            missing = missing or f"not installed, for {', '.join(unported)}: {error.fix}"
    detail = "; ".join(found) or missing
    return Check(name=toolchain.key, ok=True, detail=f"{detail} (not run with the real tool)")


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
