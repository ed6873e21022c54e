"""Texts of prompts: rules as files, other people's words as data that cannot leave its frame."""

import json
from functools import cache
from importlib.resources import files

from controlplane.domain.finding import Finding


@cache
def rules(name: str) -> str:
    """A page of rules that comes with the program."""
    return files("controlplane.claude").joinpath("rules", f"{name}.md").read_text("utf-8")


def as_data(name: str, text: str) -> str:
    """A text that nobody here wrote, as one JSON string between marks.

    Neither quotes nor angle brackets of the text survive, so it cannot end its own frame.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        quoted = quoted.replace(sign, f"\\u{ord(sign):04x}")
    return f'<data name="{name}">\n{quoted}\n</data>'


def findings_text(findings: tuple[Finding, ...], *, limit: int = 40) -> str:
    """Findings as a list, one in a line."""
    lines = [f"- {finding}" for finding in findings[:limit]]
    if len(findings) > limit:
        lines.append(f"- and {len(findings) - limit} more")
    return "\n".join(lines)
