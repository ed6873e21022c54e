"""Findings of a design in full: code, subject, message, fix. Pure."""

from collections.abc import Sequence

from rich.text import Text

from tui.state.fact import Finding, Severity
from tui.widgets.paint import BOLD, DIM
from tui.wording import visible

_SIGNS = {
    Severity.ERROR: ("✗", "red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.NOTE: ("·", "dim"),
}


def findings_text(findings: Sequence[Finding]) -> Text:
    """All of them, the worst first."""
    order = list(_SIGNS)
    text = Text()
    for finding in sorted(findings, key=lambda one: order.index(one.severity)):
        sign, style = _SIGNS[finding.severity]
        text.append(f"{sign} {finding.severity.value.lower()} ", style)
        text.append(finding.code, BOLD)
        text.append(f" {visible(finding.subject)}" if finding.subject else "")
        text.append(f"\n    {visible(finding.message)}\n")
        if finding.fix:
            text.append(f"    {visible(finding.fix)}\n", DIM)
    return text
