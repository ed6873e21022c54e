"""Text without records: lines with the host's times, judged until the time is over."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from benchline.scenario import (
    Evaluator,
    Outcome,
    TextSplitter,
    beyond_text,
    parse_scenario,
    resolve,
)
from benchline.scenario.records import MAX_LINE_BYTES

HEAD = "scenario: 1\nid: t\ntitle: T\nduration: 5s\n"
TEXT = HEAD + (
    "steps:\n"
    "  - expect: {id: banner, line: '^ready$', within: 2s}\n"
    "  - expect_count: {id: often, line: '^tick', min: 2}\n"
    "  - never: {id: calm, line: 'panic'}\n"
)


def judged(*pieces: tuple[int, bytes], text: str = TEXT) -> dict[str, Outcome]:
    plan = resolve(parse_scenario(text), 1)
    evaluator, splitter = Evaluator(plan, simulated=False, records=False), TextSplitter()
    for at_ms, data in pieces:
        evaluator.feed_all(splitter.feed(data, at_ms))
    evaluator.feed_all(splitter.finish(plan.end_ms))
    result = evaluator.finish()
    return {a.id: a.outcome for a in result.assertions} | {"all": result.outcome}


def test_lines_are_judged_without_any_record() -> None:
    found = judged((100, b"ready\r\n"), (1000, b"tick 1\n"), (2000, b"tick 2\n"))
    assert found == {
        "banner": Outcome.PASSED,
        "often": Outcome.PASSED,
        "calm": Outcome.PASSED,
        "all": Outcome.PASSED,
    }


def test_a_line_has_the_time_of_its_first_byte() -> None:
    assert judged((1900, b"rea"), (2600, b"dy\n"))["banner"] is Outcome.PASSED
    assert judged((2100, b"ready\n"))["banner"] is Outcome.FAILED


def test_what_never_comes_and_what_must_not_come_fail() -> None:
    found = judged((100, b"ready\n"), (200, b"panic\n"))
    assert (found["often"], found["calm"], found["all"]) == (
        Outcome.FAILED,
        Outcome.FAILED,
        Outcome.FAILED,
    )


def test_colours_of_a_log_are_not_part_of_its_lines() -> None:
    found = judged((0, b"\x1b[0;32mready\x1b[0m\r\n"), (1, b"tick\ntick\n"))
    assert found["banner"] is Outcome.PASSED


def test_a_run_that_was_not_followed_to_its_end_is_broken() -> None:
    plan = resolve(parse_scenario(TEXT), 1)
    evaluator = Evaluator(plan, simulated=False, records=False)
    evaluator.feed_all(TextSplitter().feed(b"ready\n", 1))
    assert evaluator.finish().outcome is Outcome.BROKEN


def test_records_in_plain_text_are_bytes_like_any_other() -> None:
    assert judged((0, b"\x1eBL 5 END main dropped=0\nready\ntick\ntick\n"))["all"] is Outcome.PASSED


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_pieces_of_any_size_give_the_same_lines(data: bytes, sizes: list[int]) -> None:
    whole, split = TextSplitter(), TextSplitter()
    expected = whole.feed(data, 7) + whole.finish(9)
    got, at = [], 0
    for size in [*sizes, len(data) + 1]:
        got += split.feed(data[at : at + size], 7)
        at += size
    assert got + split.finish(9) == expected
    lines = [event for event in expected if event.is_line]
    assert all(a.end <= b.start for a, b in itertools.pairwise(lines))


def test_an_endless_line_takes_bounded_memory() -> None:
    splitter = TextSplitter()
    for _ in range(100):
        assert splitter.feed(b"x" * 10_000, 0) == []
    line = splitter.feed(b"\n", 0)[0]
    assert line.truncated
    assert len(line.text) == MAX_LINE_BYTES


def test_what_text_cannot_give_is_named() -> None:
    text = HEAD + (
        "signals:\n"
        "  led: {kind: digital_out, pin: PC12}\n"
        "steps:\n"
        "  - send: {at: 1s, text: 'x'}\n"
        "  - expect: {id: a, pin: led, level: on, within: 1s}\n"
        "  - expect: {id: b, type: READY, within: 1s}\n"
    )
    assert beyond_text(resolve(parse_scenario(text), 1)) == ("inject", "pin.read", "records")
    assert beyond_text(resolve(parse_scenario(TEXT), 1)) == ()
