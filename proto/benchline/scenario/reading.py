"""Typed reading of nodes: every complaint is collected, none stops the reading."""

import difflib
import math
import re
from collections.abc import Callable, Collection
from typing import TypeVar

import re2

from benchline.scenario.model import Amount, Finding, Formula, Severity, Time
from benchline.scenario.units import parse_duration
from benchline.scenario.where import WhereError, compile_where
from benchline.scenario.yamltree import Mapping, Node, Scalar, Sequence

MAX_REGEX_CHARS = 500
"""Longest accepted regular expression."""

MAX_REGEX_MEMORY = 1 << 20
"""Bytes that a compiled expression may take; ``x{1000}{1000}`` does not fit."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_REFERENCE = re.compile(r"\$([a-z][a-z0-9_]*)")
_T = TypeVar("_T")


def compile_regex(text: str, *, over_bytes: bool = False) -> "re2._Regexp":
    """Compile with google-re2 (linear time). Raises ValueError with the reason.

    With ``over_bytes`` it searches UTF-8 bytes, which is several times faster.
    """
    if len(text) > MAX_REGEX_CHARS:
        raise ValueError(f"longer than {MAX_REGEX_CHARS} characters")
    options = re2.Options()
    options.max_mem = MAX_REGEX_MEMORY
    options.log_errors = False
    try:
        return re2.compile(text.encode() if over_bytes else text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        raise ValueError(f"not an RE2 expression: {reason}") from error
    except UnicodeEncodeError as error:
        raise ValueError("not an RE2 expression: not Unicode") from error


def as_number(text: str) -> float | None:
    """The finite number that a text is, or None."""
    if len(text) > 40 or _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def nearest(word: str, known: Collection[str]) -> str:
    """``did you mean 'x'?`` for the closest known word, else what there is."""
    close = difflib.get_close_matches(word[:60], known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(sorted(set(known)))[:300]}" if known else "there are none"


class Reader:
    """Collects findings while nodes are turned into values."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def complain(
        self,
        code: str,
        subject: str,
        message: str,
        *,
        line: int = 0,
        fix: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note one finding."""
        self.findings.append(
            Finding(
                code=code, subject=subject, message=message, fix=fix, line=line, severity=severity
            )
        )

    def mapping(self, node: Node | None, subject: str, line: int) -> "Fields":
        """Fields of a mapping; anything else is complained about and read as empty."""
        if isinstance(node, Mapping):
            return Fields(self, node, subject)
        if node is not None and not (isinstance(node, Scalar) and not node.text):
            self.complain("not-a-mapping", subject, "must be a mapping of keys", line=node.line)
        return Fields(self, Mapping(line=line), subject)

    def items(self, node: Node | None, subject: str) -> list[Node]:
        """Items of a list; anything else is complained about and read as empty."""
        if isinstance(node, Sequence):
            return node.items
        if node is not None:
            self.complain("not-a-list", subject, "must be a list", line=node.line)
        return []


class Fields:
    """The keys of one mapping; those never asked for are unknown."""

    def __init__(self, reader: Reader, node: Mapping, subject: str) -> None:
        self.reader = reader
        self.line = node.line
        self.subject = subject
        self._entries = node.entries
        self._key_lines = node.key_lines
        self._asked: list[str] = []

    def __contains__(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._entries

    def keys(self) -> list[str]:
        """The keys in the order of the file."""
        return list(self._entries)

    def line_of(self, key: str) -> int:
        """The line of a key, or of the mapping."""
        return self._key_lines.get(key, self.line)

    def complain(self, code: str, key: str, message: str, fix: str = "") -> None:
        """Note a finding about one key."""
        subject = f"{self.subject}.{key}" if key else self.subject
        self.reader.complain(code, subject, message, line=self.line_of(key), fix=fix)

    def node(self, key: str, *, required: bool = False) -> Node | None:
        """The node under a key."""
        self._asked.append(key)
        found = self._entries.get(key)
        if found is None and required:
            self.complain("missing-key", key, "is missing")
        return found

    def text(self, key: str, default: str = "", *, required: bool = False, limit: int = 200) -> str:
        """A text of at most ``limit`` characters."""
        node = self.node(key, required=required)
        if node is None:
            return default
        if not isinstance(node, Scalar):
            self.complain("not-a-text", key, "must be a single value")
            return default
        if len(node.text) > limit:
            self.complain("too-long", key, f"is longer than {limit} characters")
            return default
        return node.text

    def read(self, key: str, convert: Callable[[str], _T], default: _T, **kind: bool) -> _T:
        """A text through a converter that raises ValueError."""
        text = self.text(key, required=kind.get("required", False), limit=500)
        if not text and key not in self:
            return default
        try:
            return convert(text)
        except ValueError as error:
            self.complain("bad-value", key, str(error))
            return default

    def word(self, key: str, known: Collection[str], default: str = "") -> str:
        """One of the known words."""
        text = self.text(key, default)
        if text and text not in known:
            self.complain("unknown-word", key, f"{text[:40]!r} is not known", nearest(text, known))
            return default
        return text

    def flag(self, key: str, *, default: bool = False) -> bool:
        """true or false."""
        text = self.text(key).lower()
        if not text:
            return default
        if text not in {"true", "false", "yes", "no"}:
            self.complain("bad-value", key, "must be true or false")
        return text in {"true", "yes"}

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        return self.read(key, _to_number, default)

    def integer(
        self, key: str, default: int, *, low: int, high: int, required: bool = False
    ) -> int:
        """A whole number within bounds."""

        def convert(text: str) -> int:
            number = as_number(text)
            if number is None or number != int(number) or not low <= number <= high:
                raise ValueError(f"must be a whole number from {low} to {high}")
            return int(number)

        return self.read(key, convert, default, required=required)

    def duration(self, key: str, default: int, *, required: bool = False) -> int:
        """Milliseconds of a constant duration."""
        return self.read(key, parse_duration, default, required=required)

    def time(self, key: str, *, required: bool = False) -> Time | None:
        """A duration or a formula over variables (in milliseconds); None when absent."""
        return self.read(key, _to_time, None, required=required)

    def amount(self, key: str, *, required: bool = False) -> Amount | None:
        """A number, on/off, or a formula; None when absent."""
        return self.read(key, to_amount, None, required=required)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = []
        for item in self.reader.items(self.node(key), f"{self.subject}.{key}")[:100]:
            if isinstance(item, Scalar) and 0 < len(item.text) <= 200:
                found.append(item.text)
            else:
                self.complain("not-a-text", key, "must be a list of short texts")
        return tuple(found)

    def finish(self, also_known: Collection[str] = ()) -> None:
        """Complain about every key that nobody asked for."""
        known = [*self._asked, *also_known]
        for key in self._entries:
            if key not in known:
                self.complain("unknown-key", key[:60], "is not known here", nearest(key, known))


def _to_number(text: str) -> float:
    number = as_number(text)
    if number is None:
        raise ValueError(f"{text[:40]!r} is not a number")
    return number


def formula(text: str) -> Formula:
    """Read ``$below + 0.5``. Raises ValueError when it is not an expression over variables."""
    plain = _REFERENCE.sub(r"\1", text)
    try:
        compile_where(plain)
    except WhereError as error:
        raise ValueError(f"{text[:60]!r} is not a formula: {error}") from error
    return Formula(text=plain)


def _to_time(text: str) -> Time | None:
    return formula(text) if "$" in text else parse_duration(text)


def to_amount(text: str) -> Amount | None:
    """A number, ``on``/``off`` (1 and 0) or a formula. Raises ValueError."""
    if "$" in text:
        return formula(text)
    levels = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0}
    return levels[text.lower()] if text.lower() in levels else _to_number(text)
