"""Typed reading of a file's nodes. Complaints are collected; what is wrong reads as a default."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchline.scenario.yamltree import Mapping, Node, Scalar, Sequence

_AMOUNT = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,6})?) ?([^\s0-9].*)?")
_MILLISECONDS = {"ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0}
_LONGEST_TEXT = 500
_MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint about a file."""

    line: int
    message: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"line {self.line}: {self.message}" if self.line else self.message


@dataclass(slots=True)
class Complaints:
    """What is wrong so far; beyond a hundred they are only counted."""

    found: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, line: int, message: str) -> None:
        """Note one."""
        if len(self.found) < _MOST_PROBLEMS:
            self.found.append(Problem(line, message))
        else:
            self.more += 1


class Fields:
    """One mapping of the file. Reading a key marks it as known; ``close`` complains of the rest."""

    def __init__(
        self, node: Node | None, where: str, complaints: Complaints, line: int = 0
    ) -> None:
        self.where = where
        self.complaints = complaints
        self.line = node.line if node is not None else line
        self._entries: dict[str, Node] = {}
        self._lines: dict[str, int] = {}
        self._known: set[str] = set()
        if isinstance(node, Mapping):
            self._entries, self._lines = node.entries, node.key_lines
        elif node is not None:
            self.complain(f"{where} is a mapping of keys")

    def complain(self, message: str, key: str = "") -> None:
        """Complain, at the line of a key when one is named."""
        self.complaints.add(self._lines.get(key, self.line), message)

    def __contains__(self, key: str) -> bool:
        """Whether the key is written."""
        return key in self._entries

    def names(self) -> list[str]:
        """All keys, in the order of the file."""
        return list(self._entries)

    def node(self, key: str) -> Node | None:
        """Whatever stands at a key."""
        self._known.add(key)
        return self._entries.get(key)

    def line_of(self, key: str) -> int:
        """The line of a key."""
        return self._lines.get(key, self.line)

    def inner(self, key: str) -> "Fields":
        """The mapping at a key; an absent one is empty."""
        return Fields(self.node(key), f"{self.where}.{key}", self.complaints, self.line)

    def text(self, key: str, *, needed: bool = False, most: int = _LONGEST_TEXT) -> str:
        """The text at a key, "" when absent."""
        found = self.node(key)
        if found is None:
            if needed:
                self.complain(f"{self.where}: '{key}' is missing")
            return ""
        if not isinstance(found, Scalar):
            self.complain(f"{self.where}.{key} is a text", key)
            return ""
        if len(found.text) > most:
            self.complain(f"{self.where}.{key} has more than {most} characters", key)
        elif needed and not found.text.strip():
            self.complain(f"{self.where}.{key} is empty", key)
        return found.text[:most]

    def word(self, key: str, allowed: Iterable[str], *, needed: bool = False) -> str:
        """One of some words, "" when absent."""
        choices = list(allowed)
        found = self.text(key, needed=needed)
        if found and found not in choices:
            self.complain(f"{self.where}.{key} is one of {', '.join(choices)}", key)
            return ""
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts at a key, empty when absent."""
        found = self.node(key)
        if found is None:
            return ()
        if not isinstance(found, Sequence) or not all(isinstance(i, Scalar) for i in found.items):
            self.complain(f"{self.where}.{key} is a list of texts", key)
            return ()
        return tuple(item.text[:_LONGEST_TEXT] for item in found.items if isinstance(item, Scalar))

    def milliseconds(self, key: str, *, needed: bool = False) -> float | None:
        """A time such as ``500 ms``, in milliseconds."""
        text = self.text(key, needed=needed)
        if not text:
            return None
        match = _AMOUNT.fullmatch(text.strip())
        scale = _MILLISECONDS.get(match[2] or "") if match else None
        if match is None or scale is None or float(match[1]) <= 0:
            self.complain(f"{self.where}.{key} is a time such as '500 ms', '1.5 s', '2 min'", key)
            return None
        return float(match[1]) * scale

    def amount(self, text: str, key: str) -> tuple[float, str] | None:
        """A number with a unit, as ``30 C``."""
        match = _AMOUNT.fullmatch(text.strip())
        if match is None or not match[2]:
            self.complain(f"{self.where}.{key} ends with a number and a unit, as '30 C'", key)
            return None
        return float(match[1]), match[2]

    def close(self) -> None:
        """Complain of every key that nobody asked for."""
        for key in self._entries:
            if key not in self._known:
                known = ", ".join(sorted(self._known))
                self.complain(f"{self.where}: '{key[:40]}' is unknown here; known: {known}", key)
