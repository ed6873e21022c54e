"""What a designer asks, and what is said to it. Texts are a designer's: shown, never obeyed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question; ``default`` is taken when nobody says anything ("": it has to be answered)."""

    question_id: str
    text: str
    why: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""

    @property
    def example(self) -> str:
        """An answer that would do, "" when none is known."""
        return self.default or next(iter(self.choices), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The questions of a round, which counts from 1."""

    round: int
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What was said to the questions of a round, as pairs of id and text."""

    round: int
    answers: tuple[tuple[str, str], ...]
    answered_by: str = ""
