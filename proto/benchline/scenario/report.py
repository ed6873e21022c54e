"""Results for machines and people: JSON, JUnit XML, a short digest and a table."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from benchline.scenario.result import (
    AssertionResult,
    Outcome,
    ScenarioResult,
    combine_outcomes,
)
from benchline.scenario.units import show_ms

REPORT_VERSION = 1
DIGEST_LINES = 20
"""Longest digest, in lines."""

_NOT_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_PLAIN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_WORST_FIRST = (Outcome.BROKEN, Outcome.FAILED, Outcome.SKIPPED, Outcome.PASSED)


def plain(text: str, limit: int = 400) -> str:
    """One line without control or direction characters, at most ``limit`` characters."""
    clean = _NOT_PLAIN.sub("\ufffd", text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def report_json(result: ScenarioResult) -> dict[str, Any]:
    """The result as JSON types, keys in a fixed order. The seed is a text: it has 64 bits."""
    return {
        "report": REPORT_VERSION,
        "scenario": result.scenario_id,
        "title": result.title,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "proves": list(result.proves),
        "control": result.control,
        "seed": str(result.seed),
        "values": dict(result.values),
        "stimuli": [{"atMs": at_ms, "text": text} for at_ms, text in result.stimuli],
        "endMs": result.end_ms,
        "events": result.events,
        "assertions": [_assertion_json(found) for found in result.assertions],
    }


def _assertion_json(found: AssertionResult) -> dict[str, Any]:
    return {
        "id": found.id,
        "kind": found.kind,
        "outcome": found.outcome.value,
        "message": found.message,
        "expected": found.expected,
        "got": found.got,
        "atMs": found.at_ms,
        "evidence": [{"start": r.start, "end": r.end} for r in found.evidence],
    }


def report_junit(results: Sequence[ScenarioResult], *, suite: str = "benchline") -> str:
    """JUnit XML: one test suite a scenario, one test case an assertion; BROKEN is an error."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites name={_attribute(suite)}>")
    for result in results:
        counts = {outcome: len(result.with_outcome(outcome)) for outcome in Outcome}
        broken = counts[Outcome.BROKEN] + counts[Outcome.REFUSED]
        lines.append(
            f"  <testsuite name={_attribute(result.scenario_id)}"
            f' tests="{len(result.assertions)}" failures="{counts[Outcome.FAILED]}"'
            f' errors="{broken}" skipped="{counts[Outcome.SKIPPED]}"'
            f' time="{result.end_ms / 1000:.3f}">'
        )
        lines.append(f'    <properties><property name="seed" value="{result.seed}"/></properties>')
        lines.extend(_case(result, found) for found in result.assertions)
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


_TAGS = {
    Outcome.FAILED: "failure",
    Outcome.BROKEN: "error",
    Outcome.REFUSED: "error",
    Outcome.SKIPPED: "skipped",
}


def _case(result: ScenarioResult, found: AssertionResult) -> str:
    seconds = (found.at_ms or 0) / 1000
    head = (
        f"    <testcase classname={_attribute(result.scenario_id)}"
        f' name={_attribute(found.id)} time="{seconds:.3f}"'
    )
    tag = _TAGS.get(found.outcome)
    if tag is None:
        return head + "/>"
    message = _attribute(found.message)
    if tag == "skipped":
        return f"{head}><skipped message={message}/></testcase>"
    body = escape(_xml(f"expected: {found.expected}\ngot: {found.got}"))
    return f'{head}><{tag} type="{found.outcome}" message={message}>{body}</{tag}></testcase>'


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_xml(text))


def digest(results: Iterable[ScenarioResult]) -> str:
    """At most 20 lines: the overall outcome, then what went wrong, worst first."""
    found = list(results)
    overall = combine_outcomes(result.outcome for result in found)
    counts = ", ".join(
        f"{number} {outcome}"
        for outcome in Outcome
        if (number := sum(result.outcome is outcome for result in found))
    )
    lines = [f"{overall}: {len(found)} scenarios ({counts or 'none'})"]
    details: list[str] = []
    for outcome in _WORST_FIRST[:3]:
        for result in found:
            if result.outcome is outcome:
                details.extend(_digest_of(result))
    room = DIGEST_LINES - len(lines)
    if len(details) > room:
        details = [*details[: room - 1], f"… and {len(details) - room + 1} more lines"]
    return "\n".join(lines + details)


def _digest_of(result: ScenarioResult) -> list[str]:
    values = ", ".join(f"{name}={text}" for name, text in result.values.items())
    lines = [plain(f"{result.outcome} {result.scenario_id} [{values}]", 200)]
    wrong = result.with_outcome(Outcome.BROKEN, Outcome.FAILED)
    lines.extend(plain(f"  {found.outcome} {found.message}") for found in wrong)
    if not wrong and result.reason:
        lines.append(plain(f"  {result.reason}"))
    return lines


def report_table(result: ScenarioResult) -> str:
    """A table for people: outcome, id, device time, message."""
    lines = [plain(f"{result.outcome}  {result.scenario_id}  {result.title}  seed {result.seed}")]
    width = max((len(found.id) for found in result.assertions), default=0)
    for found in result.assertions:
        moment = "" if found.at_ms is None else show_ms(found.at_ms)
        message = found.got if found.outcome is Outcome.PASSED else found.message
        head = f"  {found.outcome:<7}  {found.id:<{width}}  {moment:>9}  "
        lines.append(head + plain(message))
    return "\n".join(lines)
