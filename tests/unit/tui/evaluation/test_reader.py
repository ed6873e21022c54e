"""Prompt sets: the first one is sound, and nothing hostile or doubtful gets through."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchline.errors import InvalidRequestError
from tests.unit.tui.evaluation.sessions import case_of, first_set
from tui.evaluation.labels import Answer, Blink, Limit, Reply, Thing, Threshold
from tui.evaluation.reader import read_set

GOOD = """prompts: 1
title: A set
boards:
  b: {family: stm32, part: p, led: PC12 low}
designers:
  offline: [blink]
cases:
  - id: one
    prompt: Blink the LED at 2 Hz.
    answer: design
    needs: [blink]
    things:
      led: {kind: led, on_board: yes}
    does:
      - blink: {thing: led, every: 500 ms}
"""


def problems(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(InvalidRequestError) as caught:
        read_set(data)
    assert caught.value.reason == "PROMPTS_INVALID"
    return caught.value.message.splitlines()


def test_the_first_set_has_sixty_sentences_of_every_kind() -> None:
    cases = first_set().cases
    assert len(cases) == 60
    assert len({case.prompt for case in cases}) == 60
    answers = Counter(case.answer for case in cases)
    assert answers[Answer.REFUSE] >= 12
    assert {case.why for case in cases} >= {"ambiguous", "contradictory", "impossible", "foreign"}
    needs = {need for case in cases for need in case.needs}
    assert needs >= {"encoder", "keypad", "ds18b20", "dht22", "bme280", "hc_sr04", "pir", "servo"}
    assert needs >= {"rgb", "display", "blink", "report", "threshold", "button", "command", "echo"}
    families = {first_set().board(case.on.model).family for case in cases if case.on.model}
    assert families == {"stm32", "esp32"}


def test_labels_are_read_as_they_are_meant() -> None:
    assert case_of("blink_uneven").does == (Blink(thing="led", every_ms=1000, on_ms=200),)
    demo = case_of("greenhouse_demo")
    assert (
        Threshold(
            of="temperature",
            thing="relay",
            on=Limit(above=True, value=30, unit="C"),
            off=Limit(above=False, value=28, unit="C"),
        )
        in demo.does
    )
    assert Reply(to="status", of="temperature", unit="C") in demo.does
    assert demo.commands == ("status",)
    assert (
        Thing(name="relay", kind="relay", pin="PB7", active="low")
        in case_of("relay_active_low").things
    )


def test_what_is_offered_is_told_from_what_is_not() -> None:
    prompts = first_set()
    assert prompts.is_offered(case_of("blink_2hz"), "offline")
    assert not prompts.is_offered(case_of("dht22"), "offline")
    assert prompts.is_offered(case_of("dht22"), "claude")


def test_all_problems_are_told_at_once_with_their_lines() -> None:
    bad = (
        GOOD.replace("every: 500 ms", "every: soon")
        .replace("kind: led", "kindd: led")
        .replace("answer: design", "answer: maybe")
        .replace("PC12 low", "PC12")
        .replace("prompts: 1", "prompts: 2")
    )
    told = "\n".join(problems(bad))
    for words in (
        "'prompts' is 1",
        "'PC12 low'",
        "one of design",
        "'kindd' is unknown",
        "'500 ms'",
    ):
        assert words in told
    assert "line 10: " in told


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("prompt: Blink the LED at 2 Hz.", "prompt: ''", "prompt is empty"),
        ("    prompt: Blink the LED at 2 Hz.\n", "", "'prompt' is missing"),
        ("Blink the LED at 2 Hz.", "x" * 4001, "more than 4000"),
        ("id: one", "id: One!", "lower case"),
        ("thing: led,", "thing: lamp,", "'lamp' is not among the things"),
        ("blink: {", "fade: {", "'fade' is no behaviour"),
        ("every: 500 ms", "every: 0 ms", "is a time"),
        ("every: 500 ms", "every: 500 ms, on: 600 ms", "shorter than 'every'"),
        ("answer: design", "answer: refuse", "no things, needs or behaviours"),
        ("answer: design", "answer: either", "'why' goes with"),
        ("on_board: yes", "on_board: perhaps", "one of yes, may, no"),
        ("kind: led,", "kind: led, pin: led,", "written as 'PB5'"),
        ("needs: [blink]", "needs: blink", "a list of texts"),
        ("    does:\n", "    does: 3\n    unjudged:\n", "does is a list"),
        ("      - blink: {thing: led, every: 500 ms}\n", "      - 3\n", "each item is one"),
        ("needs: [blink]", "on: {model: other}", "'other' is not among 'boards'"),
        ("needs: [blink]", "oracle: mine", "'oracle' is unknown here"),
        ("title: A set", "title: &a A set", "anchors and aliases"),
        ("title: A set", "title: !!python/name:os.system x", "tags are not accepted"),
        ("title: A set", "title: A set\ntitle: B", "stands here twice"),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str, words: str) -> None:
    assert old in GOOD
    assert words in "\n".join(problems(GOOD.replace(old, new)))


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("threshold: {of: led, thing: led, on: above 28 C, off: below 30 C}", "contradict"),
        ("threshold: {of: led, thing: led, on: above 30 C, off: above 28 C}", "contradict"),
        ("threshold: {of: led, thing: led, on: above 30 C, off: below 28 %}", "contradict"),
        ("threshold: {of: led, thing: led, on: over 30 C, off: below 28 C}", "above 30 C"),
        ("threshold: {of: led, thing: led, on: above hot, off: below 28 C}", "a number and a unit"),
        ("answer: {to: a, text: b, of: led}", "one of text, of, state and count"),
        ("set: {to: a, thing: led, state: high}", "one of on, off"),
        ("report: {of: led, every: 1 s, unit: stone}", "one of C, F"),
    ],
)
def test_behaviours_are_strict(does: str, words: str) -> None:
    told = problems(GOOD.replace("blink: {thing: led, every: 500 ms}", does))
    assert words in "\n".join(told)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"3",
        b"\xff\xfe",
        b"prompts: 1\ncases: []\n",
        b"a: " + b"[" * 5000,
        b"x" * (1024 * 1024 + 1),
        b"prompts: 1\n--- \ntwo: 2\n",
        b"prompts: 1\ncases: [{}, {}]\n",
    ],
)
def test_hostile_files_are_refused(data: bytes) -> None:
    assert problems(data)


def test_a_thousand_problems_are_cut() -> None:
    told = problems("prompts: 1\ncases:\n" + "  - {}\n" * 900)
    assert len(told) == 101
    assert told[-1].startswith("and ")


def test_ids_are_unique() -> None:
    twice = GOOD + GOOD.partition("cases:\n")[2]
    assert any("'one' stands here twice" in one for one in problems(twice))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert problems(data)


KEYS = ["id", "prompt", "answer", "things", "does", "kind", "blink", "thing", "every", "of", "on"]
LEAVES = st.sampled_from(["yes", "3", "500 ms", "above 3 C", "led", "design", "", "PB5", "~"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        ).map(lambda table: "{" + ", ".join(f"{k}: {v}" for k, v in table.items()) + "}"),
    ),
    max_leaves=20,
)


@given(TREES)
def test_no_tree_breaks_the_reader(tree: str) -> None:
    assert problems(f"prompts: 1\nboards: {tree}\ndesigners: {tree}\ncases: [{tree}]\n")
