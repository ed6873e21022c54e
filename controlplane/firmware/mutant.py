"""What a wrong variant of a sketch is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A wrong sketch; ``expected`` begins the ids of assertions that should notice."""

    name: str
    text: str
    expected: tuple[str, ...]
