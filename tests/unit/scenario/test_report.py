"""Reports stay well-formed whatever a device printed."""

import json
from xml.etree import ElementTree as ET

from hypothesis import given, strategies

from benchline.scenario import (
    AssertionResult,
    Outcome,
    ScenarioResult,
    combine_outcomes,
    digest,
    evaluate,
    plain,
    report_json,
    report_junit,
    report_table,
)
from tests.unit.scenario.device import NONCE, Device, plan_of

ANY_TEXT = strategies.text(max_size=60)


def result_with(text: str, outcome: Outcome = Outcome.FAILED) -> ScenarioResult:
    found = AssertionResult(
        id="x", kind="expect", outcome=outcome, message=text, expected=text, got=text, at_ms=5
    )
    return ScenarioResult(
        scenario_id="demo",
        title=text,
        outcome=outcome,
        assertions=(found,),
        seed=2**64 - 1,
        values={"below": "1.5"},
    )


@given(ANY_TEXT, strategies.sampled_from(list(Outcome)))
def test_junit_is_xml_for_any_text(text: str, outcome: Outcome) -> None:
    root = ET.fromstring(report_junit([result_with(text, outcome)]).encode("utf-8"))
    assert root.find(".//testcase").get("name") == "x"


def test_hostile_markup_stays_text() -> None:
    text = ']]></failure><x a="b">&\x00\x1b[31m'
    root = ET.fromstring(report_junit([result_with(text)]).encode())
    assert root.find(".//x") is None
    assert root.find(".//failure").get("message", "").startswith("]]></failure>")


@given(ANY_TEXT)
def test_json_goes_there_and_back(text: str) -> None:
    report = report_json(result_with(text))
    assert json.loads(json.dumps(report)) == report
    assert list(report)[:4] == ["report", "scenario", "title", "outcome"]
    assert report["seed"] == str(2**64 - 1)


@given(strategies.lists(ANY_TEXT, max_size=40))
def test_a_digest_has_at_most_twenty_plain_lines(texts: list[str]) -> None:
    text = digest([result_with(text) for text in texts])
    assert len(text.split("\n")) <= 20
    assert "\x1b" not in text


def test_control_and_direction_characters_are_replaced() -> None:
    assert plain("a\x1b[31m\u202eb\r\n") == "a\ufffd[31m\ufffdb\ufffd\ufffd"
    assert len(plain("x" * 999)) == 400


def test_a_table_names_every_assertion() -> None:
    device = Device().record(3, "READY").end()
    plan = plan_of("expect: {id: ready, type: READY, within: 1s}", "never: {id: ok, type: FAULT}")
    table = report_table(evaluate(plan, device.events(), nonce=NONCE))
    assert [line.split()[1] for line in table.splitlines()[1:]] == [
        "core.boot", "core.end", "ready", "ok",
    ]  # fmt: skip


def test_all_skipped_is_not_a_pass_and_failed_comes_first() -> None:
    passed, failed, broken = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN
    assert combine_outcomes([]) is Outcome.SKIPPED
    assert combine_outcomes([Outcome.SKIPPED]) is Outcome.SKIPPED
    assert combine_outcomes([Outcome.SKIPPED, passed]) is passed
    assert combine_outcomes([passed, broken]) is broken
    assert combine_outcomes([broken, failed, passed]) is failed
