"""Money: exact, rounded up, and unknown where it is unknown."""

from datetime import date
from fractions import Fraction

from controlplane.claude.calls import AnswerShape, Call, Form, Role, Turn, body_hash, body_text
from controlplane.claude.prices import Price, price_table
from controlplane.claude.settings import DEFAULT_MODEL, ClaudeSettings
from controlplane.domain.model_call import TokenUsage, usd
from controlplane.domain.secret import Secret

PRICE = Price(Fraction(4), Fraction(20))


def test_each_kind_of_token_has_its_price() -> None:
    assert PRICE.cost(TokenUsage(fresh_input=1000)) == 4000
    assert PRICE.cost(TokenUsage(cache_read=1000)) == 400
    assert PRICE.cost(TokenUsage(cache_write_5m=1000)) == 5000
    assert PRICE.cost(TokenUsage(cache_write_1h=1000)) == 8000
    assert PRICE.cost(TokenUsage(output=1000, thinking=900)) == 20_000


def test_parts_of_a_millionth_are_rounded_up() -> None:
    assert Price(Fraction("0.10"), Fraction("0.50")).cost(TokenUsage(fresh_input=1)) == 1


def test_the_worst_is_never_less_than_the_cost() -> None:
    text = "x" * 3000

    assert PRICE.worst(len(text), 500) >= PRICE.cost(TokenUsage(cache_write_1h=1000, output=500))


def test_the_table_is_dated_and_does_not_guess() -> None:
    table = price_table()

    assert date.fromisoformat(table.as_of)
    assert table.price(DEFAULT_MODEL) is not None
    assert table.price(f"{DEFAULT_MODEL}-20261001") == table.price(DEFAULT_MODEL)
    assert table.price("claude-of-the-future") is None
    assert table.price("") is None
    assert usd(None) == "unknown"


def test_the_operator_can_give_a_price() -> None:
    settings = ClaudeSettings(model="new", price_input=Fraction(1), price_output=Fraction(2))

    assert settings.prices.price("new") == Price(Fraction(1), Fraction(2))
    assert settings.prices.price(DEFAULT_MODEL) == price_table().price(DEFAULT_MODEL)


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("sk-ant-0123456789")

    assert "0123" not in f"{secret} {secret!r} {ClaudeSettings(api_key=secret)!r}"
    assert secret.removed_from("a sk-ant-0123456789 b") == "a [key removed] b"
    assert Secret("").removed_from("text") == "text"


def test_a_request_is_a_function_of_its_call() -> None:
    def call(*turns: Turn) -> Call:
        return Call(
            purpose="design",
            model="m",
            effort="high",
            max_tokens=10,
            prefix=("rules", "more"),
            turns=turns,
            shape=AnswerShape(name="submit", description="Submit.", schema={"type": "object"}),
        )

    first = call(Turn(Role.USER, "a"))
    grown = call(Turn(Role.USER, "a"), Turn(Role.ASSISTANT, "b"), Turn(Role.USER, "c"))

    assert body_text(first.body(Form.FORMAT)) == body_text(first.body(Form.FORMAT))
    assert body_hash(first.body(Form.FORMAT)) != body_hash(first.body(Form.TOOL))
    assert grown.body(Form.FORMAT)["system"] == first.body(Form.FORMAT)["system"]
    assert grown.body(Form.FORMAT)["messages"][:1] == first.body(Form.FORMAT)["messages"]
    assert grown.body(Form.FORMAT)["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in first.body(Form.FORMAT)
