"""Cuts a prompt into tokens: words, exact numbers, quoted texts, pins and marks.

Offsets are code points of the prompt as it was given. Numbers may be digits ("1,500", "2.5",
"-5") or words ("thirty", "two and a half", "minus five", "one hundred and twenty").
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

MAX_PROMPT_CHARS = 4000
"""Longest prompt that is read."""

MAX_TOKENS = 500
"""Most words and marks of a prompt; bounds the work of reading it."""


END_OF_LINE = "\N{PILCROW SIGN}"
"""The token of a line's end: it may end a clause, or stand where a long sentence is wrapped."""


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    NUMBER = "number"
    TEXT = "text"
    PIN = "pin"
    MARK = "mark"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``text`` is lower case (the content of a quoted text is kept as written)."""

    kind: Kind
    text: str
    raw: str
    start: int
    end: int
    number: Fraction | None = None
    filler: bool = False


FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "please",
        "kindly",
        "just",
        "simply",
        "my",
        "our",
        "its",
        "exactly",
        "precisely",
        "approximately",
        "roughly",
        "about",
        "should",
        "shall",
        "must",
        "will",
        "automatically",
        "(",
        ")",
        "[",
        "]",
        "-",
    ]
)
"""Words that carry no wish of their own; everything else has to be understood."""

_SAME_LENGTH = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "`": "'",
        "\u00b4": "'",
        "μ": "µ",
        "\u00ba": "°",
        "\u02da": "°",
        "\u2212": "-",
    }
)
_TOKEN = re.compile(
    r"""
      (?P<line>[^\S\n]*\n\s*)
    | (?P<space>\s+)
    | (?P<pin>(?:P[A-I]|GPIO|IO)[0-9]{1,2}(?![A-Za-z0-9_]))
    | (?P<fraction>(?:[0-9]{1,3}\ )?[0-9]{1,2}/[0-9]{1,3}(?![0-9/.,]))
    | (?P<vulgar>[0-9]{0,3}\ ?[¼½¾⅓⅔⅛])
    | (?P<comma>[0-9]+,[0-9]+(?![0-9,]))
    | (?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)
    | (?P<word>[A-Za-z_µ]+[A-Za-z0-9_]*(?:'[A-Za-z]+)?)
    | (?P<at>@(?=\s*[0-9]))
    | (?P<mark><=|>=|->|[-<>≤≥=°%℃℉,;.:!?&+/()\[\]\u2013\u2014*\u2022])
    | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VULGAR = {"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}
_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 8, 10, 20, 50, 100})
_ITEM = re.compile(r"([0-9]{1,2})[.)](?=\s+[A-Za-z])")
_GROUPED = re.compile(
    r"[1-9][0-9]{0,2}\.[0-9]{3}(?=\s*(?:ms|msecs?|milli(?:s|seconds?))\b)", re.IGNORECASE
)
"""A time that is ten seconds for some and ten milliseconds for others: "10.000 ms"."""
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")
_ONES = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
} | {"fourty": 40}
_SCALES = {"hundred": 100, "thousand": 1000}
_MINUS = frozenset({"minus", "negative"})
_PART = {"half": Fraction(1, 2), "quarter": Fraction(1, 4)}


def tokenize(prompt: str) -> tuple[Token, ...]:
    """Cut a prompt into tokens, number words merged."""
    return tuple(_merge_numbers(_cut(prompt)))


def _cut(prompt: str) -> list[Token]:
    text = prompt.translate(_SAME_LENGTH)
    tokens: list[Token] = []
    position, items = 0, 0
    while position < len(text):
        item = _item_number(text, position, items)
        if item is not None:
            tokens.append(item)
            position, items = item.end, items + 1
            continue
        quoted = _quoted(text, position)
        if quoted is not None:
            tokens.append(quoted)
            position = quoted.end
            continue
        match = _TOKEN.match(text, position)
        if match is None:  # pragma: no cover - the pattern ends with "any character"
            break
        kind = match.lastgroup or "other"
        if kind == "mark" and match.group() == "-":
            token = _hyphen(text, position)
        elif kind == "number" and _GROUPED.match(text, position):
            token = Token(Kind.UNKNOWN, match.group(), match.group(), position, match.end())
        else:
            token = _plain(kind, match.group(), position)
        if token is not None:
            tokens.append(token)
        position = token.end if token is not None else match.end()
    return tokens


def _plain(kind: str, raw: str, start: int) -> Token | None:
    end = start + len(raw)
    if kind == "line":
        return Token(Kind.MARK, END_OF_LINE, raw, start, end, None, True)
    if kind == "space":
        return None
    if kind == "comma" and not _THOUSANDS.fullmatch(raw):
        return Token(Kind.UNKNOWN, raw, raw, start, end)
    if kind in ("number", "comma"):
        return Token(Kind.NUMBER, raw, raw, start, end, Fraction(raw.replace(",", "")))
    if kind in ("fraction", "vulgar"):
        return _fraction(raw, start)
    if kind == "at":
        return Token(Kind.WORD, "at", raw, start, end)
    if kind == "pin":
        return Token(Kind.PIN, _pin_name(raw), raw, start, end)
    if kind == "other":
        return Token(Kind.UNKNOWN, raw, raw, start, end)
    lower = raw.lower()
    lower = {"\u2013": ";", "\u2014": ";", "*": ";", "\u2022": ";"}.get(lower, lower)
    return Token(
        Kind.WORD if kind == "word" else Kind.MARK, lower, raw, start, end, None, lower in FILLERS
    )


def _pin_name(raw: str) -> str:
    """A pin as its part spells it: "pa5" is PA5, "io4" and "gpio04" are GPIO4."""
    name = raw.upper()
    head = name.rstrip("0123456789")
    return gpio_name(int(name[len(head) :])) if head in ("GPIO", "IO") else name


def gpio_name(number: int) -> str:
    """The name of a pin that has nothing but a number."""
    return f"GPIO{number}"


def _fraction(raw: str, start: int) -> Token:
    """ "1/2", "1 1/2" or "½"; proper fractions with a usual denominator, else not understood."""
    spelled = raw
    for sign, digits in _VULGAR.items():
        spelled = spelled.replace(sign, f" {digits}")
    *whole, part = spelled.split()
    numerator, denominator = (int(digits) for digits in part.split("/"))
    end = start + len(raw)
    if denominator not in _DENOMINATORS or not 0 < numerator < denominator:
        return Token(Kind.UNKNOWN, raw, raw, start, end)
    value = Fraction(numerator, denominator) + sum(int(digits) for digits in whole)
    return Token(Kind.NUMBER, raw, raw, start, end, value)


def _item_number(text: str, start: int, before: int) -> Token | None:
    """The number of a list item: "1." at a line's beginning, "2." after the end of a clause."""
    match = _ITEM.match(text, start)
    if match is None or int(match[1]) != before + 1:
        return None
    ahead = text[:start].rstrip(" \t")
    opens = not ahead or ahead[-1] in "\n:"
    if not opens and (before == 0 or ahead[-1] not in ".;,!?"):
        return None
    return Token(Kind.MARK, ";", match[0], start, match.end())


def _quoted(text: str, start: int) -> Token | None:
    quote = text[start]
    if quote not in "'\"" or (start and text[start - 1].isalnum()):
        return None
    end = text.find(quote, start + 1)
    while quote == "'" and 0 < end < len(text) - 1 and text[end + 1].isalnum():
        end = text.find(quote, end + 1)
    if end < 0:
        return None
    raw = text[start : end + 1]
    return Token(Kind.TEXT, raw[1:-1], raw, start, end + 1)


def _hyphen(text: str, start: int) -> Token | None:
    """A hyphen is a sign, joins two words, separates clauses, or is not understood."""
    before = text[start - 1] if start else " "
    after = text[start + 1] if start + 1 < len(text) else " "
    if after.isdigit() and (before.isspace() or before in "(<>="):
        match = _TOKEN.match(text, start + 1)
        digits = match.group() if match else ""
        number = _plain(match.lastgroup or "" if match else "", digits, start + 1)
        if number is not None and number.number is not None:
            raw = text[start : number.end]
            return Token(Kind.NUMBER, raw, raw, start, number.end, -number.number)
    if before.isspace() or after.isspace():
        return Token(Kind.MARK, ";", "-", start, start + 1)
    if before.isdigit() and after.isdigit():
        return Token(Kind.UNKNOWN, "-", "-", start, start + 1)
    return (
        None
        if before.isalnum() and after.isalnum()
        else Token(Kind.UNKNOWN, "-", "-", start, start + 1)
    )


def _merge_numbers(tokens: list[Token]) -> list[Token]:
    merged: list[Token] = []
    position = 0
    while position < len(tokens):
        found = _number_at(tokens, position)
        if found is None:
            merged.append(tokens[position])
            position += 1
            continue
        value, end = found
        first, last = tokens[position], tokens[end - 1]
        raw = " ".join(token.raw for token in tokens[position:end])
        merged.append(Token(Kind.NUMBER, raw.lower(), raw, first.start, last.end, value))
        position = end
    return merged


def _number_at(tokens: list[Token], start: int) -> tuple[Fraction, int] | None:
    position = start
    negative = tokens[position].text in _MINUS and tokens[position].kind is Kind.WORD
    position += negative
    found = _magnitude(tokens, position)
    if found is None:
        return None
    value, position = found
    value, position = _and_a_part(tokens, value, position)
    if position == start + 1 and tokens[start].kind is Kind.NUMBER:
        return None
    return (-value if negative else value), position


def _magnitude(tokens: list[Token], start: int) -> tuple[Fraction, int] | None:
    position = start
    total, group, seen = Fraction(0), Fraction(0), False
    if position < len(tokens) and tokens[position].kind is Kind.NUMBER:
        group, seen = tokens[position].number or Fraction(0), True
        position += 1
    while position < len(tokens) and tokens[position].kind is Kind.WORD:
        word = tokens[position].text
        if word in _ONES and (not seen or _open_for(group, _ONES[word], tokens, position)):
            group += _ONES[word]
        elif word in _TENS and (not seen or (group > 0 and group % 100 == 0)):
            group += _TENS[word]
        elif word == "hundred" and group < 100:
            group = (group if seen else Fraction(1)) * 100
        elif word == "thousand" and group < 1000 and not total:
            total, group = (group if seen else Fraction(1)) * 1000, Fraction(0)
        elif word == "and" and seen and _joins(tokens, position, group, total):
            position += 1
            continue
        else:
            break
        seen = True
        position += 1
    if not seen:
        return None
    return _point(tokens, total + group, position)


def _open_for(group: Fraction, ones: int, tokens: list[Token], position: int) -> bool:
    """Whether ``ones`` may follow: "twenty five", "hundred seven", "thousand three"."""
    if tokens[position - 1].kind is Kind.NUMBER or ones == 0:
        return False
    return group == 0 or group % 100 == 0 or (group % 10 == 0 and group % 100 >= 20 and ones < 10)


def _joins(tokens: list[Token], position: int, group: Fraction, total: Fraction) -> bool:
    """Whether "and" continues a number: only "hundred and five", "thousand and ten"."""
    if position + 1 >= len(tokens) or tokens[position - 1].text not in _SCALES:
        return False
    following = tokens[position + 1].text
    return (following in _ONES or following in _TENS) and (group % 100 == 0 or bool(total))


def _point(tokens: list[Token], value: Fraction, position: int) -> tuple[Fraction, int]:
    digits = ""
    if position < len(tokens) and tokens[position].text == "point":
        for token in tokens[position + 1 :]:
            if token.kind is not Kind.WORD or _ONES.get(token.text, 10) > 9:
                break
            digits += str(_ONES[token.text])
    if not digits:
        return value, position
    return value + Fraction(int(digits), 10 ** len(digits)), position + 1 + len(digits)


def _and_a_part(tokens: list[Token], value: Fraction, position: int) -> tuple[Fraction, int]:
    """Read "and a half" or "and a quarter" after a number."""
    texts = [token.text for token in tokens[position : position + 3]]
    if len(texts) == 3 and texts[0] == "and" and texts[1] in ("a", "one") and texts[2] in _PART:
        return value + _PART[texts[2]], position + 3
    if len(texts) >= 2 and texts[0] == "and" and texts[1] in _PART:
        return value + _PART[texts[1]], position + 2
    return value, position
