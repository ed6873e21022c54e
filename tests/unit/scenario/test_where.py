"""Expressions: what they mean, and what they refuse."""

import contextlib

import pytest
from hypothesis import given, strategies

from benchline.scenario import WhereError, compile_where
from benchline.scenario.where import MAX_WHERE_CHARS

ENV = {"v": 20.5, "below": 20.0, "word": "on", "zero": 0.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("2 - 3 - 4", -5.0),
        ("8 / 4 / 2", 1.0),
        ("-v + 20.5", 0.0),
        ("abs(v - below) <= 0.5", 1.0),
        ("min(1, v, 3) == 1 and max(1, 2) == 2", 1.0),
        ("not v > below or word == 'on'", 1.0),
        ("not (v > below)", 0.0),
        ("15 <= v < 21", 1.0),
        ("21 <= v < 15", 0.0),
        ("word == 20", 0.0),
        ("word != 'off'", 1.0),
        ("true and not false", 1.0),
        ("zero != 0 and 1 / zero > 1", 0.0),
        (".5e1", 5.0),
    ],
)
def test_an_expression_means_what_it_says(text: str, expected: float) -> None:
    assert compile_where(text).evaluate(ENV) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "v.real",
        "v[0]",
        "2 ** 3",
        "__import__('os')",
        "(lambda: 1)()",
        "v = 3",
        "1 +",
        "(1",
        "1)",
        "'open",
        "abs()",
        "abs(1, 2)",
        "min(1)",
        "v; v",
        "1 if v else 2",
        "v is 3",
        "1 2",
        "1e999",
        "\x00",
        "(" * 60 + "1" + ")" * 60,
        "1" + "+1" * MAX_WHERE_CHARS,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(WhereError):
        compile_where(text)


@pytest.mark.parametrize(
    "text", ["1 / zero", "missing > 1", "word + 1", "word < 3", "1e300 * 1e300"]
)
def test_what_cannot_be_worked_out_is_an_error_not_a_value(text: str) -> None:
    with pytest.raises(WhereError):
        compile_where(text).evaluate(ENV)


def test_needed_names_are_listed() -> None:
    assert compile_where("abs(v - below) < limit").names == {"v", "below", "limit"}


@given(strategies.text(max_size=250))
def test_any_text_gives_a_value_or_a_where_error(text: str) -> None:
    try:
        value = compile_where(text).evaluate(ENV)
    except WhereError:
        return
    assert isinstance(value, float | str)


@given(strategies.text(alphabet="()+-*/<>=!v 1,nota'dbsmix.", max_size=200))
def test_grammar_shaped_nonsense_gives_a_value_or_a_where_error(text: str) -> None:
    with contextlib.suppress(WhereError):
        compile_where(text).evaluate(ENV)
