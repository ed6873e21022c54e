"""A design as the tabs of its screen show it. Pure."""

import csv
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from tui.headless.output import table
from tui.state.design import ChangeFact, DesignFact, StoredFact
from tui.state.fact import Finding
from tui.widgets.finding_text import findings_text
from tui.widgets.paint import BOLD, DIM
from tui.wording import one_line, visible

_SIGNS = {"+": Style.parse("green"), "-": Style.parse("red"), "~": Style.parse("yellow")}


def summary_text(design: DesignFact, width: int) -> Text:
    """What the device is and does, and how that will be proved."""
    text = Text()
    text.append(f"{visible(design.title)}\n", BOLD)
    head = [("designer", design.designer), ("design", design.design_hash[:12])]
    board = f"{design.board_model} ({design.part}): {visible(design.board_reason)}"
    text.append("\n".join(table([*head, ("board", board)], width)) + "\n")
    if design.summary:
        text.append(f"\n{visible(design.summary)}\n")
    parts = [
        (one.component_id, one.kind, _joined(visible(one.part_number), visible(one.purpose)))
        for one in design.components
    ]
    for title, rows in (
        ("components", parts),
        ("behaviours", [(name, visible(words)) for name, words in design.behaviours]),
        ("assumed", [("·", visible(one)) for one in design.assumptions]),
        ("left open", [("?", visible(one)) for one in design.open_questions]),
        ("proved by", [(name, visible(words)) for name, words in design.scenarios]),
    ):
        if rows:
            text.append(f"\n{title}\n", BOLD)
            text.append("\n".join(f"  {line}" for line in table(rows, max(20, width - 2))) + "\n")
    if design.prompt:
        text.append("\nfrom the sentence\n", BOLD)
        text.append(f"  {one_line(design.prompt, 4000)}\n", DIM)
    return text


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def pins_text(design: DesignFact, width: int) -> Text:
    """Every pin with its function, its component and why it is this one."""
    if not design.pins:
        return Text("No pin is used.", DIM)
    head = ("pin", "function", "component", "signal", "level", "by", "why")
    rows = [
        (
            pin.pin,
            pin.function,
            pin.component,
            pin.signal if pin.signal != pin.component else "",
            pin.level,
            pin.fixed_by,
            visible(pin.reason),
        )
        for pin in design.pins
    ]
    used = [column for column in range(len(head)) if any(row[column] for row in rows)]
    lines = table([tuple(row[column] for column in used) for row in (head, *rows)], width)
    text = Text(f"{lines[0]}\n", DIM)
    return text.append("\n".join(lines[1:]))


def drawing_text(drawing: str) -> Text:
    """The wiring as it was drawn."""
    return Text("\n".join(visible(line) for line in drawing.splitlines()))


def bom_text(content: str, width: int) -> Text:
    """The bill of materials as columns."""
    rows = [tuple(visible(cell) for cell in row) for row in csv.reader(content.splitlines())]
    if len(rows) < 2 or len({len(row) for row in rows}) != 1:
        return drawing_text(content)
    lines = table(rows, width)
    text = Text(f"{lines[0]}\n", DIM)
    return text.append("\n".join(lines[1:]))


def judged_text(findings: Sequence[Finding], *, sound: bool) -> Text:
    """What the rules say of a design."""
    if sound:
        text = Text("✓ sound: it can be built\n\n", "green")
    else:
        text = Text("⊘ not sound: it cannot be built until the errors are mended\n\n", "yellow")
    if not findings:
        return text.append("No rule complains.", DIM)
    return text.append_text(findings_text(findings))


def changes_text(changes: Sequence[ChangeFact], left: str, right: str) -> Text:
    """Every difference in words, each with its sign."""
    text = Text(f"from {left} to {right}\n\n", DIM)
    if not changes:
        return text.append("no difference")
    for change in changes:
        text.append(f"{change.sign} {visible(change.text)}\n", _SIGNS.get(change.sign, Style()))
    return text


def stored_line(stored: StoredFact, when: str) -> str:
    """``@3  nucleo-f446re  Blink: led  27 Nov 17:20  slower``."""
    note = f"  {one_line(stored.note, 60)}" if stored.note else ""
    who = f"  {visible(stored.principal)}" if stored.principal else ""
    return f"@{stored.revision:<3} {stored.board_model:<22} {when}{who}{note}"
