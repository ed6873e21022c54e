from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tui.state.console import MAX_LINE_CHARS, ConsoleText


def texts(data: bytes, cuts: list[int]) -> list[tuple[str, bool]]:
    shown = ConsoleText()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        shown.feed(data[start:end], offset=start)
    return [(line.text, line.record) for line in shown.lines()]


def test_a_record_in_the_middle_of_a_line_does_not_break_the_line() -> None:
    assert texts(b"tempe\x1eBL 3 PIN PB0 v=1\nrature 3\r\n", []) == [
        ("BL 3 PIN PB0 v=1", True),
        ("temperature 3", False),
    ]


def test_a_doubled_separator_is_one_that_the_user_printed() -> None:
    assert texts(b"a\x1e\x1eb\n", []) == [("a␞b", False)]


def test_control_characters_and_markup_are_only_text() -> None:
    assert texts(b"\x1b[31m[bold]x\x07\x9b\n", []) == [("␛[31m[bold]x␇\ufffd", False)]


def test_an_unfinished_line_is_shown() -> None:
    assert texts(b"a\nb", []) == [("a", False), ("b", False)]


def test_a_jump_ahead_is_drawn_as_a_gap_and_bytes_seen_before_are_dropped() -> None:
    shown = ConsoleText()
    shown.feed(b"one\n", offset=0)
    shown.feed(b"one\ntwo\n", offset=0)
    shown.feed(b"four\n", offset=20, gap="agent restarted")
    assert [line.text for line in shown.lines()] == [
        "one",
        "two",
        "── 12 bytes lost (agent restarted) ──",
        "four",
    ]


def test_an_endless_line_is_cut_and_nothing_is_left_out() -> None:
    size = 3 * MAX_LINE_CHARS + 5
    for head in (b"", b"\x1e"):
        assert sum(len(text) for text, _ in texts(head + b"x" * size, [7, 4000])) == size


def test_memory_is_bounded() -> None:
    shown = ConsoleText(max_lines=10)
    shown.feed(b"x\n" * 1000, offset=0)
    assert (len(shown.lines()), shown.total) == (10, 1000)


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=6))
def test_how_the_bytes_are_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    assert texts(data, cuts) == texts(data, [])
