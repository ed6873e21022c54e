"""Writes the results of an evaluation into a page, between the markers of its designer."""

import re
from pathlib import Path

from benchline.errors import InvalidRequestError
from tui.evaluation.oracle import Verdict
from tui.evaluation.results import Results
from tui.evaluation.scoring import Score
from tui.evaluation.telling import printable, score_rows

_END = "<!-- end of results -->"


def renew_page(path: Path, results: Results, told: Score) -> None:
    """Renew the section of a designer; everything else of the page stays as it is.

    Raises:
        InvalidRequestError: PAGE_UNUSABLE, when the page has no markers for it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError("PAGE_UNUSABLE", f"{path}: {error}") from error
    begin = f"<!-- results: {results.plan.designer} -->"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(_END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise InvalidRequestError(
            "PAGE_UNUSABLE", f"{path} has not one pair of '{begin}' and '{_END}'"
        )
    section = "\n".join([begin, *section_lines(results, told), _END])
    path.write_text(pattern.sub(lambda _: section, text), encoding="utf-8")


def section_lines(results: Results, told: Score) -> list[str]:
    """The section: head, numbers, what was not right."""
    plan = results.plan
    day = (results.ended or results.begun)[:10]
    sessions = f"{plan.repeat} session{'s' if plan.repeat > 1 else ''} each"
    what = (
        f'On {day}: "{_cell(plan.title)}" (sha256 `{plan.prompts_sha256[:12]}`), {told.cases} '
        f"sentences, {sessions}, until {plan.until.upper()}, seed {plan.seed}."
    )
    lines = [
        "",
        what,
        f"Machine: {_cell(results.machine)}. Benchline {_cell(results.server)}.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {_cell(text)} |" for name, text in score_rows(results, told)),
        "",
    ]
    bad = [one for one in results.document()["trials"] if not Verdict(one["verdict"]).is_right]
    if bad:
        lines += ["| sentence | verdict | what was told |", "| --- | --- | --- |"]
        lines += [
            f"| `{one['case']}` | {one['verdict'].value} | {_cell('; '.join(one['problems']))} |"
            for one in bad
        ]
        lines.append("")
    return lines


def _cell(text: str) -> str:
    """Text of models and devices inside a table: nothing of it is markup."""
    flat = printable(text, 160)
    return re.sub(r"([\\`*_<>|\[\]!&])", lambda match: f"&#{ord(match[0])};", flat)
