"""Lines that would be printed for two reasons: nothing could tell then which of them it was."""

import re
from collections.abc import Iterator, Sequence

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.domain.finding import Finding

_DRIVING = (BehaviourKind.THRESHOLD, BehaviourKind.BUTTON, BehaviourKind.FOLLOW)
_CONSOLE = ("unknown command", "line too long")


def clashing_texts(behaviours: Sequence[Behaviour]) -> list[Finding]:
    """A finding for each text of the prompt that something else prints too."""
    printed = list(_printed(behaviours))
    return [
        Finding(
            code="E158",
            subject=behaviour.id,
            message=f"the text {text!r} is also what {other} prints.",
            fix="Choose another text.",
        )
        for behaviour, text in _chosen(behaviours)
        for pattern, owner, other in printed
        if owner != behaviour.id and re.fullmatch(pattern, text)
    ]


def _chosen(behaviours: Sequence[Behaviour]) -> Iterator[tuple[Behaviour, str]]:
    """The texts that the prompt chose."""
    for behaviour in behaviours:
        for name in ("answer", "print", "began"):
            if behaviour.word(name) and not _is_choice(behaviour, name):
                yield behaviour, behaviour.word(name)


def _is_choice(behaviour: Behaviour, name: str) -> bool:
    """Whether a parameter of that name chooses when something is printed, and is no text."""
    return name == "print" and behaviour.kind is not BehaviourKind.BUTTON


def _printed(behaviours: Sequence[Behaviour]) -> Iterator[tuple[str, str, str]]:
    """What is printed, as a regex, with the id of its behaviour and a name for it."""
    if any(b.kind is BehaviourKind.COMMAND for b in behaviours):
        for text in _CONSOLE:
            yield text, "", "the console"
    for behaviour in behaviours:
        kind, name = behaviour.kind, behaviour.id
        if kind is BehaviourKind.REPORT:
            subject = name.removeprefix("report_").replace("_", " ")
            lines = rf"{subject} (-?[0-9.]+( .*)?|is (on|off)|sensor missing)"
            yield lines, name, f"the report of the {subject}"
        elif kind in _DRIVING:
            for output in behaviour.signals[1:]:
                spoken = output.replace("_", " ")
                yield f"{spoken} (on|off)", "", f"the switching of the {spoken}"
        if kind is BehaviourKind.BUTTON:
            yield "button pressed [0-9]+", name, "the count of presses"
            yield re.escape(behaviour.word("print")), name, "a press of the button"
        elif kind is BehaviourKind.MESSAGE:
            yield from _messages(behaviour)
        elif kind is BehaviourKind.NOTICE:
            for text in (behaviour.word("began"), behaviour.word("ended")):
                yield re.escape(text), name, "the notice of motion"


def _messages(behaviour: Behaviour) -> Iterator[tuple[str, str, str]]:
    for output in behaviour.signals:
        spoken = output.replace("_", " ")
        yield f"{spoken} (on|off)", "", f"the switching of the {spoken}"
    if not behaviour.signals:
        topic = behaviour.word("topic")
        yield f"message {re.escape(topic)} .*", "", f"a message on topic {topic}"
