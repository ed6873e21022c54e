"""What was understood of a sentence, while it is typed. Pure."""

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from tui.headless.output import table
from tui.headless.summary import understood_rows
from tui.spending_words import usd
from tui.state.design import DesignerFact, Preview, Span, unread
from tui.state.fact import Outcome
from tui.widgets.finding_text import findings_text
from tui.widgets.paint import BOLD, DIM
from tui.wording import visible

_READ = Style.parse("green")
_UNREAD = Style.parse("bold yellow")
_BEFORE, _AFTER = "⟦", "⟧"


def marked_sentence(prompt: str, understood: tuple[Span, ...]) -> Text:
    """The sentence: understood words green, those that were not in brackets as well as yellow."""
    text, at = Text(), 0
    styles = [(span.start, span.end, _READ) for span in understood]
    styles += [(start, end, _UNREAD) for start, end in unread(prompt, understood)]
    for start, end, style in sorted(styles, key=lambda one: one[:2]):
        if not at <= start < end <= len(prompt):
            continue
        text.append(visible(prompt[at:start].replace("\n", " ")))
        words = visible(prompt[start:end].replace("\n", " "))
        text.append(f"{_BEFORE}{words}{_AFTER}" if style is _UNREAD else words, style)
        at = end
    return text.append(visible(prompt[at:].replace("\n", " ")))


def preview_text(prompt: str, preview: Preview, width: int) -> Text:
    """What was understood and what would come of it, or every reason why not."""
    text = Text()
    design = preview.design if preview.outcome is Outcome.PASSED else None
    if design is not None:
        text.append(f"✓ {visible(design.title)}\n", "green bold")
    else:
        text.append("⊘ refused as it stands\n", "yellow bold")
    text.append_text(marked_sentence(prompt, preview.understood)).append("\n")
    if unread(prompt, preview.understood):
        text.append(f"{_BEFORE}…{_AFTER} was not understood\n", _UNREAD)
    if design is None:
        text.append("\n").append_text(findings_text(preview.findings))
    pairs = [(one.text, one.meaning) for one in preview.understood]
    if pairs:
        text.append("\nunderstood\n", BOLD)
        text.append(_indented(understood_rows(pairs), width))
    if design is not None:
        board = f"{design.board_model}: {visible(design.board_reason)}"
        text.append("\nboard and pins\n", BOLD)
        rows = [(one.pin, one.signal, visible(one.reason)) for one in design.pins]
        text.append(_indented([("board", "", board), *rows], width))
        told = [("proved by", visible(title or name)) for name, title in design.scenarios]
        told += [("assumed", visible(one)) for one in design.assumptions]
        text.append("\n").append(_indented(told, width), DIM)
        if preview.findings:
            text.append("\n").append_text(findings_text(preview.findings))
    return text


def _indented(rows: Sequence[tuple[str, ...]], width: int) -> str:
    lines = table(rows, max(20, width - 2))
    return "".join(f"  {line}\n" for line in lines)


def asked_later(designer: DesignerFact) -> Text:
    """What a designer that costs money does with the sentence, and what that may cost."""
    text = Text("A model is asked when the run starts, so nothing is understood before.\n", DIM)
    text.append(f"{visible(designer.detail)}\n")
    session, month = designer.session_ceiling, designer.month_ceiling
    text.append(f"a session costs at most {usd(session) if session else 'any amount'}; ")
    spent = f"at most {usd(designer.month_spent)} spent"
    text.append(f"this month {spent} of {usd(month) if month else 'any amount'}\n")
    return text.append("ctrl+o: a lower ceiling for this run", DIM)
