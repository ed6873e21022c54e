"""What a failed scenario reached, as lines of `show` and of the console."""

from tui.coverage_wording import coverage_lines
from tui.state.fact import Coverage, LineRange


def test_lines_that_never_ran_are_shown_with_their_numbers() -> None:
    ranges = (
        LineRange(file="a.ino", first=12, last=20, text="if (x) {\n  go();"),
        LineRange(file="a.ino", first=30, last=30, text="off();"),
    )
    found = Coverage(scenario_id="s", runner="r", executed=3, executable=9, never_ran=ranges)

    assert coverage_lines(found) == [
        "3 of 9 lines with code ran in s on r; these never did:",
        "  a.ino:12           if (x) {",
        "  a.ino:13             go();",
        "  … 7 more lines, to 20",
        "  a.ino:30           off();",
    ]


def test_control_characters_of_a_sketch_are_made_visible() -> None:
    one = LineRange(file="a.ino", first=1, last=1, text="\x1b[2J")
    lines = coverage_lines(Coverage(scenario_id="s", runner="r", executable=1, never_ran=(one,)))

    assert lines[1].endswith("␛[2J")


def test_what_is_not_known_is_said() -> None:
    found = Coverage(scenario_id="light", runner="r", unknown="objdump was not found")

    assert coverage_lines(found) == ["which lines ran in light is not known: objdump was not found"]
