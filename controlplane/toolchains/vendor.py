"""Building sketches with a vendor toolchain that is installed on this machine.

PlatformIO, arduino-cli and ESP-IDF each say what they are (`VendorTool`); what they share is here:
a scratch copy of the project, a child without network that sees that copy and the tool's own
packages, and the outcome. Such firmware has no bench core: it prints no records and takes no
stimuli, so it is judged by its text. None of this was run with the real tools.
"""

import asyncio
import hashlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from controlplane.catalog.loader import load_catalogue
from controlplane.childproc.command import MIB, Command, Completed, Confinement, LimitHit, Limits
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.runner import run
from controlplane.childproc.tools import LocatedTool, Tool, ToolBrokenError, ToolTrouble, locate
from controlplane.domain.part import BoardModel
from controlplane.domain.verdict import Outcome, Severity
from controlplane.toolchains.diagnostics import read_linker_output, read_text_output
from controlplane.toolchains.elf import Segment, intel_hex
from controlplane.toolchains.esp_layout import LayoutError
from controlplane.toolchains.object_cache import key_of
from controlplane.toolchains.project import leak_findings, project_findings
from controlplane.toolchains.protocol import (
    BuildRequest,
    BuildResult,
    BuildVariant,
    Image,
    SegmentFile,
    SizeReport,
)

BUILD_SECONDS = 900.0
_TAIL = 400
_MOST_FILE_BYTES = 16 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An installed tool: `readable` is what its children see besides, `env` what they are told."""

    located: LocatedTool
    packages: str
    readable: tuple[Path, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Name and versions, for results and cache keys."""
        return f"{self.located.tool.name} {self.located.version}, {self.packages}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The private directory of one build: the project and what is made of it."""

    root: Path
    project: Path
    build: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a build made: bytes by flash offset, the ELF, and sizes as far as the tool tells."""

    pieces: Mapping[int, bytes]
    elf: bytes
    flash_used: int
    flash_limit: int
    ram_used: int = 0
    ram_limit: int = 0


class VendorTool(Protocol):
    """What one vendor toolchain says about itself."""

    key: str
    tool: Tool

    def builds(self, board: BoardModel) -> bool:
        """Whether it has a name for the board model."""
        ...

    async def find(self, board: BoardModel, confinement: Confinement) -> Found:
        """Look for the tool and its packages for the board.

        Raises:
            ToolBrokenError: MISSING when it, or what it needs for the board, is not installed.
        """
        ...

    def files(self, request: BuildRequest, board: BoardModel) -> Mapping[str, str]:
        """The whole project, by path relative to the project's directory."""
        ...

    def command(self, found: Found, board: BoardModel, place: Place, name: str) -> Command:
        """The call that builds the project `name` in `place`."""
        ...

    def collect(self, board: BoardModel, place: Place, name: str, said: str) -> Made:
        """What was made. Runs in a thread.

        Raises:
            OSError, LayoutError: it is not what the tool should have made.
        """
        ...


class VendorToolchain:
    """One vendor tool as a rung of the toolchain ladder."""

    def __init__(
        self,
        vendor: VendorTool,
        scratch: Path,
        *,
        confinement: Confinement | None = None,
        seconds: float = BUILD_SECONDS,
    ) -> None:
        self._vendor = vendor
        self._scratch = scratch
        self._confinement = confinement
        self._seconds = seconds
        self.key = vendor.key

    def builds_for(self, board_model: str) -> bool:
        """Whether the tool has a name for the board model."""
        return self._vendor.builds(load_catalogue().boards[board_model])

    async def fingerprint(self, board_model: str) -> str:
        """The versions of the tool and its packages; see `Toolchain.fingerprint`."""
        return (await self._find(load_catalogue().boards[board_model])).identity

    async def build(self, request: BuildRequest, out: Path) -> BuildResult:
        """Build the release image into `out`: there is no other; see `Toolchain.build`."""
        started = time.monotonic()
        board = load_catalogue().boards[request.board_model]
        level = self._confinement or await strongest_confinement()
        refused = project_findings(request.name, request.sources)
        if not level.hides_files:
            refused += leak_findings(request.sources)
        if refused:
            return BuildResult(outcome=Outcome.REFUSED, message="; ".join(refused))
        known = BuildResult(
            outcome=Outcome.PASSED,
            message="built",
            part=board.part,
            board_model=board.key,
            confinement=level.value,
        )
        await asyncio.to_thread(self._scratch.mkdir, parents=True, exist_ok=True)
        root = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._scratch))
        place = Place(root=root, project=root / request.name, build=root / "build")
        try:
            result = await self._build_in(place, request, board, level, known, out)
        except ToolBrokenError as error:
            message = f"{error}: {error.detail}" if error.detail else str(error)
            result = replace(
                known,
                outcome=Outcome.BROKEN,
                message=message,
                tool=error.tool,
                package=error.package,
                fix=error.fix,
            )
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, root, ignore_errors=True))
        return replace(result, wall_s=time.monotonic() - started)

    async def _find(self, board: BoardModel) -> Found:
        return await self._vendor.find(board, self._confinement or await strongest_confinement())

    async def _build_in(
        self,
        place: Place,
        request: BuildRequest,
        board: BoardModel,
        level: Confinement,
        known: BuildResult,
        out: Path,
    ) -> BuildResult:
        found = await self._find(board)
        files = self._vendor.files(request, board)
        await asyncio.to_thread(_write, place, files)
        known = replace(known, toolchain=found.identity, build_id=_build_id(found, files))
        command = self._vendor.command(found, board, place, request.name)
        ended = await self._run(command, level)
        said = (ended.stdout + ended.stderr).decode("utf-8", "replace")
        own = {source.path: source.content for source in request.sources}
        diagnostics = (*read_text_output(said, own), *read_linker_output(said.encode(), own))
        known = replace(known, diagnostics=diagnostics)
        if ended.rc != 0:
            return self._failed(ended, said, own, known)
        try:
            made = await asyncio.to_thread(self._vendor.collect, board, place, request.name, said)
            image = await asyncio.to_thread(_write_image, made, out)
        except (OSError, LayoutError) as error:
            what = "did not make what it should"
            raise ToolBrokenError(
                self._vendor.tool, ToolTrouble.GARBAGE, what, str(error)
            ) from error
        return replace(known, images={BuildVariant.RELEASE: image})

    async def _run(self, command: Command, level: Confinement) -> Completed:
        limits = Limits(
            wall_s=self._seconds,
            cpu_s=int(self._seconds * 4),
            memory_bytes=2048 * MIB,
            processes=512,
            open_files=1024,
        )
        try:
            return await run(command, limits, confinement=level)
        except OSError as error:
            what = f"could not be started ({error.strerror})"
            raise ToolBrokenError(
                self._vendor.tool, ToolTrouble.UNUSABLE, what, str(error)
            ) from error

    def _failed(
        self, ended: Completed, said: str, own: Mapping[str, str], known: BuildResult
    ) -> BuildResult:
        """The sketch's fault when the compiler says so of one of its files, else the tool's."""
        errors = [d for d in known.diagnostics if d.severity is Severity.ERROR]
        if any(found.file in own for found in errors):
            return replace(known, outcome=Outcome.FAILED, message="the sketch does not build")
        tail = said.strip()[-_TAIL:]
        if ended.limit_hit is LimitHit.WALL:
            what = (
                f"did not finish within {self._seconds:g} s; it has no network here, so all that "
                "it needs must be installed before"
            )
            raise ToolBrokenError(self._vendor.tool, ToolTrouble.HUNG, what, tail)
        what = f"ended with exit code {ended.rc}, blaming no file of the sketch"
        raise ToolBrokenError(self._vendor.tool, ToolTrouble.CRASHED, what, tail)


def read_made(path: Path) -> bytes:
    """A file that a build made, at most 16 MiB.

    Raises:
        OSError: it is not there.
        LayoutError: it is too large, or no file.
    """
    if path.is_symlink() or not path.is_file():
        raise LayoutError(f"{path.name} was not made")
    if path.stat().st_size > _MOST_FILE_BYTES:
        raise LayoutError(f"{path.name} is larger than {_MOST_FILE_BYTES >> 20} MiB")
    return path.read_bytes()


async def find_tool(
    tool: Tool, confinement: Confinement, *, readable: tuple[Path, ...] = (), env: Mapping[str, str]
) -> tuple[LocatedTool, tuple[Path, ...]]:
    """A tool on the PATH, and what a script among them needs to be seen: its interpreter.

    Raises:
        ToolBrokenError: missing or broken.
    """
    program = await asyncio.to_thread(_on_path, tool.name)
    if program is None:
        raise ToolBrokenError(tool, ToolTrouble.MISSING, "was not found")
    seen = (*readable, *await asyncio.to_thread(_interpreter_of, program))
    return await locate(tool, confinement=confinement, path=program, readable=seen, env=env), seen


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return None if found is None else Path(found).absolute()


def _interpreter_of(program: Path) -> tuple[Path, ...]:
    """The installation of the interpreter that a script's first line names."""
    with program.open("rb") as file:
        first = file.readline(512)
    if not first.startswith(b"#!"):
        return ()
    interpreter = Path(first[2:].decode("utf-8", "replace").split()[0])
    prefixes = {interpreter.parent.parent, interpreter.resolve().parent.parent}
    outside = (p for p in prefixes if p != Path("/") and not p.is_relative_to("/usr"))
    return tuple(sorted(p for p in outside if p.is_dir()))


def _write(place: Place, files: Mapping[str, str]) -> None:
    place.build.mkdir()
    for name, text in files.items():
        path = place.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")


def _build_id(found: Found, files: Mapping[str, str]) -> str:
    texts = [text for pair in sorted(files.items()) for text in pair]
    return key_of({"tool": found.identity, "files": texts})[:12]


def _write_image(made: Made, out: Path) -> Image:
    out.mkdir(parents=True, exist_ok=True)
    ordered = sorted(made.pieces.items())
    for (start, data), (following, _) in pairwise(ordered):
        if start + len(data) > following:
            raise LayoutError(f"the pieces at {start:#x} and {following:#x} overlap")
    base = out / BuildVariant.RELEASE.value
    elf, text = base.with_suffix(".elf"), base.with_suffix(".hex")
    elf.write_bytes(made.elf)
    segments = [Segment(address=start, data=data) for start, data in ordered]
    text.write_text(intel_hex(segments), encoding="ascii")
    return Image(
        variant=BuildVariant.RELEASE,
        elf=elf,
        elf_sha256=hashlib.sha256(made.elf).hexdigest(),
        hex=text,
        map=None,
        segments=tuple(_segment_file(base, segment) for segment in segments),
        size=SizeReport(
            sections=(),
            flash_used=made.flash_used,
            flash_limit=made.flash_limit,
            ram_used=made.ram_used,
            ram_limit=made.ram_limit,
        ),
        records=False,
    )


def _segment_file(base: Path, segment: Segment) -> SegmentFile:
    path = base.with_name(f"{base.name}-{segment.address:08x}.bin")
    path.write_bytes(segment.data)
    return SegmentFile(
        address=segment.address,
        size=len(segment.data),
        sha256=hashlib.sha256(segment.data).hexdigest(),
        path=path,
    )
