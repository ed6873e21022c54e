"""What every firmware author does."""

from dataclasses import dataclass
from typing import Protocol

from controlplane.domain.build import SourceFile
from controlplane.domain.design import Design


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProject:
    """A sketch project; paths are relative to its folder, which is called ``name``.

    The files are ``<name>.ino``, ``design.json`` and ``scenarios/<id>.yaml``.
    """

    name: str
    files: tuple[SourceFile, ...]

    @property
    def sketch(self) -> SourceFile:
        """The main sketch file."""
        return next(file for file in self.files if file.path == f"{self.name}.ino")

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        """The files that a toolchain compiles."""
        code = (".ino", ".h", ".hpp", ".cpp", ".c")
        return tuple(file for file in self.files if file.path.endswith(code))


class FirmwareAuthor(Protocol):
    """Writes the sources of a design."""

    name: str
    version: str

    async def write(self, design: Design) -> SourceProject:
        """Write the project. Raises only when a tool or service is broken."""
