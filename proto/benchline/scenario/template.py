"""Texts with ``${name}`` for variables: what is sent, and regexes over lines."""

import re
from collections.abc import Mapping

import re2

from benchline.scenario.reading import compile_regex

_PLACE = re.compile(r"\$\{([^}]*)\}?")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


class TemplateError(ValueError):
    """A ``${`` that is not followed by a name and ``}``."""


def template_names(text: str) -> set[str]:
    """Names of the variables in a text. Raises TemplateError."""
    names = set()
    for place in _PLACE.finditer(text):
        if not place[0].endswith("}") or _NAME.fullmatch(place[1]) is None:
            raise TemplateError(f"{place[0][:40]!r} is not ${{name}}")
        names.add(place[1])
    return names


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables put in. Raises KeyError for a missing one."""
    return _PLACE.sub(lambda place: values[place[1]], text)


def fill_regex(text: str, values: Mapping[str, str]) -> str:
    """As ``fill``; values are escaped, so they only match themselves."""
    return _PLACE.sub(lambda place: re2.escape(values[place[1]]), text)


def regex_of(text: str, values: Mapping[str, str]) -> "re2._Regexp":
    """The compiled expression of a template. Raises ValueError."""
    return compile_regex(fill_regex(text, values))
