"""Texts of a designer are shown, and neither run by a shell nor by a terminal."""

import shlex

import pytest

from tui.question_wording import answer_command, picked, question_lines
from tui.state.question import Asked, Question

HOSTILE = "x'; rm -rf ~ #\x1b[2J"


def asked(**fields: object) -> Asked:
    question = Question(question_id="rate", text="How fast?", **fields)
    return Asked(round=1, questions=(question,))


def test_the_command_is_one_word_for_each_answer_whatever_was_suggested() -> None:
    command = answer_command(asked(choices=(HOSTILE,)), "01k")

    assert command.isprintable()
    words = shlex.split(command)
    assert words[:3] == ["benchline", "answer", "01k"]
    assert len(words) == 4
    assert words[3].startswith("rate=x'; rm -rf ~ #")
    assert all(line.isprintable() for line in question_lines(asked(why=HOSTILE), "01k"))


def test_what_has_a_default_is_left_out_of_the_command_unless_it_is_all() -> None:
    needed = Question(question_id="unit", text="Which unit?")
    both = Asked(round=1, questions=(*asked(default="1 Hz").questions, needed))

    assert answer_command(both, "01k") == "benchline answer 01k unit=TEXT"
    assert answer_command(asked(default="1 Hz"), "01k") == "benchline answer 01k rate='1 Hz'"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("a", "1 Hz"),
        (" b \n", "b"),
        ("c", "3 Hz"),
        ("B", "B"),
        ("7 Hz", "7 Hz"),
        ("", "2 s"),
        ("z", "z"),
    ],
)
def test_a_letter_picks_a_choice_unless_it_is_one_itself(typed: str, said: str) -> None:
    question = Question(question_id="rate", text="?", choices=("1 Hz", "B", "3 Hz"), default="2 s")

    assert picked(question, typed) == said
