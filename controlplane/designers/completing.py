"""Completes a request with what a person answered, and says what is still to be asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.domain.question import MOST_QUESTIONS, MOST_ROUNDS, Answered, Question
from controlplane.planning.asking import BOARD, Blank, blanks_of, board_question

Judge = Callable[[DesignRequest], Design | Refusal]
Models = Callable[[DesignRequest], tuple[str, ...]]


class Completion:
    """One request while answers are put into it."""

    def __init__(
        self, request: DesignRequest, outcome: Design | Refusal, judge: Judge, models: Models
    ) -> None:
        self.request = request
        self.outcome = outcome
        self._judge = judge
        self._models = models
        self._remarks: dict[str, str] = {}

    def fill(self, answers: Sequence[Answered]) -> None:
        """Take the answers of a round; one that completes nothing leaves its question open."""
        if isinstance(self.outcome, Design):
            return
        said = {each.question.question_id: each.text for each in answers}
        self._remarks = {}
        together = self._with_all(said)
        outcome = self._judge(together)
        if isinstance(outcome, Design):
            self.request, self.outcome = together, outcome
            return
        self._take_each(said)

    def _take_each(self, said: Mapping[str, str]) -> None:
        """Take what fits, answer by answer, and remember what is wrong with the others."""
        if BOARD in said and self._models_to_choose():
            self._take(BOARD, [replace(self.request, board=said[BOARD])], said[BOARD])
        # From the end on, so that what stands before keeps its place.
        for blank in reversed(self._blanks()):
            name = blank.question.question_id
            if name not in said:
                continue
            prompt = self.request.prompt
            tries = [replace(self.request, prompt=one) for one in blank.filled(prompt, said[name])]
            self._take(name, tries, said[name], blank)

    def questions(self) -> tuple[Question, ...]:
        """What to ask, if answers can complete the sentence; nothing otherwise."""
        if isinstance(self.outcome, Design):
            return ()
        asked = self._open()
        if not 0 < len(asked) <= MOST_QUESTIONS or not self._completes(MOST_ROUNDS):
            return ()
        return tuple(
            replace(question, why=self._remarks.get(question.question_id, question.why))
            for question in asked
        )

    def _open(self) -> tuple[Question, ...]:
        models = self._models_to_choose()
        board = (board_question(models),) if models else ()
        return (*board, *(blank.question for blank in self._blanks()))

    def _models_to_choose(self) -> tuple[str, ...]:
        """The board models to choose among; the sentence is read for them only where it helps."""
        if isinstance(self.outcome, Design):
            return ()
        wrong = any(finding.code == "E101" for finding in self.outcome.findings)
        return self._models(self.request) if wrong else ()

    def _blanks(self) -> tuple[Blank, ...]:
        if isinstance(self.outcome, Design):
            return ()
        return blanks_of(self.request.prompt, self.outcome.findings, self.outcome.understood)

    def _completes(self, rounds: int) -> bool:
        """Whether the first choices make a design of it: only then is it worth asking."""
        trial = Completion(self.request, self.outcome, self._judge, self._models)
        for _ in range(rounds):
            asked = trial._open()
            if not 0 < len(asked) <= MOST_QUESTIONS:
                break
            trial._take_all({one.question_id: one.choices[0] for one in asked})
        return isinstance(trial.outcome, Design)

    def _take_all(self, said: Mapping[str, str]) -> None:
        """Go on with all answers in their likeliest forms at once."""
        self.request = self._with_all(said)
        self.outcome = self._judge(self.request)

    def _with_all(self, said: Mapping[str, str]) -> DesignRequest:
        prompt = self.request.prompt
        for blank in reversed(self._blanks()):
            answer = said.get(blank.question.question_id)
            filled = blank.filled(prompt, answer) if answer is not None else iter(())
            prompt = next(filled, prompt)
        board = said[BOARD] if BOARD in said and self._models_to_choose() else self.request.board
        return replace(self.request, prompt=prompt, board=board)

    def _take(
        self, name: str, tries: Sequence[DesignRequest], said: str, blank: Blank | None = None
    ) -> None:
        """Go on with the first try in which the answer fits."""
        why = ""
        for request in tries:
            outcome = self._judge(request)
            against = self._against(request, outcome, blank)
            if against is None:
                self.request, self.outcome = request, outcome
                return
            why = why or against.message
        self._remarks[name] = f'"{said[:80]}" does not fit: {why or "it is none of the choices."}'

    def _against(
        self, request: DesignRequest, outcome: Design | Refusal, blank: Blank | None
    ) -> Finding | None:
        """The finding that speaks against an answer: not one that can be asked about itself."""
        if isinstance(outcome, Design):
            return None
        if blank is None:
            return next((finding for finding in outcome.findings if finding.code == "E101"), None)
        end = len(request.prompt) - len(self.request.prompt) + blank.end
        askable = {
            (b.finding.code, b.finding.subject, b.finding.start)
            for b in blanks_of(request.prompt, outcome.findings, outcome.understood)
        }
        before = blank.finding
        for finding in outcome.findings:
            touches = finding.start <= end and blank.start <= finding.end
            same = (finding.code, finding.subject) == (before.code, before.subject)
            key = (finding.code, finding.subject, finding.start)
            if touches and finding.end and (same or key not in askable):
                return finding
        return None
