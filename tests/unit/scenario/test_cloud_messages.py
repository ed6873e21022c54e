"""Cloud messages in scenarios: sent as rows of the table, published as records."""

import pytest

from benchline.scenario import (
    Evaluator,
    RecordSplitter,
    ScenarioError,
    check,
    parse_scenario,
    resolve,
)
from benchline.scenario.table import SIGNAL_CONSOLE
from tests.unit.scenario.device import NONCE, Device

HEAD = "scenario: 1\nid: cloudy\nrequires: [serial.rx]\nduration: 2s\n"
BOOT = b"\x1eBL 0 BOOT core=1 nonce=none\n"


def test_a_cloud_record_is_neither_text_nor_damaged() -> None:
    events = RecordSplitter().feed(
        BOOT
        + b"\x1eBL 7 OUT S0\nha\x1eCL PUB a/b two%20words%0A\nlf\n\x1eCL SUB fan\n\x1eCL PUB +\n"
    )

    publish, line, subscribe, damaged = events[2:]
    assert (publish.type, publish.name, publish.value) == ("CL", "PUB.a/b", "two words\n")
    assert (publish.at_ms, publish.timed, publish.malformed) == (7, False, False)
    assert line.text == "half"
    assert (subscribe.name, subscribe.value) == ("SUB.fan", "")
    assert damaged.malformed


def test_a_payload_of_full_length_is_a_whole_record() -> None:
    record = b"\x1eCL PUB " + b"t" * 64 + b" " + b"%00" * 256 + b"\n"

    (event,) = RecordSplitter().feed(BOOT + record)[1:]

    assert event.value == "\0" * 256


def test_a_send_with_a_topic_is_a_message_in_the_table() -> None:
    scenario = parse_scenario(
        HEAD + "vars: {word: {choice: [on]}}\nsteps:\n"
        '  - send: {at: 1s, topic: fan/set, text: "${word} 5%\\n"}\n'
        "  - expect: {type: EVT, name: cloud.fan, within: 1s}\n"
    )
    plan = resolve(scenario, 1)

    rows = [row for row in plan.rows if row.signal == SIGNAL_CONSOLE + 1]
    sent = b"".join(row.value.to_bytes(4, "little")[: row.n] for row in rows)
    assert sent == b"CL MSG fan/set on 5%25%0A\n"
    assert {row.ms for row in rows} == {1000}
    assert plan.moments[0].text == "send 'on 5%\\n' on topic fan/set"
    assert [finding.code for finding in check(scenario)] == []


def test_a_topic_or_a_message_that_cannot_be_is_refused() -> None:
    with pytest.raises(ScenarioError) as bad:
        parse_scenario(HEAD + 'steps:\n  - send: {at: 1s, topic: "a+b", text: x}\n')
    assert [(f.code, f.subject) for f in bad.value.findings] == [
        ("bad-value", "steps[0].send.topic")
    ]
    long = parse_scenario(
        HEAD + f"steps:\n  - send: {{at: 1s, topic: a, text: {'x' * 257}}}\n"
        "  - expect: {type: READY, within: 1s}\n"
    )
    with pytest.raises(ScenarioError, match="257 bytes is longer than 256"):
        resolve(long, 1)


def test_what_is_published_is_expected_by_name_value_and_rate() -> None:
    scenario = parse_scenario(
        HEAD + "steps:\n"
        "  - expect_period: {id: rate, type: EVT, name: cloud.t, period: 500ms, count: 2}\n"
        '  - expect: {id: value, type: EVT, name: cloud.t, where: "abs(value - 20.5) <= 0.1"}\n'
        "  - never: {id: other, type: EVT, name: cloud.other}\n"
    )
    device = Device()
    for ms in (0, 500, 1000):
        device.record(ms, "EVT cloud.t v=20.5")
        device.raw += b"\x1eCL PUB t 20.5\n"
    evaluator = Evaluator(resolve(scenario, 1), nonce=NONCE)
    evaluator.feed_all(device.end(2000).events())

    results = {each.id: str(each.outcome) for each in evaluator.finish().assertions}

    assert {name: results[name] for name in ("rate", "value", "other")} == dict.fromkeys(
        ("rate", "value", "other"), "PASSED"
    )
    assert "core.records" not in results
