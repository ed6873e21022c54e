"""What an answer asks of a person, or says that cannot be done."""

from dataclasses import dataclass

from controlplane.designers.claude_limits import ID, MOST, plain
from controlplane.designers.claude_wire import WireDesign, WireQuestion
from controlplane.domain.finding import Finding
from controlplane.domain.hardware import OpenQuestion
from controlplane.domain.question import MOST_QUESTIONS, Question
from controlplane.planning.complaints import complaint

_LONGEST_SENTENCE = 400
_MOST_CHOICES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The model says that the wish cannot be met, or asks what only a person knows."""

    findings: tuple[Finding, ...]
    questions: tuple[Question, ...] = ()
    """What would settle all of it; none where something cannot be met."""


def declined(wire: WireDesign) -> Declined | None:
    """Why there is no design, where something cannot be met or has to be known first."""
    infeasible = [
        complaint(
            "E107", item.requirement[:80], plain(item.reason, _LONGEST_SENTENCE), "Leave it out."
        )
        for item in wire.infeasible[:MOST]
    ]
    asked = _asked(wire)
    blocking = [
        complaint("E106", question.question_id, question.text, "Say it in the sentence.")
        for question, source in zip(asked, _most_pressing(wire), strict=True)
        if source.blocking
    ]
    if not infeasible and not blocking:
        return None
    return Declined(findings=(*infeasible, *blocking), questions=() if infeasible else tuple(asked))


def _most_pressing(wire: WireDesign) -> list[WireQuestion]:
    """As many questions as a round may have, those first that block."""
    return sorted(wire.open_questions, key=lambda one: not one.blocking)[:MOST_QUESTIONS]


def _asked(wire: WireDesign) -> list[Question]:
    """The questions as a person gets them, each with an id of its own."""
    asked: list[Question] = []
    used: set[str] = set()
    for number, question in enumerate(_most_pressing(wire), start=1):
        name = question.id if ID.fullmatch(question.id) else f"q{number}"
        name = f"{name[:28]}_{number}" if name in used else name
        used.add(name)
        choices = (plain(choice) for choice in question.choices[:_MOST_CHOICES])
        asked.append(
            Question(
                question_id=name,
                text=plain(question.text, _LONGEST_SENTENCE) or name,
                why=plain(question.why, _LONGEST_SENTENCE),
                choices=tuple(dict.fromkeys(filter(None, choices))),
                default=plain(question.default),
            )
        )
    return asked


def open_questions(wire: WireDesign) -> tuple[OpenQuestion, ...]:
    """The questions as a design keeps them, those that block nothing too."""
    return tuple(
        OpenQuestion(
            id=question.id[:40],
            text=plain(question.text, _LONGEST_SENTENCE),
            blocking=question.blocking,
            default=plain(question.default),
        )
        for question in wire.open_questions[:MOST]
    )
