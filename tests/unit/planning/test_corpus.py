"""The corpus: prompts with the designs they must give, and prompts that must be refused."""

from functools import cache
from pathlib import Path

import pytest

from benchline.scenario import check, parse_scenario
from benchline.scenario.model import MAX_DURATION_MS
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Behaviour, BehaviourKind, Design, FixedBy
from controlplane.domain.units import Unit
from controlplane.planning.limits import LONGEST_RUN_MS
from controlplane.planning.tokens import FILLERS, Kind, tokenize

HERE = Path(__file__).parent
DESIGNER = OfflineDesigner()


def read_corpus(name: str, arrow: str) -> list[tuple[str, str]]:
    lines = (HERE / name).read_text("utf-8").splitlines()
    pairs = zip(lines[0::2], lines[1::2], strict=True)
    return [(prompt, answer.removeprefix(f"  {arrow} ")) for prompt, answer in pairs]


ACCEPTED = read_corpus("accepted.txt", "=>")
REFUSED = read_corpus("refused.txt", "!!")
DISTINCT = list({summary: prompt for prompt, summary in reversed(ACCEPTED)}.values())
"""One prompt for each design: scenarios do not depend on the wording."""


@cache
def design(prompt: str) -> Design | Refusal:
    return DESIGNER.plan(DesignRequest(prompt=prompt))


def accepted(prompt: str) -> Design:
    found = design(prompt)
    assert isinstance(found, Design), [str(f) for f in found.findings]
    return found


def summary(design: Design) -> str:
    """Every behaviour with its exact numbers, then every pin that the user fixed."""
    parts = [_one(behaviour) for behaviour in design.behaviours]
    parts += [f"{pin.signal}@{pin.pin}" for pin in design.pins if pin.fixed_by is FixedBy.USER]
    return "; ".join(parts)


def _one(behaviour: Behaviour) -> str:
    word = behaviour.word
    match behaviour.kind:
        case BehaviourKind.BLINK:
            return f"blink {behaviour.signals[0]} {word('on')}/{word('off')}ms"
        case BehaviourKind.REPORT:
            return f"{behaviour.id} {word('period')}ms"
        case BehaviourKind.THRESHOLD:
            sensor, output = behaviour.signals
            unit = behaviour.parameters[1].unit
            return (
                f"{output} on {sensor}{word('on_when')}{word('on_value')}{unit} "
                f"off {word('off_when')}{word('off_value')}{unit}"
            )
        case BehaviourKind.BUTTON:
            toggles = [f"toggle:{name}" for name in behaviour.signals[1:]]
            extras = [f"{key}:{word(key)}" for key in ("count", "print") if word(key)]
            return " ".join(["button", f"{word('debounce')}ms", *toggles, *extras])
        case BehaviourKind.COMMAND:
            answer = (
                word("answer") or word("colour") or ":".join([word("value"), *behaviour.signals])
            )
            return f"command {word('command')}={answer}"
        case BehaviourKind.ECHO:
            return "echo"
        case _:
            return _of_kind(behaviour)


def _of_kind(behaviour: Behaviour) -> str:
    """Behaviours of single kinds of component, and of the cloud."""
    word = behaviour.word
    match behaviour.kind:
        case BehaviourKind.FOLLOW:
            source, output = behaviour.signals
            return f"{output} follows {source}+{word('hold')}ms"
        case BehaviourKind.CYCLE:
            return f"cycle {word('colours')} {word('step')}ms"
        case BehaviourKind.BANDS:
            return f"{behaviour.signals[0]} as {word('colours')} at {word('limits')}"
        case BehaviourKind.TURN:
            return f"turn {word('position')}"
        case BehaviourKind.NOTICE:
            told = ", ".join(filter(None, [word("began"), word("ended")]))
            return f"notice {behaviour.signals[0]}: {told}"
        case BehaviourKind.PUBLISH:
            value = ":".join([word("value"), *behaviour.signals])
            limit = f"{word('on_when')}{word('on_value')}" if word("on_value") else "change"
            return f"publish {value} to {word('topic')} at {word('period') or limit}"
        case BehaviourKind.MESSAGE:
            said = f"={word('payload')}" if word("payload") else ""
            return " ".join(["message", word("topic") + said, word("effect"), *behaviour.signals])
        case _:
            raise AssertionError(behaviour.kind)


def test_the_corpus_is_large_enough() -> None:
    assert len(ACCEPTED) >= 150
    assert len(REFUSED) >= 80


@pytest.mark.parametrize(("prompt", "expected"), ACCEPTED)
def test_an_accepted_prompt_gives_exactly_this_design(prompt: str, expected: str) -> None:
    assert summary(accepted(prompt)) == expected


@pytest.mark.parametrize(("prompt", "codes"), REFUSED)
def test_a_refused_prompt_names_its_problems_and_a_way_out(prompt: str, codes: str) -> None:
    found = design(prompt)

    assert isinstance(found, Refusal)
    assert {finding.code for finding in found.findings} == set(codes.split())
    assert all(finding.message and finding.fix for finding in found.findings)


@pytest.mark.parametrize("prompt", [prompt for prompt, _ in ACCEPTED])
def test_every_content_word_of_an_accepted_prompt_is_accounted_for(prompt: str) -> None:
    found = accepted(prompt)

    for token in tokenize(prompt):
        if token.kind is not Kind.MARK and token.text not in FILLERS:
            assert any(s.start <= token.start and token.end <= s.end for s in found.understood)
    for span in found.understood:
        assert prompt[span.start : span.end] == span.text


@pytest.mark.parametrize("prompt", DISTINCT)
def test_every_scenario_of_an_accepted_prompt_can_be_run(prompt: str) -> None:
    for scenario in accepted(prompt).scenarios:
        findings = check(parse_scenario(scenario.yaml))
        slow = "fast_time" in scenario.requires
        assert [str(f) for f in findings if not slow] == []


@pytest.mark.parametrize("prompt", DISTINCT)
def test_scenarios_for_boards_stay_below_twenty_seconds_in_all(prompt: str) -> None:
    scenarios = accepted(prompt).scenarios
    on_boards = [s.duration_ms for s in scenarios if "fast_time" not in s.requires]

    assert sum(on_boards) <= 22_000


@pytest.mark.parametrize("word", ["don't", "never", "not", "unless it rains", "except today", "no"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_negation_is_never_dropped(word: str, place: int) -> None:
    parts = ["blink the LED", "at 2 Hz"]
    parts.insert(place, word)

    assert isinstance(design(" ".join(parts)), Refusal)


@pytest.mark.parametrize("word", ["perhaps", "brightly", "wifi", "quux", "'text'", "PB7"])
def test_a_foreign_word_anywhere_refuses_the_whole(word: str) -> None:
    words = ["report", "the", "temperature", "every", "second", "and", "blink", "the", "LED"]
    words += ["at", "2", "Hz"]
    for place in range(len(words) + 1):
        prompt = " ".join([*words[:place], word, *words[place:]])
        found = design(prompt)
        wired = word == "PB7" and isinstance(found, Design)
        assert isinstance(found, Refusal) or wired, prompt
        if wired and isinstance(found, Design):
            assert any(pin.pin == "PB7" for pin in found.pins), prompt


def test_the_unit_of_every_number_is_in_the_design() -> None:
    found = accepted("Blink the LED at 2 Hz and switch a relay on above 30 C and off below 28 C.")
    numbers = {(p.name, p.value, p.unit) for b in found.behaviours for p in b.parameters}

    assert ("rate", "2", Unit.HERTZ) in numbers
    assert ("on_value", "30", Unit.CELSIUS) in numbers


def test_the_longest_run_is_that_of_the_scenario_language() -> None:
    assert LONGEST_RUN_MS == MAX_DURATION_MS


@pytest.mark.parametrize("word", ["blah", "the", "led", "hundred", "'", "on above 2 C ,", "and"])
def test_a_long_prompt_is_refused_and_does_not_exhaust_the_reader(word: str) -> None:
    assert isinstance(design(f"{word} " * (3900 // (len(word) + 1))), Refusal)


@pytest.mark.parametrize(
    "joint", ["\n", "\n\n", "\n- ", "\n* ", ";\n", ".\n", " and\n", "\r\n", "\n\u2022 "]
)
def test_a_new_line_may_end_a_wish(joint: str) -> None:
    wishes = ["blink the LED at 3 Hz", "report the temperature every 2 s", "echo every line"]

    assert summary(accepted(joint.join(wishes))) == summary(accepted("; ".join(wishes)))


@pytest.mark.parametrize("numbers", ["{}. ", "{}) "])
def test_wishes_may_be_numbered(numbers: str) -> None:
    wishes = ["blink the LED at 3 Hz", "report the temperature every 2 s", "echo every line"]
    listed = "\n".join(numbers.format(n) + wish for n, wish in enumerate(wishes, start=1))

    assert summary(accepted(listed)) == summary(accepted("; ".join(wishes)))


def test_a_long_sentence_may_be_wrapped() -> None:
    sentence = "Switch a relay on above 30 C and off below 28 C and blink the LED every 1.5 s"
    words = sentence.split()
    for place in range(1, len(words)):
        wrapped = " ".join(words[:place]) + "\n  " + " ".join(words[place:])
        assert summary(accepted(wrapped)) == summary(accepted(" ".join(words))), wrapped


@pytest.mark.parametrize(
    "prompt",
    ["turn the fan on above 30. 2. blink the LED at 1 Hz", "1. 2. 3.", "report it every 1."],
)
def test_a_number_that_is_no_item_is_not_dropped(prompt: str) -> None:
    assert isinstance(design(prompt), Refusal)
