"""Typed access to the catalogue's TOML tables; every error names file and place."""

import tomllib
from enum import StrEnum
from fractions import Fraction
from importlib.resources import files
from typing import TypeVar

from controlplane.domain.units import parse_decimal

_E = TypeVar("_E", bound=StrEnum)


class CatalogueError(ValueError):
    """The shipped catalogue is not consistent; the message lists every problem."""


class Table:
    """One TOML table."""

    def __init__(self, data: object, path: str) -> None:
        if not isinstance(data, dict):
            raise CatalogueError(f"{path}: expected a table")
        self._data = data
        self._path = path

    def __contains__(self, key: str) -> bool:
        """Whether there is an entry of this name."""
        return key in self._data

    def items(self) -> list[tuple[str, object]]:
        """All entries."""
        return list(self._data.items())

    def text(self, key: str, default: str | None = None) -> str:
        """A text."""
        value = self._data.get(key, default)
        if not isinstance(value, str):
            raise CatalogueError(f"{self._path}.{key}: expected a text")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        value = self._data.get(key, default)
        if type(value) is not int:
            raise CatalogueError(f"{self._path}.{key}: expected a whole number")
        return value

    def optional_integer(self, key: str) -> int | None:
        """A whole number, or None where there is none."""
        return self.integer(key) if key in self._data else None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty where there is none."""
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CatalogueError(f"{self._path}.{key}: expected a list of texts")
        return tuple(value)

    def number(self, key: str) -> Fraction:
        """An exact decimal number that is written as a text; 0 where there is none."""
        try:
            return parse_decimal(self.text(key, "0"))
        except ValueError as error:
            raise CatalogueError(f"{self._path}.{key}: {error}") from error

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            raise CatalogueError(f"{self._path}.{key}: expected true or false")
        return value

    def word(self, kind: type[_E], key: str, default: str | None = None) -> _E:
        """One word of a fixed choice."""
        try:
            return kind(self.text(key, default))
        except ValueError as error:
            raise CatalogueError(f"{self._path}.{key}: {error}") from error

    def table(self, key: str) -> "Table":
        """A table inside this one; empty where there is none."""
        return Table(self._data.get(key, {}), f"{self._path}.{key}")

    def tables(self, key: str) -> list["Table"]:
        """A list of tables, empty where there is none."""
        value = self._data.get(key, [])
        if not isinstance(value, list):
            raise CatalogueError(f"{self._path}.{key}: expected a list of tables")
        return [Table(item, f"{self._path}.{key}[{i}]") for i, item in enumerate(value)]


def read_tables(folder: str) -> list[Table]:
    """Every TOML file of a folder of the catalogue, by name."""
    directory = files("controlplane.catalog") / folder
    names = sorted(entry.name for entry in directory.iterdir() if entry.name.endswith(".toml"))
    return [
        Table(tomllib.loads((directory / name).read_text("utf-8")), f"{folder}/{name}")
        for name in names
    ]
