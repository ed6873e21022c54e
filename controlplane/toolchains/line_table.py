"""From addresses of an image back to the lines of its sketch: what the compiler wrote down.

The pieces of a preprocessed sketch carry `#line`, so that lines are those of the author's files.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from controlplane.bench_core.manifest import CorePort
from controlplane.childproc.command import MIB, Command, Confinement, LimitHit, Limits
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.runner import run
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble, locate

_SECONDS = 20.0
_VERSION = r"GNU objdump \([^)]*\) ([0-9][0-9.]*)"
_FILE = re.compile(r"(?:CU: )?(\S.*?):(?:\[\+\+\])?")
_ROW = re.compile(r".*?\s(\d{1,7}|-)\s+(?:0x([0-9a-f]{1,8})|0)(?:\s.*)?")
_PLACES = ("./", "sketch/")
"""Where a build keeps the files of a sketch, and how `#line` names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """The code at [start, end) came from one line of a file of the sketch."""

    file: str
    line: int
    start: int
    end: int


def read_line_table(text: str, files: Collection[str]) -> tuple[CodeRow, ...]:
    """The rows of `files` in the output of `objdump -w --dwarf=decodedline`.

    Code that the linker left out stands at address 0 and is none.
    """
    return tuple(row for row in _rows(text) if row.file in files)


def _rows(text: str) -> Iterator[CodeRow]:
    file, open_file, open_line, at = "", "", 0, -1
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        if row is None:
            named = _FILE.fullmatch(line)
            file = _plain(named[1]) if named else file
            continue
        address = int(row[2] or "0", 16)
        if at > 0 and address > at:
            yield CodeRow(file=open_file, line=open_line, start=at, end=address)
        if row[1] == "-":
            at = -1
            continue
        if at < 0 and address == 0:
            at = 0  # a function that was left out, until the end of its sequence
        elif at != 0:
            open_file, open_line, at = file, int(row[1]), address


def _plain(path: str) -> str:
    for place in _PLACES:
        path = path.removeprefix(place)
    return PurePosixPath(path).as_posix()


async def line_table(
    port: CorePort, image: Path, files: Collection[str], confinement: Confinement | None = None
) -> tuple[CodeRow, ...]:
    """The rows of `files` in the ELF file `image`.

    Raises:
        ToolBrokenError: objdump is missing or cannot read it.
    """
    level = confinement or await strongest_confinement()
    tool = Tool(
        name=f"{port.compiler_prefix}objdump",
        package=port.apt_packages[0].replace("gcc", "binutils"),
        version_pattern=_VERSION,
    )
    found = await locate(tool, confinement=level)
    limits = Limits(wall_s=_SECONDS, cpu_s=int(_SECONDS), output_bytes=32 * MIB)
    command = Command(
        argv=(str(found.path), "-w", "--dwarf=decodedline", str(image)),
        cwd=image.parent,
        read_only=(image,),
    )
    try:
        answer = await run(command, limits, confinement=level)
    except OSError as error:
        what = "could not be started"
        raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, what, str(error)) from error
    if answer.rc != 0 or answer.truncated or answer.limit_hit is not LimitHit.NONE:
        detail = answer.stderr.decode("utf-8", "replace")
        raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, "cannot read the line table", detail)
    return read_line_table(answer.stdout.decode("utf-8", "replace"), files)
