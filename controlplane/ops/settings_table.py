"""One table of the configuration, and the variables of the environment that win over it."""

import stat
from collections.abc import Collection, Mapping
from fractions import Fraction
from pathlib import Path

from controlplane.domain.secret import Secret

_LONGEST_SECRET = 4096


class SettingsTable:
    """Reads one setting after the other and collects what is wrong with them.

    The setting `effort` of the table `claude` is also `BENCHLINE_CLAUDE_EFFORT`; the table "" is
    the top of the file. An empty variable, and an empty text in the file, give nothing.
    """

    def __init__(
        self, name: str, table: object, variables: Mapping[str, str], problems: list[str]
    ) -> None:
        if not isinstance(table, Mapping):
            problems.append(f"{name} must be a table: [{name}]")
            table = {}
        self._prefix = f"{name}." if name else ""
        self._table: Mapping[str, object] = table
        self._variables = variables
        self._problems = problems

    def only(self, known: Collection[str], *, where: str = "") -> None:
        """Tell every key that is not known."""
        for key in self._table:
            if key not in known:
                self._problems.append(f"{where}unknown key {self._prefix}{str(key)[:40]!r}")

    def holds(self, name: str) -> bool:
        """Whether the file has this key, whatever it says."""
        return name in self._table

    def given(self, name: str) -> object:
        """What is given for a setting; "" when nothing is."""
        variable = f"BENCHLINE_{self._prefix}{name}".replace(".", "_").upper()
        return self._variables.get(variable) or self._table.get(name, "")

    def text(self, name: str, default: str = "") -> str:
        """A text, or its default."""
        given = self.given(name)
        return default if given == "" else str(given).strip()

    def one_of(self, name: str, words: Collection[str], default: str) -> str:
        """One of some words."""
        word = self.text(name, default)
        if word not in words:
            self.wrong(name, f"one of {', '.join(words)}", word)
            return default
        return word

    def number(self, name: str, default: str, least: str, most: str) -> Fraction:
        """A number in its range, both ends included, or its default."""
        given = self.given(name)
        number = _fraction(default if given == "" else given)
        if number is None or not Fraction(least) <= number <= Fraction(most):
            self.wrong(name, f"a number from {least} to {most}", given)
            return Fraction(default)
        return number

    def amount(self, name: str, of: str) -> Fraction | None:
        """A number that is not negative, None when it is not given; `of` says what it counts."""
        given = self.given(name)
        if given == "":
            return None
        number = _fraction(given)
        if number is None or number < 0:
            self.wrong(name, of, given)
        return number

    def switch(self, name: str) -> bool:
        """A yes or no; no by default."""
        given = self.given(name)
        if str(given).lower() not in ("", "true", "false", "1", "0"):
            self.wrong(name, "true or false", given)
        return str(given).lower() in ("true", "1")

    def folder(self, name: str) -> Path | None:
        """A folder that exists; None when none is given."""
        path = self._path(name)
        if path is not None and not path.is_dir():
            self.wrong(name, "a folder that exists", str(path))
            return None
        return path

    def file(self, name: str) -> Path | None:
        """A file that exists; None when none is given."""
        path = self._path(name)
        if path is not None and not path.is_file():
            self.wrong(name, "a file that exists", str(path))
            return None
        return path

    def _path(self, name: str) -> Path | None:
        given = self.text(name)
        return Path(given).expanduser().absolute() if given else None

    def secret(self, name: str, folder: Path, *, of: str, spaces: bool = False) -> Secret:
        """The text in a file that only its owner may read; "" when none is named.

        The path is relative to `folder`. `of` says what the file should hold: what it does hold is
        in no message.
        """
        given = self.text(name)
        if not given:
            return Secret("")
        path, setting = folder / Path(given).expanduser(), f"{self._prefix}{name}"
        try:
            mode = path.stat().st_mode
            text = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self._problems.append(f"{setting}: {path}: {type(error).__name__}")
            return Secret("")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            self._problems.append(f"{setting}: others can read {path}; chmod 600 it")
        fits = 0 < len(text) <= _LONGEST_SECRET and text.isprintable()
        if not fits or (" " in text and not spaces):
            self._problems.append(f"{setting}: {path} does not hold {of}")
            return Secret("")
        return Secret(text)

    def wrong(self, name: str, wanted: str, given: object) -> None:
        """Tell that a setting is not what it must be."""
        self._problems.append(f"{self._prefix}{name} must be {wanted}, not {given!r}")


def _fraction(given: object) -> Fraction | None:
    try:
        return Fraction(str(given).strip())
    except (ValueError, ZeroDivisionError):
        return None
