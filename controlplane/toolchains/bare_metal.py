"""Building Arduino sketches on the bench core with a bare-metal GCC.

Core objects are compiled once per flags and compiler and kept by content; a sketch's objects too.
Everything is compiled with relative names in a private directory, so that the same sources give
the same bytes wherever they are built.
"""

import asyncio
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from controlplane.bench_core import manifest
from controlplane.bench_core.manifest import CorePort, Variant
from controlplane.childproc.command import Confinement
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.domain.build import Diagnostic
from controlplane.domain.verdict import Outcome
from controlplane.toolchains.compiler import (
    COMPILE_SECONDS,
    Compiler,
    SketchWrongError,
    Workplace,
    locate_compiler,
)
from controlplane.toolchains.diagnostics import read_compiler_output
from controlplane.toolchains.elf import ElfError
from controlplane.toolchains.images import write_image
from controlplane.toolchains.object_cache import ObjectCache, key_of
from controlplane.toolchains.project import leak_findings, project_findings
from controlplane.toolchains.protocol import BuildRequest, BuildResult, BuildVariant, Image
from controlplane.toolchains.sketch import SketchFile, preprocess

CORE_ROOT = Path(manifest.__file__).resolve().parent
BUILD_ID_DIGITS = 12
IDENTITY_FILE = "build_identity.cpp"
_UNIT_SUFFIXES = (".c", ".cpp")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One build under way: everything that its units share."""

    request: BuildRequest
    port: CorePort
    board: Variant
    compiler: Compiler
    place: Workplace
    core_hash: str
    build_id: str
    units: Mapping[str, str]


class BareMetalToolchain:
    """The embedded default: our bench core and the distribution's cross compiler."""

    key = "bench-core"

    def __init__(
        self,
        cache: Path,
        *,
        confinement: Confinement | None = None,
        compile_seconds: float = COMPILE_SECONDS,
    ) -> None:
        """`cache` holds objects and scratch directories; it may be shared and deleted at will."""
        self._objects = ObjectCache(cache / "objects")
        self._scratch = cache / "scratch"
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._confinement = confinement
        self._seconds = compile_seconds
        self._core_hashes: dict[str, str] = {}

    def builds_for(self, board_model: str) -> bool:
        """Whether a port of the bench core knows the board model."""
        return any(board_model in port.variants for port in manifest.PORTS.values())

    async def fingerprint(self, board_model: str) -> str:
        """What besides the request decides the images; see `Toolchain.fingerprint`."""
        port, _ = manifest.port_for_board(board_model)
        level = self._confinement or await strongest_confinement()
        compiler = await locate_compiler(port, level, seconds=self._seconds)
        return f"{compiler.identity} core {await self._core_hash(port)}"

    async def _core_hash(self, port: CorePort) -> str:
        core_hash = self._core_hashes.get(port.part)
        if core_hash is None:
            core_hash = await asyncio.to_thread(_hash_of_core, port)
            self._core_hashes[port.part] = core_hash
        return core_hash

    async def build(self, request: BuildRequest, out: Path) -> BuildResult:
        """Build all asked variants into `out`; see `Toolchain.build`."""
        started = time.monotonic()
        level = self._confinement or await strongest_confinement()
        refused = project_findings(request.name, request.sources)
        if not level.hides_files:
            refused += leak_findings(request.sources)
        if not self.builds_for(request.board_model):
            refused.append(f"no toolchain here builds for {request.board_model!r}")
        if refused:
            return BuildResult(outcome=Outcome.REFUSED, message="; ".join(refused))
        root = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._scratch))
        try:
            result = await self._build_in(root, request, out, level)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, root, ignore_errors=True))
        return replace(result, wall_s=time.monotonic() - started)

    async def _build_in(
        self, root: Path, request: BuildRequest, out: Path, level: Confinement
    ) -> BuildResult:
        port, board = manifest.port_for_board(request.board_model)
        known = BuildResult(
            outcome=Outcome.PASSED,
            message="built",
            part=port.part,
            board_model=board.board_model,
            confinement=level.value,
        )
        try:
            compiler = await locate_compiler(port, level, seconds=self._seconds)
        except ToolBrokenError as error:
            return _broken(known, error)
        job = await self._prepare(root, request, port, board, compiler)
        known = replace(known, build_id=job.build_id, toolchain=compiler.identity)
        try:
            images, diagnostics = await self._build_variants(job, out)
        except ToolBrokenError as error:
            return _broken(known, error)
        except SketchWrongError as error:
            return replace(
                known, outcome=Outcome.FAILED, message=str(error), diagnostics=error.diagnostics
            )
        commands = out / "compile_commands.json"
        commands.write_text(_compile_commands(job))
        self._objects.prune()
        return replace(known, images=images, diagnostics=diagnostics, compile_commands=commands)

    async def _prepare(
        self,
        root: Path,
        request: BuildRequest,
        port: CorePort,
        board: Variant,
        compiler: Compiler,
    ) -> _Job:
        core_hash = await self._core_hash(port)
        files = {source.path: source.content for source in request.sources}
        generated = f"{request.name}.ino.cpp"
        unit = await asyncio.to_thread(_one_unit, request)
        identity = key_of(
            {
                "compiler": compiler.identity,
                "core": core_hash,
                "flags": (
                    *_flags(port, board),
                    *port.sketch_flags,
                    *port.link_flags,
                    *port.libraries,
                ),
                "sources": [text for pair in sorted(files.items()) for text in pair],
            }
        )[:BUILD_ID_DIGITS]
        own = manifest.identity_source(
            part=port.part, build_id=identity, design_hash=request.design_hash
        )
        units = {generated: unit, IDENTITY_FILE: own}
        units |= {path: text for path, text in files.items() if path.endswith(_UNIT_SUFFIXES)}
        await asyncio.to_thread(_write_sources, root / "sketch", {**files, **units})
        return _Job(
            request=request,
            port=port,
            board=board,
            compiler=compiler,
            place=Workplace(root=root, readable=(CORE_ROOT, self._objects.directory), files=files),
            core_hash=core_hash,
            build_id=identity,
            units=units,
        )

    async def _build_variants(
        self, job: _Job, out: Path
    ) -> tuple[dict[BuildVariant, Image], tuple[Diagnostic, ...]]:
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    variant: group.create_task(self._build_variant(job, variant, out))
                    for variant in job.request.variants
                }
        except ExceptionGroup as errors:
            raise _deciding(errors) from errors
        images = {variant: task.result()[0] for variant, task in tasks.items()}
        found = [d for task in tasks.values() for d in task.result()[1]]
        return images, tuple(dict.fromkeys(found))

    async def _build_variant(
        self, job: _Job, variant: BuildVariant, out: Path
    ) -> tuple[Image, list[Diagnostic]]:
        """Compile and link one variant; the sketch goes first, its errors matter most."""
        async with asyncio.TaskGroup() as group:
            own = [
                group.create_task(self._sketch_object(job, variant, path))
                for path in sorted(job.units)
            ]
            core = [
                group.create_task(self._core_object(job, variant, source))
                for source in job.port.sources
            ]
        objects = [task.result() for task in core]
        diagnostics: list[Diagnostic] = []
        for task in own:
            path, stderr = task.result()
            objects.append(path)
            diagnostics += read_compiler_output(stderr, job.place.files).diagnostics
        elf = await self._link(job, variant, objects)
        try:
            image = await asyncio.to_thread(write_image, variant, elf, out, job.port)
        except ElfError as error:
            raise ToolBrokenError(
                job.compiler.gcc.tool, ToolTrouble.GARBAGE, f"made a bad image ({error})"
            ) from error
        return image, diagnostics

    async def _core_object(self, job: _Job, variant: BuildVariant, source: Path) -> Path:
        name = source.relative_to(CORE_ROOT).as_posix()
        flags = (*_flags(job.port, job.board, variant), *job.port.core_warning_flags)
        key = key_of(
            {
                "kind": "core",
                "core": job.core_hash,
                "compiler": job.compiler.identity,
                "flags": flags,
                "unit": name,
            }
        )
        made = Path(f"{variant}-core-{name.replace('/', '-')}.o")
        kept = self._objects.find(key)
        if kept is None:
            argv = (*flags, *_mapping(job), *_includes(job), "-c", str(source), "-o", str(made))
            stderr = await job.compiler.compile_own(argv, job.place.root / made, job.place)
            kept = self._objects.add(key, job.place.root / made, stderr)
        return _linked_in(job, made, kept.path)

    async def _sketch_object(
        self, job: _Job, variant: BuildVariant, path: str
    ) -> tuple[Path, bytes]:
        ours = path == IDENTITY_FILE
        argv = _sketch_arguments(job, variant, path)
        facts = {"kind": "sketch", "core": job.core_hash, "compiler": job.compiler.identity}
        texts = {} if ours else job.place.files
        key = key_of(
            {
                **facts,
                "argv": argv,
                "unit": [path, job.units[path]],
                "files": [text for pair in sorted(texts.items()) for text in pair],
            }
        )
        made = Path(argv[-1])
        kept = self._objects.find(key)
        if kept is None:
            compile_unit = job.compiler.compile_own if ours else job.compiler.compile
            full = (*argv[:-4], *_mapping(job), *_includes(job), *argv[-4:])
            stderr = await compile_unit(full, job.place.root / made, job.place)
            kept = self._objects.add(key, job.place.root / made, stderr)
        return _linked_in(job, made, kept.path), kept.stderr

    async def _link(self, job: _Job, variant: BuildVariant, objects: Sequence[Path]) -> Path:
        port = job.port
        elf = f"{variant}.elf"
        text = "".join(job.units.values()) + "".join(job.place.files.values())
        floats = port.float_printf_flags if manifest.uses_printf(text) else ()
        argv = (
            *port.link_flags,
            *floats,
            *("-T", str(port.linker_script)),
            f"-Wl,-Map={variant}.map",
            *(str(path) for path in objects),
            *port.libraries,
            *("-o", elf),
        )
        await job.compiler.link(argv, job.place.root / elf, job.place)
        return job.place.root / elf


def _flags(
    port: CorePort, board: Variant, variant: BuildVariant = BuildVariant.RELEASE
) -> tuple[str, ...]:
    test = manifest.TEST_BUILD_FLAGS if variant is BuildVariant.TEST else ()
    return (
        *port.compile_flags,
        *port.cxx_flags,
        *board.defines,
        *test,
        "-fdiagnostics-format=json",
    )


def _sketch_arguments(job: _Job, variant: BuildVariant, path: str) -> tuple[str, ...]:
    flags = _flags(job.port, job.board, variant)
    if path.endswith(".c"):
        flags = tuple(flag for flag in flags if flag not in job.port.cxx_flags)
    made = f"{variant}-sketch-{path.replace('/', '-')}.o"
    return (*flags, *job.port.sketch_flags, "-c", f"sketch/{path}", "-o", made)


def _mapping(job: _Job) -> tuple[str, ...]:
    """Directories that differ between builds get fixed names in the debug information."""
    return (f"-ffile-prefix-map={job.place.root}=.", f"-ffile-prefix-map={CORE_ROOT}=bench_core")


def _includes(job: _Job) -> tuple[str, ...]:
    return ("-Isketch", *(f"-I{path}" for path in job.port.include_dirs))


def _linked_in(job: _Job, name: Path, kept: Path) -> Path:
    """A stable relative name for a kept object, so that maps do not tell where the cache is."""
    path = job.place.root / name
    path.unlink(missing_ok=True)
    path.symlink_to(kept)
    return name


def _one_unit(request: BuildRequest) -> str:
    main = f"{request.name}.ino"
    first = sorted(request.sources, key=lambda source: (source.path != main, source.path))
    return preprocess([SketchFile(name=source.path, text=source.content) for source in first])


def _write_sources(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")


def _hash_of_core(port: CorePort) -> str:
    digest = hashlib.sha256()
    for path in sorted({*port.sources, *port.headers, port.linker_script}):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(CORE_ROOT).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _compile_commands(job: _Job) -> str:
    """The compilation database of the sketch, with paths relative to the project."""
    rows = []
    for path in sorted(job.units):
        argv = _sketch_arguments(job, BuildVariant.RELEASE, path)
        driver = job.compiler.gcc if path.endswith(".c") else job.compiler.gxx
        arguments = [driver.tool.name, *argv[:-4], *_includes(job), *argv[-4:]]
        row = {"directory": ".", "file": f"sketch/{path}", "arguments": arguments}
        rows.append(row)
    return json.dumps(rows, indent=1) + "\n"


def _broken(known: BuildResult, error: ToolBrokenError) -> BuildResult:
    message = f"{error}: {error.detail}" if error.detail else str(error)
    return replace(
        known, outcome=Outcome.BROKEN, message=message, tool=error.tool, package=error.package
    )


def _deciding(errors: ExceptionGroup[Exception]) -> Exception:
    """The one failure that decides: a broken tool hides everything, then the sketch's first."""
    leaves: list[Exception] = []
    pending: list[Exception] = [errors]
    while pending:
        error = pending.pop(0)
        if isinstance(error, ExceptionGroup):
            pending += error.exceptions
        else:
            leaves.append(error)
    for kind in (ToolBrokenError, SketchWrongError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]
