"""Tiny safe expressions: numbers, texts, names, arithmetic, comparisons, and/or/not, abs/min/max.

Nothing else can be written: no attributes, no indexing, no powers, no other calls. The length, the
nesting and so the work of an expression are bounded.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_WHERE_CHARS = 200
"""Longest accepted expression."""

MAX_WHERE_DEPTH = 24
"""Deepest accepted nesting of parentheses, calls and signs."""

Value = float | str
"""What a name, a literal or a result can be; truth is 1.0 or 0.0."""

Env = Mapping[str, Value]
_Node = Callable[[Env], Value]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>'[^'\\]*'|"[^"\\]*")
    | (?P<op><=|>=|==|!=|[-+*/<>(),])
    )""",
    re.VERBOSE,
)
_WORDS = frozenset({"and", "or", "not", "true", "false"})
_FUNCTIONS: Mapping[str, Callable[..., float]] = {"abs": abs, "min": min, "max": max}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class WhereError(ValueError):
    """An expression that cannot be read, or cannot be worked out with the given names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A compiled expression; ``names`` are the names it needs."""

    text: str
    names: frozenset[str]
    _root: _Node

    def evaluate(self, env: Env) -> Value:
        """Work out the expression.

        Raises WhereError for a missing name, a division by zero or an operation on text.
        """
        try:
            return self._root(env)
        except (ArithmeticError, ValueError) as error:
            if isinstance(error, WhereError):
                raise
            raise WhereError(f"{self.text!r}: {error}") from error

    def holds(self, env: Env) -> bool:
        """Whether the expression is true (not zero, not empty). Raises WhereError."""
        return _truth(self.evaluate(env))


def compile_where(text: str) -> Where:
    """Compile an expression. Raises WhereError with the position of what is wrong."""
    if len(text) > MAX_WHERE_CHARS:
        raise WhereError(f"longer than {MAX_WHERE_CHARS} characters")
    parser = _Parser(text)
    root = parser.parse()
    return Where(text=text, names=frozenset(parser.names), _root=root)


def _truth(value: Value) -> bool:
    return bool(value) and value == value


def _number(value: Value) -> float:
    if isinstance(value, str):
        raise WhereError(f"{value[:40]!r} is not a number")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise WhereError("a number grew too large")
    return value


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._text = text
        self._tokens = _tokenize(text)
        self._index = 0
        self._depth = 0

    def parse(self) -> _Node:
        node = self._any_of()
        if self._index < len(self._tokens):
            raise self._error("expected an operator or the end")
        return node

    def _peek(self) -> str:
        return self._tokens[self._index][1] if self._index < len(self._tokens) else ""

    def _kind(self) -> str:
        return self._tokens[self._index][0] if self._index < len(self._tokens) else ""

    def _accept(self, *wanted: str) -> str:
        if self._kind() != "text" and self._peek() in wanted:
            self._index += 1
            return self._tokens[self._index - 1][1]
        return ""

    def _error(self, message: str) -> WhereError:
        found = self._peek()
        where = f"{found!r} at column {self._tokens[self._index][2] + 1}" if found else "the end"
        return WhereError(f"{message}, found {where}")

    def _any_of(self) -> _Node:
        terms = [self._all_of()]
        while self._accept("or"):
            terms.append(self._all_of())
        if len(terms) == 1:
            return terms[0]
        return lambda env: float(any(_truth(term(env)) for term in terms))

    def _all_of(self) -> _Node:
        terms = [self._negation()]
        while self._accept("and"):
            terms.append(self._negation())
        if len(terms) == 1:
            return terms[0]
        return lambda env: float(all(_truth(term(env)) for term in terms))

    def _negation(self) -> _Node:
        inverted = False
        while self._accept("not"):
            inverted = not inverted
        node = self._comparison()
        return (lambda env: float(not _truth(node(env)))) if inverted else node

    def _comparison(self) -> _Node:
        operands, operators = [self._sum()], []
        while found := self._accept("<=", ">=", "==", "!=", "<", ">"):
            operators.append(found)
            operands.append(self._sum())
        if not operators:
            return operands[0]

        def compare(env: Env) -> Value:
            left = operands[0](env)
            for sign, operand in zip(operators, operands[1:], strict=True):
                right = operand(env)
                if not _compare(sign, left, right):
                    return 0.0
                left = right
            return 1.0

        return compare

    def _sum(self) -> _Node:
        node = self._product()
        while sign := self._accept("+", "-"):
            work = operator.add if sign == "+" else operator.sub
            node = _binary(work, node, self._product())
        return node

    def _product(self) -> _Node:
        node = self._signed()
        while sign := self._accept("*", "/"):
            work = operator.mul if sign == "*" else operator.truediv
            node = _binary(work, node, self._signed())
        return node

    def _signed(self) -> _Node:
        negative = False
        while sign := self._accept("-", "+"):
            negative ^= sign == "-"
        node = self._atom()
        return (lambda env: -_number(node(env))) if negative else node

    def _atom(self) -> _Node:
        kind, word = self._kind(), self._peek()
        if kind == "number":
            self._index += 1
            number = _finite(float(word))
            return lambda _env: number
        if kind == "text":
            self._index += 1
            return lambda _env: word[1:-1]
        if word == "(":
            self._index += 1
            return self._parenthesised()
        if kind != "name" or word in {"and", "or", "not"}:
            raise self._error("expected a number, a name, a text or '('")
        self._index += 1
        if word in {"true", "false"}:
            truth = float(word == "true")
            return lambda _env: truth
        if self._peek() == "(" and self._kind() == "op":
            return self._call(word)
        self.names.add(word)
        return lambda env: _lookup(env, word)

    def _parenthesised(self) -> _Node:
        self._enter()
        node = self._any_of()
        if not self._accept(")"):
            raise self._error("expected ')'")
        self._depth -= 1
        return node

    def _call(self, name: str) -> _Node:
        work = _FUNCTIONS.get(name)
        if work is None:
            raise WhereError(f"unknown function {name[:40]!r}; there are abs, min and max")
        self._accept("(")
        self._enter()
        arguments = [self._any_of()]
        while self._accept(","):
            arguments.append(self._any_of())
        if not self._accept(")"):
            raise self._error("expected ',' or ')'")
        self._depth -= 1
        if (name == "abs") != (len(arguments) == 1):
            count = "one argument" if name == "abs" else "two or more arguments"
            raise WhereError(f"{name} takes {count}")
        return lambda env: float(work(*(_number(argument(env)) for argument in arguments)))

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_WHERE_DEPTH:
            raise WhereError(f"nested deeper than {MAX_WHERE_DEPTH}")


def _tokenize(text: str) -> list[tuple[str, str, int]]:
    tokens: list[tuple[str, str, int]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            column = position + len(text[position:]) - len(text[position:].lstrip()) + 1
            raise WhereError(f"unexpected {text[column - 1]!r} at column {column}")
        tokens.append((found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        position = found.end()
    if not tokens:
        raise WhereError("the expression is empty")
    return tokens


def _lookup(env: Env, name: str) -> Value:
    try:
        return env[name]
    except KeyError:
        raise WhereError(f"{name!r} is not known here") from None


def _binary(work: Callable[[float, float], float], left: _Node, right: _Node) -> _Node:
    return lambda env: _finite(work(_number(left(env)), _number(right(env))))


def _compare(sign: str, left: Value, right: Value) -> bool:
    if sign in {"==", "!="}:
        return (left == right) == (sign == "==")
    return _COMPARE[sign](_number(left), _number(right))


def reserved_words() -> frozenset[str]:
    """Words that cannot be names of variables or captures."""
    return _WORDS | frozenset(_FUNCTIONS)
