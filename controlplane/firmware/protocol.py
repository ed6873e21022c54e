"""What every firmware author does."""

from dataclasses import dataclass
from typing import Protocol

from controlplane.domain.design import Design


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One text file of a project; ``path`` is relative, with forward slashes."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProject:
    """A sketch project: ``<name>/<name>.ino``, the design and its scenarios."""

    name: str
    files: tuple[SourceFile, ...]

    @property
    def sketch(self) -> SourceFile:
        """The main sketch file."""
        path = f"{self.name}/{self.name}.ino"
        return next(file for file in self.files if file.path == path)


class FirmwareAuthor(Protocol):
    """Writes the sources of a design."""

    name: str
    version: str

    async def write(self, design: Design) -> SourceProject:
        """Write the project. Raises only when a tool or service is broken."""
