"""What was understood of a sentence, as positions and as marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.state.design import DesignerFact, DesignFact, PinFact, Preview, Span, unread
from tui.state.fact import Finding, Outcome, Severity
from tui.widgets.design_text import bom_text, pins_text
from tui.widgets.finding_text import findings_text
from tui.widgets.preview_text import asked_later, marked_sentence, preview_text

PROMPT = "Blink the LED, send e-mail."
BLINK = Span(start=0, end=5, text="Blink", meaning="blink")
LED = Span(start=10, end=13, text="LED", meaning="led")


@pytest.mark.parametrize(
    ("prompt", "spans", "left"),
    [
        (PROMPT, (BLINK, LED), ["the", "send e-mail"]),
        (PROMPT, (), ["Blink the LED, send e-mail"]),
        ("Blink.", (BLINK,), []),
        ("Blink", (BLINK,), []),
        ("", (BLINK,), []),
        ("  ;; !", (), []),
        ("Blink now", (Span(start=0, end=500, text="x", meaning="x"),), []),
    ],
)
def test_what_no_span_covers_was_not_understood(
    prompt: str, spans: tuple[Span, ...], left: list[str]
) -> None:
    assert [prompt[start:end] for start, end in unread(prompt, spans)] == left


@given(
    st.text("aB1 .,-é\n", max_size=60), st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)))
)
def test_marks_add_brackets_and_nothing_else(prompt: str, places: list[tuple[int, int]]) -> None:
    spans = tuple(Span(start=a, end=b, text="", meaning="") for a, b in places)
    shown = marked_sentence(prompt, spans).plain
    assert shown.translate(str.maketrans("", "", "⟦⟧")) == prompt.replace("\n", " ")


def test_words_that_were_not_understood_are_in_brackets_not_in_colour_alone() -> None:
    assert marked_sentence(PROMPT, (BLINK, LED)).plain == "Blink ⟦the⟧ LED, ⟦send e-mail⟧."


def test_a_refusal_tells_all_findings_and_no_design() -> None:
    finding = Finding(code="E200", subject="send e-mail", message="no network", fix="leave it out")
    refused = Preview(outcome=Outcome.REFUSED, understood=(BLINK,), findings=(finding,))
    text = preview_text(PROMPT, refused, 70).plain
    for part in ("refused", "E200 send e-mail", "no network", "leave it out", '"Blink"'):
        assert part in text
    assert "board and pins" not in text


def test_a_model_is_named_with_all_that_it_may_cost() -> None:
    claude = DesignerFact(
        designer="claude",
        ready=True,
        detail="some model",
        costs=True,
        session_ceiling=5_000_000,
        month_spent=1_500,
    )
    told = asked_later(claude).plain
    assert "some model" in told
    assert "a session costs at most $5.00" in told
    assert "at most $0.0015 spent of any amount" in told


def test_findings_are_told_worst_first_with_their_severity_as_a_word() -> None:
    note = Finding(code="N1", message="by the way", severity=Severity.NOTE)
    error = Finding(code="E1", subject="led", message="no pin", fix="name one")
    assert findings_text([note, error]).plain == (
        "✗ error E1 led\n    no pin\n    name one\n· note N1\n    by the way\n"
    )


def test_columns_that_hold_nothing_are_left_out() -> None:
    pins = (PinFact(pin="PB5", signal="relay", function="gpio_out", component="relay", reason="x"),)
    design = DesignFact(document="{}", pins=pins)
    assert pins_text(design, 80).plain.split() == [
        *("pin", "function", "component", "why"),
        *("PB5", "gpio_out", "relay", "x"),
    ]


def test_a_parts_list_that_is_no_table_is_shown_as_it_is() -> None:
    assert bom_text("a,b\nonly one", 80).plain == "a,b\nonly one"
    assert bom_text("part,note\nLED,\x1b[31m", 80).plain.splitlines()[1] == "LED   ␛[31m"
