"""What a wrong variant of a sketch is."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A wrong sketch; ``expected`` begins the ids of assertions that should notice."""

    name: str
    text: str
    expected: tuple[str, ...]


def cut(sketch: str, match: re.Match[str], group: int, new: str) -> str:
    """A sketch with a group of a match replaced."""
    return sketch[: match.start(group)] + new + sketch[match.end(group) :]
