"""The linter of skill sheets: a number without a source is an error, with its line."""

import pytest

from controlplane.skills.lint import MAX_LINES, Known, contradicted, lint
from controlplane.skills.sheet import Sheet, parse_sheet

KNOWN = Known(
    parts=frozenset({"esp32c3"}),
    boards=frozenset(),
    components=frozenset({"led"}),
    frameworks=frozenset({"bench-core"}),
)
FRONT = """---
id: page
kind: scenario
title: A page
applies_to: {}
sources:
  core: {repo: docs/core.md}
---
"""
BODY_LINE = 10


def page(body: str, front: str = FRONT) -> Sheet:
    return parse_sheet(f"{front}\n{body}\n\nMarked [core].\n")


def codes(sheet: Sheet) -> list[str]:
    return [problem.code for problem in lint(sheet, KNOWN)]


@pytest.mark.parametrize(
    "text",
    [
        "The tick is 1 ms.",
        "A period of 2.5 s",
        "about 10-20 kOhm of it",
        "at 3.3V or more",
        "-40 C is the lowest",
        "±2 % of that",
        "4095 counts",
        "There are 40 of them.",
        "half a second, ten ms, or so",
        "`within` of `300 ms`",
        "Marked [core]. But 7 V is not.",
        "- an item of 5 V\n- marked [core]",
        "a line\nand 7 mA on the next",
        "| 12 V | is a row |\n| marked | [core] |",
        "`x[core]` is code, 5 V",
        "```cpp\nint x = 5;  // 5 V at most\n```",
    ],
)
def test_a_number_without_a_mark_in_its_own_sentence_is_an_error(text: str) -> None:
    assert set(codes(page(text))) == {"number-without-source"}


@pytest.mark.parametrize(
    "text",
    [
        "The tick is 1 ms [core].",
        "From 0 to 3.3 V\nand 5 mA on the next line [core].",
        "Nobody knows whether 7 V is too much [unverified].",
        "GPIO34 of an ESP32-C3, UART0, `PA5` and I2C",
        "`delay(50)` and `digitalWrite(13, HIGH)`",
        "It reads 0, or 1 where it is high.",
        "`at: 0ms`",
        "- an item of 5 V [core]\n- and one without",
        "```cpp\nint x = 500;\n```",
        "```cpp\nint x = 5;  // 5 V at most [core]\n```",
        "```yaml\nwithin: 300ms\n```",
        "Version v0.3 and `v2.1`, a 74HC595 and a 28BYJ-48",
    ],
)
def test_marked_numbers_names_and_code_are_accepted(text: str) -> None:
    assert codes(page(text)) == []


def test_the_problem_names_the_line_and_the_number() -> None:
    [problem] = lint(page("first\nand then 7.5 mA"), KNOWN)

    assert problem.line == BODY_LINE + 1
    assert "'7.5 mA'" in problem.message
    assert str(problem).startswith("page.md:11: number-without-source: ")


def test_a_mark_without_a_source_and_a_source_without_a_mark_are_errors() -> None:
    front = FRONT.replace("---\n", "---\n", 1).replace("  core:", "  spare: {read: book}\n  core:")

    assert codes(page("5 V [cor]", front)) == ["unused-source", "unknown-source"]


def test_what_is_not_there_cannot_be_applied_to() -> None:
    front = FRONT.replace("kind: scenario", "kind: component").replace(
        "applies_to: {}", "applies_to: {components: [ledd]}"
    )

    assert "unknown-key" in codes(page("", front))


def test_a_component_sheet_has_its_sections_in_order() -> None:
    front = FRONT.replace("kind: scenario", "kind: component").replace(
        "applies_to: {}", "applies_to: {components: [led]}"
    )
    sections = "## Pitfalls\n\n## Timing\n\n## API\n\n## Wiring\n\n## Test hints\n"

    assert codes(page(sections, front)) == []
    assert codes(page(sections.replace("## API\n\n", ""), front)) == ["sections"]


def test_a_page_is_short_and_narrow() -> None:
    assert codes(page("line\n" * MAX_LINES)) == ["too-long"]
    assert codes(page("x" * 120)) == ["too-wide"]


def test_a_number_has_to_be_in_the_file_that_it_is_said_to_come_from() -> None:
    texts = {"docs/core.md": "the tick is 1.5 ms and the stack has 7 KiB"}

    assert contradicted(page("The tick is 1.5 ms [core]."), texts) == ()
    [problem] = contradicted(page("It has 5 ms [core]."), texts)
    assert (problem.code, problem.line) == ("not-in-source", BODY_LINE)
    assert contradicted(page("A guess of 5 ms [core, unverified]."), texts) == ()
