"""What a designer asks a person, and what the person says."""

from dataclasses import dataclass

MOST_ROUNDS = 3
"""How often a session asks; who still has questions then is refused."""

MOST_QUESTIONS = 10
"""Of one round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question: ``why`` says what hangs on it, ``choices`` are suggested answers.

    ``default`` is taken when nobody says anything; "": it has to be answered.
    """

    question_id: str
    text: str
    why: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person said to a question. A model gets it as data, never as an instruction."""

    question_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with what a person said to it."""

    question: Question
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRound:
    """Questions that were asked together, from round 1 on; without answers it is open."""

    round: int
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...] = ()
    answered_by: str = ""

    @property
    def open(self) -> bool:
        """Whether somebody has yet to answer."""
        return not self.answers


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsAsked:
    """The session waits for answers."""

    round: int
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsAnswered:
    """The questions of a round are answered, with the defaults that were taken."""

    round: int
    answers: tuple[Answer, ...]
    answered_by: str
