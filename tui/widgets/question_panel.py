"""The questions of a run, one after the other, with choices and a line to answer in."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tui.question_wording import lettered, picked
from tui.state.question import Asked, Question
from tui.widgets.paint import BOLD, DIM
from tui.wording import visible


class AnswerLine(Input):
    """The line to answer in; up and down put the choices into it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "choose(1)", "Next choice", id="answer.next", show=False),
        Binding("up", "choose(-1)", "Choice before", id="answer.before", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="answer", compact=True)
        self.choices: tuple[str, ...] = ()

    def action_choose(self, step: int) -> None:
        """Put the next choice, or the one before, into the line."""
        if not self.choices:
            return
        known = self.value in self.choices
        at = self.choices.index(self.value) + step if known else min(step, 0)
        self.value = self.choices[at % len(self.choices)]
        self.cursor_position = len(self.value)


class QuestionPanel(Vertical):
    """Shown while a run waits for answers. What was typed stays until it was taken."""

    DEFAULT_CSS = """
    QuestionPanel {
        height: auto; max-height: 11; border: round $warning; padding: 0 1;
        border-title-color: $text-warning; border-subtitle-color: $text-muted; display: none;
    }
    QuestionPanel #question { height: auto; max-height: 7; }
    """

    class Completed(Message):
        """Every question has an answer."""

        def __init__(self, round_number: int, answers: dict[str, str]) -> None:
            super().__init__()
            self.round_number = round_number
            self.answers = answers

    def __init__(self) -> None:
        super().__init__(id="questions")
        self._asked: Asked | None = None
        self._index = 0
        self._answers: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """The question, and the line."""
        yield Static(id="question")
        yield AnswerLine()

    def show(self, asked: Asked | None) -> None:
        """Show the questions of a round; None when nothing is asked."""
        if asked == self._asked:
            return
        self._asked, self._answers = asked, {}
        self.display = asked is not None
        self.begin()

    def begin(self) -> None:
        """From the first question on; what was answered before stands in the line."""
        self._index = 0
        self._paint()

    def focus_line(self) -> None:
        """To the line."""
        self.query_one(AnswerLine).focus()

    @property
    def _question(self) -> Question | None:
        return self._asked.questions[self._index] if self._asked is not None else None

    def _paint(self) -> None:
        question, asked = self._question, self._asked
        if question is None or asked is None:
            return
        self.query_one("#question", Static).update(question_text(question))
        self.border_title = f"Question {self._index + 1} of {len(asked.questions)}"
        keys = ["enter answers", "↑↓ choices"] if question.choices else ["enter answers"]
        self.border_subtitle = "   ".join([*keys, "esc later"])
        line = self.query_one(AnswerLine)
        line.choices = question.choices
        line.placeholder = question.default or "an answer in your own words"
        line.value = self._answers.get(question.question_id, "")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        question, asked = self._question, self._asked
        if question is None or asked is None:
            return
        said = picked(question, event.value)
        if not said:
            self.notify("say something; ↑ and ↓ show answers that would do", severity="warning")
            return
        self._answers[question.question_id] = said
        if self._index + 1 < len(asked.questions):
            self._index += 1
            self._paint()
            return
        self.post_message(self.Completed(asked.round, dict(self._answers)))


def question_text(question: Question) -> Text:
    """The question, why it is asked, and the choices with the letters that pick them. Pure."""
    text = Text(visible(question.text), BOLD)
    if question.why:
        text.append(f"\n{visible(question.why)}", DIM)
    if question.choices:
        choices = (f"{letter}) {visible(choice)}" for letter, choice in lettered(question))
        text.append(f"\n{'   '.join(choices)}")
    if question.default:
        text.append(f"\nleft empty: {visible(question.default)}", DIM)
    return text
