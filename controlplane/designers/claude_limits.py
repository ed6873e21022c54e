"""How much of an answer is taken, and in what form: it is a stranger's text."""

import re

ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What a model may call things."""

MOST = 64
"""Entries of one list; further ones are left out."""

LONGEST_TEXT = 200
"""Characters of a text, where nothing else is said."""


def plain(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text of a model as one printable line."""
    printable = "".join(ch if ch.isprintable() else " " for ch in text)
    return " ".join(printable.split())[:longest]
