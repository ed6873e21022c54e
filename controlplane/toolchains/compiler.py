"""One GCC cross compiler as confined children, and whose fault it is when it fails."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controlplane.bench_core.manifest import CorePort
from controlplane.childproc.command import MIB, Command, Completed, Confinement, LimitHit, Limits
from controlplane.childproc.runner import run
from controlplane.childproc.tools import (
    LocatedTool,
    Tool,
    ToolBrokenError,
    ToolTrouble,
    locate,
)
from controlplane.domain.build import Diagnostic
from controlplane.domain.verdict import Severity
from controlplane.toolchains.diagnostics import (
    limit_named,
    read_compiler_output,
    read_linker_output,
)

COMPILE_SECONDS = 60.0
COMPILE_MEMORY = 1024 * MIB
CANARY_SECONDS = 15.0
CANARY = """#include <stdint.h>
#include <string.h>
uint32_t canary(const char *text) { return strlen(text); }
"""
_GCC_VERSION = r"(?s)\A[^\n]*\bgcc\b[^\n]*\)\s+([0-9]+\.[0-9]+\.[0-9]+).*Free Software Foundation"
_GXX_VERSION = r"(?s)\A[^\n]*g\+\+[^\n]*\)\s+([0-9]+\.[0-9]+\.[0-9]+).*Free Software Foundation"
_ELF_MAGIC = b"\x7fELF"


class SketchWrongError(Exception):
    """The operator's source does not build; the diagnostics say where."""

    def __init__(self, message: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The private directory of one build and what its children may read besides."""

    root: Path
    readable: tuple[Path, ...]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """The located programs of one toolchain; at most one child a CPU runs at a time."""

    gcc: LocatedTool
    gxx: LocatedTool
    libc: Tool
    libc_specs: str
    slots: asyncio.Semaphore
    confinement: Confinement
    canary_flags: tuple[str, ...]
    seconds: float = COMPILE_SECONDS

    @property
    def identity(self) -> str:
        """Name and version, for results and cache keys."""
        return f"{self.gcc.tool.name} {self.gcc.version}"

    async def compile(self, argv: tuple[str, ...], made: Path, place: Workplace) -> bytes:
        """Compile one unit of the sketch into `made`; the compiler's stderr.

        Raises:
            SketchWrongError: the source is wrong, or compiling it takes too much.
            ToolBrokenError: the compiler or its library is at fault.
        """
        driver = self.gcc if argv[-3].endswith(".c") else self.gxx
        ended = await self._child(driver, argv, place)
        self._judge_crash(driver, ended)
        output = read_compiler_output(ended.stderr, place.files)
        if ended.rc == 0:
            self._check_made(driver, made, ended)
            return ended.stderr
        if ended.limit_hit is not LimitHit.NONE or limit_named(ended.stderr):
            await self.canary()
            raise SketchWrongError(
                "compiling the sketch takes too much", (self._too_much(place.files),)
            )
        in_sketch = any(found.file in place.files for found in output.diagnostics)
        missing_header = any("No such file" in found.message for found in output.diagnostics)
        if not (output.has_errors and in_sketch) or missing_header:
            await self.canary()
        diagnostics = output.diagnostics
        if not output.has_errors:
            diagnostics = (*diagnostics, _unlocated(output.rest or "the compiler gave up"))
        raise SketchWrongError("the sketch does not compile", diagnostics)

    async def compile_own(self, argv: tuple[str, ...], made: Path, place: Workplace) -> bytes:
        """Compile a source of this product, where every failure is a tool's fault.

        Raises:
            ToolBrokenError: always when it fails.
        """
        ended = await self._child(self.gxx, argv, place)
        self._judge_crash(self.gxx, ended)
        if ended.rc != 0:
            await self.canary()
            detail = ended.stderr.decode("utf-8", "replace")
            what = "cannot compile the bench core"
            if ended.limit_hit is not LimitHit.NONE:
                what += f" ({ended.limit_hit} limit)"
            raise ToolBrokenError(self.gxx.tool, ToolTrouble.UNUSABLE, what, detail)
        self._check_made(self.gxx, made, ended)
        return ended.stderr

    async def link(self, argv: tuple[str, ...], made: Path, place: Workplace) -> None:
        """Link objects into `made`.

        Raises:
            SketchWrongError: symbols are missing or doubled, or the image is too large.
            ToolBrokenError: the linker or its library is at fault.
        """
        ended = await self._child(self.gcc, argv, place)
        self._judge_crash(self.gcc, ended)
        if ended.rc == 0:
            self._check_made(self.gcc, made, ended)
            return
        diagnostics = read_linker_output(ended.stderr, place.files)
        if not diagnostics:
            detail = ended.stderr.decode("utf-8", "replace")
            if "cannot find -l" in detail or "spec" in detail:
                raise ToolBrokenError(
                    self.libc, ToolTrouble.UNUSABLE, "lacks a library that a link needs", detail
                )
            await self.canary()
            raise ToolBrokenError(self.gcc.tool, ToolTrouble.UNUSABLE, "cannot link", detail)
        raise SketchWrongError("the sketch does not link", diagnostics)

    async def canary(self) -> None:
        """Compile a tiny correct file.

        Raises:
            ToolBrokenError: that fails, so the sketch is not to blame.
        """
        root = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="benchline-canary-"))
        try:
            source, made = root / "canary.c", root / "canary.o"
            source.write_text(CANARY)
            place = Workplace(root=root, readable=(), files={})
            argv = (*self.canary_flags, "-c", source.name, "-o", made.name)
            ended = await self._child(self.gcc, argv, place, seconds=CANARY_SECONDS)
            self._judge_canary(ended, made)
        finally:
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)

    def _judge_canary(self, ended: Completed, made: Path) -> None:
        detail = ended.stderr.decode("utf-8", "replace")
        if ended.limit_hit is not LimitHit.NONE:
            what = f"did not compile a trivial file within {CANARY_SECONDS:g} s"
            raise ToolBrokenError(self.gcc.tool, ToolTrouble.HUNG, what, detail)
        if self.libc_specs in detail or "No such file or directory" in detail:
            raise ToolBrokenError(
                self.libc, ToolTrouble.MISSING, "(the C library) was not found", detail
            )
        self._judge_crash(self.gcc, ended)
        if ended.rc != 0:
            what = "cannot compile a trivial file"
            raise ToolBrokenError(self.gcc.tool, ToolTrouble.UNUSABLE, what, detail)
        self._check_made(self.gcc, made, ended)

    def _judge_crash(self, tool: LocatedTool, ended: Completed) -> None:
        if ended.limit_hit is not LimitHit.NONE or limit_named(ended.stderr):
            return
        detail = ended.stderr.decode("utf-8", "replace")
        if ended.rc < 0:
            raise ToolBrokenError(
                tool.tool, ToolTrouble.CRASHED, f"was ended by signal {-ended.rc}", detail
            )
        if "internal compiler error" in detail or "terminated program" in detail:
            what = "crashed (internal compiler error)"
            raise ToolBrokenError(tool.tool, ToolTrouble.CRASHED, what, detail)

    def _check_made(self, tool: LocatedTool, made: Path, ended: Completed) -> None:
        try:
            with made.open("rb") as file:
                good = file.read(len(_ELF_MAGIC)) == _ELF_MAGIC
        except OSError:
            good = False
        if not good:
            detail = (ended.stdout + ended.stderr).decode("utf-8", "replace")
            what = "reported success but made no object file"
            raise ToolBrokenError(tool.tool, ToolTrouble.GARBAGE, what, detail)

    def _too_much(self, files: Mapping[str, str]) -> Diagnostic:
        gib = COMPILE_MEMORY / (1024 * MIB)
        first = next(iter(files), "")
        return Diagnostic(
            file=first,
            line=0,
            column=0,
            severity=Severity.ERROR,
            message=f"compile exceeded {self.seconds:g} s / {gib:g} GiB",
        )

    async def _child(
        self,
        tool: LocatedTool,
        argv: tuple[str, ...],
        place: Workplace,
        *,
        seconds: float | None = None,
    ) -> Completed:
        wall = seconds or self.seconds
        limits = Limits(wall_s=wall, cpu_s=int(wall) + 1, memory_bytes=COMPILE_MEMORY)
        command = Command(
            argv=(str(tool.path), *argv),
            cwd=place.root,
            writable=(place.root,),
            read_only=place.readable,
            env={"PATH": f"{tool.path.parent}:/usr/bin:/bin", "SOURCE_DATE_EPOCH": "0"},
        )
        async with self.slots:
            try:
                return await run(command, limits, confinement=self.confinement)
            except OSError as error:
                raise ToolBrokenError(
                    tool.tool, ToolTrouble.UNUSABLE, "could not be started", str(error)
                ) from error


def _unlocated(text: str) -> Diagnostic:
    return Diagnostic(
        file="", line=0, column=0, severity=Severity.ERROR, message=text.strip()[:500]
    )


def compiler_tools(port: CorePort) -> tuple[Tool, Tool, Tool]:
    """The C driver, the C++ driver and the C library that a port needs."""
    compiler_package, libc_package = port.apt_packages[:2]
    return (
        Tool(
            name=f"{port.compiler_prefix}gcc",
            package=compiler_package,
            version_pattern=_GCC_VERSION,
        ),
        Tool(
            name=f"{port.compiler_prefix}g++",
            package=compiler_package,
            version_pattern=_GXX_VERSION,
        ),
        Tool(name=port.libc, package=libc_package, version_pattern=r"([0-9.]+)"),
    )


async def locate_compiler(
    port: CorePort, confinement: Confinement, *, seconds: float = COMPILE_SECONDS
) -> Compiler:
    """Find a port's compiler on the current PATH.

    Raises:
        ToolBrokenError: it is missing or does not tell its version.
    """
    gcc, gxx, libc = compiler_tools(port)
    return Compiler(
        gcc=await locate(gcc, confinement=confinement),
        gxx=await locate(gxx, confinement=confinement),
        libc=libc,
        libc_specs=port.libc_specs,
        slots=asyncio.Semaphore(os.cpu_count() or 1),
        confinement=confinement,
        canary_flags=port.compile_flags,
        seconds=seconds,
    )
