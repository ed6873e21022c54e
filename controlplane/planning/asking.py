"""Blanks of a sentence: what is missing in it, so that one well-formed answer completes it.

An answer is put into the sentence, which is then read anew by the same grammar: an answer can
never mean more than its words would have meant in the sentence.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from controlplane.domain.design import UnderstoodSpan, text_digest
from controlplane.domain.finding import Finding
from controlplane.domain.question import Answered, Question, QuestionRound
from controlplane.domain.units import decimal_text

BOARD = "board"
"""Id of the question which board model is meant: its answer is a wish, not a word more."""

_AS_IT_IS = ("{}",)
_RATE_FORMS = ("{}", "at {}", "every {}")
_VAGUE = re.compile(
    r"(?:(?:very|quite|really) )?(?:fast|faster|slow|slower|slowly|quickly|rapidly|often|"
    r"sometimes|occasionally)",
    re.IGNORECASE,
)
_BARE_RATE = re.compile(r"(?:at|every) ([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)
_FITTING = re.compile(r'Say "[0-9.-]+ (\S+)"')
_COMPARED = re.compile(r"(?:>|>=|<|<=) ([0-9.-]+)")
_NAMED_LED = re.compile(r"(?:(\w+) )?led(?: on (\w+))?")
_HERTZ = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:hz|hertz)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """A gap: an answer takes the place of [start, end) in one of the ``forms``.

    ``meant`` are sentences for answers that stand for something else than themselves.
    """

    question: Question
    finding: Finding
    start: int
    end: int
    forms: tuple[str, ...] = _AS_IT_IS
    meant: tuple[tuple[str, int, int, str], ...] = ()

    def filled(self, prompt: str, answer: str) -> Iterator[str]:
        """The sentences that an answer may make, likeliest first."""
        for said, start, end, words in self.meant:
            if answer.casefold() == said.casefold():
                yield _replaced(prompt, start, end, words)
        if not self.meant:
            for form in self.forms:
                yield _replaced(prompt, self.start, self.end, form.format(answer))


def _replaced(prompt: str, start: int, end: int, words: str) -> str:
    before, after = prompt[:start].rstrip(), prompt[end:].lstrip()
    joint = "" if not after or after[0] in ",.;:!?" else " "
    return f"{before} {words}{joint}{after}".lstrip()


def blanks_of(
    prompt: str, findings: Sequence[Finding], understood: Sequence[UnderstoodSpan]
) -> tuple[Blank, ...]:
    """The gaps behind findings, in the order of the sentence; other findings have none."""
    found = [
        blank
        for finding in findings
        if (blank := _blank(prompt, finding, findings, understood)) is not None
    ]
    found.sort(key=lambda blank: blank.start)
    return tuple(_numbered(found))


def board_question(models: Sequence[str]) -> Question:
    """Which of several board models is meant."""
    return Question(
        question_id=BOARD,
        text="Which board is it for?",
        why="Pins, firmware and simulator follow from it, and several are meant.",
        choices=tuple(models),
    )


def answers_of(rounds: Sequence[QuestionRound]) -> tuple[tuple[Answered, ...], ...]:
    """What a person said, round by round."""
    found = []
    for each in rounds:
        said = {answer.question_id: answer.text for answer in each.answers}
        found.append(
            tuple(Answered(q, said[q.question_id]) for q in each.questions if q.question_id in said)
        )
    return tuple(answered for answered in found if answered)


def inputs_digest(prompt_digest: str, rounds: Sequence[QuestionRound]) -> str:
    """The digest of what a design depends on: the sentence and every answer."""
    said = [[[a.question.question_id, a.text] for a in each] for each in answers_of(rounds)]
    return text_digest(json.dumps([prompt_digest, said])) if said else prompt_digest


def _numbered(blanks: Sequence[Blank]) -> Iterator[Blank]:
    """Each question with an id of its own."""
    used: dict[str, int] = {}
    for blank in blanks:
        name = blank.question.question_id
        used[name] = used.get(name, 0) + 1
        if used[name] == 1:
            yield blank
            continue
        question = Question(
            question_id=f"{name}_{used[name]}",
            text=blank.question.text,
            why=blank.question.why,
            choices=blank.question.choices,
        )
        yield Blank(
            question=question,
            finding=blank.finding,
            start=blank.start,
            end=blank.end,
            forms=blank.forms,
            meant=blank.meant,
        )


def _blank(
    prompt: str,
    finding: Finding,
    findings: Sequence[Finding],
    understood: Sequence[UnderstoodSpan],
) -> Blank | None:
    said = prompt[finding.start : finding.end]
    inside = [u for u in understood if finding.start <= u.start and u.end <= finding.end]
    match (finding.code, finding.subject):
        case ("E201", "blink"):
            choices = ("at 2 Hz", "at 1 Hz", "every 5 seconds")
            text = f'How fast does it blink, in "{said}"?'
            why = "A proof counts full cycles, on and off."
            question = Question(question_id="blink_rate", text=text, why=why, choices=choices)
            return _rate(prompt, finding, findings, question)
        case ("E201", "report"):
            choices = ("every second", "every 10 seconds", "every minute")
            text = f'How often is it reported, in "{said}"?'
            why = "A proof checks the time between two lines."
            question = Question(question_id="report_period", text=text, why=why, choices=choices)
            return _rate(prompt, finding, findings, question)
        case ("E202", "toggle"):
            return _toggle(finding, inside)
        case ("E203", "the LED"):
            return _which_led(said, finding, inside, understood)
        case ("E203", "the measured value"):
            return _unit(finding, inside, ("C", "V"))
        case ("E204", _):
            fitting = _FITTING.search(finding.fix)
            return _unit(finding, inside, (fitting[1],)) if fitting else None
    return None


def _rate(prompt: str, finding: Finding, findings: Sequence[Finding], question: Question) -> Blank:
    """A rate at the end of its clause, in the place of a vague one that stands there."""
    end, choices = finding.end, question.choices
    for other in findings:
        said = prompt[other.start : other.end]
        follows = other.code == "E200" and not prompt[finding.end : other.start].strip()
        if not follows or other.start < finding.end:
            continue
        bare = _BARE_RATE.fullmatch(said)
        if bare is not None:
            number = bare[1]
            choices = (f"at {number} Hz", f"every {number} seconds", f"every {number} ms")
        if bare is not None or _VAGUE.fullmatch(said):
            end = other.end
    asked = Question(
        question_id=question.question_id, text=question.text, why=question.why, choices=choices
    )
    return Blank(question=asked, finding=finding, start=finding.end, end=end, forms=_RATE_FORMS)


def _toggle(finding: Finding, inside: Sequence[UnderstoodSpan]) -> Blank | None:
    """A rate of toggling in Hz: full cycles, or single toggles."""
    verbs = [u for u in inside if u.meaning == "toggle"]
    rates = [u for u in inside if u.meaning == "a rate"]
    hertz = _HERTZ.search(rates[0].text) if len(verbs) == len(rates) == 1 else None
    if hertz is None or not Fraction(hertz[1]):
        return None
    verb, rate = verbs[0], rates[0]
    toggles = f"every {decimal_text(1000 / Fraction(hertz[1]), 6)} ms"
    question = Question(
        question_id="toggle_rate",
        text=f'Does "{rate.text}" count full cycles, or single toggles?',
        why="Single toggles make half as many cycles.",
        choices=("full cycles", "single toggles"),
    )
    return Blank(
        question=question,
        finding=finding,
        start=finding.start,
        end=finding.end,
        meant=(
            ("full cycles", verb.start, verb.end, "blink"),
            ("single toggles", rate.start, rate.end, toggles),
        ),
    )


def _which_led(
    said: str,
    finding: Finding,
    inside: Sequence[UnderstoodSpan],
    understood: Sequence[UnderstoodSpan],
) -> Blank | None:
    plain = [u for u in inside if u.meaning == "led"]
    if len(plain) != 1:
        return None
    named = (_NAMED_LED.fullmatch(u.meaning) for u in understood if u.meaning != "led")
    others = [
        f"{found[1]} LED" if found[1] else f"LED on {found[2]}"
        for found in named
        if found is not None and found[1] != "onboard"
    ]
    question = Question(
        question_id="which_led",
        text=f'Which LED is meant in "{said}"?',
        why="Several are named, and each output has one master.",
        choices=("on-board LED", *dict.fromkeys(others)),
    )
    return Blank(question=question, finding=finding, start=plain[0].start, end=plain[0].end)


def _unit(
    finding: Finding, inside: Sequence[UnderstoodSpan], units: tuple[str, ...]
) -> Blank | None:
    """A threshold without a unit."""
    compared = [(u, found) for u in inside if (found := _COMPARED.fullmatch(u.meaning))]
    if len(compared) != 1:
        return None
    span, number = compared[0]
    question = Question(
        question_id="unit",
        text=f'In which unit is the {number[1]} of "{span.text}"?',
        why="The unit says what is measured, and how.",
        choices=units,
    )
    return Blank(question=question, finding=finding, start=span.end, end=span.end)
