"""Reading one skill sheet."""

import pytest

from controlplane.skills.sheet import Evidence, LineKind, SheetError, SheetKind, parse_sheet

SHEET = """---
id: component-led
kind: component
title: LED
applies_to: {components: [led]}
sources:
  cat: {repo: docs/boards.md}
  ds: {manual: "Some data sheet"}
---

## Pitfalls

- 3 mA [cat, ds].

```cpp absent=tone
void beep() { tone(1, 2); }
```
"""


def test_the_front_matter_and_the_code_are_read() -> None:
    sheet = parse_sheet(SHEET)
    [block] = sheet.code_blocks

    assert (sheet.id, sheet.kind, sheet.components) == (
        "component-led",
        SheetKind.COMPONENT,
        ("led",),
    )
    assert [source.evidence for source in sheet.sources] == [Evidence.REPO, Evidence.MANUAL]
    assert (block.language, block.absent, block.line) == ("cpp", "tone", 15)
    assert block.text == "void beep() { tone(1, 2); }\n"


def test_lines_are_counted_as_in_the_file() -> None:
    numbered = SHEET.split("\n")

    for line in parse_sheet(SHEET).lines:
        assert numbered[line.number - 1] == line.text


def test_a_reader_is_told_what_marks_stand_for_and_how_far_to_trust_them() -> None:
    rendered = parse_sheet(SHEET).rendered()

    assert rendered.startswith("# LED\n\n## Pitfalls\n")
    assert "[cat] docs/boards.md\n" in rendered
    assert "[ds] Some data sheet (from the manual, not checked against it)\n" in rendered
    assert "applies_to" not in rendered


def test_code_is_told_apart_from_text() -> None:
    kinds = [line.kind for line in parse_sheet(SHEET).lines if line.text]

    assert kinds == [
        LineKind.TEXT,
        LineKind.TEXT,
        LineKind.FENCE,
        LineKind.CODE,
        LineKind.FENCE,
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("---\nid", "id", 1, "front matter"),
        ("id: component-led", "id: [", 2, "YAML"),
        ("kind: component", "kind: page", 2, "kind is one of"),
        ("title: LED", "titel: LED", 2, "titel"),
        ("{components: [led]}", "{component: [led]}", 2, "component"),
        ("{components: [led]}", "{components: led}", 2, "list of texts"),
        ("{repo: docs/boards.md}", "docs/boards.md", 2, "source 'cat'"),
        ("{repo: docs/boards.md}", "{rumour: somebody}", 2, "source 'cat'"),
        ("```cpp absent=tone", "```python", 15, "cpp, yaml or text"),
        ("```cpp absent=tone", "```cpp missing=tone", 15, "absent=NAME"),
        ("```\n", "", 15, "no end"),
    ],
)
def test_a_sheet_that_cannot_be_read_says_where(old: str, new: str, line: int, says: str) -> None:
    with pytest.raises(SheetError, match=says) as caught:
        parse_sheet(SHEET.replace(old, new, 1))

    assert caught.value.line == line
