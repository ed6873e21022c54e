"""Keys that never show themselves, and their removal from everything that is kept or told."""

from dataclasses import dataclass

_SHORTEST = 8
MASK = "[key removed]"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is only given to whom it is meant for, by :meth:`reveal`."""

    _text: str

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        """Never the text."""
        return "Secret(…)"

    def __str__(self) -> str:
        """Never the text."""
        return "…"

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._text)

    def removed_from(self, text: str) -> str:
        """A text without the secret; a text too short to be a key is left alone."""
        return text.replace(self._text, MASK) if len(self._text) >= _SHORTEST else text
