"""What a build is asked for and what it gives back, whatever the toolchain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from controlplane.domain.build import Diagnostic, SourceFile
from controlplane.domain.verdict import Outcome


class BuildVariant(StrEnum):
    """Which image of a sketch: with BL records and stimuli, or as it ships."""

    TEST = "test"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One sketch for one board model.

    `name` is the sketch's name, `<name>.ino` one of the sources. `design_hash` is 12 lower-case
    hexadecimal digits or "none"; it comes back in the BOOT record.
    """

    name: str
    sources: tuple[SourceFile, ...]
    board_model: str
    design_hash: str = "none"
    variants: tuple[BuildVariant, ...] = (BuildVariant.TEST, BuildVariant.RELEASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionSize:
    """One allocated section of an image: address and size in bytes."""

    name: str
    address: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeReport:
    """What an image occupies, in bytes, against what the linker script gives."""

    sections: tuple[SectionSize, ...]
    flash_used: int
    flash_limit: int
    ram_used: int
    ram_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFile:
    """One contiguous piece of flash as a raw binary file."""

    address: int
    size: int
    sha256: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The files of one linked variant.

    `records` says whether it is on the bench core: an ELF whose load addresses are those of flash,
    a test build that prints records. Else the HEX file alone says what goes where.
    """

    variant: BuildVariant
    elf: Path
    elf_sha256: str
    hex: Path
    map: Path | None
    segments: tuple[SegmentFile, ...]
    size: SizeReport
    records: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """How a build ended.

    PASSED: every asked variant has an image. FAILED: the sketch is wrong, `diagnostics` say
    where. BROKEN: a tool is at fault, `tool` and `package` name it. REFUSED: the project itself
    is not acceptable (paths, sizes).
    """

    outcome: Outcome
    message: str
    build_id: str = ""
    toolchain: str = ""
    part: str = ""
    board_model: str = ""
    images: Mapping[BuildVariant, Image] = field(default_factory=dict)
    compile_commands: Path | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    confinement: str = ""
    wall_s: float = 0.0
    tool: str = ""
    package: str = ""
    fix: str = ""


class NoToolchainError(Exception):
    """Nothing that is installed builds for the board model; `fix` says what would."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


class Toolchain(Protocol):
    """One way to build sketches."""

    key: str

    def builds_for(self, board_model: str) -> bool:
        """Whether this toolchain knows the board model."""
        ...

    async def fingerprint(self, board_model: str) -> str:
        """What besides the request decides the images: compiler and core.

        Raises:
            ToolBrokenError: the compiler cannot be used.
            NoToolchainError: there is none for the board model.
        """
        ...

    async def build(self, request: BuildRequest, out: Path) -> BuildResult:
        """Build all asked variants into the directory `out`.

        Cancelling kills the compilers and leaves nothing behind.
        """
        ...
