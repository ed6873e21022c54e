"""Words about questions that the console and the verbs share."""

import shlex

from tui.state.question import Answered, Asked, Question
from tui.wording import one_line, visible

_LETTERS = "abcdefghijkl"


def question_lines(asked: Asked, session_id: str) -> list[str]:
    """Every question with its reason and choices, and the command that answers them all."""
    lines: list[str] = []
    for question in asked.questions:
        lines.append(f"  ? {question.question_id}: {visible(question.text)}")
        lines += [f"      {line}" for line in detail_lines(question)]
    return [*lines, f"  answer: {answer_command(asked, session_id)}"]


def detail_lines(question: Question) -> list[str]:
    """Why it is asked, what may be said, what is taken otherwise."""
    lines = [visible(question.why)] if question.why else []
    if question.choices:
        lines.append(f"for example: {' | '.join(visible(one) for one in question.choices)}")
    if question.default:
        lines.append(f"left out: {visible(question.default)}")
    return lines


def lettered(question: Question) -> list[tuple[str, str]]:
    """The choices, each with a letter to pick it by."""
    return list(zip(_LETTERS, question.choices, strict=False))


def picked(question: Question, typed: str) -> str:
    """What a typed line answers: a choice by its letter, the default, or the words themselves."""
    said = typed.strip()
    if not said:
        return question.default
    if said.casefold() in {choice.casefold() for choice in question.choices}:
        return said
    return dict(lettered(question)).get(said, said)


def answer_command(asked: Asked, session_id: str) -> str:
    """``benchline answer 01K3F blink_rate='at 2 Hz'``; what has a default may be left out."""
    needed = [one for one in asked.questions if not one.default] or list(asked.questions[:1])
    words = (f"{one.question_id}={shlex.quote(visible(one.example) or 'TEXT')}" for one in needed)
    return f"benchline answer {session_id} {' '.join(words)}"


def answered_lines(answered: Answered) -> list[str]:
    """Who answered what."""
    by = f" by {answered.answered_by}" if answered.answered_by else ""
    said = [f"    {key} = {one_line(text, 200)}" for key, text in answered.answers]
    return [f"  answered{by}", *said]
